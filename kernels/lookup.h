/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_LOOKUP_H
#define KERNELS_LOOKUP_H

/* Lookup: two counts by key, for many keys at once, from a table whose every bucket is one line of
 * the processor's cache: a known key costs one line in nineteen cases of twenty.
 *
 * A bucket holds up to four keys, in the order in which they came; a key whose bucket is full goes
 * to the next one with room, round the end. Of a key a slot keeps bits 6..53: those above choose
 * the bucket, and the six lowest are for the caller to tell tables apart. Two keys that agree in
 * all of that and lie in neighbouring buckets are one; with 64 random bits that is a matter of
 * 2^-48 a look-up.
 *
 * Counts fade by whole days: what is given for a slot of day d is its counts * fades[now - d].
 * Reading writes nothing; any thread. */

#include <stddef.h>
#include <stdint.h>

enum { LOOKUP_SLOTS = 4, LOOKUP_LANES = 64, LOOKUP_DAYS = 4096 };

struct lookup_bucket {
    uint64_t tags[LOOKUP_SLOTS]; /* bits 6..53 of the key << 16 | day, 1..65535; 0: free */
    float counts[LOOKUP_SLOTS][2];
};

struct lookup_table {
    struct lookup_bucket *buckets; /* aligned to 64 bytes; at least one slot is free */
    uint32_t bucket_count;         /* 0: knows nobody */
};

struct lookup_fading {
    const float *fades; /* [LOOKUP_DAYS + 1]; the last for all older ones; [0] also for what is to
                           come */
    uint32_t now_day;
};

/* Puts in a key that is not there. day 0 becomes 1. Returns 0 when there is no room: every slot
 * but one is taken. */
int lookup_put(struct lookup_table *self, uint64_t key, uint32_t day, const float counts[2]);

/* Where the keys of up to LOOKUP_LANES lanes begin to look, and sends for it. */
void lookup_ask(const struct lookup_table *self, const uint64_t *keys, size_t count,
                uint32_t *restrict places);
/* The counts of the same keys; 0 of key 0 and of unknown ones. */
void lookup_answer(const struct lookup_table *self, const struct lookup_fading *fading,
                   const uint64_t *keys, size_t count, const uint32_t *restrict places,
                   float *restrict first, float *restrict second);

enum lookup_path { LOOKUP_PORTABLE, LOOKUP_AVX2 };
enum lookup_path lookup_path_best(void);
void lookup_answer_by(enum lookup_path path, const struct lookup_table *self,
                      const struct lookup_fading *fading, const uint64_t *keys, size_t count,
                      const uint32_t *restrict places, float *restrict first,
                      float *restrict second);
#endif
