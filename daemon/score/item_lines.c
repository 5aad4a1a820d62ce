/* SPDX-License-Identifier: Apache-2.0 */
#include "score/item_lines.h"

#include <math.h>

#include "base/err.h"
#include "kernels/oblivious.h"

/* Logits of trees are far below it; what is beyond is as sure as it can be told. */
static const double logit_max = 1 << 30;

void item_lines_add(struct item_lines *self, int32_t logit)
{
    const struct item_lines line = {.riskiest = logit, .count = 1, .odds = 1};
    item_lines_join(self, &line);
}

/* Odds relative to the riskiest never overflow, and what underflows is nothing beside it. */
void item_lines_join(struct item_lines *self, const struct item_lines *other)
{
    if (other->count == 0) {
        return;
    }
    if (self->count == 0) {
        *self = *other;
        return;
    }
    double apart = ((double)other->riskiest - (double)self->riskiest) * OBLIVIOUS_LOGIT;
    if (apart > 0) {
        self->odds = self->odds * exp(-apart) + other->odds;
        self->riskiest = other->riskiest;
    } else {
        self->odds += other->odds * exp(apart);
    }
    self->count += other->count;
}

int32_t item_lines_log(uint32_t count)
{
    uint32_t held = count < ITEM_LINES_MAX ? count : ITEM_LINES_MAX;
    must(held > 0);
    return (int32_t)lround(log((double)held) / OBLIVIOUS_LOGIT);
}

int32_t item_lines_spread(const struct item_lines *self)
{
    must(self->count > 0);
    if (self->count == 1) {
        return 0;
    }
    double mean = self->odds / (double)self->count;
    int32_t spread = (int32_t)lround(log(mean) / OBLIVIOUS_LOGIT);
    int32_t least = -item_lines_log(self->count);
    return spread > 0 ? 0 : spread < least ? least : spread;
}

bool lines_calibration_is_sound(const struct lines_calibration *self)
{
    bool sound = isfinite(self->slope) && fabs(self->slope) <= ITEM_LINES_SLOPE_MAX;
    for (uint32_t knot = 0; knot < ITEM_LINES_KNOTS; knot++) {
        sound = sound && fabs(self->growth[knot]) <= ITEM_LINES_GROWTH_MAX;
    }
    return sound;
}

double item_lines_ramp(uint32_t knot, uint32_t count)
{
    static const uint32_t knots[ITEM_LINES_KNOTS + 1] = {1, 3, 8, 24};
    must(knot < ITEM_LINES_KNOTS);
    if (count <= knots[knot]) {
        return 0;
    }
    if (count >= knots[knot + 1]) {
        return 1;
    }
    double from = (double)item_lines_log(knots[knot]);
    return ((double)item_lines_log(count) - from) /
           ((double)item_lines_log(knots[knot + 1]) - from);
}

static double growth_at(const struct lines_calibration *calibration, uint32_t count)
{
    double growth = 0;
    double before = 0;
    for (uint32_t knot = 0; knot < ITEM_LINES_KNOTS; knot++) {
        double step = (calibration->growth[knot] - before) * item_lines_ramp(knot, count);
        growth += step;
        before = calibration->growth[knot];
    }
    return growth;
}

int32_t item_lines_logit(const struct lines_calibration *calibration, int32_t riskiest,
                         uint32_t count, int32_t spread)
{
    if (!calibration->known || count <= 1) {
        return riskiest;
    }
    double log_count = (double)item_lines_log(count) * OBLIVIOUS_LOGIT;
    double mean = (double)riskiest + (double)spread;
    double sloped = calibration->slope * mean;
    double logit = mean + log_count * sloped;
    logit += growth_at(calibration, count) / OBLIVIOUS_LOGIT;
    return (int32_t)lround(fmin(fmax(logit, -logit_max), logit_max));
}

int32_t item_lines_settle(const struct lines_calibration *calibration,
                          const struct item_lines *lines)
{
    if (!calibration->known || lines->count <= 1) {
        return lines->riskiest; /* as below, without a logarithm */
    }
    return item_lines_logit(calibration, lines->riskiest, lines->count, item_lines_spread(lines));
}
