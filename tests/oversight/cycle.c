/* SPDX-License-Identifier: Apache-2.0 */
#include "cycle.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/random.h"
#include "oversight/pack.h"
#include "oversight/retire.h"

static const char usage[] =
    "usage: cycle write DIR STEPS [INTERVAL_MS [BREAKAGE]]\n"
    "       cycle check DIR LEDGER    what is there, as it is\n"
    "       cycle recover DIR LEDGER  check, open, append one entry, close, check\n"
    "       cycle open DIR            open and close\n"
    "       cycle list DIR            every entry as a line of a ledger\n"
    "STEPS: s one entry; n four entries of the largest size; b four entries with 128 KiB of "
    "private "
    "record each;\n"
    "       g 200 entries in one group; p publish; r begin a segment and retire the oldest one.\n"
    "       A * at the end: from the start again, for "
    "ever.\n";

#define BATCH_MAX 200u

static struct oversight_draft drafts[BATCH_MAX];
static uint8_t private_bytes[BATCH_MAX][131072];

/* One line, one write: what a pipe holds when the process is killed are whole lines. */
static void say(const char *format, ...)
{
    char line[512];
    va_list list;
    va_start(list, format);
    int line_bytes = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    must(line_bytes > 0 && line_bytes < (int)sizeof line);
    must(write(STDOUT_FILENO, line, (size_t)line_bytes) == line_bytes);
}

void cycle_init(struct cycle *self, const char *directory)
{
    uint8_t seed[SIGN_SEED_BYTES];
    memset(self, 0, sizeof *self);
    memset(seed, 7, sizeof seed);
    must(sign_init());
    sign_key_from_seed(&self->key, seed);
    (void)snprintf(self->wal, sizeof self->wal, "%s/wal", directory);
    (void)snprintf(self->log_directory, sizeof self->log_directory, "%s/log", directory);
    (void)snprintf(self->published, sizeof self->published, "%s/log/2026", directory);
    (void)snprintf(self->packs, sizeof self->packs, "%s/packs", directory);
    self->places = (struct wal_places){self->wal, self->log_directory, self->packs};
    self->conf = (struct oversight_conf){
        .wal_directory = self->wal,
        .log_directory = self->log_directory,
        .origin = CYCLE_ORIGIN,
        .key = &self->key,
        .segment_bytes = 1, /* the least there is: a little over 1 MiB */
        .queue_entries = BATCH_MAX,
        .checkpoint_interval_ns = 3600 * NS_PER_S,
    };
}

static void say_failed(struct err err)
{
    say("failed %s %d %s\n", err_name(err.code), err.os_errno, err.where);
}

bool cycle_open(struct cycle *self)
{
    struct oversight_recovery recovery;
    struct err err = oversight_open(&self->conf, &self->log, &recovery);
    if (err_is(err)) {
        say_failed(err);
        return false;
    }
    say("opened %" PRIu64 " %" PRIu64 "\n", recovery.size, recovery.torn_bytes);
    return true;
}

/* A refused record whose reason fills the entry up to about the wanted length. */
static void draft_fill(struct oversight_draft *draft, uint32_t filling_bytes)
{
    static uint64_t sequence;
    static char filling[ENTRY_BYTES_MAX];
    struct entry entry = {.type = ENTRY_RECORD_REFUSED, .actor = "daemon"};
    memset(filling, 'x', filling_bytes);
    filling[filling_bytes] = '\0';
    random_uuid7(entry.id);
    entry.body.refused = (struct entry_refused){.publisher = "lane-3",
                                                .stream = "scans",
                                                .sequence = ++sequence,
                                                .code = 7,
                                                .name = "no_site",
                                                .reason = filling,
                                                .record_bytes = 17};
    memset(draft, 0, sizeof *draft);
    draft->rest_bytes = (uint32_t)entry_encode_rest(&entry, draft->rest, sizeof draft->rest);
    must(draft->rest_bytes > 0);
}

