/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/trend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/rng.h"

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-12)

/* Ranks of the order statistics by hand from the binomial distribution at one half: the highest k
 * with P(B < k) <= 0.025 and its mirror. */
static void median_of_counted_values_has_exact_interval(void **unused)
{
    (void)unused;
    static const struct {
        uint64_t count;
        uint64_t rank; /* from 1; 0: no interval */
    } cases[] = {{1, 0}, {5, 0}, {6, 1}, {8, 1}, {9, 2}, {10, 2}, {20, 6}, {100, 40}, {1000, 469}};
    double values[1000];
    uint64_t counts[1000];
    for (size_t i = 0; i < 1000; i++) {
        values[i] = (double)i + 1;
        counts[i] = 1;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct trend_counts seen = {values, counts, cases[i].count};
        struct trend_estimate found = trend_median(&seen, 0.95);
        NEAR(found.value, (double)((cases[i].count + 1) / 2));
        if (cases[i].rank == 0) {
            assert_true(isnan(found.interval.lower) && isnan(found.interval.upper));
        } else {
            NEAR(found.interval.lower, (double)cases[i].rank);
            NEAR(found.interval.upper, (double)(cases[i].count + 1 - cases[i].rank));
        }
    }
}

static void median_of_repeated_values_is_that_of_all_of_them(void **unused)
{
    (void)unused;
    const double values[3] = {1, 5, 9};
    const uint64_t counts[3] = {40, 25, 35};
    struct trend_estimate found = trend_median(&(struct trend_counts){values, counts, 3}, 0.95);
    NEAR(found.value, 5);
    NEAR(found.interval.lower, 1); /* the 40th of 100 */
    NEAR(found.interval.upper, 5); /* the 61st */
    found = trend_median(&(struct trend_counts){values, counts, 0}, 0.95);
    assert_true(isnan(found.value));
}

/* The intervals leave out as many differences at either end as the tables of the rank sum say: the
 * most with a chance of at most 2.5% to be passed. */
static void shift_interval_leaves_out_what_tables_say(void **unused)
{
    (void)unused;
    static const struct {
        size_t before, after;
        long rank; /* left out; -1: no interval */
    } rows[] = {{3, 3, -1}, {2, 7, -1}, {4, 4, 0},    {5, 5, 2},
                {3, 5, 0},  {7, 7, 8},  {10, 10, 23}, {20, 20, 127}};
    double before[20];
    double after[20];
    double pairs[400];
    for (size_t i = 0; i < 20; i++) { /* no two differences are alike */
        before[i] = -(double)i;
        after[i] = 100 * (double)i;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t m = rows[i].before;
        const struct trend_shift_question question = {before, m, after, rows[i].after, 0, 0.95};
        const struct statistics_interval found = trend_shift(&question, pairs).interval;
        if (rows[i].rank < 0) {
            assert_true(isnan(found.lower) && isnan(found.upper));
            continue;
        }
        size_t lower = (size_t)rows[i].rank;
        size_t upper = m * rows[i].after - 1 - lower;
        NEAR(found.lower, (double)(lower / m * 100 + lower % m));
        NEAR(found.upper, (double)(upper / m * 100 + upper % m));
    }
}

static void shift_of_small_samples_is_that_by_hand(void **unused)
{
    (void)unused;
    const double before[3] = {1, 2, 3};
    const double after[2] = {4, 6};
    double pairs[6];
    struct trend_shift_question question = {before, 3, after, 2, 0, 0.95};
    struct trend_estimate found = trend_shift(&question, pairs);
    NEAR(found.value, 3); /* of 1 2 3 3 4 5 */
    assert_true(isnan(found.interval.lower));
    /* 10 and 10: the 24th of 100 from either end: 23 are left out. */
    double ones[10];
    double more[10];
    double many[100];
    for (int i = 0; i < 10; i++) {
        ones[i] = i;
        more[i] = 100 + i;
    }
    question = (struct trend_shift_question){ones, 10, more, 10, 0, 0.95};
    found = trend_shift(&question, many);
    NEAR(found.value, 100);
    /* Differences 91 to 109 come 1, 2 .. 10 .. 2, 1 times: 21 up to 96, 28 up to 97. */
    NEAR(found.interval.lower, 97);
    NEAR(found.interval.upper, 103);
    for (int i = 0; i < 10; i++) {
        ones[i] = exp2(i);
        more[i] = 8 * exp2(i);
    }
    question.as_ratio = 1;
    found = trend_shift(&question, many);
    NEAR(found.value, 8);
    NEAR(found.interval.lower, 1);
    NEAR(found.interval.upper, 64);
}

/* Whatever the distribution, because only ranks are looked at: of 1,500 series of 365 days 48 are
 * to be expected (1 in 31); below 20 or above 100 has a chance below 1e-6. */
static void changes_of_unchanged_series_are_as_rare_as_stated(void **unused)
{
    (void)unused;
    struct rng rng;
    rng_init(&rng, 7, 0);
    size_t told = 0;
    for (int run = 0; run < 1500; run++) {
        double values[365];
        struct trend_change found;
        for (int i = 0; i < 365; i++) {
            values[i] = exp(3 * rng_normal(&rng));
        }
        told += trend_changes(values, 365, &found, 1);
    }
    assert_in_range(told, 20, 100);
}

static void changes_of_step_are_told_once_with_its_day(void **unused)
{
    (void)unused;
    struct rng rng;
    rng_init(&rng, 8, 0);
    for (int run = 0; run < 50; run++) {
        double values[100];
        struct trend_change found[4];
        int direction = run % 2 == 0 ? 1 : -1;
        for (int i = 0; i < 100; i++) {
            values[i] = rng_normal(&rng) + (i < 40 ? 0 : 6 * direction);
        }
        size_t count = trend_changes(values, 100, found, 4);
        assert_true(count >= 1);
        assert_int_equal(found[0].direction, direction);
        assert_in_range(found[0].first, 40, 40);
        assert_in_range(found[0].found, found[0].first + 2, 50);
    }
}

/* There and back again: two changes, the second against the level of the first. */
static void changes_of_repaired_scanner_are_two(void **unused)
{
    (void)unused;
    double values[120];
    struct trend_change found[4];
    for (int i = 0; i < 120; i++) {
        values[i] = (i >= 40 && i < 80 ? 1.0 : 2.0) + 0.01 * (i * 7 % 11);
    }
    size_t count = trend_changes(values, 120, found, 4);
    assert_int_equal(count, 2);
    assert_int_equal(found[0].first, 40);
    assert_int_equal(found[0].direction, -1);
    assert_int_equal(found[1].first, 80);
    assert_int_equal(found[1].direction, 1);
    assert_int_equal(trend_changes(values, 120, found, 1), 1);
    assert_int_equal(trend_changes(values, 0, found, 4), 0);
}

static void changes_of_constant_series_are_none(void **unused)
{
    (void)unused;
    double values[400] = {0};
    struct trend_change found;
    assert_int_equal(trend_changes(values, 400, &found, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_of_counted_values_has_exact_interval),
        cmocka_unit_test(median_of_repeated_values_is_that_of_all_of_them),
        cmocka_unit_test(shift_interval_leaves_out_what_tables_say),
        cmocka_unit_test(shift_of_small_samples_is_that_by_hand),
        cmocka_unit_test(changes_of_unchanged_series_are_as_rare_as_stated),
        cmocka_unit_test(changes_of_step_are_told_once_with_its_day),
        cmocka_unit_test(changes_of_repaired_scanner_are_two),
        cmocka_unit_test(changes_of_constant_series_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
