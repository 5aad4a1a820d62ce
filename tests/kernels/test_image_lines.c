/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/image_ref.h"
#include "tests/kernels/draw.h"

/* Property: on every path the mask is what the twin makes of bars and wedges, pixel by pixel. */

struct drawn {
    size_t width, height, stride;
    float *pixels;
    struct image_mask_rule rule;
};

static void draw_stripe(struct rng *rng, const struct drawn *drawn, double base)
{
    int columns = rng_below(rng, 2) != 0;
    size_t lines = columns ? drawn->width : drawn->height;
    size_t positions = columns ? drawn->height : drawn->width;
    size_t first = rng_below(rng, lines), length = 1 + rng_below(rng, 4);
    size_t from = rng_below(rng, 3) == 0 ? rng_below(rng, positions) : 0;
    double grey = rng_below(rng, 2) ? base - 0.3 * rng_uniform(rng) : (double)rng_below(rng, 2);
    double holes = 0.3 * rng_uniform(rng) * rng_uniform(rng);
    for (size_t line = first; line < first + length && line < lines; line++) {
        for (size_t position = from; position < positions; position++) {
            size_t x = columns ? line : position, y = columns ? position : line;
            if (rng_uniform(rng) >= holes) {
                drawn->pixels[y * drawn->stride + x] = (float)grey;
            }
        }
    }
}

/* Flat with noise, stripes, and in every fourth image pixels that are no numbers. */
static struct drawn draw_striped(struct rng *rng, size_t width, size_t height)
{
    struct image_calibration calibration = {
        .meaning = (enum image_meaning)rng_below(rng, 3), .floor = 0.4f, .white_level = 255};
    struct drawn drawn = {.width = width,
                          .height = height,
                          .stride = width + rng_below(rng, 4),
                          .rule = image_mask_rule_default(&calibration)};
    drawn.rule.line_run_max = rng_below(rng, 4) == 0 ? IMAGE_LINE_RUN_MAX : 3;
    drawn.rule.line_share = rng_below(rng, 4) == 0 ? 0.4 : 0.85;
    drawn.pixels = draw_room(drawn.stride * height, sizeof(float));
    double base = 0.9 * rng_uniform(rng), noise = 0.05 * rng_uniform(rng);
    int broken = rng_below(rng, 4) == 0;
    for (size_t i = 0; i < drawn.stride * height; i++) {
        drawn.pixels[i] = (float)(base + noise * rng_normal(rng));
        if (broken && rng_below(rng, 30) == 0) {
            drawn.pixels[i] = rng_below(rng, 2) ? NAN : rng_below(rng, 2) ? INFINITY : -INFINITY;
        }
    }
    for (size_t stripes = rng_below(rng, 8); stripes > 0; stripes--) {
        draw_stripe(rng, &drawn, base);
    }
    return drawn;
}

/* Returns whether any line was dead. */
static int check(const struct drawn *drawn)
{
    size_t count = drawn->width * drawn->height;
    struct image_view image = {drawn->pixels, drawn->width, drawn->height, drawn->stride};
    struct image_mask_rule no_lines = drawn->rule;
    no_lines.line_run_max = 0;
    size_t words = image_valid_mask_workspace_words(drawn->width, drawn->height);
    uint32_t *workspace = draw_room(words + 1, sizeof *workspace);
    uint8_t *before = draw_room(count, 1), *expected = draw_room(count, 1);
    uint8_t *valid = draw_room(count, 1);
    size_t left = image_valid_mask(&image, &no_lines, workspace, before);
    memcpy(expected, before, count);
    image_ref_cut_dead_lines(&image, &drawn->rule, before, expected);
    size_t expected_count = 0;
    for (size_t i = 0; i < count; i++) {
        expected_count += expected[i];
    }
    for (int path = (int)path_best(); path >= PATH_PORTABLE; path--) {
        /* What is left in the workspace changes nothing; nothing behind it is written. */
        memset(workspace, 0xa5, (words + 1) * sizeof *workspace);
        assert_int_equal(
            image_valid_mask_by((enum path)path, &image, &drawn->rule, workspace, valid),
            expected_count);
        assert_memory_equal(valid, expected, count);
        assert_int_equal(workspace[words], 0xa5a5a5a5);
    }
    free(workspace);
    free(before);
    free(expected);
    free(valid);
    free(drawn->pixels);
    return expected_count < left;
}

static void lines_of_striped_images_are_those_of_the_reference(void **state)
{
    (void)state;
    enum { IMAGES = 400 };
    struct rng rng;
    size_t with_dead_lines = 0;
    rng_init(&rng, 11, 0);
    for (size_t i = 0; i < IMAGES; i++) {
        struct drawn drawn = draw_striped(&rng, 1 + rng_below(&rng, 90), 1 + rng_below(&rng, 90));
        with_dead_lines += (size_t)check(&drawn);
    }
    assert_in_range(with_dead_lines, IMAGES / 4, IMAGES - IMAGES / 8);
}

/* Where not every pixel of a line is looked at: every second, third, and so few that the others are
 * not read. */
static void lines_of_wide_and_high_images_are_those_of_the_reference(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{513, 30}, {30, 640}, {1100, 24}, {24, 1300}, {4700, 16}};
    struct rng rng;
    size_t with_dead_lines = 0;
    rng_init(&rng, 12, 0);
    for (size_t i = 0; i < 10 * sizeof sizes / sizeof sizes[0]; i++) {
        struct drawn drawn = draw_striped(&rng, sizes[i / 10][0], sizes[i / 10][1]);
        with_dead_lines += (size_t)check(&drawn);
    }
    assert_true(with_dead_lines > 0);
}

/* Every second line bright: all lines are looked at in full. */
static void lines_of_a_grating_are_those_of_the_reference(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 13, 0);
    for (int columns = 0; columns < 2; columns++) {
        struct drawn drawn = draw_striped(&rng, 80, 60);
        for (size_t i = 0; i < drawn.stride * drawn.height; i++) {
            size_t line = columns ? i % drawn.stride : i / drawn.stride;
            drawn.pixels[i] = line % 5 == 0 ? 0.1f : 0.6f;
        }
        drawn.rule.line_run_max = 3;
        assert_int_equal(check(&drawn), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_striped_images_are_those_of_the_reference),
        cmocka_unit_test(lines_of_wide_and_high_images_are_those_of_the_reference),
        cmocka_unit_test(lines_of_a_grating_are_those_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
