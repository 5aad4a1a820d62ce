/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHADOW_REPORT_H
#define SHADOW_REPORT_H

/* Shadow report: how a model in shadow ranks the items that the log has decided, beside the model
 * in use, by what exams found.
 *
 * Both are judged on the same items: those that both have scored, decided since the shadow began or
 * the models in use last changed. A top share is taken in every place (mode and site), since bays
 * are. Finds in it are estimated with logged chances of selection (ctl/simulate.h): by the coin's
 * exams alone, and by all exams. What cannot be estimated is not guessed. Allocates; one thread. */

#include "ctl/simulate.h"

#define SHADOW_SHARES 4u
extern const double shadow_shares[SHADOW_SHARES];
#define SHADOW_DECISIONS_MAX 1048576u

/* The items in the top share of one of the two models. */
struct shadow_top {
    uint64_t items;
    struct statistics_rate coin;      /* exams of what the coin drew: of hits, finds */
    struct statistics_rate exams;     /* all of them */
    struct simulate_estimate by_coin; /* won and interval: of the rate of finds */
    struct simulate_estimate by_exams;
};

struct shadow_share {
    struct shadow_top in_use;
    struct shadow_top shadow;
    uint64_t shared; /* items in both */
};

struct shadow_report {
    struct state_shadow shadow;
    uint64_t from;     /* decisions of entries behind this one are looked at */
    bool models_since; /* because a model in use changed there, after the shadow began */
    uint64_t decisions;
    bool cut;           /* there are more than SHADOW_DECISIONS_MAX: the first ones */
    uint64_t scored;    /* by the shadow */
    uint64_t compared;  /* by both: what everything below is about */
    double correlation; /* of ranks, Spearman; NaN: not estimable */
    struct statistics_rate coin;
    struct statistics_rate exams;
    struct shadow_share shares[SHADOW_SHARES];
    /* The policy decides again: with what the shadow said, and to compare with what was logged. */
    const char *policy_fault; /* why it could not; NULL: it did */
    struct simulate_sums by_shadow;
    struct simulate_sums by_in_use;
};

/* policy NULL: none could be read. NOT_FOUND when no model is in shadow. */
MUST_USE struct err shadow_report_make(struct state *state, const struct policy *policy,
                                       uint32_t strata_max, struct shadow_report *out);

/* Share of what was referred that this simulation would not refer; NaN when nothing was. */
double shadow_report_dropped(const struct simulate_sums *sums);

/* ---- for tests: one item, and the two parts of the figures */

struct shadow_item {
    double in_use;
    double shadow;
    uint32_t place;
    double propensity;  /* chance of being referred by any arm */
    double random_rate; /* by the coin */
    bool drawn;         /* by the coin */
    bool referred;
    bool examined;
    bool found;
};
/* Spearman's correlation of ranks, ties at their mean rank. NaN when there are fewer than two items
 * or one side has no spread. MEMORY. */
MUST_USE struct err shadow_correlation(const struct shadow_item *items, size_t items_count,
                                       double *out);
/* The top share of each place by both models. MEMORY. */
MUST_USE struct err shadow_share_make(const struct shadow_item *items, size_t items_count,
                                      double share, struct shadow_share *out);

#endif
