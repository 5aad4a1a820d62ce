/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/working.h"

enum { SIDE_MAX = 400 };
static uint8_t pixels[SIDE_MAX * SIDE_MAX * 2];

/* ---- what malloc() does for our own code ---- */

static int mallocs_left = -1; /* before one fails; -1: none does */
static int mallocs;
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    mallocs++;
    if (mallocs_left >= 0 && mallocs_left-- == 0) {
        return NULL;
    }
    void *made = __real_malloc(bytes);
    if (made != NULL) {
        memset(made, 0x5a, bytes); /* what is not written shows */
    }
    return made;
}

static void put_16(size_t at, uint16_t value)
{
    pixels[2 * at] = (uint8_t)value;
    pixels[2 * at + 1] = (uint8_t)(value >> 8);
}

static double attenuation_of(const struct image *image, size_t x, size_t y)
{
    size_t at = y * image->width + x;
    double level =
        image->bits == 8 ? pixels[at] : (double)(pixels[2 * at] | pixels[2 * at + 1] << 8);
    double white = image->bits == 8 ? 255 : 65535;
    if (image->meaning == PIXEL_DISPLAY) {
        return 1 - level / white;
    }
    if (image->meaning == PIXEL_DISPLAY_INVERTED) {
        return level / white;
    }
    double floor = image->bits == 8 ? 1.0 / 256 : 2e-4;
    double share = (level - image->dark_level) / ((double)image->air_level - image->dark_level);
    return -log(share > floor ? share : floor);
}

/* Property: every cell is the plain mean of the attenuations of its pixels, cut-off cells included.
 */
static void working_cell_is_the_mean_attenuation_of_its_pixels(void **state)
{
    (void)state;
    const struct image shapes[] = {
        {.width = 131,
         .height = 97,
         .bits = 16,
         .meaning = PIXEL_TRANSMISSION,
         .air_level = 60000,
         .dark_level = 200},
        {.width = 64, .height = 64, .bits = 16, .meaning = PIXEL_DISPLAY},
        {.width = 77, .height = 33, .bits = 8, .meaning = PIXEL_DISPLAY_INVERTED},
        {.width = 200, .height = 150, .bits = 8, .meaning = PIXEL_TRANSMISSION, .air_level = 250},
    };
    struct working_space space;
    struct rng rng;
    rng_init(&rng, 4, 0);
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)rng_below(&rng, 256);
    }
    assert_good(working_init(&space, WORKING_HEIGHT_MIN));
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const struct image *image = &shapes[i];
        struct working working;
        working_make(&space, image, pixels, WORKING_HEIGHT_MIN, &working);
        assert_true(working.height <= WORKING_HEIGHT_MIN);
        for (size_t cell = 0; cell < working.width * working.height; cell++) {
            size_t left = cell % working.width * working.factor;
            size_t top = cell / working.width * working.factor;
            double sum = 0;
            size_t count = 0;
            for (size_t y = top; y < top + working.factor && y < image->height; y++) {
                for (size_t x = left; x < left + working.factor && x < image->width; x++) {
                    sum += attenuation_of(image, x, y);
                    count++;
                }
            }
            assert_true(fabs((double)working.pixels[cell] - sum / (double)count) < 1e-5);
        }
    }
    working_fini(&space);
}

/* Property: a cell's bits are those of sums in double, each row of a cell from the left and then
 * row after row, of the kernel's attenuations; no cell is -0, which TRANSMISSION makes of air. */
