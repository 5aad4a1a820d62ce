/* SPDX-License-Identifier: Apache-2.0 */
/* Which images of a scan belong together, and which one stands for it. */
#include "score/score_companion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { IMAGES_MAX = 4, NONE = -1 };

/* An image a letter: h, l and s are of the high, the low and a single energy, side view; H and L
 * the same from above; n a low one that is narrower, m one whose pixels mean something else. */
static struct image image_of(char kind)
{
    return (struct image){.width = kind == 'n' ? 40 : 50,
                          .height = 30,
                          .meaning = kind == 'm' ? PIXEL_DISPLAY : PIXEL_TRANSMISSION,
                          .view = kind == 'H' || kind == 'L' ? 1 : 0,
                          .energy = kind == 'h' || kind == 'H' ? ENERGY_HIGH
                                    : kind == 's'              ? ENERGY_SINGLE
                                                               : ENERGY_LOW};
}

static struct scan scan_of(const char *kinds, struct image images[IMAGES_MAX])
{
    uint32_t count = 0;
    for (; kinds[count] != '\0'; count++) {
        images[count] = image_of(kinds[count]);
    }
    return (struct scan){.images = images, .images_count = count};
}

static const struct {
    const char *images;
    int companion_of[IMAGES_MAX]; /* the low companion of each, or NONE */
    const char *companions;       /* y: is one itself */
    int main_image;
} rows[] = {
    {"s", {NONE}, "n", 0},
    {"h", {NONE}, "n", 0},
    {"l", {NONE}, "n", 0},
    {"hl", {1, NONE}, "ny", 0},
    {"lh", {NONE, 0}, "yn", 1},
    {"ll", {NONE, NONE}, "nn", 0},      /* of low ones alone the first */
    {"sl", {NONE, NONE}, "nn", 0},      /* a single energy has no companion */
    {"nh", {NONE, NONE}, "nn", 1},      /* another size */
    {"mh", {NONE, NONE}, "nn", 1},      /* another meaning */
    {"Lh", {NONE, NONE}, "nn", 1},      /* another view */
    {"hll", {1, NONE, NONE}, "nyy", 0}, /* of two the first */
    {"lLhH", {NONE, NONE, 0, 1}, "yynn", 2},
    {"LlHh", {NONE, NONE, 0, 1}, "yynn", 2}, /* the first in order, whatever its view */
    {"HLhl", {1, NONE, 3, NONE}, "nyny", 0},
    {"shl", {NONE, 2, NONE}, "nny", 0},
};

static void images_of_a_scan_pair_by_view_size_and_meaning(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        struct image images[IMAGES_MAX];
        const struct scan scan = scan_of(rows[row].images, images);
        for (uint32_t i = 0; i < scan.images_count; i++) {
            uint32_t low_index = 77;
            const struct image *low = score_low_companion(&scan, i, &low_index);
            int wanted = rows[row].companion_of[i];
            if ((low == NULL) != (wanted == NONE) ||
                (low != NULL && (low != &images[wanted] || low_index != (uint32_t)wanted)) ||
                (low == NULL && low_index != 77) ||
                score_is_companion(&scan, i) != (rows[row].companions[i] == 'y')) {
                fail_msg("image %u of \"%s\"", i, rows[row].images);
            }
        }
    }
}

static void main_image_is_the_first_that_is_not_low(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        struct image images[IMAGES_MAX];
        const struct scan scan = scan_of(rows[row].images, images);
        uint32_t low_index = 77;
        uint32_t wanted = (uint32_t)rows[row].main_image;
        int low = rows[row].companion_of[wanted];
        if (score_main_image(&scan, &low_index) != wanted ||
            low_index != (low == NONE ? UINT32_MAX : (uint32_t)low) ||
            score_main_image(&scan, NULL) != wanted) {
            fail_msg("\"%s\"", rows[row].images);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_a_scan_pair_by_view_size_and_meaning),
        cmocka_unit_test(main_image_is_the_first_that_is_not_low),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
