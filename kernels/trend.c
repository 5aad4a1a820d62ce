/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/trend.h"

#include <math.h>

/* Ranks, because a day's median depends on what was driven through the scanner that day: nobody
 * knows how such medians are spread. Sequential ranks of values that come in any order are
 * independent and their distribution is known, whatever that of the values. */

static const struct trend_estimate nothing = {NAN, {NAN, NAN}};

static double value_at(const struct trend_counts *seen, uint64_t rank)
{
    uint64_t below = 0;
    for (size_t i = 0; i < seen->values_count; i++) {
        below += seen->counts[i];
        if (rank < below) {
            return seen->values[i];
        }
    }
    return NAN;
}

/* P(B <= k) of B binomial with n trials at one half. */
static double half_binomial_cdf(double k, double n)
{
    return k < 0 ? 0 : k >= n ? 1 : statistics_beta_cdf(n - k, k + 1, 0.5);
}

/* The highest rank (from 0) below which the median lies with no more than `tail`; -1: none. */
static double lower_rank(double n, double tail)
{
    double z = statistics_normal_quantile(tail);
    double rank = floor(n / 2 + z * sqrt(n) / 2);
    rank = rank < -1 ? -1 : rank;
    while (rank >= 0 && half_binomial_cdf(rank, n) > tail) {
        rank--;
    }
    while (half_binomial_cdf(rank + 1, n) <= tail) {
        rank++;
    }
    return rank;
}

struct trend_estimate trend_median(const struct trend_counts *seen, double confidence)
{
    uint64_t total = 0;
    for (size_t i = 0; i < seen->values_count; i++) {
        total += seen->counts[i];
    }
    if (total == 0 || !(confidence > 0 && confidence < 1)) {
        return nothing;
    }
    struct trend_estimate out = {value_at(seen, (total - 1) / 2), {NAN, NAN}};
    double rank = lower_rank((double)total, (1 - confidence) / 2);
    if (rank >= 0) {
        out.interval.lower = value_at(seen, (uint64_t)rank);
        out.interval.upper = value_at(seen, total - 1 - (uint64_t)rank);
    }
    return out;
}

/* Normal score of the last value among those from start on; ties count half. */
static double score_of(const double *values, size_t start, size_t last)
{
    double below = 0.5;
    for (size_t i = start; i < last; i++) {
        below += values[i] < values[last] ? 1 : values[i] == values[last] ? 0.5 : 0;
    }
    return statistics_normal_quantile(below / (double)(last - start + 1));
}

/* Where two levels fit the values from start to found best, by least squares (Hinkley 1970): ranks
 * know no distance and are off by days. */
static size_t first_of(const double *values, size_t start, size_t found, int direction)
{
    double all = 0;
    double before = 0;
    double best = 0;
    size_t first = found;
    double count = (double)(found - start + 1);
    for (size_t i = start; i <= found; i++) {
        all += values[i];
    }
    for (size_t i = start; i < found; i++) {
        before += values[i];
        double left = (double)(i - start + 1);
        double right = count - left;
        double step = direction * ((all - before) / right - before / left);
        double gain = step > 0 ? step * step * left * right : 0;
        if (gain > best) {
            best = gain;
            first = i + 1;
        }
    }
    return first;
}

static double sum_added(double sum, double score)
{
    double added = sum + score - TREND_ALLOWANCE;
    return added > 0 ? added : 0;
}

/* The first change among the values from start on; 0 when there is none. */
static int change_after(const double *values, size_t count, size_t start, struct trend_change *out)
{
    double up = 0;
    double down = 0;
    for (size_t i = start; i < count; i++) {
        double score = score_of(values, start, i);
        up = sum_added(up, score);
        down = sum_added(down, -score);
        if (up > TREND_LIMIT || down > TREND_LIMIT) {
            int direction = up > down ? 1 : -1;
            *out = (struct trend_change){first_of(values, start, i, direction), i, direction};
            return 1;
        }
    }
    return 0;
}

size_t trend_changes(const double *values, size_t count, struct trend_change *out, size_t capacity)
{
    size_t found = 0;
    size_t start = 0;
    /* A change begins after start: each begins later than the one before. */
    while (found < capacity && change_after(values, count, start, &out[found])) {
        start = out[found++].first;
    }
    return found;
}

struct trend_estimate trend_shift(const struct trend_shift_question *question, double *workspace)
{
    size_t pairs = question->before_count * question->after_count;
    if (pairs == 0 || !(question->confidence > 0 && question->confidence < 1)) {
        return nothing;
    }
    size_t at = 0;
    for (size_t i = 0; i < question->after_count; i++) {
        for (size_t j = 0; j < question->before_count; j++) {
            workspace[at++] = question->as_ratio ? question->after[i] / question->before[j]
                                                 : question->after[i] - question->before[j];
        }
    }
    statistics_sort(workspace, pairs);
    struct trend_estimate out = {statistics_quantile(workspace, pairs, 0.5), {NAN, NAN}};
    double m = (double)question->before_count;
    double n = (double)question->after_count;
    double z = -statistics_normal_quantile((1 - question->confidence) / 2);
    double rank = floor(m * n / 2 - z * sqrt(m * n * (m + n + 1) / 12) - 0.5);
    /* Below 0 even the widest interval, of all pairs, is not known to be of this confidence. */
    if (rank >= 0) {
        out.interval.lower = workspace[(size_t)rank];
        out.interval.upper = workspace[pairs - 1 - (size_t)rank];
    }
    return out;
}
