/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_TILE_H
#define VERIFY_TILE_H

/* Verify tile: the files of tiles and bundles, full and partial. Nothing is kept between calls but
 * what the caller hands in; any thread. */

#include "verify/verify_file.h"
#include "verify/verify_report.h"

#define VERIFY_TILE_BYTES ((size_t)TILE_WIDTH * HASH_BYTES)
#define TILE_LEVEL_BUNDLE UINT32_MAX /* in the place of a level: the bundle of entries */

struct verify_tile {
    uint32_t level;
    uint64_t index;
    uint32_t width; /* that the tree has in it */
};

/* The file of this width or, when the log has grown since the checkpoint, the full one; name tells
 * which, below the shard's directory. */
enum verify_read verify_tile_read(const struct verify_shard *shard, const struct verify_tile *tile,
                                  struct verify_file *file, char name[TILE_PATH_BYTES_MAX]);
/* The hashes against the tile's file and its earlier partial ones. True when the file was there. */
bool verify_tile_check(const struct verify_shard *shard, const struct verify_tile *tile,
                       const uint8_t (*hashes)[HASH_BYTES], struct verify_file *file,
                       struct verify_lines *lines);

/* What an earlier partial file must be the beginning of. */
struct verify_partial {
    const uint8_t *whole; /* of the file under work; not in `file` below */
    const size_t *ends;   /* where each of the `count` cells ends in it */
    uint32_t count;
};
/* Earlier partial files, which the format lets stay. */
void verify_partials_check(const struct verify_shard *shard, const struct verify_tile *tile,
                           const struct verify_partial *partial, struct verify_file *file,
                           struct verify_lines *lines);

/* Leaf hashes out of the tiles of level 0, for those who compare with a tree that has been walked.
 */
struct verify_leaves {
    const struct verify_shard *shard; /* borrowed */
    uint64_t tile_index;              /* of what is in the file */
    uint32_t hashes_count;
    struct verify_file file;
};

void verify_leaves_init(struct verify_leaves *self, const struct verify_shard *shard);
void verify_leaves_fini(struct verify_leaves *self);
/* False when the tile is missing or cut short. */
bool verify_leaves_at(struct verify_leaves *self, uint64_t index, uint8_t out[HASH_BYTES]);

#endif
