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

static const struct lookup_bucket *bucket_at(const struct lookup_table *self, uint64_t offset)
{
    return self->buckets + offset / sizeof *self->buckets;
}

/* From the bucket at `offset` on. */
__attribute__((noinline)) static const float *walk(const struct lookup_table *self, uint64_t offset,
                                                   uint64_t key)
{
    const struct lookup_bucket *bucket = bucket_at(self, offset);
    const struct lookup_bucket *end = self->buckets + self->bucket_count;
    for (uint32_t step = 0; step < steps_of(self); step++) {
        for (size_t slot = 0; slot < LOOKUP_SLOTS; slot++) {
            if (bucket->keys[slot] == key) {
                return bucket->counts[slot];
            }
        }
        if (!signbit(bucket->counts[mark_of(key) / 2][mark_of(key) % 2])) {
            return nothing;
        }
        bucket = bucket + 1 < end ? bucket + 1 : self->buckets;
    }
    return nothing;
}

static void tell_one(const struct lookup_table *self, float scale, uint64_t key, uint64_t offset,
                     float *first, float *second)
{
    const float *counts = key != 0 ? walk(self, offset, key) : nothing;
    *first = fabsf(counts[0]) * scale;
    *second = fabsf(counts[1]) * scale;
}

static void tell_portable(const struct lookup_table *self, float scale, const uint64_t *keys,
                          size_t count, const struct lookup_asked *asked, float *first,
                          float *second)
{
    for (size_t i = 0; i < count; i++) {
        tell_one(self, scale, keys[i], asked->offsets[i], &first[i], &second[i]);
    }
}

static void ask_portable(const struct lookup_table *self, const uint64_t *keys, size_t count,
                         struct lookup_asked *out)
{
    for (size_t i = 0; i < count; i++) {
        out->offsets[i] = place_of(self, keys[i]) * sizeof *self->buckets;
        __builtin_prefetch(bucket_at(self, out->offsets[i]));
    }
}

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw")))
#define WIDE_INLINE \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw"), always_inline)) static inline

WIDE static void ask_avx512(const struct lookup_table *self, const uint64_t *keys, size_t count,
                            struct lookup_asked *out)
{
    const __m512i buckets = _mm512_set1_epi64(self->bucket_count);
    for (size_t i = 0; i < count; i += 8) {
        __m512i key = _mm512_loadu_si512(keys + i);
        __m512i place =
            _mm512_srli_epi64(_mm512_mul_epu32(_mm512_srli_epi64(key, 32), buckets), 32);
        __m512i mark = _mm512_and_si512(_mm512_srli_epi64(key, 24), _mm512_set1_epi64(7));
        _mm512_storeu_si512(out->offsets + i, _mm512_slli_epi64(place, 6));
        _mm256_storeu_si256((__m256i *)(void *)(out->marks + i), _mm512_cvtepi64_epi32(mark));
    }
    const char *first = (const char *)self->buckets;
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(first + out->offsets[i]);
    }
}

/* The counts of the key, if it is in the bucket, and the sign that says whether it may have gone
 * on; all else 0. */
WIDE_INLINE __m256i pick(const struct lookup_table *self, uint64_t key, uint64_t offset,
                         uint32_t mark)
{
    const struct lookup_bucket *bucket =
        (const struct lookup_bucket *)(const void *)((const char *)self->buckets + offset);
    const __m256i signs = _mm256_set1_epi32(INT32_MIN);
    const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i held = _mm256_load_si256((const __m256i *)(const void *)bucket->keys);
    __m256i counts = _mm256_load_si256((const __m256i *)(const void *)bucket->counts);
    __m256i same = _mm256_cmpeq_epi64(held, _mm256_set1_epi64x((int64_t)key));
    __m256i marked = _mm256_cmpeq_epi32(places, _mm256_set1_epi32((int)mark));
    __m256i wanted = _mm256_or_si256(same, _mm256_and_si256(marked, signs));
    return _mm256_and_si256(counts, wanted);
}

