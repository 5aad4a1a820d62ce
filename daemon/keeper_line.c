/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/diag.h"
#include "oversight/mirror.h"
#include "oversight/prune.h"
#include "oversight/retire.h"
#include "oversight/shards.h"
#include "pipeline_parts.h"
#include "proto/disclosure.h"

/* What is no longer needed goes: segments of the write-ahead log that everybody has passed, and
 * what was redacted. Which redactions are still to be done is asked of the log (by way of the read
 * model) and of the disk, never of a note of our own, so that a stop at any line costs nothing. */

enum { KEEPER_NICE = 10, KEEPER_PAGE = 64 };
#define KEEPER_TURN_NS (500 * NS_PER_MS)
#define NS_PER_DAY (86400 * (double)NS_PER_S)

struct keeper {
    struct pipeline *pipeline;
    struct state *state; /* for reading; its own */
    struct shards shards;
    struct state_redaction next; /* all before it are off the disk */
    uint64_t wanted_below;       /* the write-ahead log up to here should go, whatever its age */
    int64_t torn_before_ns;      /* saved torn tails from before go */
    uint64_t prunes_done;        /* of pipeline->prunes; 0: what a stop left is still to be done */
    struct quality_line quality;
    bool waits;                  /* a redacted record is still in the write-ahead log */
    struct arena arena;
    uint8_t arena_bytes[ENTRY_ARENA_BYTES];
};

/* A retire_keep: everything but what was redacted. */
static struct err keeper_keep(void *arg, const struct wal_entry *at, uint8_t *out,
                              uint32_t *out_bytes)
{
    struct keeper *self = arg;
    struct entry entry;
    bool redacted = false;
    *out_bytes = 0;
    struct err err = state_entry_redacted(self->state, at->entry_index, &redacted);
    if (err_is(err) || !redacted) {
        memcpy(out, at->private_bytes, at->private_count);
        *out_bytes = at->private_count;
        return err;
    }
    arena_reset(&self->arena);
    bool pruned = at->bytes == NULL;
    if (!pruned && entry_decode(at->bytes, at->bytes_count, &self->arena, &entry) != ENTRY_GOOD) {
        return err_make(ERR_WAL_DAMAGED, "redacted entry");
    }
    struct disclosure_walk walk;
    struct disclosure disclosure;
    /* An entry of before there were disclosures loses all that it has. */
    bool none = !pruned && entry.sd_count == 0;
    disclosure_walk_open(at->private_bytes, none ? 0 : at->private_count, &walk);
    while (!err_is(err) && disclosure_next(&walk, &disclosure)) {
        uint8_t digest[HASH_BYTES];
        disclosure_digest(&disclosure, digest);
        err = state_digest_redacted(self->state, digest, &redacted);
        if (!err_is(err) && !redacted) {
            uint32_t framed = DISCLOSURE_FRAME_BYTES + disclosure.encoded_bytes;
            memcpy(out + *out_bytes, disclosure.encoded - DISCLOSURE_FRAME_BYTES, framed);
            *out_bytes += framed;
        }
    }
    if (pruned && walk.broken && !err_is(err)) { /* no disclosures: of before there were any */
        *out_bytes = 0;
        return err_none;
    }
    return walk.broken && !err_is(err) ? err_make(ERR_WAL_DAMAGED, "private record") : err;
}

/* Entries below this are in full bundles under a durable checkpoint, but the last of them, which a
 * recovery needs to find its place. */
static struct err keeper_published(struct keeper *self, uint64_t *below)
{
    uint64_t published = oversight_published(self->pipeline->oversight);
    *below = 0;
    struct err err = shards_read(self->pipeline->log_directory, &self->shards);
    if (err_is(err) || published == 0) {
        return err;
    }
    const struct shard *shard = shards_find(&self->shards, published - 1);
    if (shard == NULL) {
        return err_make(ERR_TILE_DIFFERS, "list of shards");
    }
    uint64_t leaves = published - shard->first_n;
    uint64_t full = shard->first_n + leaves / TILE_WIDTH * TILE_WIDTH;
    *below = full > 0 ? full - 1 : 0;
    return err_none;
}

