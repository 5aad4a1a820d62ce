/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/statistics.h"

#include <float.h>
#include <math.h>

/* The normal, beta, binomial and hypergeometric distributions. Binomial probabilities are computed
 * as Loader (2000) does, from Stirling's error and the deviance, because differences of lgamma lose
 * six digits at the counts a port collects in a year. */

enum { FRACTION_STEPS_MAX = 200000, QUANTILE_STEPS_MAX = 300 };

double statistics_normal_cdf(double value)
{
    return 0.5 * erfc(-value * M_SQRT1_2);
}

/* Lower half: Abramowitz and Stegun 26.2.23 (error 4.5e-4), then Halley's cubic steps on erfc. */
static double lower_normal_quantile(double probability)
{
    double t = sqrt(-2 * log(probability));
    double x = (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
               t;
    for (int step = 0; step < 3; step++) {
        double density = exp(-x * x / 2) / sqrt(2 * M_PI);
        double error = (statistics_normal_cdf(x) - probability) / density;
        x -= error / (1 + x * error / 2);
    }
    return x;
}

double statistics_normal_quantile(double probability)
{
    if (!(probability >= 0 && probability <= 1)) {
        return NAN;
    }
    double tail = probability < 0.5 ? probability : 1 - probability;
    if (tail <= 0) {
        return probability < 0.5 ? -INFINITY : INFINITY;
    }
    /* Below 1e-300 the density underflows; nothing asks for more than 37 standard deviations. */
    double x = lower_normal_quantile(tail < 1e-300 ? 1e-300 : tail);
    return probability < 0.5 ? x : -x;
}

/* ln(n!) - ln(sqrt(2 pi n) (n / e)^n) for real n > 0. */
static double stirling_error(double n)
{
    if (n <= 15) {
        int sign; /* lgamma itself writes a global */
        return lgamma_r(n + 1, &sign) - (n + 0.5) * log(n) + n - 0.5 * log(2 * M_PI);
    }
    double square = n * n;
    return (1 / 12.0 -
            (1 / 360.0 - (1 / 1260.0 -
                          (1 / 1680.0 - (1 / 1188.0 - 691.0 / 360360 / square) / square) / square) /
                             square) /
                square) /
           n;
}

/* Loader's bd0: x ln(x / mean) + mean - x without cancellation near x = mean. */
static double deviance(double x, double mean)
{
    if (fabs(x - mean) >= 0.1 * (x + mean)) {
        return x * log(x / mean) + mean - x;
    }
    double v = (x - mean) / (x + mean);
    double sum = (x - mean) * v;
    double term = 2 * x * v;
    for (int j = 1; j < 1000; j++) {
        term *= v * v;
        double next = sum + term / (2 * j + 1);
        if (next == sum) { /* the series no longer changes the double */
            return next;
        }
        sum = next;
    }
    return sum;
}

/* p^x q^(n-x) n! / (x! (n-x)!) for real 0 <= x <= n; q = 1 - p is given to keep its digits. */
static double binomial_density(double x, double n, double p, double q)
{
    if (x <= 0) {
        return n <= 0 ? 1.0 : exp(n * (p < 0.1 ? log1p(-p) : log(q)));
    }
    if (x >= n) {
        return exp(n * (q < 0.1 ? log1p(-q) : log(p)));
    }
    double exponent = stirling_error(n) - stirling_error(x) - stirling_error(n - x) -
                      deviance(x, n * p) - deviance(n - x, n * q);
    return exp(exponent) * sqrt(n / (2 * M_PI * x * (n - x)));
}

/* Continued fraction of I_x(a, b) by Lentz's method; quick for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double product = d;
    for (int m = 1; m <= FRACTION_STEPS_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + even / c;
        c = fabs(c) < tiny ? tiny : c;
        product *= d * c;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + odd / c;
        c = fabs(c) < tiny ? tiny : c;
        product *= d * c;
        if (fabs(d * c - 1) < DBL_EPSILON) {
            break;
        }
    }
    return product;
}

/* I_x(a, b), its complement and x^a (1-x)^b / B(a, b), with y = 1 - x. */
struct beta_point {
    double lower;
    double upper;
    double scaled_density;
};

static struct beta_point beta_at(double a, double b, double x, double y)
{
    double n = a + b;
    double front = a * b / n * binomial_density(a, n, x, y);
    struct beta_point point = {.scaled_density = front};
    if (x < (a + 1) / (n + 2)) {
        point.lower = front / a * beta_fraction(a, b, x);
        point.upper = 1 - point.lower;
    } else {
        point.upper = front / b * beta_fraction(b, a, y);
        point.lower = 1 - point.upper;
    }
    return point;
}

double statistics_beta_cdf(double a, double b, double x)
{
    if (!(a > 0 && b > 0 && x >= 0 && x <= 1)) {
        return NAN;
    }
    if (x <= 0 || x >= 1) {
        return x;
    }
    return beta_at(a, b, x, 1 - x).lower;
}

/* Newton's steps inside a bracket that shrinks with every evaluation; a step that leaves it, or a
 * bracket that shrinks too slowly, is replaced by bisection (geometric while the bracket spans more
 * than a factor of four, for quantiles far below 1). */
double statistics_beta_quantile(double a, double b, double probability)
{
    if (!(a > 0 && b > 0 && probability >= 0 && probability <= 1)) {
        return NAN;
    }
    if (probability <= 0 || probability >= 1) {
        return probability;
    }
    double low = 0;
    double high = 1;
    double x = a / (a + b);
    for (int step = 0; step < QUANTILE_STEPS_MAX; step++) {
        struct beta_point point = beta_at(a, b, x, 1 - x);
        double excess = point.lower - probability;
        low = excess < 0 ? x : low;
        high = excess > 0 ? x : high;
        if (fabs(excess) <= 0) {
            return x;
        }
        double next = x - excess * x * (1 - x) / point.scaled_density;
        if (!(next > low && next < high) || step % 8 == 7) {
            next = high > 4 * low && low > 0 ? sqrt(low * high) : low + (high - low) / 2;
            next = low <= 0 && step > 16 ? high / 1024 : next;
        }
        if (fabs(next - x) <= DBL_EPSILON * x || next <= low || next >= high) {
            return next;
        }
        x = next;
    }
    return x;
}

/* P(k of the first rate's hits) given margins: Loader's three binomials, whose common p cancels. */
static double table_probability(double k, double first_count, double second_count, double hits)
{
    double total = first_count + second_count;
    if (hits <= 0 || hits >= total) {
        return 1;
    }
    double p = hits / total;
    double q = (total - hits) / total;
    return binomial_density(k, first_count, p, q) * binomial_density(hits - k, second_count, p, q) /
           binomial_density(hits, total, p, q);
}

double statistics_fisher(struct statistics_rate first, struct statistics_rate second)
{
    if (first.hit_count > first.count || second.hit_count > second.count) {
        return NAN;
    }
    uint64_t hits = first.hit_count + second.hit_count;
    uint64_t least = hits > second.count ? hits - second.count : 0;
    uint64_t most = hits < first.count ? hits : first.count;
    double first_count = (double)first.count;
    double second_count = (double)second.count;
    double observed =
        table_probability((double)first.hit_count, first_count, second_count, (double)hits);
    double sum = 0;
    for (uint64_t k = least; k <= most; k++) {
        double one = table_probability((double)k, first_count, second_count, (double)hits);
        sum += one <= observed * (1 + 1e-7) ? one : 0.0;
    }
    return sum < 1 ? sum : 1.0;
}
