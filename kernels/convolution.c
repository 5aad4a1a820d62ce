/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convolution.h"

#include <cblas.h>
#include <string.h>

/* Columns of 128 KB: with what SGEMM copies of them they stay in a second level cache of 512 KB;
 * half and twice as much are as fast, four times as much is slower by a half. */
enum { COLUMNS_FLOATS = 32768, TAPS_MAX = 9 };

/* Four floats at any address: channels come in fours. */
typedef float four __attribute__((vector_size(16), aligned(4), may_alias));

static size_t taps_of(const struct convolution *shape)
{
    return (size_t)shape->side * shape->side * shape->in;
}

/* Rows of the result in one stripe. */
static uint32_t stripe_rows(const struct convolution *shape)
{
    size_t rows = COLUMNS_FLOATS / (taps_of(shape) * shape->width);
    rows = rows < 1 ? 1 : rows;
    return rows < shape->height ? (uint32_t)rows : shape->height;
}

size_t convolution_columns_floats(const struct convolution *shape)
{
    return (size_t)stripe_rows(shape) * shape->width * taps_of(shape);
}

/* A tap of one row of the result: columns x_first <= x < x_end of it lie inside the input. */
struct tap_row {
    ptrdiff_t input_at; /* of column 0 of the result, in floats; may lie outside */
    uint32_t x_first;
    uint32_t x_end;
    int inside;
};

static struct tap_row tap_row_of(const struct convolution *shape, uint32_t y, uint32_t i,
                                 uint32_t j)
{
    struct tap_row row = {.inside = 0};
    ptrdiff_t half = shape->side / 2;
    ptrdiff_t sy = (ptrdiff_t)y * shape->stride + ((ptrdiff_t)i - half) * shape->dilation;
    ptrdiff_t shift = ((ptrdiff_t)j - half) * shape->dilation;
    if (sy < 0 || sy >= (ptrdiff_t)shape->in_height) {
        return row;
    }
    ptrdiff_t stride = shape->stride;
    ptrdiff_t first = shift < 0 ? (-shift + stride - 1) / stride : 0;
    ptrdiff_t end = ((ptrdiff_t)shape->in_width - 1 - shift) / stride + 1;
    end = (ptrdiff_t)shape->in_width - 1 - shift < 0 ? 0 : end;
    end = end < (ptrdiff_t)shape->width ? end : (ptrdiff_t)shape->width;
    row.inside = first < end;
    row.x_first = (uint32_t)first;
    row.x_end = (uint32_t)end;
    row.input_at = (sy * (ptrdiff_t)shape->in_width + shift) * (ptrdiff_t)shape->in;
    return row;
}

/* The taps of one row of the result, pixel after pixel, so that the columns are written once from
 * front to back. */
static void write_row(const struct convolution *shape, const float *restrict input, uint32_t y,
                      float *restrict to)
{
    struct tap_row rows[TAPS_MAX];
    uint32_t tap_count = shape->side * shape->side;
    size_t pixel_step = (size_t)shape->stride * shape->in;
    for (uint32_t tap = 0; tap < tap_count; tap++) {
        rows[tap] = tap_row_of(shape, y, tap / shape->side, tap % shape->side);
    }
    for (uint32_t x = 0; x < shape->width; x++) {
        for (uint32_t tap = 0; tap < tap_count; tap++, to += shape->in) {
            if (x < rows[tap].x_first || x >= rows[tap].x_end) {
                memset(to, 0, shape->in * sizeof *to);
                continue;
            }
            const float *from = input + (rows[tap].input_at + (ptrdiff_t)(x * pixel_step));
            for (uint32_t c = 0; c < shape->in; c += 4) {
                *(four *)(to + c) = *(const four *)(from + c);
            }
        }
    }
}

/* Writes the taps of the rows first <= y < first + rows. */
static void write_columns(const struct convolution *shape, const float *restrict input,
                          uint32_t first, uint32_t rows, float *restrict columns)
{
    for (uint32_t y = 0; y < rows; y++) {
        write_row(shape, input, first + y, columns + (size_t)y * shape->width * taps_of(shape));
    }
}

