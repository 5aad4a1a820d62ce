/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/oblivious_block_lanes.h"
#include "kernels/oblivious_lanes.h"

/* Borders of a feature lie in at most 16 registers as a heap: each step of the search is a
 * permutation and a comparison for 16 rows. Changes are looked up the same way and summed in
 * registers, group after group. Only whole numbers are added: any order gives the same sums. */

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANES = OBLIVIOUS_LANES, WIDE = 16, GROUPS = LANES / WIDE, NARROW = 8 };

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define AVX512_INLINE __attribute__((target("avx512f,avx512bw"), always_inline)) static inline
#define AVX2 __attribute__((target("avx2")))

/* Nodes of a level of the heap, by the low bits of their numbers. */
AVX512_INLINE __m512 nodes_avx512(const float *heap, uint32_t level, __m512i node)
{
    if (level <= 3) {
        return _mm512_permutexvar_ps(node, _mm512_loadu_ps(heap));
    }
    if (level == 4) {
        return _mm512_permutexvar_ps(node, _mm512_loadu_ps(heap + WIDE));
    }
    const float *at = heap + ((size_t)1 << level);
    __m512 low = _mm512_permutex2var_ps(_mm512_loadu_ps(at), node, _mm512_loadu_ps(at + WIDE));
    for (uint32_t pair = 1; pair < 1U << (level - 5); pair++) {
        const float *next = at + (size_t)2 * WIDE * pair;
        __m512 part =
            _mm512_permutex2var_ps(_mm512_loadu_ps(next), node, _mm512_loadu_ps(next + WIDE));
        __m512i which =
            _mm512_and_si512(_mm512_srli_epi32(node, 5), _mm512_set1_epi32((1 << (level - 5)) - 1));
        __mmask16 here = _mm512_cmpeq_epi32_mask(which, _mm512_set1_epi32((int)pair));
        low = _mm512_mask_mov_ps(low, here, part);
    }
    return low;
}

/* levels is a constant wherever this is inlined. */
AVX512_INLINE void search_avx512(const float *heap, uint32_t levels, const float *values,
                                 uint8_t *bins)
{
    const __m512i one = _mm512_set1_epi32(1);
    __m512 value[GROUPS];
    __m512i node[GROUPS];
    for (size_t g = 0; g < GROUPS; g++) {
        value[g] = _mm512_loadu_ps(values + g * WIDE);
        node[g] = one;
    }
    for (uint32_t level = 0; level < levels; level++) {
        for (size_t g = 0; g < GROUPS; g++) {
            __m512 border = nodes_avx512(heap, level, node[g]);
            __mmask16 above = _mm512_cmp_ps_mask(border, value[g], _CMP_LT_OQ);
            node[g] = _mm512_add_epi32(node[g], node[g]);
            node[g] = _mm512_mask_add_epi32(node[g], above, node[g], one);
        }
    }
    for (size_t g = 0; g < GROUPS; g++) {
        __mmask16 present = _mm512_cmp_ps_mask(value[g], value[g], _CMP_ORD_Q);
        __m512i bin =
            _mm512_maskz_sub_epi32(present, node[g], _mm512_set1_epi32((int)(1U << levels) - 1));
        _mm_storeu_si128((__m128i *)(void *)(bins + g * WIDE), _mm512_cvtepi32_epi8(bin));
    }
}

AVX512 static void bin_avx512(const struct oblivious_plan *plan, const float *columns,
                              uint8_t *bins)
{
    for (size_t u = 0; u < plan->used_count; u++) {
        const float *heap = plan->search + plan->search_first[u];
        const float *values = columns + (size_t)plan->used[u] * LANES;
        uint8_t *out = bins + (size_t)plan->used[u] * LANES;
        switch (plan->search_levels[u]) {
        case 8:
            search_avx512(heap, 8, values, out);
            break;
        case 7:
            search_avx512(heap, 7, values, out);
            break;
        case 6:
            search_avx512(heap, 6, values, out);
            break;
        case 5:
            search_avx512(heap, 5, values, out);
            break;
        case 4:
            search_avx512(heap, 4, values, out);
            break;
        case 3:
            search_avx512(heap, 3, values, out);
            break;
        default:
            search_avx512(heap, plan->search_levels[u], values, out);
            break;
        }
    }
}

