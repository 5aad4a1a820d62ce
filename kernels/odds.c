/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/odds.h"

#include <math.h>

/* The same operations in the same order three times; this file is compiled without fused
 * multiply-add (CMakeLists.txt), which would round differently from processor to processor. */

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { STEP = 16 };

static float held(float odds)
{
    float low = odds > ODDS_MIN ? odds : ODDS_MIN; /* not a number: ODDS_MIN, as MAXPS says */
    return low < ODDS_MAX ? low : ODDS_MAX;
}

static float after(float exams, float finds, float before, float k)
{
    float rest = exams - finds;
    rest = rest > 0 ? rest : 0;
    float whole = 1 + before;
    return held((finds * whole + k * before) / (rest * whole + k));
}

/* Kind 0 has its own prior, and is held even without an exam. */
static void all_portable(const struct odds_prior *prior, const struct odds_columns *columns)
{
    for (size_t i = 0; i < columns->lanes; i++) {
        columns->odds[i] =
            after(columns->all_exams[i], columns->finds[i], prior->prior_odds, prior->prior_exams);
    }
}

static void kind_portable(const struct odds_kind *kind, size_t index, float k,
                          const struct odds_columns *columns)
{
    const float *exams = columns->exams + (index - 1) * columns->stride;
    const float *finds = columns->finds + index * ODDS_LANES;
    const float *first =
        columns->odds + (kind->parents_count > 0 ? kind->parents[0] : 0) * (size_t)ODDS_LANES;
    const float *second = columns->odds + kind->parents[1] * (size_t)ODDS_LANES;
    for (size_t i = 0; i < columns->lanes; i++) {
        float before = kind->parents_count < 2 ? first[i] : sqrtf(first[i] * second[i]);
        float odds = exams[i] > 0 ? after(exams[i], finds[i], before, k) : before;
        columns->odds[index * ODDS_LANES + i] = odds;
        columns->ratios[(index - 1) * columns->stride + i] = odds / before;
    }
}

