/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "kernels/convnet_row.h"

/* The plain loops: a strip of results at a time, so that the sums stay in the first-level cache. */

enum { STRIP = 64 };

static void add_word(const struct convnet_row *row, const uint8_t *pixels, const int8_t *weights,
                     size_t count, int32_t *sums)
{
    size_t step = row->stride * CONVNET_QUAD;
    for (size_t x = 0; x < count; x++) {
        const uint8_t *in = pixels + x * step;
        sums[x] +=
            in[0] * weights[0] + in[1] * weights[1] + in[2] * weights[2] + in[3] * weights[3];
    }
}

static void sum_strip(const struct convnet_row *row, size_t output, size_t first, size_t count,
                      int32_t *sums)
{
    const int8_t *weights = row->weights +
                            output / CONVNET_QUAD * row->word_count * CONVNET_QUAD * CONVNET_QUAD +
                            output % CONVNET_QUAD * CONVNET_QUAD;
    for (size_t x = 0; x < count; x++) {
        sums[x] = row->bias[output];
    }
    for (size_t word = 0; word < row->word_count; word++) {
        add_word(row, row->words[word] + first * row->stride * CONVNET_QUAD,
                 weights + word * CONVNET_QUAD * CONVNET_QUAD, count, sums);
    }
}

static uint8_t to_byte(int32_t sum, float scale)
{
    float value = (float)sum * scale;
    return value >= 255 ? 255 : value > 0 ? (uint8_t)rintf(value) : 0;
}

static void put_strip(const struct convnet_row *row, size_t output, size_t first, size_t count,
                      const int32_t *sums)
{
    float scale = row->scale[output];
    if (row->floats != NULL) {
        for (size_t x = 0; output < row->out_count && x < count; x++) {
            row->floats[(first + x) * row->out_count + output] = (float)sums[x] * scale;
        }
        return;
    }
    uint8_t *to = row->bytes + output / CONVNET_QUAD * row->quad_bytes + first * CONVNET_QUAD +
                  output % CONVNET_QUAD;
    for (size_t x = 0; x < count; x++) {
        to[x * CONVNET_QUAD] = to_byte(sums[x], scale);
    }
}

void convnet_row_portable(const struct convnet_row *row)
{
    int32_t sums[STRIP];
    for (size_t first = 0; first < row->width; first += STRIP) {
        size_t count = row->width - first < STRIP ? row->width - first : STRIP;
        for (size_t output = 0; output < row->quad_count * CONVNET_QUAD; output++) {
            sum_strip(row, output, first, count, sums);
            put_strip(row, output, first, count, sums);
        }
    }
}

void convnet_put_floats(const struct convnet_row *row, size_t quad, size_t x, size_t lanes,
                        const float *results)
{
    size_t until = x + lanes < row->width ? x + lanes : row->width;
    for (size_t o = quad * CONVNET_QUAD; o < row->out_count && o < (quad + 1) * CONVNET_QUAD; o++) {
        for (size_t at = x; at < until; at++) {
            row->floats[at * row->out_count + o] = results[o % CONVNET_QUAD * lanes + at - x];
        }
    }
}
