/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_times.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* How far two ticks lie apart is configuration, of which the log holds only a digest: the median of
 * what lies between them tells. Pauses that may turn out to be silence are kept until it is known.
 */

#define TIMES_EARLIEST_NS INT64_C(1577836800000000000) /* 2020: before any log of this format */
#define TIMES_BACKWARDS_NS (INT64_C(3600) * NS_PER_S)
#define TIMES_AHEAD_NS (INT64_C(86400) * NS_PER_S)
#define TIMES_PAUSE_NS (2 * NS_PER_S) /* shorter is never silence: a tick takes 1 s */
#define TIMES_INTERVAL_USUAL_NS (INT64_C(60) * NS_PER_S) /* where ticks are too few to tell */
#define TIMES_TICKS_LEAST 5u
#define TIMES_LATE 2.5 /* of the interval: a long turn of the daemon may delay one tick */
#define TIMES_TOLD 10u

struct pause {
    uint64_t n; /* of the entry behind it */
    int64_t from_ns;
    int64_t to_ns;
    bool of_ticks; /* other entries came meanwhile */
};

struct verify_times {
    struct verify_report *report;
    struct verify_shard *shard;
    const struct verify_ids *ids;
    int64_t now_ns;
    int64_t newest_t_ns;
    int64_t last_tick_ns;
    bool skips; /* entries before the next one were pruned */ /* 0: none yet */
    uint64_t scans;
    uint64_t declarations;
    uint64_t refused;
    bool has_base;
    struct entry_time_tick base; /* counted before this shard began */
    struct entry_time_tick last; /* the tick before */
    int64_t *intervals_ns;
    uint64_t intervals_count;
    uint64_t intervals_capacity;
    struct pause *pauses;
    uint64_t pauses_count;
    uint64_t pauses_capacity;
};

struct err verify_times_open(struct verify_report *report, struct verify_shard *shard,
                             const struct verify_ids *ids, int64_t now_ns,
                             struct verify_times **out)
{
    struct verify_times *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_times_open");
    }
    self->report = report;
    self->shard = shard;
    self->ids = ids;
    self->now_ns = now_ns;
    *out = self;
    return err_none;
}

void verify_times_close(struct verify_times **self)
{
    if (*self != NULL) {
        free((*self)->intervals_ns);
        free((*self)->pauses);
        free(*self);
    }
    *self = NULL;
}

static struct err times_keep_pause(struct verify_times *self, const struct pause *pause)
{
    if (self->pauses_count == self->pauses_capacity) {
        uint64_t grown_count = self->pauses_capacity == 0 ? 64 : self->pauses_capacity * 2;
        struct pause *grown = reallocarray(self->pauses, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "verify_times");
        }
        self->pauses = grown;
        self->pauses_capacity = grown_count;
    }
    self->pauses[self->pauses_count++] = *pause;
    return err_none;
}

static struct err times_keep_interval(struct verify_times *self, int64_t interval_ns)
{
    if (self->intervals_count == self->intervals_capacity) {
        uint64_t grown_count = self->intervals_capacity == 0 ? 64 : self->intervals_capacity * 2;
        int64_t *grown = reallocarray(self->intervals_ns, (size_t)grown_count, sizeof *grown);
        if (grown == NULL) {
            return err_make(ERR_MEMORY, "verify_times");
        }
        self->intervals_ns = grown;
        self->intervals_capacity = grown_count;
    }
    self->intervals_ns[self->intervals_count++] = interval_ns;
    return err_none;
}

/* ---- ticks ---- */

static void times_check_count(const struct verify_times *self, const struct entry *entry,
                              const char *what, uint64_t counted, uint64_t before, uint64_t held)
{
    if (counted > held) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": tick counts %" PRIu64 " %s, the log holds %" PRIu64
                       " before it",
                       entry->n, counted, what, held);
    } else if (counted < before) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": tick counts %" PRIu64 " %s, the tick before it %" PRIu64,
                       entry->n, counted, what, before);
    }
}

/* In a later shard the ticks go on counting from what earlier shards hold. */
static void times_take_base(struct verify_times *self, const struct entry_time_tick *tick)
{
    self->has_base = true;
    if (self->ids->first_n > 0) {
        self->base = (struct entry_time_tick){
            .received_scans =
                tick->received_scans > self->scans ? tick->received_scans - self->scans : 0,
            .received_declarations = tick->received_declarations > self->declarations
                                         ? tick->received_declarations - self->declarations
                                         : 0,
            .refused = tick->refused > self->refused ? tick->refused - self->refused : 0};
    }
}

