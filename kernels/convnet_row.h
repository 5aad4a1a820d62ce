/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CONVNET_ROW_H
#define KERNELS_CONVNET_ROW_H

/* Convnet_row: one row of results of one layer, which is what each path computes in its own way.
 * Inside kernels/ only.
 *
 * Rows lie in groups of 4 channels: group after group, in each the 4 bytes of a pixel together, so
 * that a register of pixels meets one packed word of 4 weights. Results come in quads of 4
 * channels, which are the next layer's groups. Every path may read CONVNET_ROW_SLACK pixels beyond
 * the last one that it needs and write as many beyond the last result. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    CONVNET_QUAD = 4,        /* channels of a word */
    CONVNET_WORDS_MAX = 144, /* of an output: 9 taps of 16 groups */
    CONVNET_ROW_SLACK = 32,  /* pixels */
};

struct convnet_row {
    /* For each tap, for each group: where the 4 channels lie that result 0 sees. */
    const uint8_t *words[CONVNET_WORDS_MAX];
    size_t word_count;
    size_t stride; /* 1 or 2 input pixels from a result to the next */
    size_t width;  /* results */
    size_t quad_count;
    const int8_t *weights; /* [quad][word][4 outputs][4 inputs] */
    const int32_t *bias;   /* [quad][4] */
    const float *scale;
    /* One of the two: */
    uint8_t *bytes; /* [quad][pixel][4], quad_bytes apart */
    size_t quad_bytes;
    float *floats; /* [width][out_count], dense: never beyond the last */
    size_t out_count;
};

typedef void convnet_row_make(const struct convnet_row *row);
convnet_row_make convnet_row_portable;

/* Copies results [4][lanes] of a quad to where floats go, as far as there are any. */
void convnet_put_floats(const struct convnet_row *row, size_t quad, size_t x, size_t lanes,
                        const float *results);

static inline int32_t convnet_word_at(const void *bytes)
{
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

#if defined(__x86_64__)
convnet_row_make convnet_row_avx2;
convnet_row_make convnet_row_avx_vnni;
convnet_row_make convnet_row_vnni;
#endif
#endif
