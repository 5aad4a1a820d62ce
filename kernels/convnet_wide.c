/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/convnet_row.h"

/* Lanes are pixels: a register holds the 4 channels of 16 (AVX2: 8) neighbours, a word of 4 weights
 * is broadcast, and one vpdpbusd adds the 4 products of every lane. A tile of several registers of
 * pixels and 4 or 8 outputs stays in registers over all taps and groups, so a load feeds several
 * additions. AVX2 has no vpdpbusd: pairs of products are added in 16 bits, which the bound of
 * weights keeps from saturating. */

#if defined(__x86_64__)
#include <immintrin.h>

enum {
    LANES_512 = 16,
    LANES_256 = 8,
    QUAD = CONVNET_QUAD,
    WORD_BYTES = 4,
    TILE_QUADS_MAX = 2,
    TILE_VECTORS_MAX = 3, /* 3 x 8 sums, 3 pixels' registers and 1 of weights of 32 */
    TILE_VECTORS_256 = 2, /* 2 x 4 sums of 16 */
};

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define VNNI_INLINE \
    __attribute__((target("avx512f,avx512bw,avx512vnni"), always_inline)) static inline
#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE __attribute__((target("avx2"), always_inline)) static inline

static inline int32_t word_at(const void *bytes)
{
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

struct tile {
    size_t quad; /* the first */
    size_t x;    /* the first pixel */
    size_t quads;
    size_t vectors;
};

/* Copies results [4][lanes] of a quad to where floats go, as far as there are any. */
static void put_floats(const struct convnet_row *row, size_t quad, size_t x, size_t lanes,
                       const float *results)
{
    size_t until = x + lanes < row->width ? x + lanes : row->width;
    for (size_t o = quad * QUAD; o < row->out_count && o < (quad + 1) * QUAD; o++) {
        for (size_t at = x; at < until; at++) {
            row->floats[at * row->out_count + o] = results[o % QUAD * lanes + at - x];
        }
    }
}

/* ---- AVX-512 ---- */

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
VNNI_INLINE void put_512(const struct convnet_row *row, size_t quad, size_t x, const __m512i *sums,
                         size_t step)
{
    const float *scale = row->scale + quad * QUAD;
    float results[QUAD][LANES_512];
    __m512i levels[QUAD];
    for (size_t o = 0; o < QUAD; o++) {
        __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[o * step]), _mm512_set1_ps(scale[o]));
        if (row->floats != NULL) {
            _mm512_storeu_ps(results[o], value);
        }
        levels[o] = _mm512_cvtps_epi32(_mm512_min_ps(value, _mm512_set1_ps(255)));
    }
    if (row->floats != NULL) {
        put_floats(row, quad, x, LANES_512, results[0]);
        return;
    }
    const __m512i by_pixel =
        _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    __m512i packed = _mm512_packus_epi16(_mm512_packus_epi32(levels[0], levels[1]),
                                         _mm512_packus_epi32(levels[2], levels[3]));
    _mm512_storeu_si512(row->bytes + quad * row->quad_bytes + x * QUAD,
                        _mm512_shuffle_epi8(packed, by_pixel));
}

VNNI_INLINE void add_word_512(const struct convnet_row *row, const uint8_t *pixels,
                              const int8_t *weights, struct tile tile, size_t stride, __m512i *sums)
{
    size_t quad_bytes = row->tap_count * row->group_count * QUAD * WORD_BYTES;
    __m512i in[TILE_VECTORS_MAX];
    for (size_t v = 0; v < tile.vectors; v++) {
        in[v] = load_512(pixels + v * LANES_512 * stride * QUAD, stride);
    }
    for (size_t o = 0; o < tile.quads * QUAD; o++) {
        const int8_t *word = weights + o / QUAD * quad_bytes + o % QUAD * WORD_BYTES;
        __m512i weight = _mm512_set1_epi32(word_at(word));
        for (size_t v = 0; v < tile.vectors; v++) {
            sums[o * tile.vectors + v] =
                _mm512_dpbusd_epi32(sums[o * tile.vectors + v], in[v], weight);
        }
    }
}

VNNI_INLINE void make_tile_512(const struct convnet_row *row, struct tile tile, size_t stride)
{
    __m512i sums[TILE_QUADS_MAX * QUAD * TILE_VECTORS_MAX];
    const int8_t *weights =
        row->weights + tile.quad * row->tap_count * row->group_count * QUAD * WORD_BYTES;
    for (size_t o = 0; o < tile.quads * QUAD; o++) {
        __m512i bias = _mm512_set1_epi32(row->bias[tile.quad * QUAD + o]);
        for (size_t v = 0; v < tile.vectors; v++) {
            sums[o * tile.vectors + v] = bias;
        }
    }
    for (size_t tap = 0; tap < row->tap_count; tap++) {
        const uint8_t *pixels = row->taps[tap] + tile.x * stride * QUAD;
        for (size_t group = 0; group < row->group_count; group++) {
            add_word_512(row, pixels, weights, tile, stride, sums);
            pixels += row->group_bytes;
            weights += QUAD * WORD_BYTES;
        }
    }
    for (size_t q = 0; q < tile.quads; q++) {
        for (size_t v = 0; v < tile.vectors; v++) {
            put_512(row, tile.quad + q, tile.x + v * LANES_512, sums + q * QUAD * tile.vectors + v,
                    tile.vectors);
        }
    }
}