static struct err times_tick(struct verify_times *self, const struct entry *entry)
{
    const struct entry_time_tick *tick = &entry->body.time_tick;
    struct err err = err_none;
    if (!self->has_base) {
        times_take_base(self, tick);
    }
    if (!self->ids->pruned && (!self->ids->gap || self->ids->first_n > 0)) {
        times_check_count(self, entry, "scans", tick->received_scans, self->last.received_scans,
                          self->base.received_scans + self->scans);
        times_check_count(self, entry, "declarations", tick->received_declarations,
                          self->last.received_declarations,
                          self->base.received_declarations + self->declarations);
        times_check_count(self, entry, "refusals", tick->refused, self->last.refused,
                          self->base.refused + self->refused);
    }
    self->last = *tick;
    if (self->last_tick_ns != 0) {
        int64_t interval_ns = entry->t_ns - self->last_tick_ns;
        err = times_keep_interval(self, interval_ns);
        if (!err_is(err) && interval_ns > TIMES_PAUSE_NS) {
            const struct pause pause = {entry->n, self->last_tick_ns, entry->t_ns, true};
            err = times_keep_pause(self, &pause);
        }
    }
    self->last_tick_ns = entry->t_ns;
    return err;
}

void verify_times_gap(struct verify_times *self)
{
    self->last_tick_ns = 0;
    self->skips = true;
}

/* ---- every entry ---- */

struct err verify_times_add(struct verify_times *self, const struct entry *entry)
{
    struct err err = err_none;
    bool odd = entry->t_ns < TIMES_EARLIEST_NS || entry->t_ns > self->now_ns + TIMES_AHEAD_NS;
    if (odd || (self->newest_t_ns != 0 && entry->t_ns < self->newest_t_ns - TIMES_BACKWARDS_NS)) {
        char text[CLOCK_TEXT_BYTES];
        clock_text(entry->t_ns, text);
        verify_warning(self->report, "entry %" PRIu64 ": time %s is %s", entry->n, text,
                       odd ? "not plausible" : "more than an hour before an earlier entry's");
    }
    if (odd) {
        return err;
    }
    if (self->newest_t_ns != 0 && !self->skips &&
        entry->t_ns - self->newest_t_ns > TIMES_PAUSE_NS) {
        const struct pause pause = {entry->n, self->newest_t_ns, entry->t_ns, false};
        err = times_keep_pause(self, &pause);
    }
    self->skips = false;
    self->shard->first_t_ns = self->newest_t_ns == 0 ? entry->t_ns : self->shard->first_t_ns;
    self->newest_t_ns = entry->t_ns > self->newest_t_ns ? entry->t_ns : self->newest_t_ns;
    self->shard->last_t_ns = self->newest_t_ns;
    self->scans += entry->type == ENTRY_SCAN_RECEIVED;
    self->declarations += entry->type == ENTRY_DECLARATION_RECEIVED;
    self->refused += entry->type == ENTRY_RECORD_REFUSED;
    return err_is(err) || entry->type != ENTRY_TIME_TICK ? err : times_tick(self, entry);
}

/* ---- after the last entry ---- */

static int times_compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void times_tell(struct verify_times *self, const struct pause *pause)
{
    char from[CLOCK_TEXT_BYTES];
    char to[CLOCK_TEXT_BYTES];
    clock_text(pause->from_ns, from);
    clock_text(pause->to_ns, to);
    from[19] = '\0'; /* to the second */
    to[19] = '\0';
    if (pause->of_ticks) {
        verify_warning(self->report,
                       "entry %" PRIu64 ": no tick from %s to %s although other entries came",
                       pause->n, from, to);
    } else {
        verify_warning(self->report,
                       "entry %" PRIu64
                       ": silence before it, from %s to %s: the daemon stood still, or entries "
                       "were left out before they were signed",
                       pause->n, from, to);
    }
}

void verify_times_finish(struct verify_times *self)
{
    int64_t interval_ns = TIMES_INTERVAL_USUAL_NS;
    uint64_t told = 0;
    uint64_t ticks_missing = 0;
    int64_t silent_until_ns = 0;
    if (self->intervals_count >= TIMES_TICKS_LEAST) {
        qsort(self->intervals_ns, self->intervals_count, sizeof(int64_t), times_compare);
        interval_ns = self->intervals_ns[self->intervals_count / 2];
        interval_ns = interval_ns > NS_PER_S ? interval_ns : NS_PER_S;
        self->shard->tick_interval_ms = (uint64_t)(interval_ns / NS_PER_MS);
    }
    int64_t limit_ns = (int64_t)(TIMES_LATE * (double)interval_ns);
    for (uint64_t i = 0; i < self->pauses_count; i++) {
        const struct pause *pause = &self->pauses[i];
        /* Ticks that lie around a silence are not missed a second time. */
        bool is_same = pause->of_ticks && pause->from_ns < silent_until_ns;
        if (pause->to_ns - pause->from_ns <= limit_ns || is_same) {
            continue;
        }
        if (told++ < TIMES_TOLD) {
            times_tell(self, pause);
        }
        if (pause->of_ticks) {
            ticks_missing++;
            continue;
        }
        silent_until_ns = pause->to_ns;
        self->shard->silences++;
        self->shard->silence_s += (uint64_t)((pause->to_ns - pause->from_ns) / NS_PER_S);
    }
    if (told > TIMES_TOLD) {
        verify_warning(self->report,
                       "entries: %" PRIu64 " silences of %" PRIu64 " s altogether, %" PRIu64
                       " times without ticks; the first %u are told above",
                       self->shard->silences, self->shard->silence_s, ticks_missing, TIMES_TOLD);
    }
}
