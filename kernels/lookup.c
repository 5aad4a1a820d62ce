/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lookup.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { STEP = 16 };

static uint32_t place_of(const struct lookup_table *self, uint64_t key)
{
    return (uint32_t)(((key >> 32) * self->bucket_count) >> 32);
}

/* How many buckets a key may go through. */
static uint32_t steps_of(const struct lookup_table *self)
{
    return self->bucket_count < LOOKUP_STEPS_MAX ? self->bucket_count : LOOKUP_STEPS_MAX;
}

/* Which of a bucket's eight signs a key sets when it goes on. */
static unsigned mark_of(uint64_t key)
{
    return key >> 24 & 7;
}

int lookup_put(struct lookup_table *self, uint64_t key, const float counts[2])
{
    uint32_t place = self->bucket_count > 0 ? place_of(self, key) : 0;
    for (uint32_t step = 0; step < steps_of(self); step++) {
        struct lookup_bucket *bucket = &self->buckets[place];
        for (size_t slot = 0; slot < LOOKUP_SLOTS; slot++) {
            if (bucket->keys[slot] == 0) {
                bucket->keys[slot] = key;
                bucket->counts[slot][0] = fabsf(counts[0]);
                bucket->counts[slot][1] = fabsf(counts[1]);
                return 1;
            }
        }
        float *marked = &bucket->counts[mark_of(key) / 2][mark_of(key) % 2];
        *marked = -fabsf(*marked);
        place = place + 1 < self->bucket_count ? place + 1 : 0;
    }
    return 0;
}

static const float nothing[2];

/* From the bucket at `place` on. */
__attribute__((noinline)) static const float *walk(const struct lookup_table *self, uint32_t place,
                                                   uint64_t key)
{
    for (uint32_t step = 0; step < steps_of(self); step++) {
        const struct lookup_bucket *bucket = &self->buckets[place];
        for (size_t slot = 0; slot < LOOKUP_SLOTS; slot++) {
            if (bucket->keys[slot] == key) {
                return bucket->counts[slot];
            }
        }
        if (!signbit(bucket->counts[mark_of(key) / 2][mark_of(key) % 2])) {
            return nothing;
        }
        place = place + 1 < self->bucket_count ? place + 1 : 0;
    }
    return nothing;
}

static void look_portable(const struct lookup_table *self, const uint64_t *keys, size_t count,
                          const uint32_t *places, struct lookup_seen *out)
{
    for (size_t i = 0; i < count; i++) {
        const float *counts = keys[i] != 0 ? walk(self, places[i], keys[i]) : nothing;
        memcpy(&out->pairs[i], counts, sizeof out->pairs[i]);
    }
}

static void tell_portable(float scale, size_t count, const struct lookup_seen *seen, float *first,
                          float *second)
{
    for (size_t i = 0; i < count; i++) {
        float counts[2];
        memcpy(counts, &seen->pairs[i], sizeof counts);
        first[i] = fabsf(counts[0]) * scale;
        second[i] = fabsf(counts[1]) * scale;
    }
}

static void ask_portable(const struct lookup_table *self, const uint64_t *keys, size_t count,
                         uint32_t *places)
{
    for (size_t i = 0; i < count; i++) {
        places[i] = place_of(self, keys[i]);
        __builtin_prefetch(&self->buckets[places[i]]);
    }
}

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw")))

WIDE static void ask_avx512(const struct lookup_table *self, const uint64_t *keys, size_t count,
                            uint32_t *places)
{
    const __m512i buckets = _mm512_set1_epi64(self->bucket_count);
    for (size_t i = 0; i < count; i += 8) {
        __m512i high = _mm512_srli_epi64(_mm512_loadu_si512(keys + i), 32);
        __m512i place = _mm512_srli_epi64(_mm512_mul_epu32(high, buckets), 32);
        _mm256_storeu_si256((__m256i *)(void *)(places + i), _mm512_cvtepi64_epi32(place));
    }
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(&self->buckets[places[i]]);
    }
}

/* Free slots have counts of 0, so that key 0 is told the right thing. Whether a key is known is
 * anybody's guess, so nothing branches on it here. */
WIDE static void look_avx512(const struct lookup_table *self, const uint64_t *keys, size_t count,
                             const uint32_t *places, struct lookup_seen *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct lookup_bucket *bucket = &self->buckets[places[i]];
        __m256i held = _mm256_load_si256((const __m256i *)(const void *)bucket->keys);
        __m256i counts = _mm256_load_si256((const __m256i *)(const void *)bucket->counts);
        __mmask8 hits = _mm256_cmpeq_epi64_mask(held, _mm256_set1_epi64x((int64_t)keys[i]));
        __m256i pair = _mm256_maskz_compress_epi64(hits, counts);
        _mm_storel_epi64((__m128i *)(void *)&out->pairs[i], _mm256_castsi256_si128(pair));
        out->hits[i] = (uint8_t)hits;
        out->marks[i] = (uint8_t)_mm256_movepi32_mask(counts);
    }
}

