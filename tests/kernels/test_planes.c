/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/planes.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/planes_ref.h"
#include "tests/kernels/draw.h"

/* Property: on every path each byte is the twin's, at sizes below and above the window, with
 * pixels that are not valid, not numbers, or beyond the highest level. */

enum { GUARD = 16 };

struct picture {
    struct image_view image;
    float *pixels;
    uint8_t *valid;
};

static struct picture draw_picture(uint64_t seed, size_t width, size_t height)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    size_t stride = width + seed % 3;
    struct picture picture = {.pixels = draw_room(stride * height, sizeof(float)),
                              .valid = draw_room(width * height, 1)};
    picture.image = (struct image_view){picture.pixels, width, height, stride};
    int torn = seed % 2 == 1;
    for (size_t i = 0; i < stride * height; i++) {
        picture.pixels[i] = (float)(1.4 * rng_uniform(&rng) - 0.2);
        if (torn && rng_below(&rng, 20) == 0) {
            picture.pixels[i] = rng_below(&rng, 2) ? NAN : INFINITY;
        }
    }
    for (size_t i = 0; i < width * height; i++) {
        picture.valid[i] = !torn || rng_below(&rng, 4) != 0;
    }
    return picture;
}

static void check(const struct picture *picture, const struct planes_rule *rule)
{
    const struct image_view *image = &picture->image;
    size_t bytes = image->width * image->height * PLANES_COUNT;
    uint8_t *expected = draw_room(bytes, 1);
    uint8_t *planes = draw_room(bytes + GUARD, 1);
    size_t workspace_bytes = planes_workspace_bytes(image->width);
    uint8_t *workspace = draw_room(workspace_bytes + GUARD, 1);
    for (size_t i = 0; i < image->width * image->height; i++) {
        planes_ref_pixel(rule, image, picture->valid, i % image->width, i / image->width,
                         expected + i * PLANES_COUNT);
    }
    for (int path = (int)path_best(); path >= PATH_PORTABLE; path--) {
        memset(planes, 0xa5, bytes + GUARD);
        memset(workspace, 0xa5, workspace_bytes + GUARD);
        planes_make_by((enum path)path, rule, image, picture->valid, workspace, planes);
        assert_memory_equal(planes, expected, bytes);
        for (size_t i = 0; i < GUARD; i++) {
            assert_int_equal(planes[bytes + i], 0xa5);
            assert_int_equal(workspace[workspace_bytes + i], 0xa5);
        }
    }
    free(expected);
    free(planes);
    free(workspace);
}

static void planes_of_any_size_are_those_of_the_reference(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1},   {1, 50},  {50, 1},  {16, 16}, {17, 33}, {33, 17},
                                      {34, 34}, {67, 35}, {35, 70}, {130, 9}, {9, 130}, {80, 81}};
    static const struct planes_rule rules[] = {
        {255 * PLANES_FINE, 2.0f / PLANES_FINE}, {680, 0.375f}, {9000, 0}, {300.7f, 1.3f}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t rule = 0; rule < sizeof rules / sizeof rules[0]; rule++) {
            struct picture picture = draw_picture(4 * i + rule, sizes[i][0], sizes[i][1]);
            check(&picture, &rules[rule]);
            free(picture.pixels);
            free(picture.valid);
        }
    }
}

/* The running sums along a row of the widest image pass 2^32, and the bytes are the same as those
 * of a row that is a thousandth as wide. */
static void planes_of_a_bright_wide_row_survive_the_wrap(void **state)
{
    (void)state;
    enum { WIDE = 33000, ROWS = 40, NARROW = 33 };
    static const struct planes_rule rule = {255 * PLANES_FINE, 2.0f / PLANES_FINE};
    struct picture picture = draw_picture(2, WIDE, ROWS);
    for (size_t i = 0; i < WIDE * ROWS; i++) {
        picture.pixels[i] = i % WIDE % 97 == 0 ? 0.25f : 1.0f;
    }
    picture.image.stride = WIDE;
    uint8_t *planes = draw_room((size_t)WIDE * ROWS * PLANES_COUNT, 1);
    void *workspace = draw_room(planes_workspace_bytes(WIDE), 1);
    for (int path = (int)path_best(); path >= PATH_PORTABLE; path--) {
        planes_make_by((enum path)path, &rule, &picture.image, picture.valid, workspace, planes);
        for (size_t x = WIDE - NARROW; x < WIDE; x++) {
            uint8_t expected[PLANES_COUNT];
            planes_ref_pixel(&rule, &picture.image, picture.valid, x, 20, expected);
            assert_memory_equal(planes + (20 * WIDE + x) * PLANES_COUNT, expected, PLANES_COUNT);
        }
    }
    free(picture.pixels);
    free(picture.valid);
    free(planes);
    free(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_of_any_size_are_those_of_the_reference),
        cmocka_unit_test(planes_of_a_bright_wide_row_survive_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
