/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dual_planes.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/dual_planes_ref.h"
#include "tests/kernels/draw.h"

/* Property: on every path each byte is the twin's, at sizes below and above the windows, with
 * pixels that are not valid, not numbers, or beyond the highest attenuation, with and without a low
 * energy. */

enum { GUARD = 16 };

static const struct dual_planes_rule rules[] = {
    {.level = 0.01f,
     .least = 1200,
     .usual = 1.12f,
     .ratio = 1270,
     .ratio_low = 1.02f,
     .rises = {0.06f, 0.03f, 0.024f},
     .excess = {0.25f, 0.08f}},
    {.level = 30000,
     .least = 4,
     .usual = 101,
     .ratio = 1e6f,
     .ratio_low = 0,
     .rises = {0, 1e4f, 300},
     .excess = {1e6f, 0}},
};

struct picture {
    struct image_view image;
    float *pixels;
    float *low;
    uint8_t *valid;
};

static struct picture draw_picture(uint64_t seed, size_t width, size_t height)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    size_t stride = width + seed % 3;
    struct picture picture = {.pixels = draw_room(stride * height, sizeof(float)),
                              .low = draw_room(width * height, sizeof(float)),
                              .valid = draw_room(width * height, 1)};
    picture.image = (struct image_view){picture.pixels, width, height, stride};
    int torn = seed % 2 == 1;
    for (size_t i = 0; i < stride * height; i++) {
        picture.pixels[i] = (float)(4 * rng_uniform(&rng) - 0.2);
        if (torn && rng_below(&rng, 20) == 0) {
            picture.pixels[i] = rng_below(&rng, 2) ? NAN : INFINITY;
        }
    }
    for (size_t i = 0; i < width * height; i++) {
        float high = picture.pixels[i / width * stride + i % width];
        picture.low[i] = high * (float)(1.05 + 0.15 * rng_uniform(&rng));
        if (torn && rng_below(&rng, 20) == 0) {
            picture.low[i] = rng_below(&rng, 2) ? NAN : INFINITY;
        }
        picture.valid[i] = !torn || rng_below(&rng, 4) != 0;
    }
    return picture;
}

static void drop_picture(struct picture *picture)
{
    free(picture->pixels);
    free(picture->low);
    free(picture->valid);
}

static void check(const struct picture *picture, const struct dual_planes_rule *rule,
                  const float *low)
{
    const struct image_view *image = &picture->image;
    size_t bytes = image->width * image->height * DUAL_PLANES_COUNT;
    uint8_t *expected = draw_room(bytes, 1);
    uint8_t *planes = draw_room(bytes + GUARD, 1);
    size_t workspace_bytes = dual_planes_workspace_bytes(image->width);
    uint8_t *workspace = draw_room(workspace_bytes + GUARD, 1);
    for (size_t i = 0; i < image->width * image->height; i++) {
        dual_planes_ref_pixel(rule, image, low, picture->valid, i % image->width, i / image->width,
                              expected + i * DUAL_PLANES_COUNT);
    }
    for (int path = (int)path_best(); path >= PATH_PORTABLE; path--) {
        memset(planes, 0xa5, bytes + GUARD);
        memset(workspace, 0xa5, workspace_bytes + GUARD);
        dual_planes_make_by((enum path)path, rule, image, low, picture->valid, workspace, planes);
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
    static const size_t sizes[][2] = {{1, 1},   {1, 70},  {70, 1},  {3, 2},   {32, 33},
                                      {33, 32}, {66, 34}, {34, 67}, {90, 68}, {5, 140}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < 4; k++) {
            struct picture picture = draw_picture(4 * i + k, sizes[i][0], sizes[i][1]);
            check(&picture, &rules[k / 2], i % 3 == 2 ? NULL : picture.low);
            drop_picture(&picture);
        }
    }
}

/* The summed areas of the widest image pass 2^32 long before its last columns, and the bytes there
 * are the twin's all the same. */
static void planes_of_a_dark_wide_image_survive_the_wrap(void **state)
{
    (void)state;
    enum { WIDE = 20000, ROWS = 72, LAST = 40 };
    struct picture picture = draw_picture(2, WIDE, ROWS);
    for (size_t i = 0; i < picture.image.stride * ROWS; i++) {
        picture.pixels[i] += 58;
    }
    uint8_t *planes = draw_room((size_t)WIDE * ROWS * DUAL_PLANES_COUNT, 1);
    void *workspace = draw_room(dual_planes_workspace_bytes(WIDE), 1);
    for (int path = (int)path_best(); path >= PATH_PORTABLE; path--) {
        dual_planes_make_by((enum path)path, &rules[0], &picture.image, picture.low, picture.valid,
                            workspace, planes);
        for (size_t i = 0; i < LAST; i++) {
            size_t x = WIDE - 1 - i, y = ROWS - 1 - i % 3;
            uint8_t expected[DUAL_PLANES_COUNT];
            dual_planes_ref_pixel(&rules[0], &picture.image, picture.low, picture.valid, x, y,
                                  expected);
            assert_memory_equal(planes + (y * WIDE + x) * DUAL_PLANES_COUNT, expected,
                                DUAL_PLANES_COUNT);
        }
    }
    drop_picture(&picture);
    free(planes);
    free(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_of_any_size_are_those_of_the_reference),
        cmocka_unit_test(planes_of_a_dark_wide_image_survive_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
