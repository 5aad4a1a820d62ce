/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "kernels/statistics.h"

/* Reads lines "x1 n1 x2 n2 confidence a b x p" and prints every statistic of them, for
 * oracle_statistics.py to compare. Not a test by itself. */

static void print_interval(struct statistics_interval interval)
{
    printf("%.17g %.17g ", interval.lower, interval.upper);
}

int main(void)
{
    struct statistics_rate first;
    struct statistics_rate second;
    double confidence, a, b, x, p;
    while (scanf("%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%lf%lf%lf%lf%lf", &first.hit_count,
                 &first.count, &second.hit_count, &second.count, &confidence, &a, &b, &x,
                 &p) == 9) {
        print_interval(statistics_wilson(first, confidence));
        print_interval(statistics_clopper_pearson(first, confidence));
        print_interval(statistics_jeffreys(first, confidence));
        print_interval(statistics_newcombe(first, second, confidence));
        print_interval(statistics_katz(first, second, confidence));
        printf("%.17g ", statistics_fisher(first, second));
        printf("%.17g ", statistics_beta_cdf(a, b, x));
        printf("%.17g ", statistics_beta_quantile(a, b, p));
        printf("%.17g\n", statistics_normal_quantile(p));
    }
    return 0;
}
