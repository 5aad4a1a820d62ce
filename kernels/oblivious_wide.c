/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious_lanes.h"

/* A block of 64 rows is one register of bytes here (two with AVX2). Tables of at most 64 leaves are
 * looked up by permutations of registers, larger ones by gathering. Only whole numbers are added,
 * so the sums are those of the plain loops whatever the order. */

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANES = OBLIVIOUS_LANES, WIDE = 16, GROUPS = LANES / WIDE, NARROW = 8 };

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define AVX512_INLINE __attribute__((target("avx512f,avx512bw"), always_inline)) static inline
#define AVX2 __attribute__((target("avx2")))

/* A feature that the model dropped has no borders: all its bins are 0 or 1, after one pass. */
AVX512 static void bin_avx512(const float *values, const float *borders, size_t border_count,
                              uint8_t *bins)
{
    const __m512i one = _mm512_set1_epi32(1);
    __m512 value[GROUPS];
    __m512i bin[GROUPS];
    for (size_t g = 0; g < GROUPS; g++) {
        value[g] = _mm512_loadu_ps(values + g * WIDE);
        __mmask16 present = _mm512_cmp_ps_mask(value[g], value[g], _CMP_ORD_Q);
        bin[g] = _mm512_maskz_mov_epi32(present, one);
    }
    for (size_t k = 0; k < border_count; k++) {
        __m512 border = _mm512_set1_ps(borders[k]);
        for (size_t g = 0; g < GROUPS; g++) {
            __mmask16 above = _mm512_cmp_ps_mask(border, value[g], _CMP_LT_OQ);
            bin[g] = _mm512_mask_add_epi32(bin[g], above, bin[g], one);
        }
    }
    for (size_t g = 0; g < GROUPS; g++) {
        _mm_storeu_si128((__m128i *)(void *)(bins + g * WIDE), _mm512_cvtepi32_epi8(bin[g]));
    }
}

/* The leaf of every row: the first split is the highest bit. */
AVX512_INLINE __m512i leaves_avx512(const struct oblivious_tree *tree, uint32_t depth,
                                    const uint8_t *bins)
{
    __m512i leaves = _mm512_setzero_si512();
    for (uint32_t level = 0; level < depth; level++) {
        __m512i column = _mm512_loadu_si512(bins + (size_t)tree->features[level] * LANES);
        __mmask64 yes =
            _mm512_cmp_epu8_mask(column, _mm512_set1_epi8((char)tree->bins[level]), _MM_CMPINT_NLT);
        leaves = _mm512_mask_add_epi8(leaves, yes, leaves,
                                      _mm512_set1_epi8((char)(1U << (depth - 1 - level))));
    }
    return leaves;
}

AVX512_INLINE __m512i group_avx512(__m512i leaves, size_t group)
{
    __m128i quarter;
    switch (group) {
    case 0:
        quarter = _mm512_extracti32x4_epi32(leaves, 0);
        break;
    case 1:
        quarter = _mm512_extracti32x4_epi32(leaves, 1);
        break;
    case 2:
        quarter = _mm512_extracti32x4_epi32(leaves, 2);
        break;
    default:
        quarter = _mm512_extracti32x4_epi32(leaves, 3);
        break;
    }
    return _mm512_cvtepu8_epi32(quarter);
}

/* table[index[i]] of a table of 2^level entries. */
AVX512_INLINE __m512i look_up_avx512(const int32_t *table, uint32_t level, __m512i index)
{
    if (level <= 4) {
        __mmask16 there = (__mmask16)((1U << (1U << level)) - 1);
        return _mm512_permutexvar_epi32(index, _mm512_maskz_loadu_epi32(there, table));
    }
    if (level > 6) {
        return _mm512_i32gather_epi32(index, table, 4);
    }
    __m512i low = _mm512_permutex2var_epi32(_mm512_loadu_si512(table), index,
                                            _mm512_loadu_si512(table + WIDE));
    if (level == 5) {
        return low;
    }
    __m512i high = _mm512_permutex2var_epi32(_mm512_loadu_si512(table + (size_t)2 * WIDE), index,
                                             _mm512_loadu_si512(table + (size_t)3 * WIDE));
    __mmask16 upper = _mm512_test_epi32_mask(index, _mm512_set1_epi32(2 * WIDE));
    return _mm512_mask_mov_epi32(low, upper, high);
}

