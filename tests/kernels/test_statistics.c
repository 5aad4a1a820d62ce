/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/statistics.h"

#include <math.h>

#include "tests/kernels/draw.h"

static void assert_interval(struct statistics_interval found, double lower, double upper)
{
    assert_true(fabs(found.lower - lower) < 1e-10);
    assert_true(fabs(found.upper - upper) < 1e-10);
}

/* The golden numbers of scipy 1.10.1 and statsmodels 0.13.5. */
static void rates_match_golden_numbers(void **state)
{
    (void)state;
    struct statistics_rate some = {7, 50};
    assert_interval(statistics_wilson(some, .95), .0695083342702, .261861937106);
    assert_interval(statistics_clopper_pearson(some, .95), .0581917003404, .267396002497);
    assert_interval(statistics_jeffreys(some, .95), .0648717011505, .255325028156);
    assert_interval(statistics_clopper_pearson((struct statistics_rate){0, 3000}, .95), 0,
                    .00122887080383);
    assert_interval(statistics_wilson((struct statistics_rate){50, 50}, .95), .928652400867, 1);
}

static void two_rates_match_golden_numbers(void **state)
{
    (void)state;
    assert_interval(statistics_newcombe((struct statistics_rate){56, 70},
                                        (struct statistics_rate){48, 80}, .95),
                    .0524314724, .3338726540);
    double p = statistics_fisher((struct statistics_rate){8, 10}, (struct statistics_rate){1, 6});
    assert_true(fabs(p - .034965034965) < 1e-12);
}

static void prevalence_matches_golden_numbers(void **state)
{
    (void)state;
    const double outcomes[] = {1, 0, 1, 0, 1};
    const double propensities[] = {1, 1, .05, .05, .05};
    struct statistics_prevalence found = statistics_prevalence(outcomes, propensities, 5);
    assert_true(fabs(found.total - 41) < 1e-12);
    assert_true(fabs(found.mean - .66129032258) < 1e-11);
    assert_true(fabs(found.total_variance - 2 * .95 * 400) < 1e-9);
    assert_true(isnan(statistics_prevalence(outcomes, propensities, 0).mean));
}

static void zero_hit_count_matches_golden_numbers(void **state)
{
    (void)state;
    assert_true(fabs(statistics_zero_hit_count(.01, .05) - 299) < 0.5);
    assert_true(fabs(statistics_zero_hit_count(.001, .05) - 2995) < 0.5);
    assert_true(fabs(statistics_zero_hit_count(.0005, .05) - 5990) < 0.5);
    assert_true(isnan(statistics_zero_hit_count(0, .05)));
    /* The bound and Clopper-Pearson agree: no find in n exams, one-sided 5%. */
    struct statistics_rate none = {0, 299};
    assert_true(statistics_clopper_pearson(none, .90).upper < .01);
    none.count = 298;
    assert_true(statistics_clopper_pearson(none, .90).upper > .01);
}

/* The inverse inverts, over shapes from half a hit to ten million exams: two ulps to either side of
 * the answer the cdf encloses the level, with 1e-11 for its own error. */
static void beta_quantile_inverts_cdf(void **state)
{
    (void)state;
    static const double shapes[] = {0.5, 1, 2.5, 30, 1e3, 1e5, 1e7};
    static const double levels[] = {1e-12, 1e-4, .025, .5, .9, .975, .9999};
    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < 7; j++) {
            for (size_t k = 0; k < 7; k++) {
                double x = statistics_beta_quantile(shapes[i], shapes[j], levels[k]);
                double below = statistics_beta_cdf(shapes[i], shapes[j], x * (1 - 4e-16));
                double above = statistics_beta_cdf(shapes[i], shapes[j], fmin(x * (1 + 4e-16), 1));
                assert_true(x >= 0 && x <= 1);
                assert_true(below <= levels[k] * (1 + 1e-11) && above >= levels[k] * (1 - 1e-11));
            }
        }
    }
}

static void normal_quantile_inverts_cdf_and_is_odd(void **state)
{
    (void)state;
    assert_true(fabs(statistics_normal_quantile(.975) - 1.959963984540054) < 1e-14);
    for (double p = 1e-12; p < 0.5; p = p * 1.37) {
        double x = statistics_normal_quantile(p);
        assert_true(fabs(statistics_normal_cdf(x) - p) <= 1e-13 * p);
        assert_true(p < 1e-3 || fabs(statistics_normal_quantile(1 - p) + x) < 1e-12);
    }
    assert_true(isinf(statistics_normal_quantile(0)) && isinf(statistics_normal_quantile(1)));
    assert_true(isnan(statistics_normal_quantile(1.1)) && isnan(statistics_normal_quantile(NAN)));
}

