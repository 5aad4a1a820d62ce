/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lookup.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { DAY_BITS = 16, DAY_MASK = 0xffff };

static uint32_t place_of(const struct lookup_table *self, uint64_t key)
{
    return (uint32_t)(((key >> 32) * self->bucket_count) >> 32);
}

static uint64_t tag_of(uint64_t key)
{
    return (key << 10) & ~(uint64_t)DAY_MASK;
}

int lookup_put(struct lookup_table *self, uint64_t key, uint32_t day, const float counts[2])
{
    uint32_t held = day < 1 ? 1 : day > DAY_MASK ? DAY_MASK : day;
    uint32_t place = self->bucket_count > 0 ? place_of(self, key) : 0;
    for (uint32_t step = 0; step < self->bucket_count; step++) {
        struct lookup_bucket *bucket = &self->buckets[place];
        for (size_t slot = 0; slot < LOOKUP_SLOTS; slot++) {
            if (bucket->tags[slot] == 0) {
                bucket->tags[slot] = tag_of(key) | held;
                bucket->counts[slot][0] = counts[0];
                bucket->counts[slot][1] = counts[1];
                return 1;
            }
        }
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

static float fade_of(const struct lookup_fading *fading, uint64_t tag)
{
    int64_t days = (int64_t)fading->now_day - (int64_t)(tag & DAY_MASK);
    days = days < 0 ? 0 : days;
    days = days > LOOKUP_DAYS ? LOOKUP_DAYS : days;
    return fading->fades[days];
}

static const struct lookup_bucket none = {{0}, {{0, 0}}};

/* The bucket and slot of a tag, from `place` on; none's first slot when it is not there. */
static const struct lookup_bucket *walk(const struct lookup_table *self, uint32_t place,
                                        uint64_t tag, size_t *slot_of)
{
    *slot_of = 0;
    for (uint32_t step = 0; step < self->bucket_count; step++) {
        const struct lookup_bucket *bucket = &self->buckets[place];
        for (size_t slot = 0; slot < LOOKUP_SLOTS; slot++) {
            if (bucket->tags[slot] == 0) {
                return &none;
            }
            if ((bucket->tags[slot] ^ tag) >> DAY_BITS == 0) {
                *slot_of = slot;
                return bucket;
            }
        }
        place = place + 1 < self->bucket_count ? place + 1 : 0;
    }
    return &none;
}

static void answer_portable(const struct lookup_table *self, const struct lookup_fading *fading,
                            const uint64_t *keys, size_t count, const uint32_t *places,
                            float *first, float *second)
{
    for (size_t i = 0; i < count; i++) {
        size_t slot = 0;
        const struct lookup_bucket *bucket =
            keys[i] != 0 ? walk(self, places[i], tag_of(keys[i]), &slot) : &none;
        float left = fade_of(fading, bucket->tags[slot]);
        first[i] = bucket->counts[slot][0] * left;
        second[i] = bucket->counts[slot][1] * left;
    }
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,bmi")))

__attribute__((noinline)) static uint64_t walk_on(const struct lookup_table *self, uint32_t place,
                                                  uint64_t tag, const float **counts)
{
    size_t slot;
    const struct lookup_bucket *bucket = walk(self, place, tag, &slot);
    *counts = bucket->counts[slot];
    return bucket->tags[slot];
}

/* A free slot is all zeros: who meets it by a tag of zeros is told 0, as is right. */
AVX2 static void answer_avx2(const struct lookup_table *self, const struct lookup_fading *fading,
                             const uint64_t *keys, size_t count, const uint32_t *places,
                             float *first, float *second)
{
    for (size_t i = 0; i < count; i++) {
        const struct lookup_bucket *bucket = &self->buckets[places[i]];
        uint64_t tag = tag_of(keys[i]);
        __m256i tags = _mm256_load_si256((const __m256i *)(const void *)bucket->tags);
        __m256i apart = _mm256_xor_si256(tags, _mm256_set1_epi64x((int64_t)tag));
        __m256i same =
            _mm256_cmpeq_epi64(_mm256_srli_epi64(apart, DAY_BITS), _mm256_setzero_si256());
        uint32_t hits = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(same));
        const struct lookup_bucket *found = hits != 0 ? bucket : &none;
        size_t slot = _tzcnt_u32(hits) & (LOOKUP_SLOTS - 1);
        const float *counts = found->counts[slot];
        uint64_t held = found->tags[slot];
        if (__builtin_expect(hits == 0 && bucket->tags[LOOKUP_SLOTS - 1] != 0, 0)) {
            held = walk_on(self, places[i], tag, &counts);
        }
        float left = fade_of(fading, held);
        float there = keys[i] != 0 ? left : 0;
        first[i] = counts[0] * there;
        second[i] = counts[1] * there;
    }
}
#endif

enum lookup_path lookup_path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")) {
        return LOOKUP_AVX2;
    }
#endif
    return LOOKUP_PORTABLE;
}

void lookup_answer_by(enum lookup_path path, const struct lookup_table *self,
                      const struct lookup_fading *fading, const uint64_t *keys, size_t count,
                      const uint32_t *restrict places, float *restrict first,
                      float *restrict second)
{
    if (self->bucket_count == 0) {
        for (size_t i = 0; i < count; i++) {
            first[i] = 0;
            second[i] = 0;
        }
        return;
    }
#if defined(__x86_64__)
    if (path == LOOKUP_AVX2) {
        answer_avx2(self, fading, keys, count, places, first, second);
        return;
    }
#endif
    (void)path;
    answer_portable(self, fading, keys, count, places, first, second);
}

void lookup_answer(const struct lookup_table *self, const struct lookup_fading *fading,
                   const uint64_t *keys, size_t count, const uint32_t *restrict places,
                   float *restrict first, float *restrict second)
{
    lookup_answer_by(lookup_path_best(), self, fading, keys, count, places, first, second);
}
