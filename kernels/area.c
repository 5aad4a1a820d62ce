/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/area.h"

#include <string.h>

/* Rows first: adding whole rows is what vectorises, and the division of columns into cells then
 * happens once an output row instead of once a row. In parts of width_out an input column spans
 * [x width_out, (x + 1) width_out), an output column [i width, (i + 1) width): every overlap is an
 * integer. */

size_t area_first(size_t out, size_t height, size_t height_out)
{
    return out * height / height_out;
}

size_t area_until(size_t out, size_t height, size_t height_out)
{
    return ((out + 1) * height + height_out - 1) / height_out;
}

uint32_t area_row_weight(size_t y, size_t out, size_t height, size_t height_out)
{
    size_t from = y * height_out > out * height ? y * height_out : out * height;
    size_t row_end = (y + 1) * height_out;
    size_t out_end = (out + 1) * height;
    size_t until = row_end < out_end ? row_end : out_end;
    return until > from ? (uint32_t)(until - from) : 0;
}

void area_add_row_8(const uint8_t *restrict row, size_t width, uint32_t weight,
                    uint32_t *restrict columns)
{
    for (size_t x = 0; x < width; x++) {
        columns[x] += weight * row[x];
    }
}

static uint16_t pixel_16(const uint8_t *row, size_t x)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint16_t pixel;
    memcpy(&pixel, row + 2 * x, sizeof pixel);
    return pixel;
#else
    return (uint16_t)(row[2 * x] | row[2 * x + 1] << 8);
#endif
}

void area_add_row_16(const uint8_t *restrict row, size_t width, uint32_t weight,
                     uint32_t *restrict columns)
{
    for (size_t x = 0; x < width; x++) {
        columns[x] += weight * pixel_16(row, x);
    }
}

/* Sum over one output column, below 2^48. */
static uint64_t column_sum(const uint32_t *columns, size_t width, size_t width_out, size_t i)
{
    size_t from = i * width;
    size_t until = from + width;
    size_t first = from / width_out;
    size_t last = (until - 1) / width_out;
    if (first == last) {
        return (uint64_t)columns[first] * width;
    }
    uint64_t inside = 0;
    for (size_t x = first + 1; x < last; x++) {
        inside += columns[x];
    }
    return inside * width_out + (uint64_t)columns[first] * ((first + 1) * width_out - from) +
           (uint64_t)columns[last] * (until - last * width_out);
}

/* Division in double is exact here: numerator and divisor are below 2^49 and 2^32, so a quotient
 * that is no integer lies further from one than a double's rounding moves it. */
static uint32_t rounded_mean(uint64_t sum, uint64_t weight)
{
    uint64_t numerator = sum + weight / 2;
    return (uint32_t)((double)numerator / (double)weight);
}

void area_finish_8(const uint32_t *restrict columns, size_t width, size_t height, size_t width_out,
                   uint8_t *restrict out)
{
    uint64_t weight = (uint64_t)width * height;
    for (size_t i = 0; i < width_out; i++) {
        out[i] = (uint8_t)rounded_mean(column_sum(columns, width, width_out, i), weight);
    }
}

void area_finish_16(const uint32_t *restrict columns, size_t width, size_t height, size_t width_out,
                    uint8_t *restrict out)
{
    uint64_t weight = (uint64_t)width * height;
    for (size_t i = 0; i < width_out; i++) {
        uint32_t mean = rounded_mean(column_sum(columns, width, width_out, i), weight);
        out[2 * i] = (uint8_t)mean;
        out[2 * i + 1] = (uint8_t)(mean >> 8);
    }
}
