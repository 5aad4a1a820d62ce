/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "decide/adapt.h"

/* The share of the coin: what raises it, how far, and that nothing brings it below the floor. */

static const struct adapt_limits limits = {.floor = 0.01, .ceiling = 0.11};

static double chosen(const struct adapt_figures *figures, double present, const char *loudest)
{
    struct adapt_choice choice;
    adapt_choose(&limits, figures, present, &choice);
    assert_string_equal(choice.loudest, loudest);
    return choice.share;
}

static void share_stays_at_the_floor_while_scores_keep_their_promise(void **state)
{
    (void)state;
    const struct adapt_figures silent = {.target_exams = 0};
    assert_true(chosen(&silent, 0.01, "") == 0.01);
    const struct adapt_figures kept = {.target_exams = 200,
                                       .target_finds = 92,
                                       .target_promised = 100,
                                       .random_exams = 200,
                                       .random_finds = 5,
                                       .random_promised = 4,
                                       .drift = 0.2,
                                       .drift_chance = 0.21};
    assert_true(chosen(&kept, 0.01, "") == 0.01);
    /* What was raised comes back, and arrives. */
    double share = 0.11;
    for (int day = 0; day < 20; day++) {
        double next = chosen(&kept, share, "");
        assert_true(next < share || next == 0.01);
        share = next;
    }
    assert_true(share == 0.01);
}

static void each_voice_raises_the_share(void **state)
{
    (void)state;
    /* (100 - 16.449 - 40) / 100 = 0.43551 of the span, three tenths of the way */
    const struct adapt_figures broken = {
        .target_exams = 200, .target_finds = 40, .target_promised = 100};
    assert_true(fabs(chosen(&broken, 0.01, "shortfall") - (0.01 + 0.3 * 0.1 * 0.4355)) < 1e-6);
    /* (30 - 4 - 3.290) / 30 */
    const struct adapt_figures missed = {
        .random_exams = 200, .random_finds = 30, .random_promised = 4};
    assert_true(fabs(chosen(&missed, 0.01, "surprise") - (0.01 + 0.3 * 0.1 * 0.757)) < 1e-5);
    const struct adapt_figures drifted = {.drift = 0.125, .drift_chance = 0.05};
    assert_true(fabs(chosen(&drifted, 0.01, "drift") - 0.025) < 1e-6);
    double share = 0.01;
    const struct adapt_figures other = {.drift = 3, .drift_chance = 0.05};
    for (int day = 0; day < 60; day++) {
        share = chosen(&other, share, "drift");
    }
    assert_true(share > 0.1099 && share <= 0.11);
}

static void few_exams_say_nothing(void **state)
{
    (void)state;
    const struct adapt_figures few = {.target_exams = ADAPT_EXAMS_MIN - 1,
                                      .target_promised = 19,
                                      .random_exams = ADAPT_EXAMS_MIN - 1,
                                      .random_finds = 19};
    assert_true(chosen(&few, 0.01, "") == 0.01);
}

static void floor_is_never_undercut_nor_the_ceiling_passed(void **state)
{
    (void)state;
    static const double numbers[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e-9, 0.5, 2, 1e300};
    static const uint64_t counts[] = {0, 1, 1000, UINT64_MAX};
    enum { NUMBERS = sizeof numbers / sizeof numbers[0], COUNTS = 4 };
    for (unsigned i = 0; i < 200000; i++) {
        unsigned mixed = i * 2654435761u >> 3;
        const struct adapt_figures any = {.target_exams = counts[mixed % COUNTS],
                                          .target_finds = counts[mixed / 4 % COUNTS],
                                          .random_exams = counts[mixed / 16 % COUNTS],
                                          .random_finds = counts[mixed / 64 % COUNTS],
                                          .target_promised = numbers[mixed / 256 % NUMBERS],
                                          .random_promised = numbers[mixed / 2304 % NUMBERS],
                                          .drift = numbers[mixed / 20736 % NUMBERS],
                                          .drift_chance = numbers[i % NUMBERS]};
        const struct adapt_limits fixed = {.floor = 0.02, .ceiling = i % 2 == 0 ? 0.02 : 0.001};
        struct adapt_choice choice;
        adapt_choose(&limits, &any, numbers[i / 7 % NUMBERS], &choice);
        assert_true(choice.share >= limits.floor && choice.share <= limits.ceiling);
        adapt_choose(&fixed, &any, numbers[i / 7 % NUMBERS], &choice);
        assert_true(choice.share == fixed.floor);
        /* Finer than the steps in which shares are told. */
        const struct adapt_limits fine = {.floor = 0.0123456789, .ceiling = 0.0323456781};
        adapt_choose(&fine, &any, numbers[i / 7 % NUMBERS], &choice);
        assert_true(choice.share >= fine.floor && choice.share <= fine.ceiling);
    }
}

static void reason_has_the_figures(void **state)
{
    (void)state;
    const struct adapt_figures broken = {
        .target_exams = 200, .target_finds = 40, .target_promised = 100};
    struct adapt_choice choice;
    char reason[ADAPT_REASON_BYTES];
    adapt_choose(&limits, &broken, 0.01, &choice);
    adapt_describe(&limits, &broken, &choice, reason);
    assert_non_null(strstr(reason, "shortfall: targeted exams found 40 of 100.0 promised (200)"));
    assert_non_null(strstr(reason, "floor 0.01, ceiling 0.11"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(share_stays_at_the_floor_while_scores_keep_their_promise),
        cmocka_unit_test(each_voice_raises_the_share),
        cmocka_unit_test(few_exams_say_nothing),
        cmocka_unit_test(floor_is_never_undercut_nor_the_ceiling_passed),
        cmocka_unit_test(reason_has_the_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
