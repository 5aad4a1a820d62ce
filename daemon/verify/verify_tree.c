/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/merkle.h"
#include "verify/verify_bundle.h"
#include "verify/verify_crew.h"
#include "verify/verify_progress.h"

/* The crew makes of each bundle its leaves, its entries and the root over it (verify_bundle.c).
 * Here they come in order: the story is told, roots are compared with the signed ones, and the
 * tiles of the levels above are checked. The tree is kept by bundles: 256 leaves are a perfect
 * subtree, so the compact range over the roots of bundles has the very roots of the one over
 * leaves; leaves are only gone through where a checkpoint lies between two bundles. */

#define TREE_LEVELS 8u
#define TREE_SLOTS_MORE 2u /* than threads: so that none waits for the one who takes results */
#define TREE_BITS 8u       /* of an index within a tile */

struct tree_level {
    uint32_t count;
    uint8_t hashes[TILE_WIDTH][HASH_BYTES];
};

struct tree_walk {
    struct verify_report *report;
    struct verify_shard *shard;
    struct verify_heads *heads;
    struct verify_story *story;
    struct verify_lines lines;
    struct verify_file file;
    bool lost; /* no leaves and no root for some bundle: no root can be told any more */
    struct merkle_range bundles;           /* over the roots of full bundles */
    struct tree_level levels[TREE_LEVELS]; /* from level 1 on; of 0 the bundles know */
};

/* ---- the levels above ---- */

static void tree_check_tile(struct tree_walk *self, uint32_t level, uint64_t index)
{
    const struct tree_level *at = &self->levels[level];
    const struct verify_tile tile = {level, index, at->count};
    self->shard->tiles += verify_tile_check(
        self->shard, &tile, (const uint8_t(*)[HASH_BYTES])at->hashes, &self->file, &self->lines);
    verify_report_take(self->report, &self->lines);
}

static void tree_add_root(struct tree_walk *self, const uint8_t root[HASH_BYTES])
{
    uint8_t hash[HASH_BYTES];
    merkle_range_append(&self->bundles, root);
    memcpy(hash, root, HASH_BYTES);
    for (uint32_t level = 1; level < TREE_LEVELS; level++) {
        struct tree_level *at = &self->levels[level];
        memcpy(at->hashes[at->count++], hash, HASH_BYTES);
        if (at->count < TILE_WIDTH) {
            break;
        }
        tree_check_tile(self, level, (self->bundles.size >> (TREE_BITS * level)) - 1);
        merkle_fold((const uint8_t(*)[HASH_BYTES])at->hashes, TILE_WIDTH, hash);
        at->count = 0;
    }
}

/* ---- one bundle after the other ---- */

static void tree_meet_range(struct tree_walk *self, const struct merkle_range *range)
{
    uint8_t root[HASH_BYTES];
    if (range->size == verify_heads_next(self->heads)) {
        merkle_range_root(range, root);
        verify_heads_meet(self->heads, range->size, root);
    }
}

/* Checkpoints whose size lies within this bundle, and the last bundle of the tree. */
static void tree_walk_leaves(struct tree_walk *self, const struct verify_bundle *bundle,
                             struct merkle_range *range)
{
    *range = self->bundles;
    range->size = self->bundles.size * TILE_WIDTH;
    for (uint32_t i = 0; i < bundle->width; i++) {
        merkle_range_append(range, bundle->leaves[i]);
        tree_meet_range(self, range);
    }
}

/* The root of a bundle that is gone with its tile, as the tile above has it; what was signed of the
 * whole tree still tells whether it is right. */
static bool tree_root_from_above(struct tree_walk *self, uint64_t index, uint8_t root[HASH_BYTES])
{
    char name[TILE_PATH_BYTES_MAX];
    uint64_t full = self->shard->size / TILE_WIDTH;
    uint64_t above = index / TILE_WIDTH;
    uint32_t at = (uint32_t)(index % TILE_WIDTH);
    uint64_t left = full - above * TILE_WIDTH;
    const struct verify_tile tile = {1, above, left < TILE_WIDTH ? (uint32_t)left : TILE_WIDTH};
    if (index >= full || verify_tile_read(self->shard, &tile, &self->file, name) != READ_GOOD ||
        self->file.bytes_count < ((size_t)at + 1) * HASH_BYTES) {
        return false;
    }
    memcpy(root, self->file.bytes + (size_t)at * HASH_BYTES, HASH_BYTES);
    return true;
}

static struct err tree_tell(struct tree_walk *self, uint64_t index,
                            const struct verify_bundle *bundle)
{
    struct err err = err_none;
    for (uint32_t i = 0; i < bundle->cut && !err_is(err); i++) {
        err = verify_story_add(self->story, index * TILE_WIDTH + i, bundle->faults[i],
                               &bundle->entries[i]);
    }
    if (bundle->pruned) {
        self->shard->pruned += bundle->width;
        verify_story_pruned(self->story);
    } else if (bundle->cut < bundle->width) {
        verify_story_gap(self->story);
    }
    return err;
}

