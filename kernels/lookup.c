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

int lookup_put(struct lookup_table *self, uint64_t key, const float counts[2])
{
    uint32_t place = self->bucket_count > 0 ? place_of(self, key) : 0;
    for (uint32_t step = 0; step < self->bucket_count; step++) {
        struct lookup_bucket *bucket = &self->buckets[place];
        for (size_t slot = 0; slot < LOOKUP_SLOTS; slot++) {
            if (bucket->keys[slot] == 0) {
                bucket->keys[slot] = key;
                bucket->counts[slot][0] = fabsf(counts[0]);
                bucket->counts[slot][1] = fabsf(counts[1]);
                return 1;
            }
        }
        bucket->counts[0][1] = -fabsf(bucket->counts[0][1]);
        place = place + 1 < self->bucket_count ? place + 1 : 0;
    }
    return 0;
}

void lookup_ask(const struct lookup_table *self, const uint64_t *keys, size_t count,
                uint32_t *restrict places)
{
    for (size_t i = 0; i < count; i++) {
        places[i] = place_of(self, keys[i]);
    }
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(&self->buckets[places[i]]);
    }
}

static const float nothing[2];

/* From the bucket at `place` on. */
static const float *walk(const struct lookup_table *self, uint32_t place, uint64_t key)
{
    for (uint32_t step = 0; step < self->bucket_count; step++) {
        const struct lookup_bucket *bucket = &self->buckets[place];
        for (size_t slot = 0; slot < LOOKUP_SLOTS; slot++) {
            if (bucket->keys[slot] == key) {
                return bucket->counts[slot];
            }
        }
        if (!signbit(bucket->counts[0][1])) {
            return nothing;
        }
        place = place + 1 < self->bucket_count ? place + 1 : 0;
    }
    return nothing;
}

static void answer_portable(const struct lookup_table *self, float scale, const uint64_t *keys,
                            size_t count, const uint32_t *places, float *first, float *second)
{
    for (size_t i = 0; i < count; i++) {
        const float *counts = keys[i] != 0 ? walk(self, places[i], keys[i]) : nothing;
        first[i] = counts[0] * scale;
        second[i] = fabsf(counts[1]) * scale;
    }
}

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx512f,avx512vl,avx512dq,bmi")))

/* Free slots have counts of 0, so that key 0 is told the right thing. Whether a key is known is
 * anybody's guess, so nothing branches on it; that it went on to another bucket is rare. */
WIDE static uint64_t find_pair(const struct lookup_table *self, uint64_t key, uint32_t place)
{
    const struct lookup_bucket *bucket = &self->buckets[place];
    __m256i keys = _mm256_load_si256((const __m256i *)(const void *)bucket->keys);
    unsigned hits = _mm256_cmpeq_epi64_mask(keys, _mm256_set1_epi64x((int64_t)key));
    uint64_t pair;
    uint32_t mark;
    memcpy(&pair, bucket->counts[_tzcnt_u32(hits) & (LOOKUP_SLOTS - 1)], sizeof pair);
    memcpy(&mark, &bucket->counts[0][1], sizeof mark);
    unsigned unknown = hits == 0;
    if (__builtin_expect(unknown & mark >> 31, 0)) {
        memcpy(&pair, walk(self, place, key), sizeof pair);
        return pair;
    }
    return pair & ((uint64_t)unknown - 1);
}

WIDE static void part(const uint64_t pairs[STEP], float scale, float *first, float *second)
{
    const __m512i even =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    __m512 low = _mm512_loadu_ps(pairs);
    __m512 high = _mm512_loadu_ps(pairs + STEP / 2);
    __m512 factor = _mm512_set1_ps(scale);
    __m512 seconds = _mm512_abs_ps(_mm512_permutex2var_ps(low, odd, high));
    _mm512_storeu_ps(first, _mm512_mul_ps(_mm512_permutex2var_ps(low, even, high), factor));
    _mm512_storeu_ps(second, _mm512_mul_ps(seconds, factor));
}

/* All pairs first: what was just stored eight bytes at a time cannot yet be loaded by sixty-four.
 */
WIDE static void answer_avx512(const struct lookup_table *self, float scale, const uint64_t *keys,
                               size_t count, const uint32_t *places, float *first, float *second)
{
    uint64_t pairs[LOOKUP_LANES];
    for (size_t i = 0; i < count; i++) {
        pairs[i] = find_pair(self, keys[i], places[i]);
    }
    for (size_t i = count; i % STEP != 0; i++) {
        pairs[i] = 0;
    }
    for (size_t i = 0; i < count; i += STEP) {
        part(pairs + i, scale, first + i, second + i);
    }
}
#endif

enum lookup_path lookup_path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi")) {
        return LOOKUP_AVX512;
    }
#endif
    return LOOKUP_PORTABLE;
}

void lookup_answer_by(enum lookup_path path, const struct lookup_table *self, float scale,
                      const uint64_t *keys, size_t count, const uint32_t *restrict places,
                      float *restrict first, float *restrict second)
{
    size_t asked = self->bucket_count > 0 ? count : 0;
    for (size_t i = asked; i % STEP != 0 || i < count; i++) {
        first[i] = 0;
        second[i] = 0;
    }
#if defined(__x86_64__)
    if (path == LOOKUP_AVX512) {
        answer_avx512(self, scale, keys, asked, places, first, second);
        return;
    }
#endif
    (void)path;
    answer_portable(self, scale, keys, asked, places, first, second);
}

void lookup_answer(const struct lookup_table *self, float scale, const uint64_t *keys, size_t count,
                   const uint32_t *restrict places, float *restrict first, float *restrict second)
{
    lookup_answer_by(lookup_path_best(), self, scale, keys, count, places, first, second);
}
