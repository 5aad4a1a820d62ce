/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/diag.h"
#include "base/wake.h"
#include "shadow_parts.h"

/* The shadow line: a model that is in use for nothing scores what was decided, and the log shows
 * what it said.
 *
 * It reads the log behind the judge line, as that reads it behind the committer, and has everything
 * of its own: scorer, learnt outcomes, readers, pixels. The judge line hands it nothing and waits
 * for nothing, so no decision can hang on it: neither on its speed, nor on its numbers, nor on its
 * end. When it falls behind, items grow too old (judge.shadow_s) and are missed, which is counted;
 * outcomes are never missed. A fault of its own ends the shadow's run, told in health, and not the
 * daemon's. */

enum { SHADOW_NICE = 19, SHADOW_ENTRIES = 256 };

#define SHADOW_IDLE_NS (20 * NS_PER_MS)

/* ---- entries, in the order of the log ---- */

static void shadow_remember(struct shadow_line *self, const struct entry *entry)
{
    struct shadow_pending *pending = &self->pending[self->pending_next];
    if (entry->causes_count > JOIN_PARTS_MAX) { /* no item of this daemon */
        return;
    }
    memcpy(pending->item, entry->item, ITEM_ID_BYTES);
    memcpy(pending->causes, entry->causes, sizeof pending->causes);
    pending->causes_count = entry->causes_count;
    self->pending_next = (self->pending_next + 1) % SHADOW_SCORES;
}

/* It was decided: from here on nothing that is said of it can change that. */
static struct err shadow_decided(struct shadow_line *self, const struct entry *entry)
{
    int64_t patience_ns = (int64_t)(self->pipeline->conf.judge_shadow_s * (double)NS_PER_S);
    const struct shadow_pending *pending = NULL;
    for (uint32_t back = 1; back <= SHADOW_SCORES && pending == NULL; back++) {
        const struct shadow_pending *one =
            &self->pending[(self->pending_next + SHADOW_SCORES - back) % SHADOW_SCORES];
        pending = memcmp(one->item, entry->item, ITEM_ID_BYTES) == 0 ? one : NULL;
    }
    if (entry->n <= self->since) {
        return err_none; /* decided before the log said that a model is in shadow */
    }
    if (pending == NULL || clock_utc_ns() - entry->t_ns >= patience_ns) {
        counter_add(COUNTER_shadow_missed, 1);
        return err_none;
    }
    return shadow_item_score(self, pending);
}

/* Another model in use is in use here too, but in the place that the shadow holds. */
static struct err shadow_model(struct shadow_line *self, const struct entry *entry)
{
    const struct entry_model_change *change = &entry->body.model_change;
    size_t prefix = strlen(ENTRY_SHADOW_PREFIX);
    if (strncmp(change->name, ENTRY_SHADOW_PREFIX, prefix) == 0) {
        return err_none; /* its own, which an order of this line has made */
    }
    if (strcmp(change->name, self->place) == 0) {
        if (change->promoted && hash_equal(change->sha256, self->sha256)) {
            shadow_drop(self);
            shadow_tell(self, NULL, false, err_none);
        }
        return err_none;
    }
    struct err err = shadow_install(self, change->sha256, NULL);
    return err_is(err) || strcmp(change->name, "history") != 0
               ? err
               : shadow_item_relearn(self, entry->n + 1);
}

static struct err shadow_entry(struct shadow_line *self, const struct wal_entry *at)
{
    struct entry entry;
    enum entry_type type = entry_type_peek(at->bytes, at->bytes_count);
    if (type != ENTRY_SCORE && type != ENTRY_REFERRAL_DECISION && type != ENTRY_OUTCOME &&
        type != ENTRY_MODEL_CHANGE) {
        return err_none;
    }
    arena_reset(&self->entry_arena);
    if (entry_decode(at->bytes, at->bytes_count, &self->entry_arena, &entry) != ENTRY_GOOD) {
        return err_make(ERR_WAL_DAMAGED, "an entry behind the shadow");
    }
    switch (type) {
    case ENTRY_SCORE:
        shadow_remember(self, &entry);
        return err_none;
    case ENTRY_REFERRAL_DECISION:
        return shadow_decided(self, &entry);
    case ENTRY_OUTCOME:
        return shadow_item_outcome(self, &entry);
    default:
        return shadow_model(self, &entry);
    }
}

