/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tile_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tile_minimum.h"

#define LEVEL_BITS 8u
#define PRUNED_WORDS "its leaf hash is there: a bare receipt can be made (--bare)"
#define TILE_BYTES ((size_t)TILE_WIDTH * HASH_BYTES)

bool tile_files_init(struct tile_files *self, const char *directory, uint64_t tree_size)
{
    if (strlen(directory) + 1 + TILE_PATH_BYTES_MAX > DURABLE_PATH_BYTES) {
        return false;
    }
    memset(self, 0, sizeof *self);
    strcpy(self->directory, directory);
    self->tree_size = tree_size;
    return true;
}

/* How many of 256 things the tile or bundle `index` holds when there are `count` in all; 0 when it
 * does not exist. */
static uint32_t tile_width(uint64_t count, uint64_t index)
{
    uint64_t full = count / TILE_WIDTH;
    if (index < full) {
        return TILE_WIDTH;
    }
    return index == full ? (uint32_t)(count % TILE_WIDTH) : 0;
}

static struct err tile_read(const struct tile_files *self, const char *name, size_t bytes_max,
                            uint8_t **out, size_t *out_bytes)
{
    char path[DURABLE_PATH_BYTES];
    int path_bytes = snprintf(path, sizeof path, "%s/%s", self->directory, name);
    must(path_bytes > 0 && path_bytes < (int)sizeof path); /* tile_files_init left room */
    return durable_read(path, bytes_max, out, out_bytes);
}

/* The full tile is preferred: the partial one may have been removed since. */
static bool level_load(struct tile_files *self, uint32_t tile_level, uint64_t tile_index)
{
    struct tile_files_level *level = &self->levels[tile_level];
    uint64_t hashes = self->tree_size >> (LEVEL_BITS * tile_level);
    uint32_t width = tile_width(hashes, tile_index);
    char name[TILE_PATH_BYTES_MAX];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    level->loaded = false;
    if (width == 0) {
        return false;
    }
    tile_path(tile_level, tile_index, 0, name);
    struct err err = tile_read(self, name, TILE_BYTES, &bytes, &bytes_count);
    if (err_is(err) && width < TILE_WIDTH) {
        tile_path(tile_level, tile_index, width, name);
        err = tile_read(self, name, TILE_BYTES, &bytes, &bytes_count);
    }
    if (err_is(err)) {
        return false;
    }
    level->loaded = bytes_count >= (size_t)width * HASH_BYTES;
    if (level->loaded) {
        memcpy(level->hashes, bytes, (size_t)width * HASH_BYTES);
        level->tile_index = tile_index;
        level->hashes_count = width;
    }
    free(bytes);
    return level->loaded;
}

bool tile_files_hash(void *tile_files, uint32_t level, uint64_t index, uint8_t out[HASH_BYTES])
{
    struct tile_files *self = tile_files;
    uint32_t tile_level = level / LEVEL_BITS;
    uint32_t fold = level % LEVEL_BITS; /* levels above the hashes of the tile */
    if (tile_level >= TILE_FILES_LEVELS || index > UINT64_MAX >> fold) {
        return false;
    }
    uint64_t first = index << fold; /* of the 2^fold hashes under the wanted one */
    uint64_t tile_index = first / TILE_WIDTH;
    uint32_t at = (uint32_t)(first % TILE_WIDTH);
    uint32_t count = 1u << fold;
    struct tile_files_level *tile = &self->levels[tile_level];
    if ((!tile->loaded || tile->tile_index != tile_index) &&
        !level_load(self, tile_level, tile_index)) {
        return false;
    }
    if (at + count > tile->hashes_count) {
        return false;
    }
    merkle_fold((const uint8_t(*)[HASH_BYTES])tile->hashes + at, count, out);
    return true;
}

/* Entry `at` of a bundle, copied. */
static struct err bundle_take(const uint8_t *bundle, size_t bundle_bytes, uint32_t at,
                              uint8_t **out, uint32_t *out_bytes)
{
    size_t offset = 0;
    const uint8_t *entry = NULL;
    uint32_t entry_bytes = 0;
    for (uint32_t i = 0; i <= at; i++) {
        if (!bundle_next(bundle, bundle_bytes, &offset, &entry, &entry_bytes)) {
            return err_make(ERR_WAL_DAMAGED, "entry bundle is cut short");
        }
    }
    uint8_t *copy = malloc(entry_bytes == 0 ? 1 : entry_bytes);
    if (copy == NULL) {
        return err_make(ERR_MEMORY, "tile_files_entry");
    }
    memcpy(copy, entry, entry_bytes);
    *out = copy;
    *out_bytes = entry_bytes;
    return err_none;
}

struct err tile_files_entry(const struct tile_files *self, uint64_t leaf_index, uint8_t **out,
                            uint32_t *out_bytes)
{
    char name[TILE_PATH_BYTES_MAX];
    uint8_t *bundle = NULL;
    size_t bundle_bytes = 0;
    uint32_t width = tile_width(self->tree_size, leaf_index / TILE_WIDTH);
    if (leaf_index >= self->tree_size) {
        return err_make(ERR_NOT_FOUND, "entry beyond the checkpoint");
    }
    bundle_path(leaf_index / TILE_WIDTH, 0, name);
    struct err err = tile_read(self, name, BUNDLE_BYTES_MAX, &bundle, &bundle_bytes);
    if (err_is(err) && width < TILE_WIDTH) {
        bundle_path(leaf_index / TILE_WIDTH, width, name);
        err = tile_read(self, name, BUNDLE_BYTES_MAX, &bundle, &bundle_bytes);
    }
    if (err_is(err)) {
        return err.os_errno == ENOENT
                   ? tile_minimum_explain(self->directory, leaf_index, PRUNED_WORDS, err)
                   : err;
    }
    err = bundle_take(bundle, bundle_bytes, (uint32_t)(leaf_index % TILE_WIDTH), out, out_bytes);
    free(bundle);
    return err;
}
