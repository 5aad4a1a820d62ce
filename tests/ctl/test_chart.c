/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/chart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE = CHART_SIDE + 88, BYTES = 3 * SIDE * SIDE };

static const char *const no_ticks[CHART_TICKS] = {"", "", "", "", "", ""};

static void draw(struct chart *chart, const char *words)
{
    const struct chart_axes axes = {no_ticks, words, ""};
    assert_false(err_is(chart_init(chart)));
    chart_frame(chart, &axes);
}

static void every_glyph_is_seen_and_unlike_the_others(void **unused)
{
    (void)unused;
    static const char glyphs[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:%-/ ";
    enum { COUNT = sizeof glyphs - 1 };
    static struct chart charts[COUNT];
    for (int i = 0; i < COUNT; i++) {
        const char word[2] = {glyphs[i], '\0'};
        draw(&charts[i], word);
        for (int k = 0; k < i; k++) {
            if (memcmp(charts[k].pixels, charts[i].pixels, BYTES) == 0) {
                fail_msg("%c looks like %c", glyphs[i], glyphs[k]);
            }
        }
    }
    for (int i = 0; i < COUNT; i++) {
        chart_fini(&charts[i]);
    }
}

static void letters_are_capitals_and_the_unknown_is_a_gap(void **unused)
{
    (void)unused;
    struct chart small, capital;
    draw(&small, "recall\xc3\xa9 q");
    draw(&capital, "RECALL   Q");
    assert_memory_equal(small.pixels, capital.pixels, BYTES);
    chart_fini(&small);
    chart_fini(&capital);
}

static void words_beyond_the_edge_are_cut_off(void **unused)
{
    (void)unused;
    char words[400];
    memset(words, 'M', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    struct chart chart;
    draw(&chart, words);
    const struct chart_key key = {{200, 0, 0}, words};
    chart_keys(&chart, &key, 1, CHART_LOWER_RIGHT);
    chart_fini(&chart);
}

static const uint8_t *pixel(const struct chart *chart, int x, int y)
{
    return chart->pixels + 3 * ((size_t)y * SIDE + (size_t)x);
}

static bool has_red(const struct chart *chart, bool right, bool low)
{
    for (int y = low ? SIDE / 2 : 0; y < (low ? SIDE : SIDE / 2); y++) {
        for (int x = right ? SIDE / 2 : 0; x < (right ? SIDE : SIDE / 2); x++) {
            if (memcmp(pixel(chart, x, y), (uint8_t[]){200, 0, 0}, 3) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void keys_stand_in_their_corner_alone(void **unused)
{
    (void)unused;
    static const bool right[] = {false, true, true}, low[] = {false, false, true};
    const struct chart_key keys[2] = {{{200, 0, 0}, "first"}, {{0, 200, 0}, "second of two"}};
    for (int corner = CHART_UPPER_LEFT; corner <= CHART_LOWER_RIGHT; corner++) {
        struct chart chart;
        draw(&chart, "");
        chart_keys(&chart, keys, 2, (enum chart_corner)corner);
        for (int place = 0; place < 4; place++) {
            bool here = (place & 1) == right[corner] && place / 2 == low[corner];
            assert_int_equal(has_red(&chart, place & 1, place / 2 != 0), here);
        }
        chart_fini(&chart);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_glyph_is_seen_and_unlike_the_others),
        cmocka_unit_test(letters_are_capitals_and_the_unknown_is_a_gap),
        cmocka_unit_test(words_beyond_the_edge_are_cut_off),
        cmocka_unit_test(keys_stand_in_their_corner_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
