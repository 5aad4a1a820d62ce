/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/statistics.h"

#include <math.h>

/* Intervals, tests and estimates; the distributions under them are in statistics_special.c. Every
 * formula is written as its source prints it, so that a reader can lay the two side by side. */

static const struct statistics_interval no_interval = {NAN, NAN};

static int rate_is_valid(struct statistics_rate rate)
{
    return rate.hit_count <= rate.count;
}

/* Standard normal quantile for a two-sided confidence; NaN outside 0 < confidence < 1. */
static double two_sided_quantile(double confidence)
{
    if (!(confidence > 0 && confidence < 1)) {
        return NAN;
    }
    return -statistics_normal_quantile((1.0 - confidence) / 2);
}

struct statistics_interval statistics_wilson(struct statistics_rate rate, double confidence)
{
    double z = two_sided_quantile(confidence);
    if (!rate_is_valid(rate) || isnan(z)) {
        return no_interval;
    }
    if (rate.count == 0) {
        return (struct statistics_interval){0, 1};
    }
    double x = (double)rate.hit_count;
    double n = (double)rate.count;
    double centre = (x + z * z / 2) / (n + z * z);
    double half = z / (n + z * z) * sqrt(x * (n - x) / n + z * z / 4);
    /* At the ends the exact answer is 0 or 1 and rounding must not print anything else. */
    return (struct statistics_interval){rate.hit_count == 0 ? 0 : centre - half,
                                        rate.hit_count == rate.count ? 1 : centre + half};
}

struct statistics_interval statistics_clopper_pearson(struct statistics_rate rate,
                                                      double confidence)
{
    if (!rate_is_valid(rate) || !(confidence > 0 && confidence < 1)) {
        return no_interval;
    }
    double x = (double)rate.hit_count;
    double misses = (double)(rate.count - rate.hit_count);
    double tail = (1.0 - confidence) / 2;
    struct statistics_interval interval = {0, 1};
    if (rate.hit_count > 0) {
        interval.lower = statistics_beta_quantile(x, misses + 1, tail);
    }
    if (rate.hit_count < rate.count) {
        interval.upper = statistics_beta_quantile(x + 1, misses, 1 - tail);
    }
    return interval;
}

struct statistics_interval statistics_jeffreys(struct statistics_rate rate, double confidence)
{
    if (!rate_is_valid(rate) || !(confidence > 0 && confidence < 1)) {
        return no_interval;
    }
    double a = (double)rate.hit_count + 0.5;
    double b = (double)(rate.count - rate.hit_count) + 0.5;
    double tail = (1.0 - confidence) / 2;
    return (struct statistics_interval){statistics_beta_quantile(a, b, tail),
                                        statistics_beta_quantile(a, b, 1 - tail)};
}

struct statistics_interval statistics_newcombe(struct statistics_rate first,
                                               struct statistics_rate second, double confidence)
{
    if (first.count == 0 || second.count == 0) {
        return no_interval;
    }
    struct statistics_interval one = statistics_wilson(first, confidence);
    struct statistics_interval two = statistics_wilson(second, confidence);
    double p1 = (double)first.hit_count / (double)first.count;
    double p2 = (double)second.hit_count / (double)second.count;
    return (struct statistics_interval){p1 - p2 - hypot(p1 - one.lower, two.upper - p2),
                                        p1 - p2 + hypot(one.upper - p1, p2 - two.lower)};
}

struct statistics_interval statistics_katz(struct statistics_rate first,
                                           struct statistics_rate second, double confidence)
{
    double z = two_sided_quantile(confidence);
    if (!rate_is_valid(first) || !rate_is_valid(second) || first.hit_count == 0 ||
        second.hit_count == 0) {
        return no_interval;
    }
    double x1 = (double)first.hit_count;
    double n1 = (double)first.count;
    double x2 = (double)second.hit_count;
    double n2 = (double)second.count;
    double centre = log((x1 / n1) / (x2 / n2));
    double half = z * sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2);
    return (struct statistics_interval){exp(centre - half), exp(centre + half)};
}

