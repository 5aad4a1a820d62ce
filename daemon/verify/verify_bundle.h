/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_BUNDLE_H
#define VERIFY_BUNDLE_H

/* Verify bundle: all that can be said of 256 entries without the others: the bundle is cut, every
 * entry hashed and decoded, the tile above compared. What is wrong goes into a list of its own.
 * Where the bundle is missing the leaves are taken from the tile, so that one lost file is one
 * problem and the rest is still checked. Several bundles may be worked on at the same time, each by
 * one thread. Memory: about 2 MiB a bundle, at most 50 MiB for the largest of the format. */

#include "proto/entry.h"
#include "verify/verify_tile.h"

struct verify_bundle {
    uint32_t width; /* entries that it should have */
    uint32_t cut;   /* entries that were found, from the first one on */
    bool has_bundle;
    bool pruned; /* the bundle is gone, on purpose */
    bool has_tile;
    bool has_leaves;          /* all of them are known, from entries or from the tile */
    uint8_t root[HASH_BYTES]; /* of a full one with leaves */
    uint8_t (*leaves)[HASH_BYTES];
    struct entry *entries;
    enum entry_fault *faults;
    struct verify_lines lines;
    struct verify_file bundle_file;
    struct verify_file tile_file;
    uint8_t *arena;
};

MUST_USE struct err verify_bundle_init(struct verify_bundle *self);
void verify_bundle_fini(struct verify_bundle *self);
/* Bundle `index` of the tree of shard->size entries. */
void verify_bundle_work(struct verify_bundle *self, const struct verify_shard *shard,
                        uint64_t index);

#endif
