/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_MERKLE_H
#define PROTO_MERKLE_H

/* Merkle: the tree of RFC 6962 section 2.1, as arithmetic. Pure; no allocation. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/hash.h"

#define MERKLE_LEVELS_MAX 64u

/* Compact range: the roots of the perfect subtrees of the first `size` leaves, biggest first.
 * Enough to append and to tell the root. */
struct merkle_range {
    uint64_t size;
    uint32_t roots_count;
    uint8_t roots[MERKLE_LEVELS_MAX][HASH_BYTES];
};

void merkle_leaf(const void *entry, size_t entry_bytes, uint8_t out[HASH_BYTES]);
void merkle_node(const uint8_t left[HASH_BYTES], const uint8_t right[HASH_BYTES],
                 uint8_t out[HASH_BYTES]);
void merkle_range_init(struct merkle_range *self);
void merkle_range_append(struct merkle_range *self, const uint8_t leaf[HASH_BYTES]);
/* Root of the range; SHA-256 of nothing for the empty tree. */
void merkle_range_root(const struct merkle_range *self, uint8_t out[HASH_BYTES]);

/* A source of stored subtree hashes: MTH(D[index << level : (index + 1) << level]) of a perfect
 * subtree. False when it has none. */
typedef bool (*merkle_hash_at)(void *source, uint32_t level, uint64_t index,
                               uint8_t out[HASH_BYTES]);

/* Proofs, RFC 6962 sections 2.1.1 and 2.1.2. At most MERKLE_LEVELS_MAX hashes are written.
 * False when index or sizes are out of range or the source has no hash. */
bool merkle_inclusion(merkle_hash_at at, void *source, uint64_t index, uint64_t size,
                      uint8_t (*out)[HASH_BYTES], uint32_t *out_count);
bool merkle_consistency(merkle_hash_at at, void *source, uint64_t old_size, uint64_t size,
                        uint8_t (*out)[HASH_BYTES], uint32_t *out_count);
/* Root of the tree over these leaf hashes; of a full tile, or of a power of two hashes in it: the
 * hash that stands for them in the tile above. */
void merkle_fold(const uint8_t (*hashes)[HASH_BYTES], uint32_t count, uint8_t out[HASH_BYTES]);
bool merkle_root(merkle_hash_at at, void *source, uint64_t size, uint8_t out[HASH_BYTES]);
bool merkle_check_inclusion(uint64_t index, uint64_t size, const uint8_t leaf[HASH_BYTES],
                            const uint8_t (*proof)[HASH_BYTES], uint32_t proof_count,
                            const uint8_t root[HASH_BYTES]);
bool merkle_check_consistency(uint64_t old_size, uint64_t size, const uint8_t old_root[HASH_BYTES],
                              const uint8_t root[HASH_BYTES], const uint8_t (*proof)[HASH_BYTES],
                              uint32_t proof_count);

#endif