/* The four words of each of two as one: only one slot of a bucket can have the key. */
WIDE_INLINE __m256i fold_two(__m256i a, __m256i b)
{
    return _mm256_or_si256(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}

/* Whether a key is known is anybody's guess, so nothing branches on it. */
WIDE_INLINE __m512i pick_eight(const struct lookup_table *self, const uint64_t *keys,
                               const uint64_t *offsets, const uint32_t *marks)
{
    __m256i pairs[4];
    for (size_t i = 0; i < 4; i++) {
        pairs[i] = fold_two(pick(self, keys[2 * i], offsets[2 * i], marks[2 * i]),
                            pick(self, keys[2 * i + 1], offsets[2 * i + 1], marks[2 * i + 1]));
    }
    __m512i low = _mm512_inserti64x4(_mm512_castsi256_si512(pairs[0]), pairs[1], 1);
    __m512i high = _mm512_inserti64x4(_mm512_castsi256_si512(pairs[2]), pairs[3], 1);
    return _mm512_or_si512(_mm512_shuffle_i64x2(low, high, 0x88),
                           _mm512_shuffle_i64x2(low, high, 0xdd));
}

/* The lanes with a sign and nothing else: few. (Those with counts of 0 are walked to as well.) */
WIDE_INLINE unsigned gone_on(__m512i pairs, const uint64_t *keys)
{
    const __m512i absolute = _mm512_set1_epi32(INT32_MAX);
    __mmask8 empty = _mm512_testn_epi64_mask(pairs, absolute);
    __m512i key = _mm512_loadu_si512(keys);
    return _mm512_mask_test_epi64_mask(_mm512_mask_test_epi64_mask(empty, pairs, pairs), key, key);
}

WIDE_INLINE void part(__m512i low, __m512i high, float scale, float *first, float *second)
{
    const __m512i even =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    __m512 factor = _mm512_set1_ps(scale);
    __m512 firsts = _mm512_castsi512_ps(_mm512_permutex2var_epi32(low, even, high));
    __m512 seconds = _mm512_castsi512_ps(_mm512_permutex2var_epi32(low, odd, high));
    _mm512_storeu_ps(first, _mm512_mul_ps(_mm512_abs_ps(firsts), factor));
    _mm512_storeu_ps(second, _mm512_mul_ps(_mm512_abs_ps(seconds), factor));
}

WIDE static void tell_avx512(const struct lookup_table *self, float scale, const uint64_t *keys,
                             size_t count, const struct lookup_asked *asked, float *first,
                             float *second)
{
    uint64_t left = 0;
    for (size_t i = 0; i < count; i += STEP) {
        size_t next = i + STEP / 2 < count ? i + STEP / 2 : i; /* the same again, not told */
        __m512i low = pick_eight(self, keys + i, asked->offsets + i, asked->marks + i);
        __m512i high = pick_eight(self, keys + next, asked->offsets + next, asked->marks + next);
        left |= (uint64_t)gone_on(low, keys + i) << i;
        left |= (uint64_t)gone_on(high, keys + next) << next;
        part(low, high, scale, first + i, second + i);
    }
    left &= count < LOOKUP_LANES ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
    for (; left != 0; left &= left - 1) {
        size_t i = (size_t)__builtin_ctzll(left);
        tell_one(self, scale, keys[i], asked->offsets[i], &first[i], &second[i]);
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
                   size_t count, struct lookup_asked *restrict out)
{
    size_t asked = self->bucket_count > 0 ? count : 0;
#if defined(__x86_64__)
    if (path == LOOKUP_AVX512) {
        ask_avx512(self, keys, asked, out);
        return;
    }
#endif
    (void)path;
    ask_portable(self, keys, asked, out);
}

void lookup_ask(const struct lookup_table *self, const uint64_t *keys, size_t count,
                struct lookup_asked *restrict out)
{
    lookup_ask_by(lookup_path_best(), self, keys, count, out);
}

void lookup_tell_by(enum lookup_path path, const struct lookup_table *self, float scale,
                    const uint64_t *keys, size_t count, const struct lookup_asked *asked,
                    float *restrict first, float *restrict second)
{
    size_t known = self->bucket_count > 0 ? count : 0;
#if defined(__x86_64__)
    if (path == LOOKUP_AVX512) {
        tell_avx512(self, scale, keys, known, asked, first, second);
    } else
#endif
    {
        (void)path;
        tell_portable(self, scale, keys, known, asked, first, second);
    }
    for (size_t i = known; i % STEP != 0 || i < count; i++) {
        first[i] = 0;
        second[i] = 0;
    }
}

void lookup_tell(const struct lookup_table *self, float scale, const uint64_t *keys, size_t count,
                 const struct lookup_asked *asked, float *restrict first, float *restrict second)
{
    lookup_tell_by(lookup_path_best(), self, scale, keys, count, asked, first, second);
}
