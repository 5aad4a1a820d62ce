/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/finder_map.h"
#include "score/finder_views.h"
#include "tests/score/finder_fixture.h"

/* The fixture's network reaches 2 cells far, so with 3 cells about a peak 11 x 11 are looked at. */
enum { WIDTH_MAX = 260, HEIGHT_MAX = 120, CHANNELS = FINDER_CHANNELS_MAX, OF_A_PLACE = 11 * 11 };
enum { CELLS_MAX = (WIDTH_MAX / 4 + 1) * (HEIGHT_MAX / 4 + 1) };
static uint8_t planes[WIDTH_MAX * HEIGHT_MAX * CHANNELS];
static float first[CELLS_MAX * FINDER_OUTPUTS];
static float whole[CELLS_MAX * FINDER_OUTPUTS];
static float got[CELLS_MAX * FINDER_OUTPUTS];
static uint8_t chosen[CELLS_MAX];

/* Noise, a patch of it brighter, and a stripe of nothing valid. */
static struct convnet_image draw_planes(uint64_t seed, uint32_t width, uint32_t height)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (uint32_t i = 0; i < width * height; i++) {
        uint8_t *pixel = planes + (size_t)i * CHANNELS;
        bool stripe = i % width >= width / 2 && i % width < width / 2 + 18;
        for (uint32_t c = 0; c < CHANNELS; c++) {
            pixel[c] = stripe ? 0 : (uint8_t)(1 + rng_below(&rng, 255));
        }
    }
    return (struct convnet_image){planes, height, width};
}

/* Of the first look; what is chosen is marked. The least of what all looks find hottest there. */
static float choose(uint32_t places, uint32_t columns, uint32_t rows)
{
    float least = INFINITY;
    memset(chosen, 0, sizeof chosen);
    struct convnet_image image = {planes, rows * 4, columns * 4};
    struct finder_map map = {first, columns, rows};
    struct finder_peak peaks[FINDER_PEAKS_MAX];
    size_t count = finder_map_peaks(&map, &image, CHANNELS, peaks);
    for (size_t i = 0; i < count && places > 0; i++) {
        if (chosen[peaks[i].y * columns + peaks[i].x] != 0) {
            continue;
        }
        float highest = -INFINITY;
        for (uint32_t at = 0; at < columns * rows; at++) {
            if (labs((long)(at % columns) - (long)peaks[i].x) <= 3 &&
                labs((long)(at / columns) - (long)peaks[i].y) <= 3) {
                chosen[at] = 1;
                highest = fmaxf(highest, whole[(size_t)at * FINDER_OUTPUTS]);
            }
        }
        least = fminf(least, highest);
        places--;
    }
    return least;
}

static struct finder_model draw_model(uint32_t round)
{
    struct finder_model model = finder_fixture_joint(round, CHANNELS, 1 + round % 3);
    model.views = model.networks == 1 ? 4 : 1U << round % 5 / 2;
    return model;
}

/* Property: 7 x 7 cells about the highest peaks of the first look have the bits that all looks at
 * everything give them, wherever they lie; all others those of the first look, lowered by one
 * number so that none is above the least of the places. */
static void places_have_the_cells_of_all_looks(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 60; round++) {
        struct finder_model model = draw_model(round);
        uint32_t columns = 30 + round % 33, rows = 14 + round * 3 % 16;
        uint32_t places = 1 + round % 3;
        assert_true(places * OF_A_PLACE < columns * rows);
        struct convnet_image image = draw_planes(round, 4 * columns, 4 * rows);
        struct finder_model alone = model;
        alone.views = alone.networks = 1;
        finder_fixture_views(&alone, &image, first);
        finder_fixture_views(&model, &image, whole);
        model.places = places;
        finder_fixture_views(&model, &image, got);
        float least = choose(places, columns, rows), highest = -INFINITY;
        for (uint32_t i = 0; i < columns * rows; i++) {
            float heat = first[(size_t)i * FINDER_OUTPUTS];
            highest = chosen[i] == 0 && heat > highest ? heat : highest;
        }
        float lowered = highest > least ? highest - least : 0;
        for (uint32_t i = 0; i < columns * rows; i++) {
            const float *cell = got + (size_t)i * FINDER_OUTPUTS;
            const float *other = (chosen[i] ? whole : first) + (size_t)i * FINDER_OUTPUTS;
            assert_true(cell[0] == (chosen[i] ? other[0] : other[0] - lowered));
            assert_memory_equal(cell + 1, other + 1, (FINDER_OUTPUTS - 1) * sizeof(float));
        }
        finder_model_fini(&model);
    }
}

