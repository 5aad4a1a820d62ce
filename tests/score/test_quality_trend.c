/* SPDX-License-Identifier: Apache-2.0 */
#include "score/quality_trend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-03 as a day since 1970. */
enum { NOVEMBER = 20760, DAYS = 60, IMAGES = 9 };

/* A day of nine images whose median is `level`, a tenth either side. */
static void add_day(struct quality_trend *trend, int64_t day, const double levels[QUALITY_FIGURES])
{
    for (int figure = 0; figure < QUALITY_FIGURES; figure++) {
        for (int i = 0; i < IMAGES && levels[figure] > 0; i++) {
            quality_trend_add(trend, day, (enum quality_figure)figure,
                              levels[figure] * (0.9 + 0.025 * i), 1);
        }
        if (levels[figure] <= 0) {
            quality_trend_add(trend, day, (enum quality_figure)figure, 0, IMAGES);
        }
    }
}

struct story {
    double sharpness; /* from day 30 on, of 0.2 */
    double contrast;  /* of 100 */
    double dead;      /* from day 50 on */
};

static struct quality_trend *told(struct story story)
{
    struct quality_trend *trend;
    assert_false(err_is(quality_trend_open(&trend)));
    for (int i = 0; i < DAYS; i++) {
        double mix = 1 + 0.01 * (i * 7 % 11 - 5);
        const double levels[QUALITY_FIGURES] = {mix * (i < 30 ? 0.2 : story.sharpness),
                                                mix * (i < 30 ? 100 : story.contrast), 0.05 * mix,
                                                i < 50 ? 0 : story.dead};
        add_day(trend, NOVEMBER - 30 + i, levels);
    }
    quality_trend_finish(trend);
    return trend;
}

static void trend_of_blurred_scanner_tells_day_and_share(void **unused)
{
    (void)unused;
    struct quality_trend *trend = told((struct story){0.164, 100, 0});
    const struct quality_series *sharpness = quality_trend_series(trend, QUALITY_SHARPNESS);
    char words[QUALITY_WORDS_TOLD];
    assert_int_equal(sharpness->days_count, DAYS);
    assert_int_equal(sharpness->changes_count, 1);
    assert_int_equal(sharpness->changes[0].since_day, NOVEMBER);
    assert_true(sharpness->changes[0].worse && !sharpness->changes[0].higher);
    quality_change_words(QUALITY_SHARPNESS, &sharpness->changes[0], words);
    assert_memory_equal(words, "sharpness down 18% (", 20);
    assert_non_null(strstr(words, ") since 2026-11-03"));
    assert_int_equal(quality_trend_series(trend, QUALITY_CONTRAST)->changes_count, 0);
    assert_int_equal(quality_trend_series(trend, QUALITY_SATURATED)->changes_count, 0);
    assert_false(quality_trend_dead(trend).present);
    assert_true(quality_trend_alarm(trend, NOVEMBER + 30));
    /* Nobody mends a scanner that has not been used for weeks. */
    assert_false(quality_trend_alarm(trend, NOVEMBER + 50));
    quality_trend_close(&trend);
}

static void trend_of_small_or_better_change_is_told_without_alarm(void **unused)
{
    (void)unused;
    struct quality_trend *trend = told((struct story){0.25, 91.5, 0});
    char words[QUALITY_WORDS_TOLD];
    const struct quality_series *sharpness = quality_trend_series(trend, QUALITY_SHARPNESS);
    const struct quality_series *contrast = quality_trend_series(trend, QUALITY_CONTRAST);
    assert_int_equal(sharpness->changes_count, 1);
    assert_false(sharpness->changes[0].worse);
    quality_change_words(QUALITY_SHARPNESS, &sharpness->changes[0], words);
    assert_memory_equal(words, "sharpness up 25% (", 18);
    assert_int_equal(contrast->changes_count, 1);
    assert_true(contrast->changes[0].worse);
    assert_false(quality_trend_alarm(trend, NOVEMBER + 30));
    quality_trend_close(&trend);
}

static void trend_of_dead_channels_tells_since_when(void **unused)
{
    (void)unused;
    struct quality_trend *trend = told((struct story){0.2, 100, 5});
    char words[QUALITY_WORDS_TOLD];
    struct quality_dead dead = quality_trend_dead(trend);
    assert_true(dead.present);
    assert_int_equal(dead.since_day, NOVEMBER + 20);
    quality_trend_words(trend, words);
    assert_string_equal(words, "5 dead lines in most images since 2026-11-23");
    assert_true(quality_trend_alarm(trend, NOVEMBER + 30));
    quality_trend_close(&trend);
}

static void trend_of_few_images_leaves_day_out_and_forgets_the_scanner_before(void **unused)
{
    (void)unused;
    struct quality_trend *trend = told((struct story){0.1, 50, 5});
    quality_trend_start(trend);
    for (int figure = 0; figure < QUALITY_FIGURES; figure++) {
        quality_trend_add(trend, NOVEMBER, (enum quality_figure)figure, 0.5,
                          QUALITY_IMAGES_MIN - 1);
    }
    for (int figure = 0; figure < QUALITY_FIGURES; figure++) {
        quality_trend_add(trend, NOVEMBER + 1, (enum quality_figure)figure, 0, QUALITY_IMAGES_MIN);
    }
    quality_trend_finish(trend);
    const struct quality_series *sharpness = quality_trend_series(trend, QUALITY_SHARPNESS);
    assert_int_equal(sharpness->days_count, 1);
    assert_int_equal(sharpness->days[0].day, NOVEMBER + 1);
    assert_int_equal(sharpness->days[0].images, QUALITY_IMAGES_MIN);
    assert_true(isnan(sharpness->days[0].median.interval.lower));
    assert_int_equal(sharpness->changes_count, 0);
    assert_false(quality_trend_alarm(trend, NOVEMBER + 1));
    quality_trend_start(trend);
    quality_trend_finish(trend);
    assert_false(quality_trend_alarm(trend, NOVEMBER));
    quality_trend_close(&trend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trend_of_blurred_scanner_tells_day_and_share),
        cmocka_unit_test(trend_of_small_or_better_change_is_told_without_alarm),
        cmocka_unit_test(trend_of_dead_channels_tells_since_when),
        cmocka_unit_test(trend_of_few_images_leaves_day_out_and_forgets_the_scanner_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
