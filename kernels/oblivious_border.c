/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/oblivious_grow.h"

/* Borders lie half way between two neighbouring values, every one of them while there is room, else
 * so that the bins hold about equally many rows. */

/* Orders as the float does; its inverse below. */
static uint32_t key_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

static float value_of(uint32_t key)
{
    uint32_t bits = key & 0x80000000U ? key & 0x7fffffffU : ~key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* By bytes, lowest first; an even number of passes ends where it began. */
static void sort_keys(uint32_t *keys, uint32_t *scratch, size_t count)
{
    for (unsigned shift = 0; shift < 32; shift += 8) {
        size_t starts[257] = {0};
        for (size_t i = 0; i < count; i++) {
            starts[((keys[i] >> shift) & 255) + 1]++;
        }
        for (size_t k = 1; k < 257; k++) {
            starts[k] += starts[k - 1];
        }
        for (size_t i = 0; i < count; i++) {
            scratch[starts[(keys[i] >> shift) & 255]++] = keys[i];
        }
        uint32_t *swapped = keys;
        keys = scratch;
        scratch = swapped;
    }
}

static size_t take_keys(const struct oblivious_rows *rows, size_t feature, uint32_t *keys)
{
    size_t taken = rows->row_count < BORDER_SAMPLE_MAX ? rows->row_count : BORDER_SAMPLE_MAX;
    size_t count = 0;
    for (size_t i = 0; i < taken; i++) {
        size_t row = (size_t)((uint64_t)i * rows->row_count / taken);
        float value = rows->features[row * rows->stride + feature];
        if (!isnan(value)) {
            keys[count++] = key_of(value);
        }
    }
    return count;
}

/* low <= border < high, or infinite when there is none that is finite. */
static float border_between(float low, float high)
{
    double middle = ((double)low + (double)high) / 2;
    middle = middle < -(double)FLT_MAX ? -(double)FLT_MAX : middle;
    middle = middle > (double)FLT_MAX ? (double)FLT_MAX : middle;
    /* -inf and +inf have no middle. */
    float border = isnan(middle) ? 0.0f : (float)middle;
    return border < high ? border : low;
}

static size_t count_values(const uint32_t *keys, size_t count)
{
    size_t values = count > 0;
    for (size_t i = 1; i < count; i++) {
        values += value_of(keys[i]) > value_of(keys[i - 1]);
    }
    return values;
}

uint32_t oblivious_find_borders(const struct oblivious_rows *rows, size_t feature,
                                uint32_t border_max, uint32_t *keys, float *borders)
{
    size_t count = take_keys(rows, feature, keys);
    sort_keys(keys, keys + count, count);
    size_t values_left = count_values(keys, count);
    size_t rows_left = count;
    size_t bins_left = (size_t)border_max + 1;
    size_t in_bin = 0;
    uint32_t found = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        float low = value_of(keys[i]);
        float high = value_of(keys[i + 1]);
        in_bin++;
        if (!(high > low)) {
            continue;
        }
        values_left--;
        if (bins_left == 1 || (in_bin * bins_left < rows_left && values_left >= bins_left)) {
            continue;
        }
        float border = border_between(low, high);
        if (isfinite(border)) {
            borders[found++] = border;
        }
        rows_left -= in_bin;
        bins_left--;
        in_bin = 0;
    }
    return found;
}