bool shadow_is_stopping(struct shadow_line *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    bool stopping = self->stopping;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return stopping;
}

static bool shadow_is_wanted(struct shadow_line *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    bool wanted = self->stopping || self->asked != NULL;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return wanted;
}

/* Only what the read model has seen: it is asked where records lie. */
static struct err shadow_turn(struct shadow_line *self, uint32_t *read)
{
    uint64_t applied = state_applied(self->state);
    struct err err = err_none;
    bool got = true;
    *read = 0;
    counter_set(COUNTER_waiting_shadow, applied > self->position ? applied - self->position : 0);
    while (!err_is(err) && got && self->score != NULL && self->position < applied &&
           *read < SHADOW_ENTRIES && !shadow_is_wanted(self)) {
        struct wal_entry at;
        err = wal_reader_next(self->follow, &at, &got);
        if (err_is(err) || !got) {
            break;
        }
        self->position = at.entry_index + 1;
        err = shadow_entry(self, &at);
        (*read)++;
    }
    err = err_is(err) ? err : shadow_item_flush(self);
    if (*read == 0 && self->lookup != NULL) {
        wal_reader_rest(self->lookup);
        wal_reader_rest(self->follow);
    }
    return err;
}

/* ---- the line ---- */

/* False when it is time to stop. Waits when there was nothing to read. */
static bool shadow_wait(struct shadow_line *self, bool idle, struct command_job **asked)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    while (idle && !self->stopping && self->asked == NULL) {
        if (self->score == NULL) {
            (void)pthread_cond_wait(&self->wake, &self->lock);
        } else {
            (void)wake_wait(&self->wake, &self->lock, clock_monotonic_ns() + SHADOW_IDLE_NS);
            idle = false;
        }
    }
    bool stopping = self->stopping;
    *asked = self->asked;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return !stopping;
}

/* The run of the shadow ends with its fault; the log still says that it is in shadow, health that
 * it does not run, and the report counts what it did not score. */
static void shadow_fail(struct shadow_line *self, struct err err)
{
    char text[ERR_TEXT_BYTES];
    struct state_shadow shadow;
    bool known = !err_is(state_shadow(self->state, &shadow));
    self->drafts_count = 0;
    shadow_drop(self);
    shadow_tell(self, known ? &shadow : NULL, false, err);
    diag_warn(shadow, "running=0 error=%s reason=\"%s\"", err_name(err.code), err_text(err, text));
}

static void *shadow_run(void *arg)
{
    struct shadow_line *self = arg;
    struct command_job *asked = NULL;
    uint32_t read = 0;
    (void)pthread_setname_np(pthread_self(), "shadow");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), SHADOW_NICE); /* nobody waits for it */
    shadow_resume(self);
    while (shadow_wait(self, read == 0, &asked) && !pipeline_failed(self->pipeline)) {
        struct err err = asked != NULL ? shadow_order(self, asked) : err_none;
        asked = NULL;
        read = 0;
        if (!err_is(err) && self->score != NULL) {
            err = shadow_turn(self, &read);
        }
        if (err_is(err) && err_is(oversight_failure(self->pipeline->oversight))) {
            break; /* the log has stopped, and everything with it */
        }
        if (err_is(err) && !(err.code == ERR_CLOSED && shadow_is_stopping(self))) {
            shadow_fail(self, err);
        }
    }
    if (asked != NULL) { /* it came as the daemon was stopping */
        struct err err =
            shadow_answer(self, asked, err_make(ERR_CLOSED, ""), "the daemon is stopping");
        (void)err; /* nobody is left to be told */
    }
    return NULL;
}

