/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dome.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/ref/dome_ref.h"
#include "tests/kernels/draw.h"

enum { FOUND_MAX = DOME_CANDIDATES, GUARD = 8 };
static const uint32_t spoilt = 0x80a50001u;

/* With a workspace full of what another picture left there, and an eye on its end. */
static size_t find(const uint16_t *levels, size_t width, size_t height,
                   const struct dome_rule *rule, size_t count_max, struct dome *domes)
{
    size_t words = dome_workspace_words(width, height, rule->area_max);
    uint32_t *workspace = draw_room(words + GUARD, sizeof *workspace);
    for (size_t i = 0; i < words + GUARD; i++) {
        workspace[i] = spoilt;
    }
    size_t count = dome_find(levels, width, height, rule, workspace, count_max, domes);
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(workspace[words + i], spoilt);
    }
    assert_true(count <= count_max);
    free(workspace);
    return count;
}

static void assert_is_twin(const uint16_t *levels, size_t width, size_t height,
                           const struct dome_rule *rule, size_t count_max)
{
    struct dome found[FOUND_MAX], expected[FOUND_MAX];
    size_t count = dome_ref_find(levels, width, height, rule, count_max, expected);
    assert_int_equal(find(levels, width, height, rule, count_max, found), count);
    if (count > 0) {
        assert_memory_equal(found, expected, count * sizeof found[0]);
    }
}

/* Few levels make plateaus and ties, many make peaks everywhere; hills make pieces that merge. */
static void find_is_its_twin(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {1, 9}, {7, 1}, {2, 2}, {3, 5}, {13, 9}, {24, 21}};
    static const uint32_t spans[] = {2, 5, 40, 400};
    uint16_t levels[DOME_REF_PIXELS];
    struct rng rng;
    rng_init(&rng, 11, 0);
    for (size_t round = 0; round < 360; round++) {
        const size_t *size = sizes[round % (sizeof sizes / sizeof sizes[0])];
        uint32_t span = spans[round % 4];
        bool hilly = round % 3 == 0;
        for (size_t i = 0; i < size[0] * size[1]; i++) {
            double hill = hilly ? span * (1 + sin((double)(i % size[0]) * 0.9) *
                                                  cos((double)(i / size[0]) * 0.7))
                                : 0;
            levels[i] = (uint16_t)(hill + (double)rng_below(&rng, span + 1));
        }
        const struct dome_rule rule = {.level_min = 1 + (uint32_t)rng_below(&rng, span / 2 + 1),
                                       .rise_min = 1 + (uint32_t)rng_below(&rng, span / 8 + 1),
                                       .area_max = 1 + (uint32_t)rng_below(&rng, 40),
                                       .margin = (uint32_t)rng_below(&rng, 4),
                                       .air_part = 1 + (uint32_t)rng_below(&rng, 20)};
        assert_is_twin(levels, size[0], size[1], &rule, 1 + rng_below(&rng, FOUND_MAX));
    }
}

enum { WIDTH = 80, HEIGHT = 60 };
static const struct dome_rule usual = {
    .level_min = 20, .rise_min = 5, .area_max = 60, .margin = 3, .air_part = 20};

static void fill(uint16_t *levels, size_t x, size_t y, size_t width, size_t height, uint16_t level)
{
    for (size_t j = y; j < y + height; j++) {
        for (size_t i = x; i < x + width; i++) {
            levels[j * WIDTH + i] = level;
        }
    }
}

/* A load with a darker half; a disc in each, a bent wire across both; a clip at the edge of the
 * load and a speck in the air. */
static void find_things_in_the_load_alone(void **state)
{
    (void)state;
    uint16_t levels[WIDTH * HEIGHT] = {0};
    struct dome domes[8];
    fill(levels, 10, 10, 60, 40, 100);
    fill(levels, 40, 10, 30, 40, 300);
    fill(levels, 20, 20, 5, 5, 180);
    fill(levels, 55, 30, 4, 6, 420);
    fill(levels, 15, 40, 20, 1, 150);
    fill(levels, 34, 33, 1, 8, 150);
    fill(levels, 8, 25, 5, 3, 900);  /* the clip */
    fill(levels, 75, 5, 2, 2, 2000); /* the speck */
    assert_int_equal(find(levels, WIDTH, HEIGHT, &usual, 8, domes), 3);
    assert_int_equal(domes[0].rise, 120);
    assert_int_equal(domes[0].base, 300);
    assert_int_equal(domes[0].x, 55);
    assert_int_equal(domes[0].y, 30);
    assert_int_equal(domes[0].width, 4);
    assert_int_equal(domes[0].height, 6);
    assert_int_equal(domes[1].rise, 80);
    assert_int_equal(domes[1].area, 25);
    assert_int_equal(domes[2].rise, 50);
    assert_int_equal(domes[2].x, 15);
    assert_int_equal(domes[2].y, 33);
    assert_int_equal(domes[2].width, 20);
    assert_int_equal(domes[2].height, 8);
    assert_int_equal(domes[2].area, 27);
}

