/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/convnet_row.h"

/* As convnet_wide.c, with registers of 8 pixels, of which there are 16. AVX-VNNI has vpdpbusd for
 * them. AVX2 has not: pairs of products are added in 16 bits, which the bound of weights keeps from
 * saturating, then pairs of pairs in 32; that takes two registers more and leaves room for fewer
 * sums. */

#if defined(__x86_64__)
#include <immintrin.h>

enum {
    LANES = 8,
    QUAD = CONVNET_QUAD,
    WORD_BYTES = 4,
    VECTORS_AVX2 = 2, /* 2 x 4 sums */
    VECTORS_VNNI = 3, /* 3 x 4 sums, 3 registers of pixels, 1 of weights: all 16 */
};

#define WORD_STEP ((size_t)QUAD * WORD_BYTES)

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE __attribute__((target("avx2"), always_inline)) static inline

AVX2_INLINE __m256i load_lanes(const uint8_t *pixels, size_t stride)
{
    const __m256i *from = (const __m256i *)(const void *)pixels;
    if (stride == 1) {
        return _mm256_loadu_si256(from);
    }
    __m256 even = _mm256_shuffle_ps(_mm256_castsi256_ps(_mm256_loadu_si256(from)),
                                    _mm256_castsi256_ps(_mm256_loadu_si256(from + 1)), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xd8);
}

/* By hand, because the intrinsic is for functions that are compiled for AVX-VNNI as a whole, which
 * not every compiler here knows. */
AVX2_INLINE __m256i add_products(__m256i sums, __m256i in, __m256i weight, int vnni)
{
    if (vnni) {
        __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(in), "x"(weight));
        return sums;
    }
    __m256i pairs = _mm256_maddubs_epi16(in, weight);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* Members with names: gcc 12 keeps arrays of registers in memory. */
struct lanes {
    __m256i first;
    __m256i second;
    __m256i third;
};

struct tile {
    size_t quad;
    size_t x; /* the first pixel */
    size_t vectors;
    size_t stride;
    int vnni;
};

AVX2_INLINE void add_word(struct lanes *sums, const struct lanes *in, const int8_t *word,
                          struct tile tile)
{
    __m256i weight = _mm256_set1_epi32(convnet_word_at(word));
    sums->first = add_products(sums->first, in->first, weight, tile.vnni);
    if (tile.vectors > 1) {
        sums->second = add_products(sums->second, in->second, weight, tile.vnni);
    }
    if (tile.vectors > 2) {
        sums->third = add_products(sums->third, in->third, weight, tile.vnni);
    }
}

AVX2_INLINE __m256i level_of(__m256i sums, float scale)
{
    __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(scale));
    return _mm256_cvtps_epi32(_mm256_min_ps(value, _mm256_set1_ps(255)));
}

AVX2 static void put_as_floats(const struct convnet_row *row, size_t quad, size_t x,
                               const __m256i sums[QUAD])
{
    float results[QUAD * LANES];
    for (size_t o = 0; o < QUAD; o++) {
        __m256 scale = _mm256_set1_ps(row->scale[quad * QUAD + o]);
        _mm256_storeu_ps(results + o * LANES, _mm256_mul_ps(_mm256_cvtepi32_ps(sums[o]), scale));
    }
    convnet_put_floats(row, quad, x, LANES, results);
}