static void ratios_portable(const struct odds_kind *kinds, size_t kinds_count,
                            const struct odds_prior *prior, const struct odds_columns *columns)
{
    all_portable(prior, columns);
    for (size_t kind = 1; kind < kinds_count; kind++) {
        if (!kinds[kind].left_out) {
            kind_portable(&kinds[kind], kind, prior->k, columns);
        }
    }
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f")))
enum { NARROW = 8 };

AVX2 static __m256 after_avx2(__m256 exams, __m256 finds, __m256 before, __m256 k)
{
    __m256 rest = _mm256_max_ps(_mm256_sub_ps(exams, finds), _mm256_setzero_ps());
    __m256 whole = _mm256_add_ps(_mm256_set1_ps(1), before);
    __m256 yes = _mm256_add_ps(_mm256_mul_ps(finds, whole), _mm256_mul_ps(k, before));
    __m256 no = _mm256_add_ps(_mm256_mul_ps(rest, whole), k);
    __m256 low = _mm256_max_ps(_mm256_div_ps(yes, no), _mm256_set1_ps(ODDS_MIN));
    return _mm256_min_ps(low, _mm256_set1_ps(ODDS_MAX));
}

AVX2 static void kind_avx2(const struct odds_kind *kind, size_t index, float k,
                           const struct odds_columns *columns)
{
    const float *exams = columns->exams + (index - 1) * columns->stride;
    const float *finds = columns->finds + index * ODDS_LANES;
    const float *first =
        columns->odds + (kind->parents_count > 0 ? kind->parents[0] : 0) * (size_t)ODDS_LANES;
    const float *second = columns->odds + kind->parents[1] * (size_t)ODDS_LANES;
    for (size_t i = 0; i < columns->lanes; i += NARROW) {
        __m256 before = _mm256_loadu_ps(first + i);
        if (kind->parents_count == 2) {
            before = _mm256_sqrt_ps(_mm256_mul_ps(before, _mm256_loadu_ps(second + i)));
        }
        __m256 seen = _mm256_loadu_ps(exams + i);
        __m256 odds = after_avx2(seen, _mm256_loadu_ps(finds + i), before, _mm256_set1_ps(k));
        __m256 examined = _mm256_cmp_ps(seen, _mm256_setzero_ps(), _CMP_GT_OQ);
        odds = _mm256_blendv_ps(before, odds, examined);
        _mm256_storeu_ps(columns->odds + index * ODDS_LANES + i, odds);
        _mm256_storeu_ps(columns->ratios + (index - 1) * columns->stride + i,
                         _mm256_div_ps(odds, before));
    }
}

AVX2 static void ratios_avx2(const struct odds_kind *kinds, size_t kinds_count,
                             const struct odds_prior *prior, const struct odds_columns *columns)
{
    all_portable(prior, columns);
    for (size_t kind = 1; kind < kinds_count; kind++) {
        if (!kinds[kind].left_out) {
            kind_avx2(&kinds[kind], kind, prior->k, columns);
        }
    }
}

AVX512 static __m512 after_avx512(__m512 exams, __m512 finds, __m512 before, __m512 k)
{
    __m512 rest = _mm512_max_ps(_mm512_sub_ps(exams, finds), _mm512_setzero_ps());
    __m512 whole = _mm512_add_ps(_mm512_set1_ps(1), before);
    __m512 yes = _mm512_add_ps(_mm512_mul_ps(finds, whole), _mm512_mul_ps(k, before));
    __m512 no = _mm512_add_ps(_mm512_mul_ps(rest, whole), k);
    __m512 low = _mm512_max_ps(_mm512_div_ps(yes, no), _mm512_set1_ps(ODDS_MIN));
    return _mm512_min_ps(low, _mm512_set1_ps(ODDS_MAX));
}

AVX512 static void kind_avx512(const struct odds_kind *kind, size_t index, float k,
                               const struct odds_columns *columns)
{
    const float *exams = columns->exams + (index - 1) * columns->stride;
    const float *finds = columns->finds + index * ODDS_LANES;
    const float *first =
        columns->odds + (kind->parents_count > 0 ? kind->parents[0] : 0) * (size_t)ODDS_LANES;
    const float *second = columns->odds + kind->parents[1] * (size_t)ODDS_LANES;
    for (size_t i = 0; i < columns->lanes; i += STEP) {
        __m512 before = _mm512_loadu_ps(first + i);
        if (kind->parents_count == 2) {
            before = _mm512_sqrt_ps(_mm512_mul_ps(before, _mm512_loadu_ps(second + i)));
        }
        __m512 seen = _mm512_loadu_ps(exams + i);
        __m512 odds = after_avx512(seen, _mm512_loadu_ps(finds + i), before, _mm512_set1_ps(k));
        __mmask16 examined = _mm512_cmp_ps_mask(seen, _mm512_setzero_ps(), _CMP_GT_OQ);
        odds = _mm512_mask_mov_ps(before, examined, odds);
        _mm512_storeu_ps(columns->odds + index * ODDS_LANES + i, odds);
        _mm512_storeu_ps(columns->ratios + (index - 1) * columns->stride + i,
                         _mm512_div_ps(odds, before));
    }
}

AVX512 static void ratios_avx512(const struct odds_kind *kinds, size_t kinds_count,
                                 const struct odds_prior *prior, const struct odds_columns *columns)
{
    all_portable(prior, columns);
    for (size_t kind = 1; kind < kinds_count; kind++) {
        if (!kinds[kind].left_out) {
            kind_avx512(&kinds[kind], kind, prior->k, columns);
        }
    }
}
#endif

enum odds_path odds_path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        return ODDS_AVX512;
    }
    if (__builtin_cpu_supports("avx2")) {
        return ODDS_AVX2;
    }
#endif
    return ODDS_PORTABLE;
}

void odds_ratios_by(enum odds_path path, const struct odds_kind *kinds, size_t kinds_count,
                    const struct odds_prior *prior, const struct odds_columns *columns)
{
#if defined(__x86_64__)
    if (path == ODDS_AVX512) {
        ratios_avx512(kinds, kinds_count, prior, columns);
        return;
    }
    if (path == ODDS_AVX2) {
        ratios_avx2(kinds, kinds_count, prior, columns);
        return;
    }
#endif
    (void)path;
    ratios_portable(kinds, kinds_count, prior, columns);
}

void odds_ratios(const struct odds_kind *kinds, size_t kinds_count, const struct odds_prior *prior,
                 const struct odds_columns *columns)
{
    odds_ratios_by(odds_path_best(), kinds, kinds_count, prior, columns);
}