/* Everything below this has been passed by everybody, and their readers have moved on. */
static struct err keeper_passed(struct keeper *self, uint64_t *below)
{
    struct pipeline *pipeline = self->pipeline;
    struct err err = keeper_published(self, below);
    uint64_t judged = atomic_load(&pipeline->judged);
    uint64_t sealed = pipeline->conf.archive_enabled ? atomic_load(&pipeline->sealed) : judged;
    uint64_t left = judged > 0 ? judged - 1 : 0; /* its reader has left the segment then */
    uint64_t least = left < sealed ? left : sealed;
    *below = *below < least ? *below : least;
    return err;
}

static struct err keeper_retire(struct keeper *self)
{
    struct pipeline *pipeline = self->pipeline;
    int64_t keep_ns = (int64_t)(pipeline->conf.oversight_keep_days * NS_PER_DAY);
    uint64_t below = 0;
    struct err err = keeper_passed(self, &below);
    while (!err_is(err) && !atomic_load(&pipeline->stop_keeper)) {
        struct retire_segment segment;
        bool found = false;
        err = retire_oldest(pipeline->wal_directory, &segment, &found);
        if (err_is(err) || !found || segment.end_index > below) {
            return err;
        }
        bool old = clock_utc_ns() - segment.ended_ns >= keep_ns;
        if (!old && segment.first_index >= self->wanted_below) {
            return err;
        }
        err = retire_segment(&pipeline->places, &segment, keeper_keep, self);
        if (!err_is(err) && pipeline->mirror_directory[0] != '\0') {
            err = mirror_retire(pipeline->wal_directory, pipeline->mirror_directory,
                                segment.first_index);
        }
        if (!err_is(err)) {
            counter_add(COUNTER_segments_retired, 1);
            diag_info(retired, "entries=%llu..%llu", (unsigned long long)segment.first_index,
                      (unsigned long long)segment.end_index - 1);
        }
    }
    return err;
}

/* A redacted record in the write-ahead log: its segment must end, be passed, and go. */
static struct err keeper_hasten(struct keeper *self)
{
    struct pipeline *pipeline = self->pipeline;
    uint64_t end = 0;
    bool ended = false;
    if (!self->waits) {
        return err_none;
    }
    struct err err = retire_boundary(pipeline->wal_directory, self->wanted_below, &end, &ended);
    if (err_is(err)) {
        return err;
    }
    if (!ended) {
        oversight_roll(pipeline->oversight);
    } else if (pipeline->conf.archive_enabled && atomic_load(&pipeline->sealed) < end) {
        struct err asked = queue_try_put(pipeline->archive_asks, pipeline);
        (void)asked; /* full: it has been asked already; else the next turn asks again */
    }
    return err_none;
}

/* One redacted entry: off the disk, or *waits. */
static struct err keeper_redact(struct keeper *self, const struct state_redaction *redaction,
                                bool *waits)
{
    struct retire_segment oldest;
    bool found = false;
    bool changed = false;
    struct err err = retire_oldest(self->pipeline->wal_directory, &oldest, &found);
    if (err_is(err)) {
        return err;
    }
    *waits = found && redaction->entry_index >= oldest.first_index;
    if (*waits) {
        if (redaction->entry_index >= self->wanted_below) {
            self->wanted_below = redaction->entry_index + 1;
        }
        return err_none;
    }
    err =
        retire_redact(&self->pipeline->places, redaction->entry_index, keeper_keep, self, &changed);
    if (!err_is(err) && changed) {
        diag_info(redacted, "entry=%llu by=%llu", (unsigned long long)redaction->entry_index,
                  (unsigned long long)redaction->redact_entry);
    }
    return err;
}