/* Widths and heights that cells do not divide, places at every border. */
static void places_at_ragged_borders_have_them_too(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 32; round++) {
        struct finder_model model = draw_model(100 + round);
        uint32_t width = 61 + round % 8, height = 53 + round / 8;
        uint32_t columns = (width + 3) / 4, rows = (height + 3) / 4, same = 0;
        struct convnet_image image = draw_planes(round, width, height);
        finder_fixture_views(&model, &image, whole);
        model.places = 1;
        finder_fixture_views(&model, &image, got);
        for (uint32_t i = 0; i < columns * rows; i++) {
            same += memcmp(got + (size_t)i * FINDER_OUTPUTS, whole + (size_t)i * FINDER_OUTPUTS,
                           FINDER_OUTPUTS * sizeof(float)) == 0;
        }
        assert_true(same >= 4 * 4 && same <= 7 * 7 + 2); /* at a corner 4 x 4 are left */
        finder_model_fini(&model);
    }
}

/* All of it is looked at where places would cost as much, and the first look alone by one. */
static void small_images_have_no_places(void **state)
{
    (void)state;
    struct finder_model model = finder_fixture_joint(7, CHANNELS, 2);
    struct convnet_image image = draw_planes(7, 4 * 22, 4 * 11);
    model.views = 2;
    assert_true(finder_views_passes(&model, image.width, image.height) == 4);
    finder_fixture_views(&model, &image, whole);
    model.places = 2;
    finder_fixture_views(&model, &image, got);
    assert_memory_equal(whole, got, (size_t)22 * 11 * FINDER_OUTPUTS * sizeof(float));
    assert_true(finder_views_passes(&model, image.width, image.height) == 4);
    assert_true(finder_views_passes(&model, image.width, image.height + 1) ==
                1 + 4 * 2.0 * OF_A_PLACE / (22 * 12));
    model.networks = model.views = 1;
    assert_true(finder_views_passes(&model, image.width, image.height + 1) == 1);
    model.networks = 2;
    finder_model_fini(&model);
}

/* Boxes of a model that pools have the heats of their places, best first, and their logits. */
static void boxes_have_the_heats_of_their_places(void **state)
{
    (void)state;
    static float pixels[HEIGHT_MAX * WIDTH_MAX];
    static uint8_t valid[HEIGHT_MAX * WIDTH_MAX];
    struct rng rng;
    rng_init(&rng, 11, 0);
    for (size_t i = 0; i < sizeof valid; i++) {
        pixels[i] = (float)rng_uniform(&rng) * 2;
        valid[i] = 1;
    }
    const struct working working = {
        .pixels = pixels, .valid = valid, .width = WIDTH_MAX, .height = HEIGHT_MAX, .factor = 1};
    const struct image image = {.width = WIDTH_MAX, .height = HEIGHT_MAX};
    struct finder_space space = {0};
    struct finder_box plain[FINDER_BOXES_MAX], pooled[FINDER_BOXES_MAX];
    struct finder_model model = finder_fixture_joint(11, FINDER_CHANNELS, 2);
    assert_good(finder_space_fit(&space, &model, WIDTH_MAX, HEIGHT_MAX));
    uint32_t plain_count = finder_run(&space, &model, &working, NULL, &image, plain);
    model.pooled = true;
    uint32_t count = finder_run(&space, &model, &working, NULL, &image, pooled);
    assert_true(plain_count > 1 && count > 1);
    struct finder_map map = {space.cells, finder_cells(WIDTH_MAX), finder_cells(HEIGHT_MAX)};
    double most = -INFINITY;
    for (size_t i = 0; i < map.width * map.height; i++) {
        most = fmax(most, finder_map_pooled(&map, i % map.width, i / map.width));
    }
    assert_true(fabs(pooled[0].heat - most) < 0.5 && pooled[0].heat != plain[0].heat);
    for (uint32_t i = 0; i < count; i++) {
        bool there = false;
        for (size_t at = 0; at < map.width * map.height; at++) {
            there =
                there || finder_map_pooled(&map, at % map.width, at / map.width) == pooled[i].heat;
        }
        assert_true(there && (i == 0 || pooled[i].heat <= pooled[i - 1].heat));
        assert_true(pooled[i].logit == model.slope * pooled[i].heat + model.offset);
    }
    finder_space_fini(&space);
    finder_model_fini(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_have_the_cells_of_all_looks),
        cmocka_unit_test(places_at_ragged_borders_have_them_too),
        cmocka_unit_test(small_images_have_no_places),
        cmocka_unit_test(boxes_have_the_heats_of_their_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
