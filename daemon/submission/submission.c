/* SPDX-License-Identifier: Apache-2.0 */
#include "submission/submission.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "proto/cosignature.h"
#include "submission/submission_inside.h"

/* The cosigned checkpoint is a file of its own: `checkpoint` belongs to the publisher, which may be
 * several sizes further by the time the witnesses have answered. */

#define NEWEST_NAME "checkpoint.cosigned"

static struct err submission_refuse(char *why, const char *path, const char *reason)
{
    (void)snprintf(why, CONF_WHY_BYTES, "%.300s: %.150s", path, reason);
    return err_make(ERR_CONF_INVALID, "witness policy");
}

struct err submission_policy_read(const char *path, struct quorum *out, char *why)
{
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    uint32_t line = 0;
    struct err err = durable_read(path, QUORUM_FILE_BYTES_MAX, &text, &text_bytes);
    if (err_is(err)) {
        return submission_refuse(why, path, "cannot be read");
    }
    enum quorum_fault fault = quorum_read((const char *)text, text_bytes, out, &line);
    free(text);
    if (fault != QUORUM_GOOD) {
        char reason[160];
        (void)snprintf(reason, sizeof reason, "line %" PRIu32 ": %s", line,
                       quorum_fault_text(fault));
        return submission_refuse(why, path, reason);
    }
    return err_none;
}

static struct err submission_path(const struct submission *self, const char *name,
                                  char out[DURABLE_PATH_BYTES])
{
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s", self->public_directory, name);
    return bytes > 0 && bytes < (int)DURABLE_PATH_BYTES
               ? err_none
               : err_make(ERR_ARGUMENT, "path of the log is too long");
}

/* Whose log this is we know; the file's log lines are for those who read it elsewhere. So that a
 * new year or key does not cost us our witnesses, they are only looked at for a warning. */
static void submission_take_log(struct submission *self)
{
    bool known = self->quorum.logs_count == 0;
    for (uint32_t i = 0; i < self->quorum.logs_count; i++) {
        known |= strcmp(self->quorum.logs[i].vkey.name, self->note.checkpoint.origin) == 0;
    }
    if (!known) {
        diag_warn(witness, "policy=%s reason=\"no log line is of %s\"", self->conf.policy_file,
                  self->note.checkpoint.origin);
    }
    self->quorum.logs_count = 0;
}

static void submission_urls(struct submission *self)
{
    for (uint32_t i = 0; i < self->quorum.witnesses_count; i++) {
        const char *prefix = self->quorum.witnesses[i].url;
        size_t bytes = strlen(prefix);
        bytes -= bytes > 0 && prefix[bytes - 1] == '/';
        if (bytes > 0) {
            char *url = self->witnesses[i].url; /* 20 bytes longer than a prefix can be */
            memcpy(url, prefix, bytes);
            strcpy(url + bytes, "/add-checkpoint");
        }
    }
}

/* The newest cosigned checkpoint of before; one that is newer than the log is witness to what the
 * log has lost. */
static struct err submission_resume(struct submission *self)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *text = NULL;
    size_t text_bytes = 0;
    struct quorum_tally tally;
    struct err err = submission_path(self, NEWEST_NAME, path);
    if (!err_is(err)) {
        err = durable_read(path, NOTE_BYTES_MAX, &text, &text_bytes);
    }
    if (err_is(err)) {
        return err.os_errno == ENOENT ? err_none : err;
    }
    enum quorum_verdict verdict =
        quorum_judge(&self->quorum, (const char *)text, text_bytes, &tally);
    free(text);
    if (verdict == QUORUM_MET && tally.checkpoint.size > self->note.checkpoint.size) {
        return err_make(ERR_LOG_ROLLED_BACK, "checkpoint.cosigned is newer than the log");
    }
    if (verdict == QUORUM_MET) { /* by another policy it may not be: then it is replaced */
        self->met_size = tally.checkpoint.size;
        for (uint32_t i = 0; i < self->quorum.witnesses_count; i++) {
            self->met_utc_ns = (int64_t)tally.times_s[i] * NS_PER_S > self->met_utc_ns
                                   ? (int64_t)tally.times_s[i] * NS_PER_S
                                   : self->met_utc_ns;
        }
    }
    return err_none;
}