static void working_cells_are_summed_row_by_row_at_every_factor(void **state)
{
    (void)state;
    struct working_space space;
    assert_good(working_init(&space, WORKING_HEIGHT_MIN));
    for (uint32_t i = 0; i < 2 * 7; i++) { /* both depths at each */
        uint32_t factor = 1 + i / 2;
        struct image image = {.width = 203,
                              .height = factor * WORKING_HEIGHT_MIN - 3,
                              .bits = i % 2 == 0 ? 8 : 16,
                              .meaning = PIXEL_TRANSMISSION,
                              .air_level = 200};
        struct working working;
        float *attenuations = working_attenuations(&image, pixels);
        assert_non_null(attenuations);
        working_make(&space, &image, pixels, WORKING_HEIGHT_MIN, &working);
        assert_int_equal(working.factor, factor);
        for (size_t cell = 0; cell < working.width * working.height; cell++) {
            size_t left = cell % working.width * working.factor;
            size_t top = cell / working.width * working.factor;
            double sum = 0, count = 0;
            for (size_t y = top; y < top + working.factor && y < image.height; y++) {
                double row_sum = 0;
                for (size_t x = left; x < left + working.factor && x < image.width; x++) {
                    row_sum += (double)attenuations[y * image.width + x];
                    count++;
                }
                sum += row_sum;
            }
            float mean = (float)(sum / count);
            assert_memory_equal(&working.pixels[cell], &mean, sizeof mean);
            assert_false(mean == 0.0f && signbit(working.pixels[cell]));
        }
        free(attenuations);
    }
    working_fini(&space);
}

/* Whichever allocation fails: no attenuations, or all of them. */
static void working_attenuations_without_memory_are_none(void **state)
{
    (void)state;
    for (uint32_t bits = 8; bits <= 16; bits += 8) {
        const struct image image = {.width = 99,
                                    .height = 31,
                                    .bits = bits,
                                    .meaning = PIXEL_TRANSMISSION,
                                    .air_level = 200};
        float *whole = working_attenuations(&image, pixels);
        bool failed = true;
        assert_non_null(whole);
        for (int before = 0; failed; before++) {
            mallocs = 0;
            mallocs_left = before;
            float *given = working_attenuations(&image, pixels);
            mallocs_left = -1;
            failed = mallocs > before;
            assert_true(failed ? before > 0 || given == NULL : given != NULL);
            if (given != NULL) {
                assert_memory_equal(given, whole, sizeof *whole * 99 * 31);
            }
            free(given);
        }
        free(whole);
    }
}

/* A regular load is cargo. When it is reduced its stripes become as narrow as dead lines: masking
 * them would make a whole truck invisible to everything that looks at valid pixels. */
static void working_regular_load_stays_visible_at_every_reduction(void **state)
{
    (void)state;
    const uint32_t heights[] = {100, 64, 50, 40};
    struct image image = {
        .width = 400, .height = 200, .bits = 16, .meaning = PIXEL_TRANSMISSION, .air_level = 60000};
    for (size_t y = 0; y < image.height; y++) {
        for (size_t x = 0; x < image.width; x++) {
            double attenuation = 1.0 + 0.3 * sin((double)x * 0.3) + 0.2 * sin((double)y * 0.2);
            put_16(y * image.width + x, (uint16_t)(60000 * exp(-attenuation)));
        }
    }
    for (size_t i = 0; i < sizeof heights / sizeof heights[0]; i++) {
        struct working_space space;
        struct working working;
        assert_good(working_init(&space, heights[i]));
        working_make(&space, &image, pixels, heights[i], &working);
        assert_true(working.factor > 1);
        assert_int_equal(working.valid_count, working.width * working.height);
        working_fini(&space);
    }
}

static void working_image_out_of_bounds_is_refused_with_words(void **state)
{
    (void)state;
    const struct image good = {.width = 10, .height = 10, .bits = 16, .meaning = PIXEL_DISPLAY};
    struct image bad = good;
    assert_null(working_refusal(&good, 200));
    assert_non_null(working_refusal(&good, 199));
    bad.width = 0;
    assert_non_null(working_refusal(&bad, 1000));
    bad = good;
    bad.height = IMAGE_SIDE_MAX + 1;
    assert_non_null(working_refusal(&bad, UINT64_MAX));
    bad = good;
    bad.bits = 12;
    assert_non_null(working_refusal(&bad, 1000));
    bad = good;
    bad.meaning = PIXEL_UNKNOWN;
    assert_non_null(working_refusal(&bad, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(working_cell_is_the_mean_attenuation_of_its_pixels),
        cmocka_unit_test(working_cells_are_summed_row_by_row_at_every_factor),
        cmocka_unit_test(working_attenuations_without_memory_are_none),
        cmocka_unit_test(working_regular_load_stays_visible_at_every_reduction),
        cmocka_unit_test(working_image_out_of_bounds_is_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