static void draft_add_private(struct oversight_draft *draft, uint8_t *bytes, uint32_t bytes_count)
{
    memset(bytes, (int)draft->rest_bytes, bytes_count);
    random_bytes(bytes, 64); /* no two alike, and yet they pack well */
    draft->private_bytes = bytes;
    draft->private_count = bytes_count;
    sha256_of(bytes, bytes_count, draft->private_sha256);
}

/* The promise, in terms of the bytes that must be read back. */
static void say_ack(const struct oversight_draft *draft)
{
    uint8_t entry[ENTRY_BYTES_MAX];
    uint8_t digest[HASH_BYTES];
    char entry_hex[HASH_HEX_BYTES];
    char private_hex[HASH_HEX_BYTES] = "-";
    size_t stamp_bytes = entry_encode_stamp(draft->entry_index, draft->t_ns, entry, sizeof entry);
    memcpy(entry + stamp_bytes, draft->rest, draft->rest_bytes);
    sha256_of(entry, stamp_bytes + draft->rest_bytes, digest);
    hex_encode(digest, HASH_BYTES, entry_hex);
    if (draft->private_bytes != NULL) {
        hex_encode(draft->private_sha256, HASH_BYTES, private_hex);
    }
    say("ack %" PRIu64 " %s %s\n", draft->entry_index, entry_hex, private_hex);
}

/* Submits the first `count` drafts at once and waits for them, or for the log to stop. */
static struct err batch_submit(struct cycle *self, struct queue *done, uint32_t count)
{
    struct oversight_draft *batch[BATCH_MAX];
    void *back[BATCH_MAX];
    uint64_t size = oversight_size(self->log) + count;
    for (uint32_t i = 0; i < count; i++) {
        drafts[i].done = done;
        batch[i] = &drafts[i];
    }
    struct err err = oversight_submit(self->log, batch, count);
    if (err_is(err)) {
        return err;
    }
    while (oversight_wait(self->log, size - 1, 60 * NS_PER_S) < size &&
           !err_is(oversight_failure(self->log))) {
    }
    for (uint32_t returned = 0; returned < count;) {
        bool failed = err_is(oversight_failure(self->log));
        uint32_t taken = queue_take(done, back, BATCH_MAX, failed ? 0 : NS_PER_S);
        for (uint32_t i = 0; i < taken; i++) {
            say_ack(back[i]);
        }
        returned += taken;
        if (taken == 0 && failed) {
            return oversight_failure(self->log);
        }
    }
    return err_none;
}

static struct err keep_all(void *arg, const struct wal_entry *entry, uint8_t *out,
                           uint32_t *out_bytes)
{
    (void)arg;
    must(entry->private_count <= PACK_RECORD_BYTES_MAX);
    memcpy(out, entry->private_bytes, entry->private_count);
    *out_bytes = entry->private_count;
    return err_none;
}

/* As the daemon does it in the night: everything of the oldest segment lies elsewhere by now. */
static struct err step_retire(struct cycle *self, struct queue *done)
{
    struct retire_segment oldest;
    bool found = false;
    oversight_roll(self->log);
    draft_fill(&drafts[0], 100);
    struct err err = batch_submit(self, done, 1);
    if (!err_is(err)) {
        err = oversight_publish(self->log);
    }
    if (!err_is(err)) {
        err = retire_oldest(self->wal, &oldest, &found);
    }
    bool ripe =
        found && oldest.end_index <= oversight_published(self->log) / TILE_WIDTH * TILE_WIDTH;
    return err_is(err) || !ripe /* not yet in full bundles */
               ? err
               : retire_segment(&self->places, &oldest, keep_all, NULL);
}

static struct err step_run(struct cycle *self, struct queue *done, char step)
{
    static const struct {
        char step;
        uint32_t count;
        uint32_t filling_bytes;
        uint32_t private_count;
    } batches[] = {{'s', 1, 300, 0}, {'n', 4, 7900, 500}, {'b', 4, 100, 131072}, {'g', 200, 60, 0}};
    if (step == 'p') {
        return oversight_publish(self->log);
    }
    if (step == 'r') {
        return step_retire(self, done);
    }
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        if (batches[i].step == step) {
            for (uint32_t n = 0; n < batches[i].count; n++) {
                draft_fill(&drafts[n], batches[i].filling_bytes);
                if (batches[i].private_count > 0 && n != 1) { /* one goes without */
                    draft_add_private(&drafts[n], private_bytes[n], batches[i].private_count);
                }
            }
            return batch_submit(self, done, batches[i].count);
        }
    }
    return err_make(ERR_ARGUMENT, "steps");
}