struct statistics_interval statistics_ratio_exact(struct statistics_rate first,
                                                  struct statistics_rate second, double confidence)
{
    if (!rate_is_valid(first) || !rate_is_valid(second) || first.count == 0 || second.count == 0) {
        return no_interval;
    }
    struct statistics_rate share = {first.hit_count, first.hit_count + second.hit_count};
    struct statistics_interval of_share = statistics_clopper_pearson(share, confidence);
    double scale = (double)second.count / (double)first.count;
    return (struct statistics_interval){
        of_share.lower / (1 - of_share.lower) * scale,
        of_share.upper < 1 ? of_share.upper / (1 - of_share.upper) * scale : INFINITY};
}

double statistics_zero_hit_count(double rate, double alpha)
{
    if (!(rate > 0 && rate < 1 && alpha > 0 && alpha < 1)) {
        return NAN;
    }
    return ceil(log(alpha) / log1p(-rate));
}

struct statistics_prevalence statistics_prevalence(const double *outcomes,
                                                   const double *propensities, size_t draw_count)
{
    struct statistics_prevalence result = {0};
    for (size_t i = 0; i < draw_count; i++) {
        double share = outcomes[i] / propensities[i];
        result.total += share;
        result.total_variance += (1.0 - propensities[i]) * share * share;
        result.population += 1.0 / propensities[i];
    }
    if (draw_count == 0) {
        result.mean = NAN;
        result.mean_variance = NAN;
        return result;
    }
    result.mean = result.total / result.population;
    double squares = 0;
    for (size_t i = 0; i < draw_count; i++) {
        double residual = (outcomes[i] - result.mean) / propensities[i];
        squares += (1.0 - propensities[i]) * residual * residual;
    }
    result.mean_variance = squares / (result.population * result.population);
    return result;
}

/* Sift one entry down a heap of indices ordered by score, ties by index. */
static void sift_order(const double *scores, uint32_t *order, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && scores[order[child + 1]] > scores[order[child]]) {
            child++;
        }
        if (!(scores[order[child]] > scores[order[root]])) {
            return;
        }
        uint32_t moved = order[root];
        order[root] = order[child];
        order[child] = moved;
        root = child;
    }
}

static void sort_order(const double *scores, uint32_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
    }
    for (size_t root = count / 2; root-- > 0;) {
        sift_order(scores, order, root, count);
    }
    for (size_t last = count; last-- > 1;) {
        uint32_t moved = order[0];
        order[0] = order[last];
        order[last] = moved;
        sift_order(scores, order, 0, last);
    }
}

double statistics_auc(const double *scores, const uint8_t *labels, size_t count,
                      uint32_t *restrict order)
{
    for (size_t i = 0; i < count; i++) {
        if (isnan(scores[i])) {
            return NAN;
        }
    }
    sort_order(scores, order, count);
    double negatives_below = 0;
    double positives = 0;
    double wins = 0;
    for (size_t i = 0; i < count;) {
        double tied_positives = 0;
        double tied_negatives = 0;
        double score = scores[order[i]];
        for (; i < count && scores[order[i]] <= score; i++) {
            tied_positives += labels[order[i]] != 0;
            tied_negatives += labels[order[i]] == 0;
        }
        wins += tied_positives * (negatives_below + tied_negatives / 2);
        negatives_below += tied_negatives;
        positives += tied_positives;
    }
    return positives > 0 && negatives_below > 0 ? wins / (positives * negatives_below) : NAN;
}

double statistics_quantile(const double *sorted_values, size_t count, double level)
{
    if (count == 0 || !(level >= 0 && level <= 1)) {
        return NAN;
    }
    double position = level * (double)(count - 1);
    size_t below = (size_t)position;
    size_t above = below + 1 < count ? below + 1 : below;
    double share = position - (double)below;
    if (share <= 0) {
        return sorted_values[below];
    }
    return sorted_values[below] + share * (sorted_values[above] - sorted_values[below]);
}

/* NaN counts as larger than everything. */
static int is_above(double a, double b)
{
    return a > b || (isnan(a) && !isnan(b));
}

static void sift_value(double *values, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && is_above(values[child + 1], values[child])) {
            child++;
        }
        if (!is_above(values[child], values[root])) {
            return;
        }
        double moved = values[root];
        values[root] = values[child];
        values[child] = moved;
        root = child;
    }
}

void statistics_sort(double *values, size_t count)
{
    for (size_t root = count / 2; root-- > 0;) {
        sift_value(values, root, count);
    }
    for (size_t last = count; last-- > 1;) {
        double moved = values[0];
        values[0] = values[last];
        values[last] = moved;
        sift_value(values, 0, last);
    }
}
