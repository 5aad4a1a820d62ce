/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TILE_FILES_H
#define BASE_TILE_FILES_H

/* Tile files: hashes of a log's tree out of its published tiles, for proofs. Takes full tiles, or
 * the partial ones of the given tree size. What it reads is not verified: a proof made of it is
 * checked against a signed root by whoever uses it. One thread a struct; blocks on the disk; keeps
 * the last tile of each level. */

#include <stdbool.h>
#include <stdint.h>

#include "base/durable.h"
#include "proto/merkle.h"
#include "proto/note.h"

#define TILE_FILES_LEVELS 8u /* of tiles, 256 wide: 2^64 entries */

struct tile_files {
    char directory[DURABLE_PATH_BYTES]; /* the shard: holds tile/ */
    uint64_t tree_size;
    struct tile_files_level {
        bool loaded;
        uint64_t tile_index;
        uint32_t hashes_count;
        uint8_t hashes[TILE_WIDTH][HASH_BYTES];
    } levels[TILE_FILES_LEVELS];
};

/* tree_size: that of the checkpoint the proof is for. False when the path is too long. */
bool tile_files_init(struct tile_files *self, const char *directory, uint64_t tree_size);
/* A merkle_hash_at (proto/merkle.h) with a struct tile_files as its source: level in powers of two.
 * False when the tile is missing, cut short, or holds too few hashes. */
bool tile_files_hash(void *tile_files, uint32_t level, uint64_t index, uint8_t out[HASH_BYTES]);

/* The entry of this leaf index, out of its bundle; the caller frees *out. Errors: NOT_FOUND beyond
 * the tree, PRUNED when it was taken out on purpose, WAL_DAMAGED when the bundle is cut short, IO,
 * MEMORY. */
MUST_USE struct err tile_files_entry(const struct tile_files *self, uint64_t leaf_index,
                                     uint8_t **out, uint32_t *out_bytes);

#endif