struct err submission_open(const struct submission_conf *conf, struct submission **out, char *why)
{
    struct submission *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "submission_open");
    }
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    self->conf = *conf;
    int bytes = snprintf(self->public_directory, sizeof self->public_directory, "%s",
                         conf->public_directory);
    struct err err = bytes < (int)sizeof self->public_directory
                         ? submission_policy_read(conf->policy_file, &self->quorum, why)
                         : err_make(ERR_ARGUMENT, "submission_open");
    if (!err_is(err)) {
        err = submission_load(self, "checkpoint");
    }
    if (!err_is(err)) {
        submission_take_log(self);
        submission_urls(self);
        err = submission_resume(self);
    }
    if (!err_is(err)) {
        err = http_posts_open(QUORUM_WITNESSES_MAX, conf->timeout_ns, &self->posts);
    }
    if (err_is(err)) {
        submission_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void submission_close(struct submission **self)
{
    if (*self != NULL) {
        http_posts_close(&(*self)->posts);
        must(pthread_mutex_destroy(&(*self)->lock) == 0);
        free(*self);
        *self = NULL;
    }
}

struct err submission_load(struct submission *self, const char *name)
{
    char path[DURABLE_PATH_BYTES];
    uint8_t *text = NULL;
    struct submission_note *note = &self->note;
    size_t lines_at = 0;
    struct err err = submission_path(self, name, path);
    if (!err_is(err)) {
        err = durable_read(path, NOTE_BYTES_MAX, &text, &note->bytes);
    }
    if (err_is(err)) {
        return err;
    }
    memcpy(note->text, text, note->bytes + 1);
    free(text);
    bool good = checkpoint_split(note->text, note->bytes, &note->checkpoint, &note->signed_bytes,
                                 &lines_at);
    return good ? err_none : err_make(ERR_TILE_DIFFERS, "public checkpoint");
}

void submission_keep(struct submission *self, uint32_t i, const struct note_signature *line,
                     uint64_t time_s)
{
    struct submission_witness *witness = &self->witnesses[i];
    must(line->line_bytes < sizeof witness->line); /* it decoded to a cosignature */
    must(pthread_mutex_lock(&self->lock) == 0);
    memcpy(witness->line, line->line, line->line_bytes);
    witness->line[line->line_bytes] = '\0';
    witness->line_size = self->note.checkpoint.size;
    memcpy(witness->line_root, self->note.checkpoint.root, HASH_BYTES);
    witness->time_s = time_s;
    witness->heard_ns = clock_monotonic_ns();
    must(pthread_mutex_unlock(&self->lock) == 0);
}

/* Written once; a repetition with other times of signing changes nothing. */
static struct err submission_show(struct submission *self, const char *text, size_t text_bytes)
{
    char name[64];
    char path[DURABLE_PATH_BYTES];
    uint64_t size = self->note.checkpoint.size;
    (void)snprintf(name, sizeof name, "checkpoints/%" PRIu64 ".cosigned", size);
    struct err err = submission_path(self, name, path);
    bool exists = false;
    if (!err_is(err)) {
        err = durable_exists(path, &exists);
    }
    if (!err_is(err) && !exists) {
        err = durable_replace(path, text, text_bytes, 0444);
    }
    if (!err_is(err) && size >= self->met_size) {
        err = submission_path(self, NEWEST_NAME, path);
        err = err_is(err) ? err : durable_replace(path, text, text_bytes, 0644);
    }
    if (err_is(err)) {
        return err;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    if (size >= self->met_size) {
        self->met_size = size;
        self->met_utc_ns = clock_utc_ns();
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    counter_set(COUNTER_quorum_size, self->met_size);
    counter_set(COUNTER_quorum_unix_s, (uint64_t)(self->met_utc_ns / NS_PER_S));
    return err_none;
}

struct err submission_settle(struct submission *self)
{
    char text[NOTE_BYTES_MAX + 1];
    struct quorum_tally tally;
    size_t bytes = self->note.bytes;
    memcpy(text, self->note.text, bytes);
    for (uint32_t i = 0; i < self->quorum.witnesses_count; i++) {
        const struct submission_witness *witness = &self->witnesses[i];
        size_t line_bytes = strlen(witness->line);
        if (line_bytes > 0 && witness->line_size == self->note.checkpoint.size &&
            hash_equal(witness->line_root, self->note.checkpoint.root) &&
            bytes + line_bytes + 1 <= NOTE_BYTES_MAX) {
            memcpy(text + bytes, witness->line, line_bytes);
            bytes += line_bytes;
            text[bytes++] = '\n';
        }
    }
    enum quorum_verdict verdict = quorum_judge(&self->quorum, text, bytes, &tally);
    must(pthread_mutex_lock(&self->lock) == 0);
    bool was_met = self->met || self->asked_size == 0;
    self->met = verdict == QUORUM_MET;
    self->asked_size = self->note.checkpoint.size;
    must(pthread_mutex_unlock(&self->lock) == 0);
    if (verdict == QUORUM_MET) {
        diag_debug(witness, "quorum=met size=%" PRIu64 " witnesses=%" PRIu32,
                   self->note.checkpoint.size, tally.signed_count);
        return submission_show(self, text, bytes);
    }
    if (was_met) { /* once, not at every round */
        diag_warn(witness, "quorum=missed size=%" PRIu64 " witnesses=%" PRIu32 " reason=\"%s\"",
                  self->note.checkpoint.size, tally.signed_count, quorum_verdict_text(verdict));
    }
    return err_none;
}

bool submission_receipt_due(const struct submission *self, int64_t min_ns,
                            struct submission_receipt *out)
{
    int64_t now_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < self->quorum.witnesses_count; i++) {
        const struct submission_witness *witness = &self->witnesses[i];
        if (witness->line[0] != '\0' && witness->line_size > witness->receipt_size &&
            (witness->receipt_ns == 0 || now_ns - witness->receipt_ns >= min_ns)) {
            *out = (struct submission_receipt){.witness = i,
                                               .name = self->quorum.witnesses[i].vkey.name,
                                               .size = witness->line_size,
                                               .line = witness->line};
            memcpy(out->root, witness->line_root, HASH_BYTES);
            return true;
        }
    }
    return false;
}

void submission_receipt_written(struct submission *self, const struct submission_receipt *receipt)
{
    struct submission_witness *witness = &self->witnesses[receipt->witness];
    must(pthread_mutex_lock(&self->lock) == 0);
    witness->receipt_size = receipt->size;
    witness->receipt_ns = clock_monotonic_ns();
    must(pthread_mutex_unlock(&self->lock) == 0);
}

/* Names may hold what JSON would have to escape; nobody's name does. */
static void health_name(const char *name, char out[NOTE_ORIGIN_BYTES_MAX + 1])
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i <= bytes; i++) {
        bool odd = name[i] == '"' || name[i] == '\\';
        if (odd) {
            out[i] = '_';
        } else {
            out[i] = name[i];
        }
    }
}

