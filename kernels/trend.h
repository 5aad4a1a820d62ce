/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_TREND_H
#define KERNELS_TREND_H

/* Trend: the median of a day with its interval, on which day a series of days changed, and by how
 * much. All by ranks: nothing is assumed of the shape of a distribution.
 *
 * In double, pure, no allocation. Methods, sources and false alarms: KERNELS.md. */

#include <stddef.h>
#include <stdint.h>

#include "kernels/statistics.h"

/* Values as they were seen, ascending, each with how often. */
struct trend_counts {
    const double *values;
    const uint64_t *counts;
    size_t values_count;
};

struct trend_estimate {
    double value;
    struct statistics_interval interval; /* NaN where there are too few values for one */
};

/* Median and its interval by order statistics, of at least this two-sided confidence. The lower of
 * the two middle values when their number is even: a value that was seen. NaN without values. */
struct trend_estimate trend_median(const struct trend_counts *seen, double confidence);

/* Of series without a change one in 31 is told of one within 365 values (0.0319 of 60,000 that were
 * drawn). A lower limit tells sooner and is wrong more often, 5: every second series; a higher one
 * needs weeks. */
#define TREND_LIMIT 8.0
/* Half of the shift, in standard deviations, that is told soonest. */
#define TREND_ALLOWANCE 0.5

struct trend_change {
    size_t first;  /* the value from which on it is another */
    size_t found;  /* the value at which that was certain */
    int direction; /* 1: higher, -1: lower */
};

/* Changes of level, in their order, at most capacity; returns how many. Two-sided cumulative sums
 * (Page 1954) of sequential ranks (McDonald 1990) as normal scores tell that there was one, least
 * squares up to that value where it began (Hinkley 1970); what was before is forgotten then. Time
 * grows with the square of count. */
size_t trend_changes(const double *values, size_t count, struct trend_change *out, size_t capacity);

/* By how much the values after are higher than those before: the Hodges-Lehmann estimate and
 * Moses's interval. With as_ratio the quotient after / before, all values being above 0. workspace
 * [before_count * after_count]. */
struct trend_shift_question {
    const double *before;
    size_t before_count;
    const double *after;
    size_t after_count;
    int as_ratio;
    double confidence;
};
struct trend_estimate trend_shift(const struct trend_shift_question *question, double *workspace);

#endif
