/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_LOOKUP_H
#define KERNELS_LOOKUP_H

/* Lookup: two counts by key, for many keys at once, from a table whose every bucket is one line of
 * the processor's cache: a known key costs one line in nineteen cases of twenty, an unknown one in
 * ninety-eight of a hundred.
 *
 * A bucket holds up to four keys, in the order in which they came; a key whose bucket is full goes
 * to the next one with room, round the end, and every bucket it passes is marked for it by the sign
 * of one of its counts. The 32 high bits of a key choose its bucket, three others that sign. No key
 * goes further than LOOKUP_STEPS_MAX buckets, so no question reads more, whoever chose the keys:
 * of random keys that fill six tenths of the slots, less than one table of ten millions in 10^18
 * has one that would have to.
 *
 * Reading writes nothing; any thread. */

#include <stddef.h>
#include <stdint.h>

enum { LOOKUP_SLOTS = 4, LOOKUP_LANES = 64, LOOKUP_STEPS_MAX = 128 };

struct lookup_bucket {
    uint64_t keys[LOOKUP_SLOTS]; /* 0: free */
    float counts[LOOKUP_SLOTS][2];
};

struct lookup_table {
    struct lookup_bucket *buckets; /* aligned to 64 bytes */
    uint32_t bucket_count;         /* 0: knows nobody */
};

/* Puts in a key (not 0) that is not there, with two counts >= 0. Returns 0 when there is no room
 * within LOOKUP_STEPS_MAX buckets; the marks it has left then cost time, no counts. */
int lookup_put(struct lookup_table *self, uint64_t key, const float counts[2]);

/* Where the keys of up to LOOKUP_LANES lanes begin to look; keys has room for LOOKUP_LANES,
 * whatever count is. */
struct lookup_asked {
    uint64_t offsets[LOOKUP_LANES]; /* of their buckets, in bytes */
    uint32_t marks[LOOKUP_LANES];
};
/* Finds that and sends for it; best some hundred keys before they are told. */
void lookup_ask(const struct lookup_table *self, const uint64_t *keys, size_t count,
                struct lookup_asked *restrict out);
/* The counts of the same keys, times scale; 0 of key 0 and of unknown ones. first and second have
 * room for count rounded up to a multiple of 16; what is beyond count becomes 0. */
void lookup_tell(const struct lookup_table *self, float scale, const uint64_t *keys, size_t count,
                 const struct lookup_asked *asked, float *restrict first, float *restrict second);

enum lookup_path { LOOKUP_PORTABLE, LOOKUP_AVX512 };
enum lookup_path lookup_path_best(void);
void lookup_ask_by(enum lookup_path path, const struct lookup_table *self, const uint64_t *keys,
                   size_t count, struct lookup_asked *restrict out);
void lookup_tell_by(enum lookup_path path, const struct lookup_table *self, float scale,
                    const uint64_t *keys, size_t count, const struct lookup_asked *asked,
                    float *restrict first, float *restrict second);
#endif