AVX512 static void leaves_avx512(const struct oblivious_model *model, const uint8_t *bins,
                                 uint8_t *leaves)
{
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        __m512i leaf = _mm512_setzero_si512();
        for (uint32_t level = 0; level < model->depth; level++) {
            __m512i column = _mm512_loadu_si512(bins + (size_t)tree.features[level] * LANES);
            __mmask64 yes = _mm512_cmp_epu8_mask(column, _mm512_set1_epi8((char)tree.bins[level]),
                                                 _MM_CMPINT_NLT);
            leaf = _mm512_mask_add_epi8(leaf, yes, leaf, _mm512_set1_epi8((char)(1U << level)));
        }
        _mm512_storeu_si512(leaves + t * LANES, leaf);
    }
}

/* table[low bits of index], of 16 or 2^level changes. */
AVX512_INLINE __m512i look_up_avx512(const int32_t *table, uint32_t level, __m512i index)
{
    if (level <= 4) {
        return _mm512_permutexvar_epi32(index, _mm512_loadu_si512(table));
    }
    if (level > 6) {
        __m512i low = _mm512_and_si512(index, _mm512_set1_epi32((int)(1U << level) - 1));
        return _mm512_i32gather_epi32(low, table, 4);
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

/* level is a constant wherever this is inlined. */
AVX512_INLINE void ask_avx512(const struct oblivious_plan *plan, const uint8_t *leaves,
                              uint32_t level, size_t at, __m512i sums[GROUPS])
{
    const int32_t *deltas = plan->deltas + oblivious_level_first(level);
    for (uint32_t ask = plan->ask_first[at]; ask < plan->ask_first[at + 1]; ask++) {
        size_t tree = plan->ask_trees[ask];
        const int32_t *table = deltas + tree * plan->tree_stride;
        const uint8_t *leaf = leaves + tree * LANES;
        for (size_t g = 0; g < GROUPS; g++) {
            __m512i index = _mm512_cvtepu8_epi32(
                _mm_loadu_si128((const __m128i *)(const void *)(leaf + g * WIDE)));
            sums[g] = _mm512_add_epi32(sums[g], look_up_avx512(table, level, index));
        }
    }
}

AVX512 static void explain_avx512(const struct oblivious_plan *plan, const uint8_t *leaves,
                                  int32_t *contributions)
{
    uint32_t depth = plan->model.depth;
    for (size_t group = 0; group < plan->group_count; group++) {
        __m512i sums[GROUPS];
        size_t at = group * depth;
        for (size_t g = 0; g < GROUPS; g++) {
            sums[g] = _mm512_setzero_si512();
        }
        for (uint32_t level = 1; level <= depth; level++, at++) {
            if (level == 5) {
                ask_avx512(plan, leaves, 5, at, sums);
            } else if (level == 6) {
                ask_avx512(plan, leaves, 6, at, sums);
            } else if (level <= OBLIVIOUS_DEPTH_MAX) {
                ask_avx512(plan, leaves, level, at, sums);
            }
        }
        for (size_t g = 0; g < GROUPS; g++) {
            _mm512_storeu_si512(contributions + group * LANES + g * WIDE, sums[g]);
        }
    }
}

const struct oblivious_block_lanes oblivious_block_avx512 = {bin_avx512, leaves_avx512,
                                                             explain_avx512};

AVX512 static void heaviest_of_any(const int32_t *contributions, uint32_t group_count,
                                   uint32_t count, int32_t *parts, int32_t *groups)
{
    for (size_t i = 0; i < LANES; i += WIDE) {
        __m512i best[OBLIVIOUS_HEAVIEST_MAX];
        __m512i best_of[OBLIVIOUS_HEAVIEST_MAX];
        for (size_t k = 0; k < count; k++) {
            best[k] = _mm512_setzero_si512();
            best_of[k] = best[k];
        }
        for (uint32_t group = 0; group < group_count; group++) {
            __m512i part = _mm512_loadu_si512(contributions + (size_t)group * LANES + i);
            __m512i of = _mm512_set1_epi32((int)group);
            __mmask16 pushed = 0;
            for (size_t k = 0; k < count; k++) {
                __m512i out = best[k];
                __m512i out_of = best_of[k];
                pushed = (__mmask16)(pushed | _mm512_cmpgt_epi32_mask(_mm512_abs_epi32(part),
                                                                      _mm512_abs_epi32(out)));
                best[k] = _mm512_mask_mov_epi32(out, pushed, part);
                best_of[k] = _mm512_mask_mov_epi32(out_of, pushed, of);
                part = _mm512_mask_mov_epi32(part, pushed, out);
                of = _mm512_mask_mov_epi32(of, pushed, out_of);
            }
        }
        for (size_t k = 0; k < count; k++) {
            _mm512_storeu_si512(parts + k * LANES + i, best[k]);
            _mm512_storeu_si512(groups + k * LANES + i, best_of[k]);
        }
    }
}

/* Where no part needs more than 24 bits, a part and its group are one number: its weight above, and
 * below it the group, counted down, so that of equal ones the first is the larger. A sorted list
 * then takes two operations a place. */
enum { GROUP_BITS = 7, GROUP_LAST = (1 << GROUP_BITS) - 1, PART_BITS = 31 - GROUP_BITS };

AVX512 static int are_narrow(const int32_t *contributions, uint32_t group_count)
{
    __m512i all = _mm512_setzero_si512();
    for (size_t i = 0; i < (size_t)group_count * LANES; i += WIDE) {
        all = _mm512_or_si512(all, _mm512_abs_epi32(_mm512_loadu_si512(contributions + i)));
    }
    return group_count <= GROUP_LAST + 1 &&
           _mm512_test_epi32_mask(all, _mm512_set1_epi32(-(1 << PART_BITS))) == 0;
}

/* count is a constant where it is small. */
AVX512_INLINE void heaviest_of_narrow(const int32_t *contributions, uint32_t group_count,
                                      uint32_t count, int32_t *parts, int32_t *groups)
{
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (size_t i = 0; i < LANES; i += WIDE) {
        __m512i best[OBLIVIOUS_HEAVIEST_MAX];
        for (size_t k = 0; k < count; k++) {
            best[k] = _mm512_setzero_si512();
        }
        for (uint32_t group = 0; group < group_count; group++) {
            __m512i part = _mm512_loadu_si512(contributions + (size_t)group * LANES + i);
            __m512i number = _mm512_slli_epi32(_mm512_abs_epi32(part), GROUP_BITS);
            number = _mm512_or_si512(number, _mm512_set1_epi32((int)(GROUP_LAST - group)));
            for (size_t k = 0; k < count; k++) {
                __m512i out = _mm512_min_epi32(best[k], number);
                best[k] = _mm512_max_epi32(best[k], number);
                number = out;
            }
        }
        for (size_t k = 0; k < count; k++) {
            __mmask16 some = _mm512_cmpgt_epi32_mask(best[k], _mm512_set1_epi32(GROUP_LAST));
            __m512i of = _mm512_and_si512(best[k], _mm512_set1_epi32(GROUP_LAST));
            of = _mm512_maskz_sub_epi32(some, _mm512_set1_epi32(GROUP_LAST), of);
            __m512i at = _mm512_add_epi32(_mm512_mullo_epi32(of, _mm512_set1_epi32(LANES)), lanes);
            __m512i part =
                _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), some, at, contributions + i, 4);
            _mm512_storeu_si512(parts + k * LANES + i, part);
            _mm512_storeu_si512(groups + k * LANES + i, of);
        }
    }
}