/* The depth is a constant wherever this is inlined, so that the look-up has no branch. */
AVX512_INLINE void add_of_depth_avx512(const struct oblivious_model *model, uint32_t depth,
                                       const uint8_t *bins, int32_t *scores)
{
    __m512i sum[GROUPS];
    for (size_t g = 0; g < GROUPS; g++) {
        sum[g] = _mm512_loadu_si512(scores + g * WIDE);
    }
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        __m512i leaves = leaves_avx512(&tree, depth, bins);
        const int32_t *table = tree.nodes + ((size_t)1 << depth);
        for (size_t g = 0; g < GROUPS; g++) {
            sum[g] =
                _mm512_add_epi32(sum[g], look_up_avx512(table, depth, group_avx512(leaves, g)));
        }
    }
    for (size_t g = 0; g < GROUPS; g++) {
        _mm512_storeu_si512(scores + g * WIDE, sum[g]);
    }
}

AVX512 static void add_avx512(const struct oblivious_model *model, const uint8_t *bins,
                              int32_t *scores)
{
    switch (model->depth) {
    case 4:
        add_of_depth_avx512(model, 4, bins, scores);
        break;
    case 5:
        add_of_depth_avx512(model, 5, bins, scores);
        break;
    case 6:
        add_of_depth_avx512(model, 6, bins, scores);
        break;
    default:
        add_of_depth_avx512(model, model->depth, bins, scores);
        break;
    }
}

/* groups: so many of the block's quarters have rows. */
AVX512_INLINE void explain_of_depth_avx512(const struct oblivious_model *model, uint32_t depth,
                                           size_t groups, const uint8_t *bins, int32_t *scores,
                                           int32_t *contributions)
{
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        __m512i leaves = leaves_avx512(&tree, depth, bins);
        __m512i index[GROUPS];
        __m512i parent[GROUPS];
        for (size_t g = 0; g < groups; g++) {
            index[g] = group_avx512(leaves, g);
            parent[g] = _mm512_set1_epi32(tree.nodes[1]);
        }
        for (uint32_t level = 1; level <= depth; level++) {
            int32_t *column = contributions + (size_t)tree.features[level - 1] * LANES;
            __m128i shift = _mm_cvtsi32_si128((int)(depth - level));
            for (size_t g = 0; g < groups; g++) {
                __m512i node = look_up_avx512(tree.nodes + ((size_t)1 << level), level,
                                              _mm512_srl_epi32(index[g], shift));
                __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(column + g * WIDE),
                                               _mm512_sub_epi32(node, parent[g]));
                _mm512_storeu_si512(column + g * WIDE, sum);
                parent[g] = node;
            }
        }
        for (size_t g = 0; g < groups; g++) {
            __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(scores + g * WIDE), parent[g]);
            _mm512_storeu_si512(scores + g * WIDE, sum);
        }
    }
}

AVX512 static void explain_avx512(const struct oblivious_model *model, const uint8_t *bins,
                                  size_t lanes, int32_t *scores, int32_t *contributions)
{
    size_t groups = (lanes + WIDE - 1) / WIDE;
    if (model->depth == 6 && groups == GROUPS) {
        explain_of_depth_avx512(model, 6, GROUPS, bins, scores, contributions);
    } else {
        explain_of_depth_avx512(model, model->depth, groups, bins, scores, contributions);
    }
}

const struct oblivious_lanes oblivious_lanes_avx512 = {bin_avx512, add_avx512, explain_avx512};