/* Four outputs of 8 pixels become 8 words of 4 bytes: negative sums fall to 0 in the packing. */
AVX2_INLINE void put(const struct convnet_row *row, size_t quad, size_t x, const __m256i sums[QUAD])
{
    const float *scale = row->scale + quad * QUAD;
    if (row->floats != NULL) {
        put_as_floats(row, quad, x, sums);
        return;
    }
    const __m256i by_pixel = _mm256_broadcastsi128_si256(
        _mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    __m256i packed = _mm256_packus_epi16(
        _mm256_packus_epi32(level_of(sums[0], scale[0]), level_of(sums[1], scale[1])),
        _mm256_packus_epi32(level_of(sums[2], scale[2]), level_of(sums[3], scale[3])));
    _mm256_storeu_si256((__m256i *)(void *)(row->bytes + quad * row->quad_bytes + x * QUAD),
                        _mm256_shuffle_epi8(packed, by_pixel));
}

AVX2_INLINE struct lanes start(int32_t bias)
{
    __m256i sums = _mm256_set1_epi32(bias);
    return (struct lanes){sums, sums, sums};
}

AVX2_INLINE void make_tile(const struct convnet_row *row, struct tile tile)
{
    const int8_t *words = row->weights + tile.quad * row->word_count * WORD_STEP;
    const int32_t *bias = row->bias + tile.quad * QUAD;
    const size_t step = LANES * tile.stride * QUAD;
    const size_t offset = tile.x * tile.stride * QUAD;
    struct lanes o0 = start(bias[0]), o1 = start(bias[1]);
    struct lanes o2 = start(bias[2]), o3 = start(bias[3]);
    for (size_t i = 0; i < row->word_count; i++, words += WORD_STEP) {
        const uint8_t *pixels = row->words[i] + offset;
        struct lanes in;
        in.first = load_lanes(pixels, tile.stride);
        in.second = tile.vectors > 1 ? load_lanes(pixels + step, tile.stride) : in.first;
        in.third = tile.vectors > 2 ? load_lanes(pixels + 2 * step, tile.stride) : in.first;
        add_word(&o0, &in, words, tile);
        add_word(&o1, &in, words + WORD_BYTES, tile);
        add_word(&o2, &in, words + (size_t)2 * WORD_BYTES, tile);
        add_word(&o3, &in, words + (size_t)3 * WORD_BYTES, tile);
    }
    put(row, tile.quad, tile.x, (const __m256i[QUAD]){o0.first, o1.first, o2.first, o3.first});
    if (tile.vectors > 1) {
        put(row, tile.quad, tile.x + LANES,
            (const __m256i[QUAD]){o0.second, o1.second, o2.second, o3.second});
    }
    if (tile.vectors > 2) {
        put(row, tile.quad, tile.x + (size_t)2 * LANES,
            (const __m256i[QUAD]){o0.third, o1.third, o2.third, o3.third});
    }
}

/* A function of its own for each: in a larger one gcc runs out of registers. */
typedef void make_at(const struct convnet_row *row, size_t quad, size_t x);
#define MAKE_AT(name, vectors, stride, vnni)                                                    \
    AVX2 __attribute__((noinline)) static void name(const struct convnet_row *row, size_t quad, \
                                                    size_t x)                                   \
    {                                                                                           \
        make_tile(row, (struct tile){quad, x, vectors, stride, vnni});                          \
    }
MAKE_AT(avx2_11, 1, 1, 0)
MAKE_AT(avx2_21, 2, 1, 0)
MAKE_AT(avx2_12, 1, 2, 0)
MAKE_AT(avx2_22, 2, 2, 0)
MAKE_AT(vnni_11, 1, 1, 1)
MAKE_AT(vnni_21, 2, 1, 1)
MAKE_AT(vnni_31, 3, 1, 1)
MAKE_AT(vnni_12, 1, 2, 1)
MAKE_AT(vnni_22, 2, 2, 1)
MAKE_AT(vnni_32, 3, 2, 1)

/* makers: [stride][vectors] */
static void make_row(const struct convnet_row *row, make_at *const makers[2][VECTORS_VNNI],
                     size_t vectors_max)
{
    size_t left = (row->width + LANES - 1) / LANES;
    for (size_t x = 0; left > 0;) {
        size_t vectors = left < vectors_max ? left : vectors_max;
        for (size_t quad = 0; quad < row->quad_count; quad++) {
            makers[row->stride - 1][vectors - 1](row, quad, x);
        }
        x += vectors * LANES;
        left -= vectors;
    }
}

void convnet_row_avx2(const struct convnet_row *row)
{
    static make_at *const makers[2][VECTORS_VNNI] = {{avx2_11, avx2_21, NULL},
                                                     {avx2_12, avx2_22, NULL}};
    make_row(row, makers, VECTORS_AVX2);
}

void convnet_row_avx_vnni(const struct convnet_row *row)
{
    static make_at *const makers[2][VECTORS_VNNI] = {{vnni_11, vnni_21, vnni_31},
                                                     {vnni_12, vnni_22, vnni_32}};
    make_row(row, makers, VECTORS_VNNI);
}
#endif