/* Tiles of constant size, so that their sums are registers. */
VNNI static void make_wide_512(const struct convnet_row *row, size_t quad, size_t x)
{
    if (row->stride == 1 && quad + 1 < row->quad_count) {
        make_tile_512(row, (struct tile){quad, x, 2, 3}, 1);
    } else if (row->stride == 1) {
        make_tile_512(row, (struct tile){quad, x, 1, 3}, 1);
    } else if (quad + 1 < row->quad_count) {
        make_tile_512(row, (struct tile){quad, x, 2, 3}, 2);
    } else {
        make_tile_512(row, (struct tile){quad, x, 1, 3}, 2);
    }
}

VNNI static void make_narrow_512(const struct convnet_row *row, size_t quad, size_t x)
{
    if (row->stride == 1 && quad + 1 < row->quad_count) {
        make_tile_512(row, (struct tile){quad, x, 2, 1}, 1);
    } else if (row->stride == 1) {
        make_tile_512(row, (struct tile){quad, x, 1, 1}, 1);
    } else if (quad + 1 < row->quad_count) {
        make_tile_512(row, (struct tile){quad, x, 2, 1}, 2);
    } else {
        make_tile_512(row, (struct tile){quad, x, 1, 1}, 2);
    }
}

VNNI void convnet_row_vnni(const struct convnet_row *row)
{
    size_t x = 0;
    for (; x + 2 * LANES_512 < row->width; x += 3 * LANES_512) {
        for (size_t quad = 0; quad < row->quad_count; quad += 2) {
            make_wide_512(row, quad, x);
        }
    }
    for (; x < row->width; x += LANES_512) {
        for (size_t quad = 0; quad < row->quad_count; quad += 2) {
            make_narrow_512(row, quad, x);
        }
    }
}

/* ---- AVX2 ---- */

AVX2_INLINE __m256i load_256(const uint8_t *pixels, size_t stride)
{
    const __m256i *from = (const __m256i *)(const void *)pixels;
    if (stride == 1) {
        return _mm256_loadu_si256(from);
    }
    __m256 even = _mm256_shuffle_ps(_mm256_castsi256_ps(_mm256_loadu_si256(from)),
                                    _mm256_castsi256_ps(_mm256_loadu_si256(from + 1)), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xd8);
}

AVX2_INLINE void put_256(const struct convnet_row *row, size_t quad, size_t x, const __m256i *sums,
                         size_t step)
{
    const float *scale = row->scale + quad * QUAD;
    float results[QUAD][LANES_256];
    __m256i levels[QUAD];
    for (size_t o = 0; o < QUAD; o++) {
        __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[o * step]), _mm256_set1_ps(scale[o]));
        if (row->floats != NULL) {
            _mm256_storeu_ps(results[o], value);
        }
        levels[o] = _mm256_cvtps_epi32(_mm256_min_ps(value, _mm256_set1_ps(255)));
    }
    if (row->floats != NULL) {
        put_floats(row, quad, x, LANES_256, results[0]);
        return;
    }
    const __m256i by_pixel = _mm256_broadcastsi128_si256(
        _mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    __m256i packed = _mm256_packus_epi16(_mm256_packus_epi32(levels[0], levels[1]),
                                         _mm256_packus_epi32(levels[2], levels[3]));
    _mm256_storeu_si256((__m256i *)(void *)(row->bytes + quad * row->quad_bytes + x * QUAD),
                        _mm256_shuffle_epi8(packed, by_pixel));
}

AVX2_INLINE void add_word_256(const uint8_t *pixels, const int8_t *weights, size_t vectors,
                              size_t stride, __m256i *sums)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i in[TILE_VECTORS_256];
    for (size_t v = 0; v < vectors; v++) {
        in[v] = load_256(pixels + v * LANES_256 * stride * QUAD, stride);
    }
    for (size_t o = 0; o < QUAD; o++) {
        __m256i weight = _mm256_set1_epi32(word_at(weights + o * WORD_BYTES));
        for (size_t v = 0; v < vectors; v++) {
            __m256i pairs = _mm256_maddubs_epi16(in[v], weight);
            sums[o * vectors + v] =
                _mm256_add_epi32(sums[o * vectors + v], _mm256_madd_epi16(pairs, ones));
        }
    }
}

AVX2_INLINE void make_tile_256(const struct convnet_row *row, struct tile tile, size_t stride)
{
    __m256i sums[QUAD * TILE_VECTORS_256];
    const int8_t *weights =
        row->weights + tile.quad * row->tap_count * row->group_count * QUAD * WORD_BYTES;
    for (size_t o = 0; o < QUAD; o++) {
        for (size_t v = 0; v < tile.vectors; v++) {
            sums[o * tile.vectors + v] = _mm256_set1_epi32(row->bias[tile.quad * QUAD + o]);
        }
    }
    for (size_t tap = 0; tap < row->tap_count; tap++) {
        const uint8_t *pixels = row->taps[tap] + tile.x * stride * QUAD;
        for (size_t group = 0; group < row->group_count; group++) {
            add_word_256(pixels, weights, tile.vectors, stride, sums);
            pixels += row->group_bytes;
            weights += QUAD * WORD_BYTES;
        }
    }
    for (size_t v = 0; v < tile.vectors; v++) {
        put_256(row, tile.quad, tile.x + v * LANES_256, sums + v, tile.vectors);
    }
}

AVX2 void convnet_row_avx2(const struct convnet_row *row)
{
    for (size_t x = 0; x < row->width; x += TILE_VECTORS_256 * LANES_256) {
        for (size_t quad = 0; quad < row->quad_count; quad++) {
            if (row->stride == 1) {
                make_tile_256(row, (struct tile){quad, x, 1, 2}, 1);
            } else {
                make_tile_256(row, (struct tile){quad, x, 1, 2}, 2);
            }
        }
    }
}
#endif
