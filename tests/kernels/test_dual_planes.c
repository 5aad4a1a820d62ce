/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dual_planes.h"

#include "kernels/ref/dual_planes_ref.h"
#include "tests/kernels/draw_picture.h"

/* Property: on every path each byte is the twin's, at sizes below and above the windows, with
 * pixels that are not valid, not numbers, or beyond the highest attenuation, with and without a low
 * energy. */

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

/* The low energy of a picture, as torn as it. */
static float *draw_low(const struct picture *picture, uint64_t seed)
{
    const struct image_view *image = &picture->image;
    float *low = draw_room(image->width * image->height, sizeof(float));
    struct rng rng;
    rng_init(&rng, seed, 1);
    for (size_t i = 0; i < image->width * image->height; i++) {
        float high = image->pixels[i / image->width * image->stride + i % image->width];
        low[i] = high * (float)(1.05 + 0.15 * rng_uniform(&rng));
        if (seed % 2 == 1 && rng_below(&rng, 20) == 0) {
            low[i] = rng_below(&rng, 2) ? NAN : INFINITY;
        }
    }
    return low;
}

struct trial {
    const struct picture *picture;
    const struct dual_planes_rule *rule;
    const float *low;
};

static void make(const void *argument, enum path path, void *workspace, uint8_t *planes)
{
    const struct trial *trial = argument;
    dual_planes_make_by(path, trial->rule, &trial->picture->image, trial->low,
                        trial->picture->valid, workspace, planes);
}

static void check(const struct trial *trial)
{
    const struct image_view *image = &trial->picture->image;
    const struct path_run run = {make, trial, dual_planes_workspace_bytes(image->width),
                                 image->width * image->height * DUAL_PLANES_COUNT};
    uint8_t *expected = draw_room(run.bytes, 1);
    for (size_t i = 0; i < image->width * image->height; i++) {
        dual_planes_ref_pixel(trial->rule, image, trial->low, trial->picture->valid,
                              i % image->width, i / image->width, expected + i * DUAL_PLANES_COUNT);
    }
    assert_every_path(&run, expected);
    free(expected);
}

static void planes_of_any_size_are_those_of_the_reference(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1},   {1, 70},  {70, 1},  {3, 2},   {32, 33},
                                      {33, 32}, {66, 34}, {34, 67}, {90, 68}, {5, 140}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < 4; k++) {
            struct picture picture = draw_picture(4 * i + k, sizes[i][0], sizes[i][1], 3.8);
            float *low = draw_low(&picture, 4 * i + k);
            const struct trial trial = {&picture, &rules[k / 2], i % 3 == 2 ? NULL : low};
            check(&trial);
            drop_picture(&picture);
            free(low);
        }
    }
}

/* The summed areas of the widest image pass 2^32 long before its last columns, and the bytes there
 * are the twin's all the same. */
static void planes_of_a_dark_wide_image_survive_the_wrap(void **state)
{
    (void)state;
    enum { WIDE = 20000, ROWS = 72, LAST = 40 };
    struct picture picture = draw_picture(2, WIDE, ROWS, 3.8);
    float *low = draw_low(&picture, 2);
    for (size_t i = 0; i < picture.image.stride * ROWS; i++) {
        picture.pixels[i] += 58;
    }
    uint8_t *planes = draw_room((size_t)WIDE * ROWS * DUAL_PLANES_COUNT, 1);
    void *workspace = draw_room(dual_planes_workspace_bytes(WIDE), 1);
    for (int path = (int)path_best(); path >= PATH_PORTABLE; path--) {
        dual_planes_make_by((enum path)path, &rules[0], &picture.image, low, picture.valid,
                            workspace, planes);
        for (size_t i = 0; i < LAST; i++) {
            size_t x = WIDE - 1 - i, y = ROWS - 1 - i % 3;
            uint8_t expected[DUAL_PLANES_COUNT];
            dual_planes_ref_pixel(&rules[0], &picture.image, low, picture.valid, x, y, expected);
            assert_memory_equal(planes + (y * WIDE + x) * DUAL_PLANES_COUNT, expected,
                                DUAL_PLANES_COUNT);
        }
    }
    drop_picture(&picture);
    free(low);
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