AVX512 void oblivious_heaviest_avx512(const int32_t *contributions, uint32_t group_count,
                                      uint32_t count, int32_t *parts, int32_t *groups)
{
    if (!are_narrow(contributions, group_count)) {
        heaviest_of_any(contributions, group_count, count, parts, groups);
    } else if (count == 3) {
        heaviest_of_narrow(contributions, group_count, 3, parts, groups);
    } else {
        heaviest_of_narrow(contributions, group_count, count, parts, groups);
    }
}

static void bin_avx2(const struct oblivious_plan *plan, const float *columns, uint8_t *bins)
{
    const struct oblivious_model *model = &plan->model;
    for (size_t u = 0; u < plan->used_count; u++) {
        size_t j = plan->used[u];
        uint32_t first = model->border_first[j];
        oblivious_lanes_avx2.bin(columns + j * LANES, model->borders + first,
                                 model->border_first[j + 1] - first, bins + j * LANES);
    }
}

AVX2 static void leaves_avx2(const struct oblivious_model *model, const uint8_t *bins,
                             uint8_t *leaves)
{
    memset(leaves, 0, (size_t)model->tree_count * LANES);
    for (size_t t = 0; t < model->tree_count; t++) {
        struct oblivious_tree tree = oblivious_tree_at(model, t);
        for (uint32_t level = 0; level < model->depth; level++) {
            const uint8_t *column = bins + (size_t)tree.features[level] * LANES;
            __m256i bin = _mm256_set1_epi8((char)tree.bins[level]);
            __m256i bit = _mm256_set1_epi8((char)(1U << level));
            for (size_t half = 0; half < LANES; half += LANES / 2) {
                __m256i *leaf = (__m256i *)(void *)(leaves + t * LANES + half);
                __m256i value = _mm256_loadu_si256((const __m256i *)(const void *)(column + half));
                __m256i yes = _mm256_cmpeq_epi8(_mm256_max_epu8(value, bin), value);
                _mm256_storeu_si256(
                    leaf, _mm256_or_si256(_mm256_loadu_si256(leaf), _mm256_and_si256(yes, bit)));
            }
        }
    }
}

