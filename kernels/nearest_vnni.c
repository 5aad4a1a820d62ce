/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_bodies.h"

/* VPDPBUSD adds four products of bytes to each 32-bit lane: 64 products an instruction, exactly. 6
 * queries x 64 rows make 24 sums that stay in registers; a row's bracket leaves them only when it
 * is within the query's threshold, which is rare after the first groups. */

#if defined(__x86_64__)
#include <immintrin.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,avx2")))

#define VNNI_INLINE VNNI __attribute__((always_inline)) static inline

static const size_t lanes = NEAREST_BLOCK;
enum { QUERIES = 6, BLOCKS = NEAREST_GROUP / NEAREST_BLOCK };

VNNI double nearest_measure_avx512(const float *query, const float *row, size_t dimension_count)
{
    return nearest_measure_body(query, row, dimension_count);
}

/* The columns of a row from `first` on, 0 beyond the last. */
VNNI_INLINE __m512 columns_from(const float *row, size_t dimension_count, size_t first)
{
    size_t left = dimension_count > first ? dimension_count - first : 0;
    __mmask16 there = (__mmask16)(left >= 16 ? 0xffffU : (1U << left) - 1U);
    return _mm512_maskz_loadu_ps(there, row + first);
}

VNNI_INLINE __m512d half_of(__m512 columns, int upper)
{
    return _mm512_cvtps_pd(upper ? _mm512_extractf32x8_ps(columns, 1)
                                 : _mm512_castps512_ps256(columns));
}

VNNI void nearest_quantise_avx512(struct nearest_tile *tile, size_t query)
{
    size_t dimensions = tile->bank->dimension_count;
    size_t depth = tile->bank->packed->depth;
    const float *row = tile->queries.rows + query * tile->queries.stride;
    int8_t *bytes = tile->bytes + query * depth;
    __m512 sizes = _mm512_setzero_ps();
    for (size_t j = 0; j < dimensions; j += 16) {
        sizes = _mm512_max_ps(sizes, _mm512_abs_ps(columns_from(row, dimensions, j)));
    }
    struct nearest_scale scale = nearest_scale_of(_mm512_reduce_max_ps(sizes));
    const __m512 most = _mm512_set1_ps((float)NEAREST_BYTE_MOST);
    const __m512d step = _mm512_set1_pd((double)scale.step);
    __m512i sum = _mm512_setzero_si512();
    __m512d squares[2] = {_mm512_setzero_pd(), _mm512_setzero_pd()};
    __m512d errors[2] = {_mm512_setzero_pd(), _mm512_setzero_pd()};
    for (size_t j = 0; j < depth; j += 16) {
        __m512 columns = columns_from(row, dimensions, j);
        __m512 scaled = _mm512_mul_ps(columns, _mm512_set1_ps(scale.inverse));
        __mmask16 sayable = _mm512_cmp_ps_mask(_mm512_abs_ps(scaled), most, _CMP_LE_OQ);
        __m512i wholes = _mm512_maskz_cvtps_epi32(sayable, scaled);
        __m512 said = _mm512_cvtepi32_ps(wholes);
        sum = _mm512_add_epi32(sum, wholes);
        _mm_storeu_si128((__m128i *)(void *)(bytes + j), _mm512_cvtepi32_epi8(wholes));
        for (int upper = 0; upper < 2; upper++) {
            __m512d exact = half_of(columns, upper);
            __m512d error = _mm512_fnmadd_pd(half_of(said, upper), step, exact);
            squares[upper] = _mm512_fmadd_pd(exact, exact, squares[upper]);
            errors[upper] = _mm512_fmadd_pd(error, error, errors[upper]);
        }
    }
    double square = _mm512_reduce_add_pd(_mm512_add_pd(squares[0], squares[1]));
    double error = _mm512_reduce_add_pd(_mm512_add_pd(errors[0], errors[1]));
    nearest_query_say(tile, query, _mm512_reduce_add_epi32(sum), scale.step, square, error);
}

VNNI void nearest_prepare_avx512(const struct nearest_tile *tile, const struct nearest_group *group)
{
    nearest_prepare_body(tile, group);
}

VNNI_INLINE __m512i four_columns(const int8_t *query)
{
    int32_t four;
    memcpy(&four, query, sizeof four);
    return _mm512_set1_epi32(four);
}

/* sums + rows x columns. Written by hand: gcc 12 copies every sum of the intrinsic to the stack and
 * back, which makes the loop three times as slow. */
VNNI_INLINE __m512i add_products(__m512i sums, __m512i rows, __m512i columns)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(rows), "v"(columns));
    return sums;
}

VNNI_INLINE __m512 bracket_of(__m512i sums, __m512 coefficient, __m512 norms)
{
    return _mm512_fnmadd_ps(_mm512_cvtepi32_ps(sums), coefficient, norms);
}

VNNI_INLINE uint64_t hits_of(const float *brackets, float threshold)
{
    __m512 most = _mm512_set1_ps(threshold);
    uint64_t hits = 0;
    for (size_t b = 0; b < BLOCKS; b++) {
        __m512 block = _mm512_loadu_ps(brackets + b * NEAREST_BLOCK);
        hits |= (uint64_t)_mm512_cmp_ps_mask(block, most, _CMP_LE_OQ) << b * NEAREST_BLOCK;
    }
    return hits;
}