static size_t health_witness(const struct quorum_witness *quorum,
                             const struct submission_witness *witness, char *out, size_t capacity)
{
    double age_s = witness->heard_ns == 0
                       ? -1
                       : (double)(clock_monotonic_ns() - witness->heard_ns) / (double)NS_PER_S;
    char name[NOTE_ORIGIN_BYTES_MAX + 1];
    health_name(quorum->vkey.name, name);
    int bytes = snprintf(out, capacity,
                         "{\"name\":\"%s\",\"size\":%" PRIu64
                         ",\"age_s\":%.1f,\"failures\":%" PRIu32 ",\"state\":\"%s\"}",
                         name, witness->line_size, age_s, witness->failures,
                         witness->url[0] == '\0'   ? "no address"
                         : witness->why[0] != '\0' ? witness->why
                         : witness->heard_ns == 0  ? "not asked yet"
                                                   : "well");
    return bytes > 0 && (size_t)bytes < capacity ? (size_t)bytes : 0;
}

size_t submission_health(struct submission *self, char *out, size_t out_capacity)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    double age_s =
        self->met_size == 0 ? -1 : (double)(clock_utc_ns() - self->met_utc_ns) / (double)NS_PER_S;
    int head = snprintf(out, out_capacity,
                        "\"quorum\":\"%s\",\"quorum_size\":%" PRIu64
                        ",\"quorum_age_s\":%.1f,\"witnesses\":[",
                        self->asked_size == 0 ? "not asked yet"
                        : self->met           ? "met"
                                              : "missed",
                        self->met_size, age_s);
    size_t at = head > 0 && (size_t)head < out_capacity ? (size_t)head : 0;
    for (uint32_t i = 0; at > 0 && i < self->quorum.witnesses_count; i++) {
        if (at + 2 < out_capacity && i > 0) {
            out[at++] = ',';
        }
        size_t bytes = health_witness(&self->quorum.witnesses[i], &self->witnesses[i], out + at,
                                      out_capacity - at);
        at = bytes == 0 ? 0 : at + bytes;
    }
    if (at == 0 || at + 2 > out_capacity) {
        at = 0;
        out[0] = '\0';
    } else {
        out[at++] = ']';
        out[at] = '\0';
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return at;
}
