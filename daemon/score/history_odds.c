/* SPDX-License-Identifier: Apache-2.0 */
#include "score/history.h"

#include <math.h>

/* Odds instead of logits: the trees only compare, and ratios of odds compare as differences of
 * logits do. The mean of two parents' logits is the root of the product of their odds. So a line
 * costs no logarithm, and no bit of it depends on a libm, given the same counts and fades; those
 * come from exp2. */

static const double day_ns = 86400e9;
/* A rate is held within 1 in 10,000 of certainty: what a history says has to stay comparable. */
static const double odds_min = 1e-4;
static const double odds_max = 1e4;

struct counts {
    double exams;
    double finds;
};

static double faded(const struct history *self, int64_t last_ns, int64_t now_ns)
{
    double days = ((double)now_ns - (double)last_ns) / day_ns;
    if (!(days >= 1)) {
        return 1.0;
    }
    return days < HISTORY_FADE_DAYS ? self->fades[(uint32_t)days] : 0.0;
}

static void add_counts(const struct history *self, const struct history_table *table, uint64_t key,
                       int64_t now_ns, struct counts *counts)
{
    const struct history_entry *entry = history_table_find(table, key);
    if (entry != NULL) {
        double left = faded(self, entry->last_ns, now_ns);
        counts->exams += (double)entry->exams * left;
        counts->finds += (double)entry->finds * left;
    }
}

static double held(double odds)
{
    return odds < odds_min ? odds_min : odds > odds_max ? odds_max : odds;
}

/* Odds after counts, when those before are prior_odds worth `weight` exams. */
static double odds_after(const struct counts *counts, double prior_odds, double weight)
{
    double q = prior_odds / (1 + prior_odds);
    double yes = counts->finds + weight * q;
    double no = fmax(counts->exams - counts->finds, 0) + weight * (1 - q);
    return held(yes / no);
}

static double parent_odds(const struct history_kind *kind, const double odds[HISTORY_KINDS])
{
    if (kind->parents_count == 0) {
        return odds[HISTORY_ALL];
    }
    if (kind->parents_count == 1) {
        return odds[kind->parents[0]];
    }
    return sqrt(odds[kind->parents[0]] * odds[kind->parents[1]]);
}

void history_line_keys(const struct history *self, const struct history_parts *parts,
                       uint64_t keys[HISTORY_KINDS])
{
    for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
        keys[kind] = history_key(kind, parts);
        if (keys[kind] != 0) {
            history_table_prefetch(&self->base, keys[kind]);
            history_table_prefetch(&self->live, keys[kind]);
        }
    }
}

void history_odds(const struct history *self, const uint64_t keys[HISTORY_KINDS],
                  struct history_odds *out)
{
    const struct history_weights *weights = &self->weights;
    int64_t now_ns =
        self->base.newest_ns > self->live.newest_ns ? self->base.newest_ns : self->live.newest_ns;
    double odds[HISTORY_KINDS];
    struct counts all = {0, 0};
    add_counts(self, &self->base, keys[HISTORY_ALL], now_ns, &all);
    add_counts(self, &self->live, keys[HISTORY_ALL], now_ns, &all);
    odds[HISTORY_ALL] =
        odds_after(&all, weights->prior / (1 - weights->prior), weights->prior_exams);
    out->ratios[HISTORY_ALL] = 1;
    out->exams[HISTORY_ALL] = (float)all.exams;
    for (uint32_t i = HISTORY_ALL + 1; i < HISTORY_KINDS; i++) {
        double before = parent_odds(&history_kinds[i], odds);
        struct counts counts = {0, 0};
        if (keys[i] != 0) {
            add_counts(self, &self->base, keys[i], now_ns, &counts);
            add_counts(self, &self->live, keys[i], now_ns, &counts);
        }
        odds[i] = counts.exams > 0 ? odds_after(&counts, before, weights->shrinkage) : before;
        out->ratios[i] = (float)(odds[i] / before);
        out->exams[i] = (float)counts.exams;
    }
}