static struct err tree_take_bundle(struct tree_walk *self, uint64_t index,
                                   struct verify_bundle *bundle, struct merkle_range *range)
{
    uint8_t root[HASH_BYTES];
    uint64_t end = index * TILE_WIDTH + bundle->width;
    verify_report_take(self->report, &bundle->lines);
    self->shard->bundles += bundle->has_bundle;
    self->shard->tiles += bundle->has_tile;
    struct err err = tree_tell(self, index, bundle);
    if (bundle->has_leaves) {
        memcpy(root, bundle->root, HASH_BYTES);
        if (verify_heads_next(self->heads) < end || bundle->width < TILE_WIDTH) {
            tree_walk_leaves(self, bundle, range);
        }
    } else {
        self->lost = !tree_root_from_above(self, index, root);
        verify_heads_skip(self->heads, end);
    }
    if (self->lost) {
        verify_problem(self->report,
                       "%s/tile: nothing of entries %" PRIu64 "..%" PRIu64
                       " is here: the tree cannot be followed beyond them",
                       self->shard->path, index * TILE_WIDTH, end - 1);
    } else if (bundle->width == TILE_WIDTH) {
        tree_add_root(self, root);
        *range = self->bundles;
        range->size = self->bundles.size * TILE_WIDTH;
        tree_meet_range(self, range);
    }
    return err;
}

static void tree_finish(struct tree_walk *self, const struct merkle_range *range)
{
    uint8_t root[HASH_BYTES];
    const struct verify_head *newest = &self->heads->newest;
    for (uint32_t level = 1; level < TREE_LEVELS; level++) {
        if (self->levels[level].count > 0) {
            tree_check_tile(self, level, self->bundles.size >> (TREE_BITS * level));
        }
    }
    merkle_range_root(range, root);
    if (!hash_equal(root, newest->root)) {
        verify_problem(self->report, "%s/checkpoint: root is not that of the %" PRIu64 " entries",
                       self->shard->path, newest->size);
    }
}

static void tree_work(void *shared, void *slot, uint64_t index)
{
    verify_bundle_work(slot, shared, index);
}

static struct err tree_run(struct tree_walk *self, struct verify_bundle *bundles,
                           uint32_t threads_count, bool progress)
{
    uint64_t size = self->shard->size;
    const struct verify_crew_conf conf = {.work = tree_work,
                                          .shared = self->shard,
                                          .slots = bundles,
                                          .slot_bytes = sizeof *bundles,
                                          .slots_count = threads_count + TREE_SLOTS_MORE,
                                          .threads_count = threads_count,
                                          .pieces_count =
                                              size / TILE_WIDTH + (size % TILE_WIDTH != 0)};
    struct verify_crew *crew = NULL;
    struct verify_progress bar;
    struct merkle_range range;
    struct err err = verify_crew_open(&conf, &crew);
    if (err_is(err)) {
        return err;
    }
    merkle_range_init(&range);
    tree_meet_range(self, &range); /* checkpoints of the empty tree */
    verify_progress_init(&bar, progress, self->shard->origin, "entries", size);
    for (uint64_t i = 0; i < conf.pieces_count && !self->lost && !err_is(err); i++) {
        struct verify_bundle *bundle = verify_crew_next(crew);
        must(bundle != NULL);
        err = tree_take_bundle(self, i, bundle, &range);
        verify_progress_show(&bar, i * TILE_WIDTH + bundle->width);
    }
    verify_progress_end(&bar);
    verify_crew_close(&crew);
    if (!self->lost && !err_is(err)) {
        tree_finish(self, &range);
    }
    return err;
}

struct err verify_tree_walk(struct verify_report *report, struct verify_shard *shard,
                            struct verify_heads *heads, struct verify_story *story, bool progress)
{
    uint32_t threads_count = verify_crew_threads();
    uint32_t slots_count = threads_count + TREE_SLOTS_MORE;
    struct verify_bundle bundles[VERIFY_THREADS_MAX + TREE_SLOTS_MORE] = {{.width = 0}};
    struct tree_walk *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_tree_walk");
    }
    self->report = report;
    self->shard = shard;
    self->heads = heads;
    self->story = story;
    merkle_range_init(&self->bundles);
    struct err err = verify_lines_init(&self->lines, 2);
    for (uint32_t i = 0; i < slots_count && !err_is(err); i++) {
        err = verify_bundle_init(&bundles[i]);
    }
    if (!err_is(err)) {
        err = tree_run(self, bundles, threads_count, progress);
    }
    for (uint32_t i = 0; i < slots_count; i++) {
        verify_bundle_fini(&bundles[i]);
    }
    verify_lines_fini(&self->lines);
    verify_file_fini(&self->file);
    free(self);
    return err;
}
