/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "kernels/convnet_row.h"

/* Lanes are pixels: a register holds the 4 channels of 16 neighbours, a word of 4 weights is
 * broadcast, and one vpdpbusd adds the 4 products of every lane. A tile of several registers of
 * pixels and 4 or 8 outputs stays in registers over all taps and groups, so a load feeds several
 * additions. What is left of a row, 8 pixels or fewer, goes through half a register. Processors
 * that have only those are in convnet_narrow.c. */

#if defined(__x86_64__)
#include <immintrin.h>

enum {
    LANES_512 = 16,
    QUAD = CONVNET_QUAD,
    WORD_BYTES = 4,
    TILE_QUADS_MAX = 2,
    TILE_VECTORS_MAX = 3, /* 3 x 8 sums, 3 pixels' registers and 1 of weights of 32 */
};

/* From a word of input channels to the next: the weights of 4 outputs. */
#define WORD_STEP ((size_t)QUAD * WORD_BYTES)

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define VNNI_INLINE \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"), always_inline)) static inline

struct tile {
    size_t quad; /* the first */
    size_t x;    /* the first pixel */
    size_t quads;
    size_t vectors;
};

VNNI_INLINE __m512i load_512(const uint8_t *pixels, size_t stride)
{
    if (stride == 1) {
        return _mm512_loadu_si512(pixels);
    }
    const __m512i even =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    return _mm512_permutex2var_epi32(_mm512_loadu_si512(pixels), even,
                                     _mm512_loadu_si512(pixels + sizeof(__m512i)));
}

/* Four outputs of 16 pixels become 16 words of 4 bytes: negative sums fall to 0 in the packing. */
VNNI static void put_512(const struct convnet_row *row, size_t quad, size_t x, const __m512i *sums,
                         size_t step)
{
    const float *scale = row->scale + quad * QUAD;
    float results[QUAD * LANES_512];
    __m512i levels[QUAD];
    for (size_t o = 0; o < QUAD; o++) {
        __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[o * step]), _mm512_set1_ps(scale[o]));
        if (row->floats != NULL) {
            _mm512_storeu_ps(results + o * LANES_512, value);
        }
        levels[o] = _mm512_cvtps_epi32(_mm512_min_ps(value, _mm512_set1_ps(255)));
    }
    if (row->floats != NULL) {
        convnet_put_floats(row, quad, x, LANES_512, results);
        return;
    }
    const __m512i by_pixel =
        _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    __m512i packed = _mm512_packus_epi16(_mm512_packus_epi32(levels[0], levels[1]),
                                         _mm512_packus_epi32(levels[2], levels[3]));
    _mm512_storeu_si512(row->bytes + quad * row->quad_bytes + x * QUAD,
                        _mm512_shuffle_epi8(packed, by_pixel));
}

/* A tile's pixels, or an output's sums. Members with names and functions of their own for each
 * tile: gcc 12 keeps arrays of registers in memory, and runs out of registers in larger functions.
 */
struct lanes_512 {
    __m512i first;
    __m512i second;
    __m512i third;
};

VNNI_INLINE struct lanes_512 start_512(int32_t bias)
{
    __m512i sums = _mm512_set1_epi32(bias);
    return (struct lanes_512){sums, sums, sums};
}

VNNI_INLINE void add_512(struct lanes_512 *sums, const struct lanes_512 *in, const int8_t *word,
                         size_t vectors)
{
    __m512i weight = _mm512_set1_epi32(convnet_word_at(word));
    sums->first = _mm512_dpbusd_epi32(sums->first, in->first, weight);
    if (vectors > 1) {
        sums->second = _mm512_dpbusd_epi32(sums->second, in->second, weight);
    }
    if (vectors > 2) {
        sums->third = _mm512_dpbusd_epi32(sums->third, in->third, weight);
    }
}

VNNI_INLINE void keep_512(const struct lanes_512 *sums, size_t vectors, __m512i *to)
{
    _mm512_store_si512(to, sums->first);
    if (vectors > 1) {
        _mm512_store_si512(to + 1, sums->second);
    }
    if (vectors > 2) {
        _mm512_store_si512(to + 2, sums->third);
    }
}