VNNI void nearest_note_avx512(struct nearest_tile *tile, size_t query, const float *brackets,
                              size_t group)
{
    float margin = tile->margins[query];
    float threshold = tile->thresholds[query];
    if (tile->wanted == 1) {
        __m512 least = _mm512_min_ps(
            _mm512_min_ps(_mm512_loadu_ps(brackets), _mm512_loadu_ps(brackets + NEAREST_BLOCK)),
            _mm512_min_ps(_mm512_loadu_ps(brackets + 2 * lanes),
                          _mm512_loadu_ps(brackets + 3 * lanes)));
        float upper = nearest_raise(_mm512_reduce_min_ps(least) + margin);
        if (upper < tile->uppers[query]) {
            tile->uppers[query] = upper;
            threshold = nearest_raise(upper + margin);
        }
    }
    nearest_note(tile, query, brackets, hits_of(brackets, threshold), group);
}

/* Sums of one query with a group: a variable for each block, because the compiler keeps no array
 * and no structure in registers. */
#define SUMS(q)                                  \
    __m512i a##q = _mm512_set1_epi32(shifts[q]); \
    __m512i b##q = a##q;                         \
    __m512i c##q = a##q;                         \
    __m512i d##q = a##q

#define MULTIPLY(q)                                \
    columns = four_columns(bytes + q * depth + k); \
    a##q = add_products(a##q, row_a, columns);     \
    b##q = add_products(b##q, row_b, columns);     \
    c##q = add_products(c##q, row_c, columns);     \
    d##q = add_products(d##q, row_d, columns)

/* The brackets, and which of them are within the query's threshold. */
#define WEIGH(q)                                                                        \
    do {                                                                                \
        __m512 coefficient = _mm512_set1_ps(tile->coefficients[first + q]);             \
        __m512 threshold = _mm512_set1_ps(tile->thresholds[first + q]);                 \
        __m512 a = bracket_of(a##q, coefficient, norms_a);                              \
        __m512 b = bracket_of(b##q, coefficient, norms_b);                              \
        __m512 c = bracket_of(c##q, coefficient, norms_c);                              \
        __m512 d = bracket_of(d##q, coefficient, norms_d);                              \
        _mm512_storeu_ps(brackets[q], a);                                               \
        _mm512_storeu_ps(brackets[q] + NEAREST_BLOCK, b);                               \
        _mm512_storeu_ps(brackets[q] + 2 * lanes, c);                                   \
        _mm512_storeu_ps(brackets[q] + 3 * lanes, d);                                   \
        __m512 least = _mm512_min_ps(_mm512_min_ps(a, b), _mm512_min_ps(c, d));         \
        near |= (unsigned)(_mm512_cmp_ps_mask(least, threshold, _CMP_LE_OQ) != 0) << q; \
    } while (0)

VNNI static void scan_six(struct nearest_tile *tile, size_t group, size_t first)
{
    const struct nearest_packed *packed = tile->bank->packed;
    size_t depth = packed->depth;
    size_t block_bytes = depth * NEAREST_BLOCK;
    const uint8_t *rows = packed->bytes + group * BLOCKS * block_bytes;
    const int8_t *bytes = tile->bytes + first * depth;
    const int32_t *shifts = tile->shifts + first;
    SUMS(0);
    SUMS(1);
    SUMS(2);
    SUMS(3);
    SUMS(4);
    SUMS(5);
    for (size_t k = 0; k < depth; k += NEAREST_STEP, rows += NEAREST_STEP * lanes) {
        __m512i row_a = _mm512_loadu_si512(rows);
        __m512i row_b = _mm512_loadu_si512(rows + block_bytes);
        __m512i row_c = _mm512_loadu_si512(rows + 2 * block_bytes);
        __m512i row_d = _mm512_loadu_si512(rows + 3 * block_bytes);
        __m512i columns;
        MULTIPLY(0);
        MULTIPLY(1);
        MULTIPLY(2);
        MULTIPLY(3);
        MULTIPLY(4);
        MULTIPLY(5);
    }
    const float *norms = packed->norms + group * NEAREST_GROUP;
    __m512 norms_a = _mm512_loadu_ps(norms);
    __m512 norms_b = _mm512_loadu_ps(norms + NEAREST_BLOCK);
    __m512 norms_c = _mm512_loadu_ps(norms + 2 * lanes);
    __m512 norms_d = _mm512_loadu_ps(norms + 3 * lanes);
    float brackets[QUERIES][NEAREST_GROUP];
    unsigned near = 0;
    WEIGH(0);
    WEIGH(1);
    WEIGH(2);
    WEIGH(3);
    WEIGH(4);
    WEIGH(5);
    for (; __builtin_expect(near != 0, 0); near &= near - 1) {
        size_t q = (size_t)__builtin_ctz(near);
        nearest_note_avx512(tile, first + q, brackets[q], group);
    }
}

VNNI static void scan_avx512(struct nearest_tile *tile, size_t group)
{
    const __mmask16 six = (1U << QUERIES) - 1;
    nearest_prepare_avx512(tile, tile->bank->packed->groups + group);
    for (size_t first = 0; first < tile->padded_count; first += QUERIES) {
        __mmask16 near = _mm512_cmp_ps_mask(_mm512_maskz_loadu_ps(six, tile->thresholds + first),
                                            _mm512_set1_ps(-INFINITY), _CMP_GT_OQ) &
                         six;
        if (near) {
            scan_six(tile, group, first);
        }
    }
}

const struct nearest_loops nearest_loops_avx512_vnni = {
    .quantise = nearest_quantise_avx512, .scan = scan_avx512, .measure = nearest_measure_avx512};
#endif