/* The lanes whose key is not in its bucket but may have gone on: few. */
WIDE static uint64_t gone_on(const uint64_t *keys, const struct lookup_seen *steps)
{
    const __m128i bits = _mm_set1_epi64x((int64_t)UINT64_C(0x8040201008040201));
    uint8_t wanted[LOOKUP_LANES];
    for (size_t i = 0; i < LOOKUP_LANES; i += 8) {
        __m512i marks = _mm512_srli_epi64(_mm512_loadu_si512(keys + i), 24);
        __m128i mark = _mm_and_si128(_mm512_cvtepi64_epi8(marks), _mm_set1_epi8(7));
        _mm_storel_epi64((__m128i *)(void *)(wanted + i), _mm_shuffle_epi8(bits, mark));
    }
    __m512i hits = _mm512_loadu_si512(steps->hits);
    __mmask64 unknown = _mm512_testn_epi8_mask(hits, hits);
    return _mm512_mask_test_epi8_mask(unknown, _mm512_loadu_si512(steps->marks),
                                      _mm512_loadu_si512(wanted));
}

WIDE static void part(const uint64_t pairs[STEP], float scale, float *first, float *second)
{
    const __m512i even =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    __m512 low = _mm512_loadu_ps(pairs);
    __m512 high = _mm512_loadu_ps(pairs + STEP / 2);
    __m512 factor = _mm512_set1_ps(scale);
    __m512 firsts = _mm512_abs_ps(_mm512_permutex2var_ps(low, even, high));
    __m512 seconds = _mm512_abs_ps(_mm512_permutex2var_ps(low, odd, high));
    _mm512_storeu_ps(first, _mm512_mul_ps(firsts, factor));
    _mm512_storeu_ps(second, _mm512_mul_ps(seconds, factor));
}

WIDE static void tell_avx512(const struct lookup_table *self, float scale, const uint64_t *keys,
                             size_t count, const uint32_t *places, struct lookup_seen *seen,
                             float *first, float *second)
{
    uint64_t lanes = count < LOOKUP_LANES ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
    uint64_t left = gone_on(keys, seen) & lanes;
    for (; left != 0; left &= left - 1) {
        size_t i = (size_t)__builtin_ctzll(left);
        memcpy(&seen->pairs[i], walk(self, places[i], keys[i]), sizeof seen->pairs[i]);
    }
    for (size_t i = count; i % STEP != 0; i++) {
        seen->pairs[i] = 0;
    }
    for (size_t i = 0; i < count; i += STEP) {
        part(seen->pairs + i, scale, first + i, second + i);
    }
}
#endif

enum lookup_path lookup_path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
        return LOOKUP_AVX512;
    }
#endif
    return LOOKUP_PORTABLE;
}

void lookup_ask_by(enum lookup_path path, const struct lookup_table *self, const uint64_t *keys,
                   size_t count, uint32_t *restrict places)
{
#if defined(__x86_64__)
    if (path == LOOKUP_AVX512) {
        ask_avx512(self, keys, count, places);
        return;
    }
#endif
    (void)path;
    ask_portable(self, keys, count, places);
}

void lookup_ask(const struct lookup_table *self, const uint64_t *keys, size_t count,
                uint32_t *restrict places)
{
    lookup_ask_by(lookup_path_best(), self, keys, count, places);
}

void lookup_look_by(enum lookup_path path, const struct lookup_table *self, const uint64_t *keys,
                    size_t count, const uint32_t *places, struct lookup_seen *restrict out)
{
    size_t asked = self->bucket_count > 0 ? count : 0;
#if defined(__x86_64__)
    if (path == LOOKUP_AVX512) {
        look_avx512(self, keys, asked, places, out);
        return;
    }
#endif
    (void)path;
    look_portable(self, keys, asked, places, out);
}

void lookup_look(const struct lookup_table *self, const uint64_t *keys, size_t count,
                 const uint32_t *places, struct lookup_seen *restrict out)
{
    lookup_look_by(lookup_path_best(), self, keys, count, places, out);
}

void lookup_tell_by(enum lookup_path path, const struct lookup_table *self, float scale,
                    const uint64_t *keys, size_t count, const uint32_t *places,
                    struct lookup_seen *restrict seen, float *restrict first,
                    float *restrict second)
{
    size_t asked = self->bucket_count > 0 ? count : 0;
    for (size_t i = asked; i % STEP != 0 || i < count; i++) {
        first[i] = 0;
        second[i] = 0;
    }
#if defined(__x86_64__)
    if (path == LOOKUP_AVX512 && asked > 0) {
        tell_avx512(self, scale, keys, asked, places, seen, first, second);
        return;
    }
#endif
    (void)path;
    tell_portable(scale, asked, seen, first, second);
}

void lookup_tell(const struct lookup_table *self, float scale, const uint64_t *keys, size_t count,
                 const uint32_t *places, struct lookup_seen *restrict seen, float *restrict first,
                 float *restrict second)
{
    lookup_tell_by(lookup_path_best(), self, scale, keys, count, places, seen, first, second);
}
