/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/planes.h"

#include "kernels/ref/planes_ref.h"
#include "tests/kernels/draw_picture.h"

/* Property: on every path each byte is the twin's, at sizes below and above the window, with
 * pixels that are not valid, not numbers, or beyond the highest level. */

struct trial {
    const struct picture *picture;
    const struct planes_rule *rule;
};

static void make(const void *argument, enum path path, void *workspace, uint8_t *planes)
{
    const struct trial *trial = argument;
    planes_make_by(path, trial->rule, &trial->picture->image, trial->picture->valid, workspace,
                   planes);
}

static void check(const struct picture *picture, const struct planes_rule *rule)
{
    const struct image_view *image = &picture->image;
    const struct trial trial = {picture, rule};
    const struct path_run run = {make, &trial, planes_workspace_bytes(image->width),
                                 image->width * image->height * PLANES_COUNT};
    uint8_t *expected = draw_room(run.bytes, 1);
    for (size_t i = 0; i < image->width * image->height; i++) {
        planes_ref_pixel(rule, image, picture->valid, i % image->width, i / image->width,
                         expected + i * PLANES_COUNT);
    }
    assert_every_path(&run, expected);
    free(expected);
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
            struct picture picture = draw_picture(4 * i + rule, sizes[i][0], sizes[i][1], 1.2);
            check(&picture, &rules[rule]);
            drop_picture(&picture);
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
    struct picture picture = draw_picture(2, WIDE, ROWS, 1.2);
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
    drop_picture(&picture);
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
