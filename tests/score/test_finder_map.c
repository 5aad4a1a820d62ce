/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/finder_map.h"

enum { SIDE_MAX = 40 };
static float cells[SIDE_MAX * SIDE_MAX * FINDER_OUTPUTS];
static float mirrored[SIDE_MAX * SIDE_MAX * FINDER_OUTPUTS];
static uint8_t planes[SIDE_MAX * SIDE_MAX * 16 * FINDER_CHANNELS_MAX];

static struct finder_map draw_map(uint64_t seed, size_t width, size_t height, double spread)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < width * height * FINDER_OUTPUTS; i++) {
        cells[i] = (float)((rng_uniform(&rng) - 0.7) * spread);
    }
    return (struct finder_map){cells, width, height};
}

static double odds_of(const struct finder_map *map, long x, long y, double highest)
{
    bool inside = x >= 0 && y >= 0 && x < (long)map->width && y < (long)map->height;
    return inside ? exp((double)finder_map_heat(map, (size_t)x, (size_t)y) - highest) : 0;
}

static double twin(const struct finder_map *map, long x, long y)
{
    double most = 0, highest = -INFINITY;
    for (size_t i = 0; i < map->width * map->height; i++) {
        highest = fmax(highest, (double)map->cells[i * FINDER_OUTPUTS]);
    }
    for (long about = 0; about < 9; about++) {
        double sum = 0;
        for (long of = 0; of < 9; of++) {
            sum += odds_of(map, x + about % 3 + of % 3 - 2, y + about / 3 + of / 3 - 2, highest);
        }
        most = fmax(most, sum);
    }
    return highest + log(most / 9);
}

/* Property: at any cell of any map, borders and single cells among them. */
static void heat_of_a_place_is_the_log_of_its_mean_odds(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 60; round++) {
        size_t width = round < 20 ? 1 + round % 5 : 5 + round % 30;
        size_t height = round < 20 ? 1 + round / 5 : 3 + round * 7 % 31;
        struct finder_map map = draw_map(round, width, height, round % 3 == 0 ? 30 : 6);
        for (size_t i = 0; i < width * height; i++) {
            double got = finder_map_pooled(&map, i % width, i / width);
            assert_true(fabs(got - twin(&map, (long)(i % width), (long)(i / width))) < 1e-11);
        }
    }
}

/* Whatever the network says stays finite, and nothing is lost beside a cell that is far above. */
static void heats_may_lie_far_apart(void **state)
{
    (void)state;
    struct finder_map map = draw_map(1, 3, 1, 1);
    cells[0] = 3e37F;
    cells[FINDER_OUTPUTS] = -3e37F;
    cells[2 * FINDER_OUTPUTS] = 0;
    for (size_t x = 0; x < 3; x++) {
        double got = finder_map_pooled(&map, x, 0);
        assert_true(isfinite(got) && fabs(got / 3e37 - 1) < 1e-6);
    }
    cells[0] = 20;
    assert_true(fabs(finder_map_pooled(&map, 1, 0) - (20 - log(9))) < 1e-8);
}

static void mirrored_map_has_the_same_heats(void **state)
{
    (void)state;
    struct finder_map map = draw_map(5, 17, 11, 8);
    for (size_t i = 0; i < 17 * 11; i++) {
        memcpy(mirrored + (i / 17 * 17 + 16 - i % 17) * FINDER_OUTPUTS, cells + i * FINDER_OUTPUTS,
               FINDER_OUTPUTS * sizeof(float));
    }
    struct finder_map other = {mirrored, 17, 11};
    for (size_t i = 0; i < 17 * 11; i++) {
        assert_true(finder_map_pooled(&map, i % 17, i / 17) ==
                    finder_map_pooled(&other, 16 - i % 17, i / 17));
    }
}

/* Property: each of the 5 x 5 highest that has a valid pixel, best first, of equal ones the first.
 */
static void peaks_are_the_highest_of_their_surroundings(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 40; round++) {
        size_t width = 1 + round * 3 % 37, height = 1 + round * 5 % 33;
        struct finder_map map = draw_map(round, width, height, 6);
        struct rng rng;
        struct finder_peak got[FINDER_PEAKS_MAX];
        rng_init(&rng, round, 1);
        for (size_t i = 0; i < width * height; i++) { /* many that are equal */
            cells[i * FINDER_OUTPUTS] = roundf(cells[i * FINDER_OUTPUTS] * (round % 2 ? 1 : 64));
        }
        struct convnet_image image = {planes, (uint32_t)(4 * height - round % 4),
                                      (uint32_t)(4 * width - round / 4 % 4)};
        memset(planes, 9, sizeof planes);
        for (size_t i = 0; i < (size_t)image.width * image.height; i++) {
            planes[i * 8 + 7] = rng_below(&rng, 14) == 0;
        }
        size_t count = finder_map_peaks(&map, &image, 8, got), expected = 0;
        for (size_t at = 0; at < width * height; at++) {
            bool peak = false;
            for (size_t y = at / width * 4; y < at / width * 4 + 4 && y < image.height; y++) {
                for (size_t x = at % width * 4; x < at % width * 4 + 4 && x < image.width; x++) {
                    peak = peak || planes[(y * image.width + x) * 8 + 7] != 0;
                }
            }
            for (size_t other = 0; other < width * height; other++) {
                long across = labs((long)(other % width) - (long)(at % width));
                long down = labs((long)(other / width) - (long)(at / width));
                float a = cells[other * FINDER_OUTPUTS], b = cells[at * FINDER_OUTPUTS];
                peak = peak && !(across <= 2 && down <= 2 && (a > b || (a == b && other < at)));
            }
            expected += peak;
            bool listed = false;
            for (size_t i = 0; i < count; i++) {
                listed = listed || got[i].y * width + got[i].x == at;
            }
            assert_true(listed <= peak && (listed == peak || count == FINDER_PEAKS_MAX));
        }
        assert_int_equal(count, expected < FINDER_PEAKS_MAX ? expected : FINDER_PEAKS_MAX);
        for (size_t i = 1; i < count; i++) {
            size_t before = got[i - 1].y * width + got[i - 1].x, at = got[i].y * width + got[i].x;
            assert_true(got[i - 1].heat > got[i].heat ||
                        (got[i - 1].heat == got[i].heat && before < at));
        }
    }
}

static void powers_and_logarithms_are_those_of_the_library(void **state)
{
    (void)state;
    for (double x = -40; x <= 40; x += 0.0173) {
        assert_true(fabs(finder_exp(x) / exp(x) - 1) < 1e-13);
        double power = pow(2, x * 1.5);
        assert_true(fabs(finder_log(power) - log(power)) < 1e-13 * fmax(1, fabs(log(power))));
    }
    assert_true(finder_exp(0) == 1 && finder_log(1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heat_of_a_place_is_the_log_of_its_mean_odds),
        cmocka_unit_test(heats_may_lie_far_apart),
        cmocka_unit_test(mirrored_map_has_the_same_heats),
        cmocka_unit_test(peaks_are_the_highest_of_their_surroundings),
        cmocka_unit_test(powers_and_logarithms_are_those_of_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