/* The reverse: adds the columns' gradients to the pixels they were taken from. */
static void add_columns(const struct convolution *shape, const float *restrict columns,
                        uint32_t first, uint32_t rows, float *restrict of_input)
{
    size_t taps = taps_of(shape);
    size_t pixel_step = (size_t)shape->stride * shape->in;
    for (uint32_t tap = 0; tap < rows * shape->side * shape->side; tap++) {
        uint32_t y = tap / (shape->side * shape->side);
        uint32_t i = tap / shape->side % shape->side;
        uint32_t j = tap % shape->side;
        struct tap_row row = tap_row_of(shape, first + y, i, j);
        const float *from =
            columns + (size_t)y * shape->width * taps + ((size_t)i * shape->side + j) * shape->in;
        for (uint32_t x = row.x_first; row.inside && x < row.x_end; x++) {
            float *to = of_input + (row.input_at + (ptrdiff_t)(x * pixel_step));
            for (uint32_t c = 0; c < shape->in; c += 4) {
                *(four *)(to + c) += *(const four *)(from + x * taps + c);
            }
        }
    }
}

/* A 1 x 1 convolution of stride 1 needs no columns: the pixels are them. */
static int is_plain(const struct convolution *shape)
{
    return shape->side == 1 && shape->stride == 1;
}

void convolution_forward(const struct convolution *shape, const float *restrict input,
                         const float *restrict weights, float *restrict columns,
                         float *restrict sums)
{
    size_t taps = taps_of(shape);
    uint32_t stripe = stripe_rows(shape);
    for (uint32_t first = 0; first < shape->height; first += stripe) {
        uint32_t rows = shape->height - first < stripe ? shape->height - first : stripe;
        size_t pixels = (size_t)rows * shape->width;
        size_t before = (size_t)first * shape->width;
        const float *from = input + before * taps;
        if (!is_plain(shape)) {
            write_columns(shape, input, first, rows, columns);
            from = columns;
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)pixels, (int)shape->out,
                    (int)taps, 1.0f, from, (int)taps, weights, (int)taps, 0.0f,
                    sums + before * shape->out, (int)shape->out);
    }
}

void convolution_of_weights(const struct convolution *shape, const float *restrict input,
                            const float *restrict of_sums, float *restrict columns,
                            float *restrict gradient)
{
    size_t taps = taps_of(shape);
    uint32_t stripe = stripe_rows(shape);
    memset(gradient, 0, shape->out * taps * sizeof *gradient);
    for (uint32_t first = 0; first < shape->height; first += stripe) {
        uint32_t rows = shape->height - first < stripe ? shape->height - first : stripe;
        size_t pixels = (size_t)rows * shape->width;
        size_t before = (size_t)first * shape->width;
        const float *from = input + before * taps;
        if (!is_plain(shape)) {
            write_columns(shape, input, first, rows, columns);
            from = columns;
        }
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)shape->out, (int)taps,
                    (int)pixels, 1.0f, of_sums + before * shape->out, (int)shape->out, from,
                    (int)taps, 1.0f, gradient, (int)taps);
    }
}

void convolution_of_input(const struct convolution *shape, const float *restrict of_sums,
                          const float *restrict weights, float *restrict columns,
                          float *restrict of_input)
{
    size_t taps = taps_of(shape);
    uint32_t stripe = stripe_rows(shape);
    memset(of_input, 0, (size_t)shape->in_height * shape->in_width * shape->in * sizeof *of_input);
    for (uint32_t first = 0; first < shape->height; first += stripe) {
        uint32_t rows = shape->height - first < stripe ? shape->height - first : stripe;
        size_t pixels = (size_t)rows * shape->width;
        size_t before = (size_t)first * shape->width;
        float *to = is_plain(shape) ? of_input + before * taps : columns;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)pixels, (int)taps,
                    (int)shape->out, 1.0f, of_sums + before * shape->out, (int)shape->out, weights,
                    (int)taps, 0.0f, to, (int)taps);
        if (!is_plain(shape)) {
            add_columns(shape, columns, first, rows, of_input);
        }
    }
}
