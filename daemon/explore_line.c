/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "pipeline_parts.h"
#include "score/drift.h"

/* The coin's share of the day. It is chosen once, at the day's opening, from exams of the days
 * before, and stands in the day's commitment with floor, reason and figures before anything is
 * drawn by it; within the day nothing but a new policy moves it, and only by its limits. The
 * figures come from exams alone, of which there are as many as there are bays: what the coin drew
 * is a sample of all traffic, so the drift of its scores is that of the traffic. What has no score
 * promised nothing and is left out. */

enum { FIGURE_DAYS = 28, LATEST_DAYS = 7, DRIFT_BINS = 10 };

static const int64_t day_ns = INT64_C(86400) * NS_PER_S;

/* Steps of about three where most traffic lies, wider ones above. */
static const double drift_borders[DRIFT_BINS - 1] = {0.001, 0.003, 0.01, 0.03, 0.1,
                                                     0.2,   0.3,   0.5,  0.7};

struct gathered {
    int64_t latest_ns; /* exams of items decided from here on are the latest */
    struct adapt_figures figures[MODE_COUNT];
    uint64_t then[MODE_COUNT][DRIFT_BINS];
    uint64_t now[MODE_COUNT][DRIFT_BINS];
};

static void take_exam(void *arg, uint32_t columns_count, const char *const *names,
                      const char *const *values)
{
    struct gathered *self = arg;
    (void)names;
    must(columns_count == 5);
    enum mode mode = mode_parse(values[0] != NULL ? values[0] : "");
    const char *arm = values[1] != NULL ? values[1] : "";
    double probability = values[2] != NULL ? strtod(values[2], NULL) : 0;
    bool found = values[3] != NULL && values[3][0] == '1';
    bool is_latest = values[4] != NULL && strtoll(values[4], NULL, 10) >= self->latest_ns;
    struct adapt_figures *figures = &self->figures[mode];
    bool both = strcmp(arm, "both") == 0;
    if (both || strcmp(arm, "target") == 0) {
        figures->target_exams++;
        figures->target_finds += found;
        figures->target_promised += probability;
    }
    if (both || strcmp(arm, "random") == 0) {
        int bin = 0;
        while (bin < DRIFT_BINS - 1 && probability > drift_borders[bin]) {
            bin++;
        }
        figures->random_exams++;
        figures->random_finds += found;
        figures->random_promised += probability;
        (is_latest ? self->now : self->then)[mode][bin]++;
    }
}

static struct err gather(struct pipeline *self, int64_t opens_ns, struct gathered *out)
{
    char sql[768];
    *out = (struct gathered){.latest_ns = opens_ns - LATEST_DAYS * day_ns};
    (void)snprintf(sql, sizeof sql,
                   "SELECT decisions.mode, decisions.arm, decisions.probability, outcomes.found,"
                   " decisions.t_ns FROM outcomes JOIN items ON items.item = outcomes.item"
                   " JOIN decisions ON decisions.entry = items.decision_entry"
                   " JOIN scores ON scores.entry = items.score_entry AND scores.unscorable = ''"
                   " WHERE outcomes.t_ns >= %" PRId64 " AND outcomes.t_ns < %" PRId64
                   " AND outcomes.standing = 1"
                   " AND outcomes.result IN ('nothing_found', 'found', 'partial')",
                   opens_ns - FIGURE_DAYS * day_ns, opens_ns);
    struct err err = state_metric(self->state, sql, take_exam, out);
    for (int mode = 0; mode < MODE_COUNT && !err_is(err); mode++) {
        struct adapt_figures *figures = &out->figures[mode];
        uint64_t then = 0;
        uint64_t now = 0;
        for (int bin = 0; bin < DRIFT_BINS; bin++) {
            then += out->then[mode][bin];
            now += out->now[mode][bin];
        }
        figures->drift = drift_index(out->then[mode], out->now[mode], DRIFT_BINS);
        figures->drift_chance = drift_chance(then, now, DRIFT_BINS);
    }
    return err;
}

bool explore_adapts(const struct policy *policy, enum mode mode)
{
    return policy->modes[mode].random_rate_max > policy->modes[mode].random_rate;
}

static struct adapt_limits limits_of(const struct policy *policy, enum mode mode)
{
    const struct mode_policy *of = &policy->modes[mode];
    return (struct adapt_limits){of->random_rate, explore_adapts(policy, mode) ? of->random_rate_max
                                                                               : of->random_rate};
}

double explore_rate(const struct pipeline *self, enum mode mode)
{
    struct adapt_limits limits = limits_of(&self->policy, mode);
    double share = self->explore.shares[mode];
    return share > limits.ceiling ? limits.ceiling : share > limits.floor ? share : limits.floor;
}

const char *explore_reason(const struct pipeline *self, enum mode mode)
{
    return self->explore.reasons[mode][0] != '\0' ? self->explore.reasons[mode] : "the floor";
}

void explore_apply(struct pipeline *self)
{
    struct policy effective = self->policy;
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        effective.modes[mode].random_rate = explore_rate(self, (enum mode)mode);
    }
    decide_set_policy(self->decide, &effective);
}

static bool anything_adapts(const struct pipeline *self)
{
    bool any = false;
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        any |= explore_adapts(&self->policy, (enum mode)mode);
    }
    return any;
}

struct err explore_day(struct pipeline *self, int64_t opens_ns)
{
    if (!anything_adapts(self)) {
        return err_none;
    }
    struct gathered *gathered = malloc(sizeof *gathered);
    if (gathered == NULL) {
        return err_make(ERR_MEMORY, "explore_day");
    }
    struct err err = gather(self, opens_ns, gathered);
    for (int m = 1; m < MODE_COUNT && !err_is(err); m++) {
        enum mode mode = (enum mode)m;
        struct adapt_limits limits = limits_of(&self->policy, mode);
        struct adapt_choice choice;
        if (!explore_adapts(&self->policy, mode)) {
            continue;
        }
        adapt_choose(&limits, &gathered->figures[mode], explore_rate(self, mode), &choice);
        adapt_describe(&limits, &gathered->figures[mode], &choice, self->explore.reasons[mode]);
        if (choice.share < self->explore.shares[mode] ||
            choice.share > self->explore.shares[mode]) {
            diag_info(draw, "mode=%s share=%.6g floor=%.6g", mode_text(mode), choice.share,
                      limits.floor);
        }
        self->explore.shares[mode] = choice.share;
    }
    free(gathered);
    if (!err_is(err)) {
        explore_apply(self);
    }
    return err;
}

static void take_rate(void *arg, uint32_t columns_count, const char *const *names,
                      const char *const *values)
{
    struct pipeline *self = arg;
    (void)names;
    must(columns_count == 3);
    enum mode mode = mode_parse(values[0] != NULL ? values[0] : "");
    self->explore.shares[mode] = values[1] != NULL ? strtod(values[1], NULL) : 0;
    (void)snprintf(self->explore.reasons[mode], sizeof self->explore.reasons[mode], "%s",
                   values[2] != NULL ? values[2] : "");
}

struct err explore_open(struct pipeline *self)
{
    static const char sql[] =
        "SELECT stratum, rate, reason FROM draw_rates WHERE floor IS NOT NULL AND day = ?1";
    struct err err = err_none;
    if (self->draw.day[0] != '\0') {
        err = state_query(self->state, sql, self->draw.day, (uint32_t)strlen(self->draw.day), true,
                          take_rate, self);
    }
    if (!err_is(err)) {
        explore_apply(self);
    }
    return err;
}
