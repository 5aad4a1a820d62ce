/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_bundle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/tile_minimum.h"
#include "proto/merkle.h"

#define BUNDLE_LINES_KEPT 16u
/* Room to decode 256 of the largest entries; only the pages that are used cost anything. */
#define BUNDLE_ARENA_BYTES ((size_t)TILE_WIDTH * ENTRY_ARENA_BYTES)

struct err verify_bundle_init(struct verify_bundle *self)
{
    memset(self, 0, sizeof *self);
    struct err err = verify_lines_init(&self->lines, BUNDLE_LINES_KEPT);
    self->leaves = calloc(TILE_WIDTH, sizeof *self->leaves);
    self->entries = calloc(TILE_WIDTH, sizeof *self->entries);
    self->faults = calloc(TILE_WIDTH, sizeof *self->faults);
    self->arena = malloc(BUNDLE_ARENA_BYTES);
    bool got = self->leaves != NULL && self->entries != NULL && self->faults != NULL &&
               self->arena != NULL;
    return err_is(err) || got ? err : err_make(ERR_MEMORY, "verify_bundle_init");
}

void verify_bundle_fini(struct verify_bundle *self)
{
    verify_lines_fini(&self->lines);
    verify_file_fini(&self->bundle_file);
    verify_file_fini(&self->tile_file);
    free(self->leaves);
    free(self->entries);
    free(self->faults);
    free(self->arena);
    memset(self, 0, sizeof *self);
}

static void bundle_cut(struct verify_bundle *self, const struct verify_shard *shard,
                       const struct verify_tile *tile, const char *name)
{
    const struct verify_file *file = &self->bundle_file;
    size_t ends[TILE_WIDTH];
    size_t offset = 0;
    const uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    size_t used_bytes = 0;
    while (self->cut < self->width &&
           bundle_next(file->bytes, file->bytes_count, &offset, &bytes, &bytes_count)) {
        struct arena arena; /* an entry has no more room here than elsewhere */
        arena_init(&arena, self->arena + used_bytes, ENTRY_ARENA_BYTES);
        merkle_leaf(bytes, bytes_count, self->leaves[self->cut]);
        self->faults[self->cut] =
            entry_decode(bytes, bytes_count, &arena, &self->entries[self->cut]);
        used_bytes += arena.used_bytes;
        ends[self->cut] = offset;
        self->cut++;
    }
    bool is_partial_file = strstr(name, ".p/") != NULL;
    if (self->cut < self->width) {
        verify_lines_add(&self->lines, STEP_tree,
                         "%s/%s: cut short behind %" PRIu32 " of %" PRIu32 " entries", shard->path,
                         name, self->cut, self->width);
    } else if (offset != file->bytes_count && (is_partial_file || self->width == TILE_WIDTH)) {
        verify_lines_add(&self->lines, STEP_tree, "%s/%s: %zu bytes behind the last entry",
                         shard->path, name, file->bytes_count - offset);
    }
    const struct verify_partial partial = {file->bytes, ends, self->cut};
    verify_partials_check(shard, tile, &partial, &self->tile_file, &self->lines);
}

/* The leaves that the bundle did not give, out of the tile. */
static void bundle_leaves_from_tile(struct verify_bundle *self, const struct verify_shard *shard,
                                    const struct verify_tile *tile)
{
    char name[TILE_PATH_BYTES_MAX];
    const struct verify_file *file = &self->tile_file;
    size_t first = (size_t)self->cut * HASH_BYTES;
    size_t end = (size_t)self->width * HASH_BYTES;
    enum verify_read read = verify_tile_read(shard, tile, &self->tile_file, name);
    self->has_leaves = read == READ_GOOD && file->bytes_count >= end;
    if (self->has_leaves) {
        memcpy(self->leaves[self->cut], file->bytes + first, end - first);
    } else {
        verify_lines_add(&self->lines, STEP_tree, "%s/%s: missing as well", shard->path, name);
    }
}

void verify_bundle_work(struct verify_bundle *self, const struct verify_shard *shard,
                        uint64_t index)
{
    char name[TILE_PATH_BYTES_MAX];
    uint64_t left = shard->size - index * TILE_WIDTH;
    self->width = left < TILE_WIDTH ? (uint32_t)left : TILE_WIDTH;
    self->cut = 0;
    const struct verify_tile bundle = {TILE_LEVEL_BUNDLE, index, self->width};
    const struct verify_tile tile = {0, index, self->width};
    enum verify_read read = verify_tile_read(shard, &bundle, &self->bundle_file, name);
    self->has_bundle = read == READ_GOOD;
    self->pruned = read == READ_MISSING && tile_minimum_covers(shard->minimum, index * TILE_WIDTH);
    if (self->pruned) {
        /* the leaves are those of the tile, which the signed roots must bear out */
    } else if (self->has_bundle) {
        bundle_cut(self, shard, &bundle, name);
    } else {
        verify_lines_add(&self->lines, STEP_tree, "%s/%s: %s", shard->path, name,
                         verify_read_text(read));
    }
    self->has_leaves = self->cut == self->width;
    if (!self->has_leaves) {
        bundle_leaves_from_tile(self, shard, &tile);
    }
    self->has_tile = self->has_leaves &&
                     verify_tile_check(shard, &tile, (const uint8_t(*)[HASH_BYTES])self->leaves,
                                       &self->tile_file, &self->lines);
    if (self->has_leaves && self->width == TILE_WIDTH) {
        merkle_fold((const uint8_t(*)[HASH_BYTES])self->leaves, TILE_WIDTH, self->root);
    }
}
