/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "pipeline_parts.h"
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

/* Scanners that are worse than they were; each is told of when it becomes one. */
static struct err look(struct quality_line *self, struct state *state)
{
    char scanner[65] = "";
    uint64_t worse = 0;
    bool found = true;
    struct err err = err_none;
    for (uint32_t i = 0; i < QUALITY_SCANNERS_MAX && found && !err_is(err); i++) {
        bool alarm = false;
        char next[65];
        err = state_quality_scanner(state, scanner, next, &found);
        if (!err_is(err) && found) {
            memcpy(scanner, next, sizeof scanner);
            err = look_at(self, state, scanner, &alarm);
        }
        worse += alarm;
        if (alarm && !self->told[i]) {
            char words[QUALITY_WORDS_TOLD];
            quality_trend_words(self->trend, words);
            diag_warn(quality, "scanner=%s words=\"%s\"", scanner, words);
        }
        self->told[i] = alarm;
    }
    if (!err_is(err)) {
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