/* Not the end: a log that failed must go on refusing, and a caller in a hurry asks again. */
static void insist(struct cycle *self)
{
    static struct oversight_draft draft; /* the others may still be in the committer's hands */
    draft_fill(&draft, 100);
    if (!err_is(oversight_submit_and_wait(self->log, &draft))) {
        say_ack(&draft);
    }
    uint64_t published = oversight_published(self->log);
    struct err err = oversight_publish(self->log); /* none where nothing is left to publish */
    if (!err_is(err) && oversight_published(self->log) > published) {
        say("published\n");
    }
}

static int cycle_write(struct cycle *self, const char *steps)
{
    struct queue *done = NULL;
    struct err err = queue_open(BATCH_MAX, &done);
    if (err_is(err)) {
        return CYCLE_USAGE;
    }
    if (!cycle_open(self)) {
        queue_free(&done);
        return CYCLE_REFUSED;
    }
    for (const char *step = steps; !err_is(err) && *step != '\0';) {
        err = step_run(self, done, *step);
        step = step[1] == '*' ? steps : step + 1;
    }
    if (err_is(oversight_failure(self->log))) {
        say_failed(oversight_failure(self->log));
        insist(self);
    } else if (err_is(err)) { /* retiring failed; the log itself goes on */
        say_failed(err);
    }
    struct err failure = oversight_failure(self->log);
    oversight_close(&self->log);
    queue_free(&done);
    if (err_is(err) || err_is(failure)) {
        return err.code == ERR_ARGUMENT ? CYCLE_USAGE : CYCLE_REFUSED;
    }
    say("closed\n");
    return CYCLE_GOOD;
}

/* As after a crash: nothing promised may be missing before anything was repaired, nor after. */
static int cycle_recover(struct cycle *self, const char *ledger_path)
{
    int status = CYCLE_GOOD;
    char path[DURABLE_PATH_BYTES + sizeof "/commit.idx"];
    (void)snprintf(path, sizeof path, "%s/commit.idx", self->wal);
    if (access(path, F_OK) == 0) { /* without it there is no log yet, and opening makes one */
        status = ledger_check(&self->places, ledger_path);
    }
    if (status != CYCLE_GOOD) {
        return status;
    }
    if (cycle_write(self, "s") != CYCLE_GOOD) {
        return CYCLE_REFUSED;
    }
    return ledger_check(&self->places, ledger_path);
}

int main(int argc, char **argv)
{
    static struct cycle cycle;
    bool known = argc >= 3 && (strcmp(argv[1], "write") == 0     ? argc >= 4 && argc <= 6
                               : strcmp(argv[1], "open") == 0    ? argc == 3
                               : strcmp(argv[1], "list") == 0    ? argc == 3
                               : strcmp(argv[1], "check") == 0   ? argc == 4
                               : strcmp(argv[1], "recover") == 0 ? argc == 4
                                                                 : false);
    bool broken = argc == 6;
    if (!known || (broken && (breakage_choose == NULL || !breakage_choose(argv[5])))) {
        (void)fputs(usage, stderr);
        return CYCLE_USAGE;
    }
    (void)pthread_setname_np(pthread_self(), "main");
    diag_set_level(DIAG_ERR);
    cycle_init(&cycle, argv[2]);
    if (strcmp(argv[1], "check") == 0) {
        return ledger_check(&cycle.places, argv[3]);
    }
    if (strcmp(argv[1], "list") == 0) {
        return ledger_list(&cycle.places);
    }
    if (strcmp(argv[1], "recover") == 0) {
        return cycle_recover(&cycle, argv[3]);
    }
    if (argc >= 5) {
        cycle.conf.checkpoint_interval_ns = strtoll(argv[4], NULL, 10) * NS_PER_MS;
    }
    return cycle_write(&cycle, argc >= 4 ? argv[3] : "");
}
