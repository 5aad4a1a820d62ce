/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_STATISTICS_H
#define KERNELS_STATISTICS_H

/* Statistics: the figures that are published, each by a named method. All in double, pure.
 *
 * `confidence` is two-sided, e.g. 0.95. Counts obey hit_count <= count; probabilities lie in 0..1.
 * Outside its domain a function returns NaN (or an interval of NaN), so that a wrong question shows
 * instead of giving a number. Accuracy and sources: KERNELS.md. */

#include <stddef.h>
#include <stdint.h>

struct statistics_interval {
    double lower;
    double upper;
};

struct statistics_rate {
    uint64_t hit_count;
    uint64_t count;
};

/* Hit rates. With count = 0 the interval is 0..1: nothing is known. */
struct statistics_interval statistics_wilson(struct statistics_rate rate, double confidence);
struct statistics_interval statistics_clopper_pearson(struct statistics_rate rate,
                                                      double confidence);
struct statistics_interval statistics_jeffreys(struct statistics_rate rate, double confidence);

/* Difference first - second: Newcombe's hybrid score interval. NaN when a count is 0. */
struct statistics_interval statistics_newcombe(struct statistics_rate first,
                                               struct statistics_rate second, double confidence);

/* Two-sided p of Fisher's exact test on hits and misses of two rates: tables no more probable than
 * the observed one, with a relative tolerance of 1e-7. Time grows with the smaller margin. */
double statistics_fisher(struct statistics_rate first, struct statistics_rate second);

/* Ratio first / second: Katz's log interval. NaN when a hit count is 0: the caller then shows
 * statistics_ratio_exact. */
struct statistics_interval statistics_katz(struct statistics_rate first,
                                           struct statistics_rate second, double confidence);

/* Ratio of two rates given the total number of hits, as for two Poisson streams: Clopper-Pearson on
 * the share of hits in the first. Conservative; defined with zero hits (upper may be INFINITY);
 * NaN when a count is 0. */
struct statistics_interval statistics_ratio_exact(struct statistics_rate first,
                                                  struct statistics_rate second, double confidence);

/* Exams without a find that bound the rate below `rate` at confidence 1 - alpha:
 * ceil(ln(alpha) / ln(1 - rate)). 0 < rate < 1, 0 < alpha < 1; else NaN. */
double statistics_zero_hit_count(double rate, double alpha);

/* Prevalence from independent draws: outcomes y_i and selection probabilities 0 < pi_i <= 1. */
struct statistics_prevalence {
    double total;          /* Horvitz-Thompson: sum y / pi */
    double total_variance; /* sum (1 - pi) y^2 / pi^2 */
    double population;     /* sum 1 / pi */
    double mean;           /* Hajek: total / population; NaN without draws */
    double mean_variance;  /* linearised: sum (1 - pi) ((y - mean) / pi)^2 / population^2 */
};
struct statistics_prevalence statistics_prevalence(const double *outcomes,
                                                   const double *propensities, size_t draw_count);

/* Area under the ROC curve = P(positive scores above negative) + half the ties (Mann-Whitney).
 * labels 0 or 1. order is workspace [count]. NaN when one class is missing or a score is NaN. */
double statistics_auc(const double *scores, const uint8_t *labels, size_t count,
                      uint32_t *restrict order);

/* Quantile of ascending values by linear interpolation (R type 7). NaN when count is 0. */
double statistics_quantile(const double *sorted_values, size_t count, double level);

/* Sort ascending in place, NaN last; heapsort, no workspace. */
void statistics_sort(double *values, size_t count);

double statistics_normal_quantile(double probability); /* -inf at 0, +inf at 1 */
double statistics_normal_cdf(double value);

/* I_x(a, b) and its inverse in x; a, b > 0. */
double statistics_beta_cdf(double a, double b, double x);
double statistics_beta_quantile(double a, double b, double probability);
#endif