/* One pixel more than a thing may have makes it a part of the load. */
static void find_nothing_larger_than_asked(void **state)
{
    (void)state;
    uint16_t levels[WIDTH * HEIGHT];
    struct dome dome;
    fill(levels, 0, 0, WIDTH, HEIGHT, 100);
    fill(levels, 30, 20, 10, 6, 200);
    assert_int_equal(find(levels, WIDTH, HEIGHT, &usual, 1, &dome), 1);
    assert_int_equal(dome.area, 60);
    levels[26 * WIDTH + 35] = 200;
    assert_int_equal(find(levels, WIDTH, HEIGHT, &usual, 1, &dome), 0);
    levels[22 * WIDTH + 35] = 230; /* what stands on it is small */
    assert_int_equal(find(levels, WIDTH, HEIGHT, &usual, 1, &dome), 1);
    assert_int_equal(dome.rise, 30);
    assert_int_equal(dome.area, 1);
}

/* More peaks than are kept: the highest are, whatever the order they come in. */
static void find_keeps_the_highest(void **state)
{
    (void)state;
    enum { PEAKS = (WIDTH / 2) * (HEIGHT / 2) };
    uint16_t levels[WIDTH * HEIGHT];
    struct dome domes[FOUND_MAX];
    fill(levels, 0, 0, WIDTH, HEIGHT, 100);
    for (uint32_t i = 0; i < PEAKS; i++) {
        size_t at = (i * 7) % PEAKS;
        levels[at / (WIDTH / 2) * 2 * WIDTH + at % (WIDTH / 2) * 2] = (uint16_t)(200 + i);
    }
    assert_int_equal(find(levels, WIDTH, HEIGHT, &usual, FOUND_MAX, domes), FOUND_MAX);
    for (uint32_t i = 0; i < FOUND_MAX; i++) {
        assert_int_equal(domes[i].rise, 100 + PEAKS - 1 - i);
    }
}

static void levels_average_and_look_up(void **state)
{
    (void)state;
    uint16_t table[DOME_LEVELS], scratch[15], levels[15];
    for (size_t i = 0; i < DOME_LEVELS; i++) {
        table[i] = (uint16_t)(DOME_LEVELS - 1 - i);
    }
    /* 5 x 3 of a stride of 6 */
    const float pixels[18] = {0, 0, 0,     NAN, -1, 1e30f, 0, 16, 0,
                              0, 0, 1e30f, 0,   0,  0,     0, 32, 1e30f};
    const uint8_t valid[15] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
    static const uint16_t masked[15] = {1, 2, 1, 0, 0, 2, 4, 2, 0, 0, 1, 2, 1, 0, 0};
    static const uint16_t whole[15] = {1, 2, 1, 0, 0, 2, 4, 2, 2, 6, 1, 2, 1, 6, 18};
    const struct image_view view = {pixels, 5, 3, 6};
    dome_levels(&view, valid, 1, table, scratch, levels);
    for (size_t i = 0; i < 15; i++) {
        assert_int_equal(DOME_LEVELS - 1 - levels[i], masked[i]);
    }
    dome_levels(&view, NULL, 1, table, scratch, levels);
    for (size_t i = 0; i < 15; i++) {
        assert_int_equal(DOME_LEVELS - 1 - levels[i], whole[i]);
    }
    const float eight[9] = {0, 0, 0, 0, 8, 0, 0, 0, 0}; /* halves are rounded up */
    const struct image_view three = {eight, 3, 3, 3};
    dome_levels(&three, NULL, 1, table, scratch, levels);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(DOME_LEVELS - 1 - levels[i], i == 4 ? 2 : 1);
    }
    const float extremes[2] = {INFINITY, 1e9f};
    const struct image_view two = {extremes, 2, 1, 2};
    dome_levels(&two, NULL, 4095, table, scratch, levels);
    assert_int_equal(levels[0], 0); /* of the highest */
    assert_int_equal(levels[1], 0);
    const float nothing = -INFINITY;
    const struct image_view one = {&nothing, 1, 1, 1};
    dome_levels(&one, NULL, 4095, table, scratch, levels);
    assert_int_equal(levels[0], DOME_LEVELS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_is_its_twin),
        cmocka_unit_test(find_things_in_the_load_alone),
        cmocka_unit_test(find_nothing_larger_than_asked),
        cmocka_unit_test(find_keeps_the_highest),
        cmocka_unit_test(levels_average_and_look_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
