/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "pipeline_parts.h"
#include "proto/hash.h"
#include "score/quality_trend.h"

/* Which scanners deliver less than they did: asked of the read model now and then, by the keeper,
 * because years of days are read. What it finds is an alarm; the figures are in `triagectl report`.
 */

/* A hundredth of one core at most, however much there is to read. */
enum { QUALITY_REST = 100 };
#define QUALITY_DAY_NS (86400 * NS_PER_S)

_Static_assert((int)QUALITY_SHARPNESS == (int)STATE_SHARPNESS &&
                   (int)QUALITY_CONTRAST == (int)STATE_CONTRAST &&
                   (int)QUALITY_SATURATED == (int)STATE_SATURATED &&
                   (int)QUALITY_DEAD_LINES == (int)STATE_DEAD_LINES,
               "the read model's figures are those of a trend");

static void take_row(void *arg, const struct state_quality *row)
{
    quality_trend_add(arg, row->day, (enum quality_figure)row->figure, row->value, row->images);
}

static struct err look_at(struct quality_line *self, struct state *state, const char *scanner,
                          bool *alarm)
{
    int64_t today = clock_utc_ns() / QUALITY_DAY_NS;
    quality_trend_start(self->trend);
    struct err err = state_quality(state, scanner, today + 1 - QUALITY_DAYS_MAX, today + 1,
                                   take_row, self->trend);
    if (!err_is(err)) {
        quality_trend_finish(self->trend);
        *alarm = quality_trend_alarm(self->trend, today);
    }
    return err;
}

static struct quality_told told_of(const struct quality_line *self, const char *scanner)
{
    uint8_t digest[HASH_BYTES];
    struct quality_told out = {.alarm = false};
    sha256_of(scanner, strlen(scanner), digest);
    memcpy(&out.name, digest, sizeof out.name);
    for (uint32_t i = 0; i < self->told_count; i++) {
        out.alarm = out.alarm || (self->told[i].name == out.name && self->told[i].alarm);
    }
    return out;
}

/* Once, as they do not become fewer. */
static struct err tell_too_many(struct quality_line *self, struct state *state, const char *last)
{
    char next[65];
    bool found = false;
    if (self->too_many) {
        return err_none;
    }
    struct err err = state_quality_scanner(state, last, next, &found);
    if (!err_is(err) && found) {
        diag_warn(quality, "scanners_max=%u unwatched_from=%s", QUALITY_SCANNERS_MAX, next);
        self->too_many = true;
    }
    return err;
}

/* Scanners that are worse than they were; each is told of when it becomes one. */
static struct err look(struct quality_line *self, struct state *state)
{
    struct quality_told now[QUALITY_SCANNERS_MAX];
    char scanner[65] = "";
    uint64_t worse = 0;
    uint32_t count = 0;
    bool found = true;
    struct err err = err_none;
    while (count < QUALITY_SCANNERS_MAX && found && !err_is(err)) {
        bool alarm = false;
        char next[65];
        err = state_quality_scanner(state, scanner, next, &found);
        if (err_is(err) || !found) {
            break;
        }
        memcpy(scanner, next, sizeof scanner);
        err = look_at(self, state, scanner, &alarm);
        now[count] = told_of(self, scanner);
        if (alarm && !now[count].alarm) {
            char words[QUALITY_WORDS_TOLD];
            quality_trend_words(self->trend, words);
            diag_warn(quality, "scanner=%s words=\"%s\"", scanner, words);
        }
        worse += alarm;
        now[count++].alarm = alarm;
    }
    if (!err_is(err) && count == QUALITY_SCANNERS_MAX) {
        err = tell_too_many(self, state, scanner);
    }
    if (!err_is(err)) {
        memcpy(self->told, now, count * sizeof *now);
        self->told_count = count;
        counter_set(COUNTER_scanners_worse, worse);
    }
    return err;
}

struct err quality_line_turn(struct quality_line *self, struct pipeline *pipeline,
                             struct state *state)
{
    int64_t began_ns = clock_monotonic_ns();
    uint64_t judged = atomic_load(&pipeline->judged);
    if (began_ns < self->next_ns || judged == self->judged) {
        return err_none;
    }
    struct err err = self->trend == NULL ? quality_trend_open(&self->trend) : err_none;
    if (!err_is(err)) {
        err = look(self, state);
    }
    int64_t now_ns = clock_monotonic_ns();
    int64_t tick_ns = (int64_t)(pipeline->conf.oversight_tick_s * (double)NS_PER_S);
    int64_t rest_ns = QUALITY_REST * (now_ns - began_ns);
    self->next_ns = now_ns + (rest_ns > tick_ns ? rest_ns : tick_ns);
    self->judged = judged;
    return err;
}

void quality_line_close(struct quality_line *self)
{
    quality_trend_close(&self->trend);
}