AVX2 static void bin_avx2(const float *values, const float *borders, size_t border_count,
                          uint8_t *bins)
{
    const __m256i one = _mm256_set1_epi32(1);
    int32_t counts[LANES / 2];
    for (size_t half = 0; half < 2; half++) {
        __m256 value[GROUPS];
        __m256i bin[GROUPS];
        for (size_t g = 0; g < GROUPS; g++) {
            value[g] = _mm256_loadu_ps(values + half * (LANES / 2) + g * NARROW);
            __m256 present = _mm256_cmp_ps(value[g], value[g], _CMP_ORD_Q);
            bin[g] = _mm256_and_si256(_mm256_castps_si256(present), one);
        }
        for (size_t k = 0; k < border_count; k++) {
            __m256 border = _mm256_set1_ps(borders[k]);
            for (size_t g = 0; g < GROUPS; g++) {
                __m256 above = _mm256_cmp_ps(border, value[g], _CMP_LT_OQ);
                bin[g] = _mm256_sub_epi32(bin[g], _mm256_castps_si256(above));
            }
        }
        for (size_t g = 0; g < GROUPS; g++) {
            _mm256_storeu_si256((__m256i *)(void *)(counts + g * NARROW), bin[g]);
        }
        for (size_t i = 0; i < LANES / 2; i++) {
            bins[half * (LANES / 2) + i] = (uint8_t)counts[i];
        }
    }
}

AVX2 static void leaves_avx2(const struct oblivious_tree *tree, uint32_t depth, const uint8_t *bins,
                             uint8_t *leaves)
{
    __m256i low = _mm256_setzero_si256();
    __m256i high = low;
    for (uint32_t level = 0; level < depth; level++) {
        const uint8_t *column = bins + (size_t)tree->features[level] * LANES;
        __m256i bin = _mm256_set1_epi8((char)tree->bins[level]);
        __m256i bit = _mm256_set1_epi8((char)(1U << (depth - 1 - level)));
        __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)column);
        __m256i second = _mm256_loadu_si256((const __m256i *)(const void *)(column + LANES / 2));
        __m256i yes = _mm256_cmpeq_epi8(_mm256_max_epu8(first, bin), first);
        low = _mm256_or_si256(low, _mm256_and_si256(yes, bit));
        yes = _mm256_cmpeq_epi8(_mm256_max_epu8(second, bin), second);
        high = _mm256_or_si256(high, _mm256_and_si256(yes, bit));
    }
    _mm256_storeu_si256((__m256i *)(void *)leaves, low);
    _mm256_storeu_si256((__m256i *)(void *)(leaves + LANES / 2), high);
}

AVX2 static void accumulate_avx2(int32_t *sums, __m256i values)
{
    __m256i *place = (__m256i *)(void *)sums;
    _mm256_storeu_si256(place, _mm256_add_epi32(_mm256_loadu_si256(place), values));
}

AVX2 static __m256i widen_avx2(const uint8_t *leaves)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)leaves));
}

AVX2 static void add_avx2(const struct oblivious_model *model, const uint8_t *bins, int32_t *scores)
{
    uint8_t leaves[LANES];
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        leaves_avx2(&tree, model->depth, bins, leaves);
        const int32_t *table = tree.nodes + ((size_t)1 << model->depth);
        for (size_t i = 0; i < LANES; i += NARROW) {
            accumulate_avx2(scores + i, _mm256_i32gather_epi32(table, widen_avx2(leaves + i), 4));
        }
    }
}

AVX2 static void explain_avx2(const struct oblivious_model *model, const uint8_t *bins,
                              size_t lanes, int32_t *scores, int32_t *contributions)
{
    uint8_t leaves[LANES];
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        leaves_avx2(&tree, model->depth, bins, leaves);
        for (size_t i = 0; i < lanes; i += NARROW) {
            __m256i index = widen_avx2(leaves + i);
            __m256i parent = _mm256_set1_epi32(tree.nodes[1]);
            for (uint32_t level = 1; level <= model->depth; level++) {
                __m128i shift = _mm_cvtsi32_si128((int)(model->depth - level));
                __m256i node = _mm256_i32gather_epi32(tree.nodes + ((size_t)1 << level),
                                                      _mm256_srl_epi32(index, shift), 4);
                accumulate_avx2(contributions + (size_t)tree.features[level - 1] * LANES + i,
                                _mm256_sub_epi32(node, parent));
                parent = node;
            }
            accumulate_avx2(scores + i, parent);
        }
    }
}

const struct oblivious_lanes oblivious_lanes_avx2 = {bin_avx2, add_avx2, explain_avx2};
#endif