struct err shadow_line_open(struct pipeline *pipeline)
{
    char path[PIPELINE_PATH_BYTES];
    struct shadow_line *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "shadow_line_open");
    }
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    wake_init(&self->wake);
    self->pipeline = pipeline;
    pipeline->shadow = self;
    size_t record_bytes = (size_t)RECORD_ARENA_BYTES * JOIN_PARTS_MAX;
    self->drafts = calloc(SHADOW_DRAFTS, sizeof *self->drafts);
    self->arena_bytes = calloc(1, (size_t)2 * ENTRY_ARENA_BYTES + record_bytes);
    if (self->drafts == NULL || self->arena_bytes == NULL) {
        return err_make(ERR_MEMORY, "shadow_line_open");
    }
    arena_init(&self->entry_arena, self->arena_bytes, ENTRY_ARENA_BYTES);
    arena_init(&self->cause_arena, self->arena_bytes + ENTRY_ARENA_BYTES, ENTRY_ARENA_BYTES);
    arena_init(&self->record_arena, self->arena_bytes + (size_t)2 * ENTRY_ARENA_BYTES,
               record_bytes);
    struct err err = queue_open(SHADOW_DRAFTS, &self->done);
    if (!err_is(err)) {
        err = conf_path(&pipeline->conf, "state.db", path, sizeof path);
    }
    if (!err_is(err)) {
        err = state_open_readonly(path, &self->state);
    }
    if (err_is(err)) {
        return err;
    }
    int fault = pthread_create(&self->thread, NULL, shadow_run, self);
    self->started = fault == 0;
    return fault != 0 ? (struct err){ERR_THREAD, fault, "pthread_create"} : err_none;
}

struct err shadow_line_ask(struct pipeline *pipeline, struct command_job *job)
{
    struct shadow_line *self = pipeline->shadow;
    must(pthread_mutex_lock(&self->lock) == 0);
    bool free_now = self->asked == NULL && !self->stopping;
    if (free_now) {
        self->asked = job;
        must(pthread_cond_signal(&self->wake) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return free_now ? err_none : err_make(ERR_QUEUE_FULL, "shadow line");
}

bool shadow_line_busy(struct pipeline *pipeline)
{
    struct shadow_line *self = pipeline->shadow;
    must(pthread_mutex_lock(&self->lock) == 0);
    bool busy = self->asked != NULL;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return busy;
}

void shadow_line_close(struct pipeline *pipeline)
{
    struct shadow_line *self = pipeline->shadow;
    if (self == NULL || !self->started) {
        return;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    self->stopping = true;
    must(pthread_cond_signal(&self->wake) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    must(pthread_join(self->thread, NULL) == 0);
    self->started = false;
}

/* Behind the log, whose committer may hold drafts, and the console, whose health page looks in. */
void shadow_line_free(struct pipeline *pipeline)
{
    struct shadow_line *self = pipeline->shadow;
    if (self == NULL) {
        return;
    }
    shadow_drop(self);
    state_close(&self->state);
    queue_free(&self->done);
    free(self->drafts);
    free(self->arena_bytes);
    must(pthread_cond_destroy(&self->wake) == 0);
    must(pthread_mutex_destroy(&self->lock) == 0);
    free(self);
    pipeline->shadow = NULL;
}

/* A file's name for itself, and what is wrong with a file, may be anything. */
static void shadow_plain_text(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || (unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f) {
            *at = '?';
        }
    }
}

void shadow_line_health(struct pipeline *pipeline, char *out, size_t out_capacity)
{
    struct shadow_line *self = pipeline->shadow;
    char hex[HASH_HEX_BYTES];
    out[0] = '\0';
    if (self == NULL) {
        return;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    struct shadow_told told = self->told;
    must(pthread_mutex_unlock(&self->lock) == 0);
    if (told.place[0] == '\0') {
        return;
    }
    hex_encode(told.sha256, HASH_BYTES, hex);
    shadow_plain_text(told.fault);
    shadow_plain_text(told.place);
    (void)snprintf(
        out, out_capacity,
        ",\"shadow\":{\"place\":\"%s\",\"model\":\"sha256:%s\",\"since_entry\":%llu,"
        "\"running\":%s,\"fault\":\"%s\",\"scored\":%llu,\"missed\":%llu,\"failed\":%llu,"
        "\"waiting_entries\":%llu}",
        told.place, hex, (unsigned long long)told.entry_index, told.running ? "true" : "false",
        told.fault, (unsigned long long)counter_value(COUNTER_shadow_scored),
        (unsigned long long)counter_value(COUNTER_shadow_missed),
        (unsigned long long)counter_value(COUNTER_shadow_failed),
        (unsigned long long)counter_value(COUNTER_waiting_shadow));
}