VNNI_INLINE struct lanes_512 load_lanes_512(const uint8_t *pixels, size_t vectors, size_t stride)
{
    size_t step = LANES_512 * stride * QUAD;
    struct lanes_512 in;
    in.first = load_512(pixels, stride);
    in.second = vectors > 1 ? load_512(pixels + step, stride) : in.first;
    in.third = vectors > 2 ? load_512(pixels + 2 * step, stride) : in.first;
    return in;
}

/* sums[quads * QUAD][vectors] */
VNNI_INLINE void sum_tile_512(const struct convnet_row *row, struct tile tile, size_t stride,
                              __m512i *sums)
{
    const size_t quad_bytes = row->word_count * WORD_STEP;
    const size_t offset = tile.x * stride * QUAD;
    const int8_t *words = row->weights + tile.quad * quad_bytes;
    const int32_t *bias = row->bias + tile.quad * QUAD;
    const int two = tile.quads > 1;
    struct lanes_512 o0 = start_512(bias[0]), o1 = start_512(bias[1]);
    struct lanes_512 o2 = start_512(bias[2]), o3 = start_512(bias[3]);
    struct lanes_512 o4 = two ? start_512(bias[4]) : o0, o5 = two ? start_512(bias[5]) : o0;
    struct lanes_512 o6 = two ? start_512(bias[6]) : o0, o7 = two ? start_512(bias[7]) : o0;
    for (size_t i = 0; i < row->word_count; i++, words += WORD_STEP) {
        struct lanes_512 in = load_lanes_512(row->words[i] + offset, tile.vectors, stride);
        add_512(&o0, &in, words, tile.vectors);
        add_512(&o1, &in, words + WORD_BYTES, tile.vectors);
        add_512(&o2, &in, words + (size_t)2 * WORD_BYTES, tile.vectors);
        add_512(&o3, &in, words + (size_t)3 * WORD_BYTES, tile.vectors);
        if (two) {
            add_512(&o4, &in, words + quad_bytes, tile.vectors);
            add_512(&o5, &in, words + quad_bytes + WORD_BYTES, tile.vectors);
            add_512(&o6, &in, words + quad_bytes + (size_t)2 * WORD_BYTES, tile.vectors);
            add_512(&o7, &in, words + quad_bytes + (size_t)3 * WORD_BYTES, tile.vectors);
        }
    }
    keep_512(&o0, tile.vectors, sums);
    keep_512(&o1, tile.vectors, sums + tile.vectors);
    keep_512(&o2, tile.vectors, sums + 2 * tile.vectors);
    keep_512(&o3, tile.vectors, sums + 3 * tile.vectors);
    if (two) {
        keep_512(&o4, tile.vectors, sums + 4 * tile.vectors);
        keep_512(&o5, tile.vectors, sums + 5 * tile.vectors);
        keep_512(&o6, tile.vectors, sums + 6 * tile.vectors);
        keep_512(&o7, tile.vectors, sums + 7 * tile.vectors);
    }
}

VNNI_INLINE __m256i add_256(__m256i sums, __m256i in, const int8_t *word)
{
    return _mm256_dpbusd_epi32(sums, in, _mm256_set1_epi32(convnet_word_at(word)));
}

typedef void sum_512(const struct convnet_row *row, size_t quad, size_t x, __m512i *sums);
#define SUM_512(name, quads, vectors, stride)                                                   \
    VNNI __attribute__((noinline)) static void name(const struct convnet_row *row, size_t quad, \
                                                    size_t x, __m512i *sums)                    \
    {                                                                                           \
        sum_tile_512(row, (struct tile){quad, x, quads, vectors}, stride, sums);                \
    }
SUM_512(sum_111, 1, 1, 1)
SUM_512(sum_121, 1, 2, 1)
SUM_512(sum_131, 1, 3, 1)
SUM_512(sum_211, 2, 1, 1)
SUM_512(sum_221, 2, 2, 1)
SUM_512(sum_231, 2, 3, 1)
SUM_512(sum_112, 1, 1, 2)
SUM_512(sum_122, 1, 2, 2)
SUM_512(sum_132, 1, 3, 2)
SUM_512(sum_212, 2, 1, 2)
SUM_512(sum_222, 2, 2, 2)
SUM_512(sum_232, 2, 3, 2)