/* Clopper-Pearson promises coverage at every rate: summed over all outcomes of 23 exams. */
static void clopper_pearson_covers_at_every_rate(void **state)
{
    (void)state;
    enum { COUNT = 23 };
    for (double rate = 0.01; rate < 1; rate += 0.03) {
        double covered = 0;
        double probability = pow(1 - rate, COUNT);
        for (uint64_t x = 0; x <= COUNT; x++) {
            struct statistics_interval found =
                statistics_clopper_pearson((struct statistics_rate){x, COUNT}, .95);
            covered += found.lower <= rate && rate <= found.upper ? probability : 0;
            probability *= (double)(COUNT - x) / (double)(x + 1) * rate / (1 - rate);
        }
        assert_true(covered >= .95);
    }
}

static void intervals_outside_their_domain_are_nan(void **state)
{
    (void)state;
    struct statistics_rate impossible = {3, 2};
    struct statistics_rate none = {0, 10};
    struct statistics_rate nothing = {0, 0};
    struct statistics_rate some = {4, 10};
    assert_true(isnan(statistics_wilson(impossible, .95).lower));
    assert_true(isnan(statistics_wilson(some, 1).lower));
    assert_interval(statistics_wilson(nothing, .95), 0, 1);
    assert_interval(statistics_clopper_pearson(nothing, .95), 0, 1);
    assert_true(isnan(statistics_katz(none, some, .95).lower));
    assert_true(isnan(statistics_newcombe(nothing, some, .95).lower));
    assert_true(isnan(statistics_fisher(impossible, some)));
    struct statistics_interval exact = statistics_ratio_exact(none, some, .95);
    assert_true(exact.lower <= 0 && exact.upper > 0 && exact.upper < 2);
    assert_true(isinf(statistics_ratio_exact(some, none, .95).upper));
}

/* Katz of equal rates is symmetric around 1 on the log scale. */
static void katz_of_equal_rates_is_symmetric(void **state)
{
    (void)state;
    struct statistics_rate rate = {30, 100};
    struct statistics_interval found = statistics_katz(rate, rate, .95);
    assert_true(fabs(found.lower * found.upper - 1) < 1e-12);
    assert_true(fabs(log(found.upper) - 1.959963984540054 * sqrt(2 * (1 / 30.0 - 1 / 100.0))) <
                1e-12);
}

/* By definition over all pairs, with many ties. */
static void auc_matches_all_pairs(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    double scores[COUNT];
    uint8_t labels[COUNT];
    uint32_t order[COUNT];
    struct rng rng;
    rng_init(&rng, 9, 0);
    for (size_t i = 0; i < COUNT; i++) {
        labels[i] = (uint8_t)rng_below(&rng, 2);
        scores[i] = (double)rng_below(&rng, 20) + labels[i];
    }
    double wins = 0;
    double pairs = 0;
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            if (labels[i] && !labels[j]) {
                pairs += 1;
                wins += scores[i] > scores[j] ? 1 : scores[i] < scores[j] ? 0 : 0.5;
            }
        }
    }
    assert_true(fabs(statistics_auc(scores, labels, COUNT, order) - wins / pairs) < 1e-14);
    assert_true(isnan(statistics_auc(scores, labels, 0, order)));
    assert_true(isnan(statistics_auc(scores, labels, 1, order)));
    scores[3] = NAN;
    assert_true(isnan(statistics_auc(scores, labels, COUNT, order)));
}

static void sort_and_quantile_order_values(void **state)
{
    (void)state;
    double values[] = {3, NAN, -1, 2, INFINITY, 2, -INFINITY};
    statistics_sort(values, 7);
    assert_true(isinf(values[0]) && values[0] < 0 && isnan(values[6]) && isinf(values[5]));
    assert_true(fabs(values[1] + 1) <= 0 && fabs(values[4] - 3) <= 0);
    const double four[] = {1, 2, 4, 8};
    assert_true(fabs(statistics_quantile(four, 4, .5) - 3) < 1e-15);
    assert_true(fabs(statistics_quantile(four, 4, 1) - 8) < 1e-15);
    assert_true(fabs(statistics_quantile(four, 1, .3) - 1) < 1e-15);
    assert_true(isnan(statistics_quantile(four, 0, .5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_match_golden_numbers),
        cmocka_unit_test(two_rates_match_golden_numbers),
        cmocka_unit_test(prevalence_matches_golden_numbers),
        cmocka_unit_test(zero_hit_count_matches_golden_numbers),
        cmocka_unit_test(beta_quantile_inverts_cdf),
        cmocka_unit_test(normal_quantile_inverts_cdf_and_is_odd),
        cmocka_unit_test(clopper_pearson_covers_at_every_rate),
        cmocka_unit_test(intervals_outside_their_domain_are_nan),
        cmocka_unit_test(katz_of_equal_rates_is_symmetric),
        cmocka_unit_test(auc_matches_all_pairs),
        cmocka_unit_test(sort_and_quantile_order_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
