/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/region.h"

#include <math.h>

#include "tests/kernels/draw.h"

enum { WIDTH = 40, HEIGHT = 30, STRIDE = 44 };

static const struct region_rule rule = {
    .threshold = 1, .base = 0, .grow_share = 0.5f, .overlap_max = 0.3, .cell_count_min = 2};

static void add_bump(float *map, float x, float y, float height, float radius)
{
    for (size_t j = 0; j < HEIGHT; j++) {
        for (size_t i = 0; i < WIDTH; i++) {
            float dx = ((float)i - x) / radius;
            float dy = ((float)j - y) / radius;
            map[j * STRIDE + i] += height * expf(-dx * dx - dy * dy);
        }
    }
}

static size_t propose(const float *map, const struct region_rule *how, size_t count_max,
                      struct region_box *boxes)
{
    struct image_view view = {map, WIDTH, HEIGHT, STRIDE};
    uint32_t *workspace = draw_room(region_workspace_words(WIDTH, HEIGHT), sizeof *workspace);
    size_t count = region_propose(&view, how, workspace, count_max, boxes);
    free(workspace);
    return count;
}

static void propose_three_bumps_best_first(void **state)
{
    (void)state;
    float map[HEIGHT * STRIDE] = {0};
    add_bump(map, 8, 8, 2, 2);
    add_bump(map, 30, 20, 5, 3);
    add_bump(map, 10, 24, 3, 2);
    struct region_box boxes[8];
    assert_int_equal(propose(map, &rule, 8, boxes), 3);
    assert_int_equal(boxes[0].peak_x, 30);
    assert_int_equal(boxes[0].peak_y, 20);
    assert_int_equal(boxes[1].peak_x, 10);
    assert_int_equal(boxes[2].peak_x, 8);
    /* Half height of a bump of radius 3 lies at 3 sqrt(ln 2) = 2.5: columns 28..32. */
    assert_int_equal(boxes[0].x, 28);
    assert_int_equal(boxes[0].width, 5);
    assert_true(boxes[0].cell_count <= 25 && boxes[0].score > 4.9f);
    assert_int_equal(propose(map, &rule, 2, boxes), 2);
    assert_int_equal(propose(map, &rule, 0, boxes), 0);
}

/* What is left around a region grown to half height is no region of its own. */
static void propose_one_bump_gives_one_box(void **state)
{
    (void)state;
    float map[HEIGHT * STRIDE] = {0};
    add_bump(map, 20, 15, 8, 5);
    struct region_rule every = rule;
    every.overlap_max = 1;
    struct region_box boxes[8];
    assert_int_equal(propose(map, &every, 8, boxes), 1);
}

static void propose_overlapping_boxes_keep_the_best(void **state)
{
    (void)state;
    float map[HEIGHT * STRIDE] = {0};
    for (size_t i = 5; i < 25; i++) { /* a ring: its inside holds a second, lower peak */
        map[5 * STRIDE + i] = map[24 * STRIDE + i] = 4;
        map[i * STRIDE + 5] = map[i * STRIDE + 24] = 4;
    }
    for (size_t j = 7; j < 23; j++) {
        for (size_t i = 7; i < 23; i++) {
            map[j * STRIDE + i] = 3;
        }
    }
    struct region_box boxes[4];
    assert_int_equal(propose(map, &rule, 4, boxes), 1);
    struct region_rule every = rule;
    every.overlap_max = 1;
    assert_int_equal(propose(map, &every, 4, boxes), 2);
}

static void propose_small_and_low_regions_are_left_out(void **state)
{
    (void)state;
    float map[HEIGHT * STRIDE] = {0};
    map[3 * STRIDE + 3] = 9;                             /* one cell */
    map[20 * STRIDE + 5] = map[20 * STRIDE + 6] = 0.99f; /* below the threshold */
    map[29 * STRIDE + 39] = map[28 * STRIDE + 38] = 1;   /* a diagonal pair in the corner */
    struct region_box boxes[4];
    assert_int_equal(propose(map, &rule, 4, boxes), 1);
    assert_int_equal(boxes[0].x, 38);
    assert_int_equal(boxes[0].height, 2);
    assert_int_equal(boxes[0].peak_y, 28);
}

/* NaN separates and infinity leads; columns beyond the width are never read. */
static void propose_nan_and_infinity_are_held_apart(void **state)
{
    (void)state;
    float map[HEIGHT * STRIDE];
    for (size_t i = 0; i < HEIGHT * STRIDE; i++) {
        map[i] = i % STRIDE < WIDTH ? 0 : 99;
    }
    map[4 * STRIDE + 4] = map[4 * STRIDE + 5] = 2;
    map[4 * STRIDE + 6] = NAN;
    map[4 * STRIDE + 7] = map[4 * STRIDE + 8] = 2;
    map[20 * STRIDE + 20] = map[20 * STRIDE + 21] = INFINITY;
    struct region_box boxes[8];
    assert_int_equal(propose(map, &rule, 8, boxes), 3);
    assert_int_equal(boxes[0].x, 20);
    assert_int_equal(boxes[1].x, 4);
    assert_int_equal(boxes[1].width, 2);
    assert_int_equal(boxes[2].x, 7);
    struct image_view nothing = {map, 0, 0, STRIDE};
    uint32_t word;
    assert_int_equal(region_propose(&nothing, &rule, &word, 8, boxes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(propose_three_bumps_best_first),
        cmocka_unit_test(propose_one_bump_gives_one_box),
        cmocka_unit_test(propose_overlapping_boxes_keep_the_best),
        cmocka_unit_test(propose_small_and_low_regions_are_left_out),
        cmocka_unit_test(propose_nan_and_infinity_are_held_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
