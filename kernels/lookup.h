/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_LOOKUP_H
#define KERNELS_LOOKUP_H

/* Lookup: two counts by key, for many keys at once, from a table whose every bucket is one line of
 * the processor's cache: a known key costs one line in nineteen cases of twenty, an unknown one in
 * nine of ten.
 *
 * A bucket holds up to four keys, in the order in which they came; a key whose bucket is full goes
 * to the next one with room, round the end, and every bucket it passes is marked by the sign of its
 * first slot's second count. The 32 high bits of a key choose its bucket.
 *
 * Reading writes nothing; any thread. */

#include <stddef.h>
#include <stdint.h>

enum { LOOKUP_SLOTS = 4, LOOKUP_LANES = 64 };

struct lookup_bucket {
    uint64_t keys[LOOKUP_SLOTS]; /* 0: free */
    float counts[LOOKUP_SLOTS][2];
};

struct lookup_table {
    struct lookup_bucket *buckets; /* aligned to 64 bytes */
    uint32_t bucket_count;         /* 0: knows nobody */
};

/* Puts in a key (not 0) that is not there, with two counts >= 0. Returns 0 when there is no room.
 */
int lookup_put(struct lookup_table *self, uint64_t key, const float counts[2]);

/* Where the keys of up to LOOKUP_LANES lanes begin to look, and sends for it. */
void lookup_ask(const struct lookup_table *self, const uint64_t *keys, size_t count,
                uint32_t *restrict places);
/* The counts of the same keys, times scale; 0 of key 0 and of unknown ones. first and second have
 * room for count rounded up to a multiple of 16; what is beyond count becomes 0. */
void lookup_answer(const struct lookup_table *self, float scale, const uint64_t *keys, size_t count,
                   const uint32_t *restrict places, float *restrict first, float *restrict second);

enum lookup_path { LOOKUP_PORTABLE, LOOKUP_AVX512 };
enum lookup_path lookup_path_best(void);
void lookup_answer_by(enum lookup_path path, const struct lookup_table *self, float scale,
                      const uint64_t *keys, size_t count, const uint32_t *restrict places,
                      float *restrict first, float *restrict second);
#endif
