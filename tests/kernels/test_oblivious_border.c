/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious_grow.h"

#include <math.h>

#include "tests/kernels/draw.h"

/* Borders of a column of values, which every one of them must tell apart from its neighbours. */
static uint32_t find_borders(const float *values, size_t count, uint32_t border_max, float *borders)
{
    struct oblivious_rows rows = {values, count, 1};
    uint32_t *keys = draw_room(2 * count, sizeof *keys);
    uint32_t found = oblivious_find_borders(&rows, 0, border_max, keys, borders);
    free(keys);
    return found;
}

static void borders_lie_between_neighbours(void **state)
{
    (void)state;
    float borders[8];
    /* The middle of neighbours rounds to one of them: to the lower here, to the upper there. */
    const float close[] = {1.00000012f, 1.0f, 1.00000024f, 1.0f};
    assert_int_equal(find_borders(close, 4, 8, borders), 2);
    assert_true(borders[0] >= 1.0f && borders[0] < close[0]);
    assert_true(borders[1] >= close[0] && borders[1] < close[2]);
    const float zeros[] = {-0.0f, 0.0f, NAN, -0.0f, 0.0f};
    assert_int_equal(find_borders(zeros, 5, 8, borders), 0);
    const float ends[] = {INFINITY, -INFINITY, INFINITY};
    assert_int_equal(find_borders(ends, 3, 8, borders), 1);
    assert_true(isfinite(borders[0]));
    const float wide[] = {3e38f, -INFINITY, 3.2e38f, INFINITY};
    assert_int_equal(find_borders(wide, 4, 8, borders), 3);
    assert_true(borders[0] < 3e38f && borders[1] >= 3e38f && borders[1] < 3.2e38f);
    assert_true(borders[2] >= 3.2e38f && isfinite(borders[2]));
}

/* 1000 values and one that makes up half of the rows: 7 borders cut the rest into equal shares. */
static void borders_share_the_rows(void **state)
{
    (void)state;
    enum { ROWS = 2000 };
    float values[ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[i] = i < 1000 ? (float)i : 400.5f;
    }
    float borders[7];
    assert_int_equal(find_borders(values, ROWS, 7, borders), 7);
    size_t counts[8] = {0};
    for (int i = 0; i < ROWS; i++) {
        size_t bin = 0;
        for (int k = 0; k < 7; k++) {
            bin += values[i] > borders[k];
        }
        counts[bin]++;
    }
    /* An eighth; the heavy one with what stood before it; what is left is shared again. */
    assert_int_equal(counts[0], 250);
    assert_int_equal(counts[1], 1151);
    for (int bin = 2; bin < 8; bin++) {
        assert_true(counts[bin] >= 99 && counts[bin] <= 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders_lie_between_neighbours),
        cmocka_unit_test(borders_share_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
