/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIMULATE_H
#define SIMULATE_H

/* Simulate: logged decisions decided again under another policy, by the daemon's own decide_item.
 *
 * The coin stays as it fell, and its rate as it was. Decisions before the period warm the windows,
 * as they do at a restart. Referrals of both worlds end when the logged one ended; one that only
 * the simulation has is open for the mean time of those of its place that have ended so far
 * (horizon_h before there is any). What was referred by hand is so in both worlds, and counts in
 * neither sum. Allocates; one thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "decide/policy.h"
#include "kernels/statistics.h"
#include "state/state.h"

struct simulate_cutoff {
    double sum; /* over scorable decisions at which something fitted */
    uint64_t count;
    uint64_t full; /* nothing fitted */
};

struct simulate_queue {
    uint32_t now;
    uint32_t most; /* within the period */
};

/* What came of a place, or of all. */
struct simulate_sums {
    uint64_t decided;
    uint64_t agree;       /* the same arm as logged */
    uint64_t same_policy; /* decided by this very file */
    uint64_t by_hand;
    uint64_t logged; /* referrals; those by hand in neither */
    uint64_t simulated;
    uint64_t kept;
    uint64_t dropped;
    uint64_t added;
    struct statistics_rate kept_exams; /* of hits: finds */
    struct statistics_rate dropped_exams;
    /* by the calibrated probabilities, of scorable items */
    double model_won;
    double model_won_variance;
    double model_lost; /* of all that were dropped, beside what was found in them */
    uint64_t added_unscorable;
    /* Drawn items that the simulated target or cautious arm takes besides, and the logged one did
     * not: the random sample of what was added. */
    uint64_t drawn;
    struct statistics_rate drawn_exams;
    double drawn_excess;   /* sum of y (1 / pi - 1): Horvitz-Thompson less what the coin found */
    double drawn_variance; /* sum of y (1 - pi) / pi^2 */
    double drawn_hits;     /* sum of y / pi, and of 1 / pi, over exams */
    double drawn_population;
    double rate_lowest; /* pi of these */
    double rate_highest;
    struct simulate_cutoff cutoff_logged;
    struct simulate_cutoff cutoff_simulated;
};

struct simulate_place {
    enum mode mode;
    char site[65];
    struct simulate_sums sums;
    struct simulate_queue queue_logged;
    struct simulate_queue queue_simulated;
    double open_ns_sum; /* of referrals that have ended */
    uint64_t open_count;
};

/* Fewer exams of drawn items than this say nothing; fewer finds than that have no normal interval;
 * more than that share without an exam is no random sample any more. */
#define SIMULATE_EXAMS_MIN 30u
#define SIMULATE_FINDS_MIN 10u
#define SIMULATE_UNEXAMINED_MAX 0.1

struct simulate_estimate {
    const char *method; /* how it was made; NULL: not estimable */
    const char *why;    /* it is not */
    double won;         /* finds among what was added */
    struct statistics_interval interval;
};
/* By the random arm: Horvitz-Thompson; with few finds the Hajek rate with the exact binomial
 * interval. */
void simulate_by_design(const struct simulate_sums *sums, struct simulate_estimate *out);
/* By the probabilities, as far as these are calibrated: the interval is chance alone. */
void simulate_by_model(const struct simulate_sums *sums, struct simulate_estimate *out);

struct simulate;

MUST_USE struct err simulate_open(const struct policy *policy, uint32_t strata_max, int64_t from_ns,
                                  struct simulate **out);
void simulate_close(struct simulate **self);
/* In the order of the log. */
MUST_USE struct err simulate_add(struct simulate *self, const struct state_past *past);
/* Places in the order of their first decision; borrowed until the next add. */
const struct simulate_place *simulate_places(const struct simulate *self, uint32_t *count);
/* Sums over all places. */
void simulate_total(const struct simulate *self, struct simulate_sums *out);
/* Decisions before the period that warmed the windows. */
uint64_t simulate_warmed(const struct simulate *self);

#endif