/* All redactions from the first one on that still waits. */
static struct err keeper_redactions(struct keeper *self)
{
    struct state_redaction page[KEEPER_PAGE];
    struct state_redaction from = self->next;
    uint32_t count = KEEPER_PAGE;
    uint64_t waiting = 0;
    struct err err = err_none;
    while (!err_is(err) && count == KEEPER_PAGE) {
        err = state_redactions(self->state, &from, page, KEEPER_PAGE, &count);
        for (uint32_t i = 0; !err_is(err) && i < count; i++) {
            bool waits = false;
            err = keeper_redact(self, &page[i], &waits);
            from = page[i];
            from.entry_index++;
            waiting += waits ? 1 : 0;
            if (!err_is(err) && waiting == 0) {
                self->next = from;
            }
            if (page[i].t_ns > self->torn_before_ns) {
                self->torn_before_ns = page[i].t_ns;
            }
        }
    }
    self->waits = waiting > 0;
    counter_set(COUNTER_waiting_redactions, waiting);
    return err;
}

/* What lies below the minima, at the start and whenever they may have grown. */
static struct err keeper_prune(struct keeper *self)
{
    uint64_t removed = 0;
    uint64_t rounds = atomic_load(&self->pipeline->prunes);
    if (self->prunes_done == rounds) {
        return err_none;
    }
    struct err err = prune_sweep(self->pipeline->log_directory, &removed);
    if (!err_is(err)) {
        self->prunes_done = rounds;
    }
    if (removed > 0) {
        diag_info(pruned, "bundles=%llu", (unsigned long long)removed);
    }
    return err;
}

static struct err keeper_turn(struct keeper *self)
{
    struct pipeline *pipeline = self->pipeline;
    struct err err = keeper_redactions(self);
    if (!err_is(err)) {
        err = keeper_hasten(self);
    }
    if (!err_is(err)) {
        err = keeper_retire(self);
    }
    if (!err_is(err)) {
        err = keeper_prune(self);
    }
    /* A torn tail was promised to nobody, its digest is in the log, and it may hold anything. */
    int64_t old_ns = clock_utc_ns() - (int64_t)(pipeline->conf.oversight_keep_days * NS_PER_DAY);
    int64_t before_ns = old_ns > self->torn_before_ns ? old_ns : self->torn_before_ns;
    return err_is(err) ? err : retire_torn(pipeline->wal_directory, before_ns);
}

static struct err keeper_run(struct keeper *self)
{
    struct pipeline *pipeline = self->pipeline;
    char path[PIPELINE_PATH_BYTES];
    struct err err = conf_path(&pipeline->conf, "state.db", path, sizeof path);
    if (!err_is(err)) {
        err = state_open_readonly(path, &self->state);
    }
    while (!err_is(err) && !atomic_load(&pipeline->stop_keeper) && !pipeline_failed(pipeline)) {
        void *ask;
        (void)queue_take(pipeline->keeper_asks, &ask, 1, KEEPER_TURN_NS);
        err = keeper_turn(self);
        if (!err_is(err)) {
            err = quality_line_turn(&self->quality, pipeline, self->state);
        }
    }
    quality_line_close(&self->quality);
    state_close(&self->state);
    return err;
}

void *keeper_line(void *arg)
{
    static struct keeper keeper; /* one a process; too large for a stack */
    struct pipeline *pipeline = arg;
    (void)pthread_setname_np(pthread_self(), "keeper");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), KEEPER_NICE); /* nobody waits for it */
    memset(&keeper, 0, sizeof keeper);
    keeper.pipeline = pipeline;
    arena_init(&keeper.arena, keeper.arena_bytes, sizeof keeper.arena_bytes);
    struct err err = keeper_run(&keeper);
    if (err_is(err)) {
        pipeline_fail(pipeline, err);
    }
    return NULL;
}
