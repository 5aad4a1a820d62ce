/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_TREE_H
#define VERIFY_TREE_H

/* Verify tree: every bundle is cut, every entry hashed, every tile compared with the hashes of the
 * entries, every root with the signed ones. Streams: memory does not grow with the log. One thread.
 */

#include "verify/verify_checkpoints.h"
#include "verify/verify_report.h"
#include "verify/verify_story.h"

/* Walk the entries below heads->newest; tells the story each one. progress: a counter on standard
 * error. */
MUST_USE struct err verify_tree_walk(struct verify_report *report, struct verify_shard *shard,
                                     struct verify_heads *heads, struct verify_story *story,
                                     bool progress);

/* Leaf hashes out of the tiles of level 0, for those who compare with a tree that has been walked.
 */
struct verify_leaves {
    const struct verify_shard *shard; /* borrowed */
    uint64_t tile_index;              /* of what is in hashes */
    uint32_t hashes_count;
    uint8_t hashes[TILE_WIDTH][HASH_BYTES];
};

void verify_leaves_init(struct verify_leaves *self, const struct verify_shard *shard);
/* False when the tile is missing or cut short. */
bool verify_leaves_at(struct verify_leaves *self, uint64_t index, uint8_t out[HASH_BYTES]);

#endif