AVX2 static void explain_avx2(const struct oblivious_plan *plan, const uint8_t *leaves,
                              int32_t *contributions)
{
    uint32_t depth = plan->model.depth;
    memset(contributions, 0, (size_t)plan->group_count * LANES * sizeof *contributions);
    for (size_t at = 0; at < (size_t)plan->group_count * depth; at++) {
        int32_t *sums = contributions + at / depth * LANES;
        uint32_t level = (uint32_t)(at % depth) + 1;
        __m256i low_bits = _mm256_set1_epi32((int)oblivious_level_size(level) - 1);
        for (uint32_t ask = plan->ask_first[at]; ask < plan->ask_first[at + 1]; ask++) {
            size_t tree = plan->ask_trees[ask];
            const int32_t *table =
                plan->deltas + tree * plan->tree_stride + oblivious_level_first(level);
            for (size_t i = 0; i < LANES; i += NARROW) {
                __m256i *sum = (__m256i *)(void *)(sums + i);
                __m256i leaf = _mm256_cvtepu8_epi32(
                    _mm_loadl_epi64((const __m128i *)(const void *)(leaves + tree * LANES + i)));
                __m256i change = _mm256_i32gather_epi32(table, _mm256_and_si256(leaf, low_bits), 4);
                _mm256_storeu_si256(sum, _mm256_add_epi32(_mm256_loadu_si256(sum), change));
            }
        }
    }
}

const struct oblivious_block_lanes oblivious_block_avx2 = {bin_avx2, leaves_avx2, explain_avx2};
#endif
