/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SELECTIVE_H
#define BENCH_SELECTIVE_H

/* Selective: which declarations of a week are inspected, when only those that are will ever have an
 * outcome. The strategies of arXiv:2010.14282, without revenue, which the data do not have, and
 * with our model in the place of theirs; and an exploration share that follows drift above a floor:
 * by the daemon's rule, and by the bandit of arXiv:2109.14155 (ADAPT). No files, no clock; all
 * chance from the given generator. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/rng.h"

enum explore_rule {
    EXPLORE_RANDOM,
    EXPLORE_UNCERTAIN, /* probability nearest to one half */
    EXPLORE_BADGE,     /* spread out in the space of gradients (k-means++ seeding) */
    EXPLORE_BATE,      /* the same with gradients stretched by the probability of a find */
    EXPLORE_GATE,      /* bATE while the model ranks well, random while it does not */
};

enum adapt_rule {
    ADAPT_NOT,
    ADAPT_PRODUCT, /* decide/adapt.h: promises, surprises and drift, as the daemon does it */
    ADAPT_BANDIT,  /* arXiv:2109.14155: shares tried out by EXP3, drift says which ones */
};

struct strategy {
    const char *name;
    double explore_share; /* of the inspections; the rest goes to the highest scores */
    enum explore_rule rule;
    enum adapt_rule adapts; /* the share moves between SELECTIVE_FLOOR and SELECTIVE_CEILING */
};

#define SELECTIVE_FLOOR 0.02
#define SELECTIVE_CEILING 0.5

extern const struct strategy strategies[];
extern const size_t strategies_count;

struct week {
    const double *probabilities; /* [count] */
    const float *embeddings;     /* [count x width]: contributions of each row, in logit */
    size_t count;
    size_t width;
    size_t budget;      /* inspections, at most count */
    double share;       /* explored this week */
    bool model_is_good; /* for the gate */
};

/* Writes budget distinct rows of the week; *explored_from: those at and after it are exploration.
 */
void selective_choose(const struct strategy *strategy, const struct week *week, struct rng *rng,
                      uint32_t *chosen, size_t *explored_from);

/* Shares as arms of a bandit: exponential weights for exploration and exploitation (EXP3), fading,
 * and only the arms near the one that the drift of the week points at. */
#define SELECTIVE_ARMS 11u
struct selective_bandit {
    double weights[SELECTIVE_ARMS];
    double chances[SELECTIVE_ARMS]; /* with which the present one was drawn */
    size_t arm;
};
void selective_bandit_init(struct selective_bandit *self);
/* reward: share of the inspections of the week that found something; drift 0..1. Returns the share
 * of the next week. */
double selective_bandit_next(struct selective_bandit *self, double reward, double drift,
                             struct rng *rng);

#endif