static sum_512 *const sums_512[2][TILE_QUADS_MAX][TILE_VECTORS_MAX] = {
    {{sum_111, sum_121, sum_131}, {sum_211, sum_221, sum_231}},
    {{sum_112, sum_122, sum_132}, {sum_212, sum_222, sum_232}},
};

VNNI static void make_vectors_512(const struct convnet_row *row, size_t x, size_t vectors)
{
    __m512i sums[TILE_QUADS_MAX * QUAD * TILE_VECTORS_MAX];
    for (size_t quad = 0; quad < row->quad_count;) {
        size_t quads = row->quad_count - quad > 1 ? 2 : 1;
        sums_512[row->stride - 1][quads - 1][vectors - 1](row, quad, x, sums);
        for (size_t i = 0; i < quads * vectors; i++) {
            put_512(row, quad + i / vectors, x + i % vectors * LANES_512,
                    sums + i / vectors * QUAD * vectors + i % vectors, vectors);
        }
        quad += quads;
    }
}

/* The last 8 pixels or fewer of a row of stride 1: sums of 8 pixels, 8 outputs at once. */
VNNI static void make_half(const struct convnet_row *row, size_t x)
{
    const size_t quad_bytes = row->word_count * WORD_STEP;
    for (size_t quad = 0; quad < row->quad_count; quad += TILE_QUADS_MAX) {
        size_t quads = row->quad_count - quad > 1 ? 2 : 1;
        /* Of one quad the second half adds up the same again. */
        const size_t other = quads > 1 ? quad_bytes : 0;
        const int8_t *words = row->weights + quad * quad_bytes;
        const int32_t *bias = row->bias + quad * QUAD;
        __m256i o0 = _mm256_set1_epi32(bias[0]), o1 = _mm256_set1_epi32(bias[1]);
        __m256i o2 = _mm256_set1_epi32(bias[2]), o3 = _mm256_set1_epi32(bias[3]);
        __m256i o4 = o0, o5 = o1, o6 = o2, o7 = o3;
        if (quads > 1) {
            o4 = _mm256_set1_epi32(bias[4]), o5 = _mm256_set1_epi32(bias[5]);
            o6 = _mm256_set1_epi32(bias[6]), o7 = _mm256_set1_epi32(bias[7]);
        }
        for (size_t i = 0; i < row->word_count; i++, words += WORD_STEP) {
            const __m256i in =
                _mm256_loadu_si256((const __m256i *)(const void *)(row->words[i] + x * QUAD));
            o0 = add_256(o0, in, words);
            o1 = add_256(o1, in, words + WORD_BYTES);
            o2 = add_256(o2, in, words + (size_t)2 * WORD_BYTES);
            o3 = add_256(o3, in, words + (size_t)3 * WORD_BYTES);
            o4 = add_256(o4, in, words + other);
            o5 = add_256(o5, in, words + other + WORD_BYTES);
            o6 = add_256(o6, in, words + other + (size_t)2 * WORD_BYTES);
            o7 = add_256(o7, in, words + other + (size_t)3 * WORD_BYTES);
        }
        const __m512i sums[TILE_QUADS_MAX * QUAD] = {
            _mm512_zextsi256_si512(o0), _mm512_zextsi256_si512(o1), _mm512_zextsi256_si512(o2),
            _mm512_zextsi256_si512(o3), _mm512_zextsi256_si512(o4), _mm512_zextsi256_si512(o5),
            _mm512_zextsi256_si512(o6), _mm512_zextsi256_si512(o7)};
        for (size_t i = 0; i < quads; i++) {
            put_512(row, quad + i, x, sums + i * QUAD, 1);
        }
    }
}

/* Threes, and in the end two twos rather than a three and a one, which waits for its own sums. */
VNNI void convnet_row_vnni(const struct convnet_row *row)
{
    size_t last = row->width % LANES_512;
    bool half = last > 0 && last <= LANES_512 / 2 && row->stride == 1;
    size_t left = (row->width + LANES_512 - 1) / LANES_512 - half;
    if (half) {
        make_half(row, row->width - last);
    }
    for (size_t x = 0; left > 0;) {
        size_t vectors = left == 4 ? 2 : left < TILE_VECTORS_MAX ? left : TILE_VECTORS_MAX;
        make_vectors_512(row, x, vectors);
        x += vectors * LANES_512;
        left -= vectors;
    }
}
#endif
