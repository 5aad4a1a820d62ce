/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/shadow_report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The figures of a shadow's report on items that can be counted by hand. */

enum { ITEMS = 1000 };
static struct shadow_item items[ITEMS];

static void assert_near(double value, double wanted)
{
    if (!(fabs(value - wanted) <= 1e-12 * (1 + fabs(wanted)))) {
        fail_msg("%.17g, expected %.17g", value, wanted);
    }
}

/* Item i has score i in use; the shadow turns the order round. The upper half was referred; one in
 * ten of all is drawn at a rate of 0.1; all of these are examined; finds: i divisible by 4. */
static void fill(void)
{
    memset(items, 0, sizeof items);
    for (uint32_t i = 0; i < ITEMS; i++) {
        bool target = i >= ITEMS / 2;
        items[i] = (struct shadow_item){.in_use = i,
                                        .shadow = ITEMS - i,
                                        .propensity = target ? 1 : 0.1,
                                        .random_rate = 0.1,
                                        .drawn = i % 10 == 4,
                                        .found = i % 4 == 0};
        items[i].referred = target || items[i].drawn;
        items[i].examined = items[i].referred;
    }
}

static void correlation_of_ranks_is_the_known_one(void **unused)
{
    (void)unused;
    double value = 0;
    fill();
    assert_false(err_is(shadow_correlation(items, ITEMS, &value)));
    assert_near(value, -1);
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].shadow = exp((double)i / 100); /* any growing function */
    }
    assert_false(err_is(shadow_correlation(items, ITEMS, &value)));
    assert_near(value, 1);
    /* Ties at their mean ranks: 1 2 2 4 against 1 3 2 4; by hand 0.9486832980505138. */
    static const double first[] = {1, 2, 2, 4};
    static const double second[] = {1, 3, 2, 4};
    for (uint32_t i = 0; i < 4; i++) {
        items[i].in_use = first[i];
        items[i].shadow = second[i];
    }
    assert_false(err_is(shadow_correlation(items, 4, &value)));
    assert_near(value, 0.9486832980505138);
    items[0].shadow = items[1].shadow = items[2].shadow = items[3].shadow = 0.5;
    assert_false(err_is(shadow_correlation(items, 4, &value)));
    assert_true(isnan(value));
    assert_false(err_is(shadow_correlation(items, 1, &value)));
    assert_true(isnan(value));
}

static void top_shares_are_estimated_by_chances_of_selection(void **unused)
{
    (void)unused;
    struct shadow_share share;
    fill();
    assert_false(err_is(shadow_share_make(items, ITEMS, 0.5, &share)));
    assert_int_equal(share.in_use.items, 500);
    assert_int_equal(share.shadow.items, 500);
    assert_int_equal(share.shared, 0);
    /* In use, 500 to 999: all examined with certainty, 125 finds of 500. */
    assert_int_equal(share.in_use.exams.count, 500);
    assert_int_equal(share.in_use.exams.hit_count, 125);
    assert_string_equal(share.in_use.by_exams.method, "Horvitz-Thompson");
    assert_near(share.in_use.by_exams.won, 0.25);
    double half =
        1.959963984540054 * sqrt(0.25 * 0.75 / 500); /* nothing but the items' own chance */
    assert_near(share.in_use.by_exams.interval.upper, 0.25 + half);
    /* Shadow, 0 to 499: the coin's 50, of which 25 (4, 24, 44, ...) were finds, each for ten. */
    assert_int_equal(share.shadow.coin.count, 50);
    assert_int_equal(share.shadow.coin.hit_count, 25);
    assert_near(share.shadow.by_coin.won, 0.5);
    half = 1.959963984540054 * sqrt(25 * 0.9 / 0.01 / 250000 + 0.25 / 500);
    assert_near(share.shadow.by_coin.interval.upper, 0.5 + half);
    assert_near(share.shadow.by_coin.interval.lower, 0.5 - half);
    assert_int_equal(share.shadow.exams.count, 50);
    assert_near(share.shadow.by_exams.won, 0.5);
    /* Half and half: the shadow's first are now the middle ones, of which the upper half is
     * certain. */
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].shadow = i >= 400 && i < 600 ? 1 : 0;
    }
    assert_false(err_is(shadow_share_make(items, ITEMS, 0.2, &share)));
    assert_int_equal(share.shared, 0);
    assert_int_equal(share.shadow.items, 200);
    assert_int_equal(share.shadow.exams.count, 110);
    assert_int_equal(share.shadow.exams.hit_count, 30);
    assert_near(share.shadow.by_exams.won, (25 + 5 * 10.0) / 200);
    half = 1.959963984540054 * sqrt(5 * 0.9 / 0.01 / 40000 + 0.375 * 0.625 / 200);
    assert_near(share.shadow.by_exams.interval.upper, 75.0 / 200 + half);
    assert_null(share.shadow.by_coin.method); /* twenty exams */
}

static void every_place_has_its_own_top(void **unused)
{
    (void)unused;
    struct shadow_share share;
    fill();
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].place = i % 2;
        items[i].in_use += i % 2 == 1 ? 1e6 : 0; /* a place whose scores are all higher */
        items[i].shadow = items[i].in_use;
    }
    assert_false(err_is(shadow_share_make(items, ITEMS, 0.1, &share)));
    assert_int_equal(share.in_use.items, 100);
    assert_int_equal(share.shared, 100);
    /* 901, 903, ... of one place and 900, 902, ... of the other: as many even ones. */
    assert_int_equal(share.in_use.exams.count, 100);
    assert_int_equal(share.in_use.exams.hit_count, 25);
}

static void what_cannot_be_estimated_is_not_guessed(void **unused)
{
    (void)unused;
    struct shadow_share share;
    fill();
    assert_false(err_is(shadow_share_make(items, ITEMS, 0.0001, &share)));
    assert_null(share.shadow.by_coin.method);
    assert_string_equal(share.shadow.by_coin.why, "no item");
    assert_false(err_is(shadow_share_make(items, ITEMS, 0.25, &share)));
    assert_int_equal(share.shadow.coin.count, 25);
    assert_null(share.shadow.by_coin.method);
    assert_string_equal(share.shadow.by_coin.why, "too few random exams");
    items[3].propensity = 0; /* among the shadow's first, and nobody could have seen it */
    items[3].random_rate = 0;
    assert_false(err_is(shadow_share_make(items, ITEMS, 0.5, &share)));
    assert_null(share.shadow.by_exams.method);
    assert_null(share.shadow.by_coin.method);
    assert_string_equal(share.shadow.by_exams.why, "some had no chance of being selected");
    assert_non_null(share.in_use.by_exams.method);
    fill();
    for (uint32_t i = 14; i < 100; i += 10) { /* nine of the drawn fifty were not opened */
        items[i].examined = false;
    }
    assert_false(err_is(shadow_share_make(items, ITEMS, 0.5, &share)));
    assert_null(share.shadow.by_coin.method);
    assert_string_equal(share.shadow.by_coin.why, "too many drawn items without an exam");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlation_of_ranks_is_the_known_one),
        cmocka_unit_test(top_shares_are_estimated_by_chances_of_selection),
        cmocka_unit_test(every_place_has_its_own_top),
        cmocka_unit_test(what_cannot_be_estimated_is_not_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
