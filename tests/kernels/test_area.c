/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernels/area.h"
#include "kernels/ref/area_ref.h"

/* Properties: within half a level of the twin; a constant image stays what it is, the largest level
 * at the largest size too; weights of every output row add up to the height. */

static void reduce(const uint8_t *pixels, size_t bits, const size_t from[2], const size_t to[2],
                   uint8_t *out)
{
    uint32_t *columns = calloc(from[0], sizeof *columns);
    assert_non_null(columns);
    for (size_t j = 0; j < to[1]; j++) {
        uint64_t weights = 0;
        memset(columns, 0, from[0] * sizeof *columns);
        for (size_t y = area_first(j, from[1], to[1]); y < area_until(j, from[1], to[1]); y++) {
            uint32_t weight = area_row_weight(y, j, from[1], to[1]);
            const uint8_t *row = pixels + y * from[0] * bits / 8;
            weights += weight;
            if (bits == 8) {
                area_add_row_8(row, from[0], weight, columns);
            } else {
                area_add_row_16(row, from[0], weight, columns);
            }
        }
        assert_int_equal(weights, from[1]);
        if (bits == 8) {
            area_finish_8(columns, from[0], from[1], to[0], out + j * to[0]);
        } else {
            area_finish_16(columns, from[0], from[1], to[0], out + 2 * j * to[0]);
        }
    }
    free(columns);
}

static double level_at(const uint8_t *pixels, size_t bits, size_t at)
{
    return bits == 8 ? (double)pixels[at] : (double)(pixels[2 * at] | pixels[2 * at + 1] << 8);
}

static void random_images_agree_with_the_twin(void **state)
{
    static const size_t sizes[][4] = {{1, 1, 1, 1},   {5, 3, 2, 2},    {17, 9, 17, 9},
                                      {16, 8, 4, 2},  {31, 29, 7, 11}, {3, 40, 3, 13},
                                      {40, 3, 39, 1}, {64, 64, 63, 63}};
    uint8_t pixels[2 * 64 * 64];
    uint8_t out[2 * 64 * 64];
    (void)state;
    srand(7);
    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        const size_t *size = sizes[n];
        for (size_t bits = 8; bits <= 16; bits += 8) {
            for (size_t i = 0; i < size[0] * size[1] * bits / 8; i++) {
                pixels[i] = (uint8_t)rand();
            }
            reduce(pixels, bits, size, size + 2, out);
            for (size_t i = 0; i < size[2] * size[3]; i++) {
                double across = (double)size[0] / (double)size[2];
                double down = (double)size[1] / (double)size[3];
                double mean =
                    area_ref_cell(pixels, bits, size[0], size[1], (double)(i % size[2]) * across,
                                  (double)(i / size[2]) * down, across, down);
                assert_true(fabs(level_at(out, bits, i) - mean) <= 0.5 + 1e-6);
            }
        }
    }
}

static void the_largest_level_at_the_largest_size_does_not_overflow(void **state)
{
    static const size_t sides[] = {65535, 65534, 257};
    uint32_t *columns = calloc(65535, sizeof *columns);
    uint8_t *row = malloc(2 * 65535);
    uint8_t *out = malloc(2 * 65535);
    (void)state;
    assert_true(columns != NULL && row != NULL && out != NULL);
    memset(row, 255, 2 * 65535);
    for (size_t i = 0; i < 3; i++) { /* one row that weighs as much as 65535 */
        memset(columns, 0, 65535 * sizeof *columns);
        area_add_row_16(row, sides[i], 65535, columns);
        area_finish_16(columns, sides[i], 65535, 1, out);
        assert_true(out[0] == 255 && out[1] == 255);
        area_finish_16(columns, sides[i], 65535, sides[i] - 1, out);
        for (size_t x = 0; x < 2 * (sides[i] - 1); x++) {
            assert_int_equal(out[x], 255);
        }
    }
    free(columns);
    free(row);
    free(out);
}

static void half_a_level_rounds_up(void **state)
{
    static const uint8_t pixels[2] = {10, 11};
    static const size_t from[2] = {2, 1};
    static const size_t to[2] = {1, 1};
    uint8_t out = 0;
    (void)state;
    reduce(pixels, 8, from, to, &out);
    assert_int_equal(out, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_images_agree_with_the_twin),
        cmocka_unit_test(the_largest_level_at_the_largest_size_does_not_overflow),
        cmocka_unit_test(half_a_level_rounds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
