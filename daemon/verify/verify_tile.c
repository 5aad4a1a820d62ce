/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_tile.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "proto/merkle.h"

static enum verify_read tile_read_width(const struct verify_shard *shard,
                                        const struct verify_tile *tile, uint32_t width,
                                        struct verify_file *file, char name[TILE_PATH_BYTES_MAX])
{
    char path[DURABLE_PATH_BYTES + TILE_PATH_BYTES_MAX];
    if (tile->level == TILE_LEVEL_BUNDLE) {
        bundle_path(tile->index, width, name);
    } else {
        tile_path(tile->level, tile->index, width, name);
    }
    (void)snprintf(path, sizeof path, "%s/%s", shard->path, name);
    return verify_file_read(
        file, path, tile->level == TILE_LEVEL_BUNDLE ? BUNDLE_BYTES_MAX : VERIFY_TILE_BYTES);
}

enum verify_read verify_tile_read(const struct verify_shard *shard, const struct verify_tile *tile,
                                  struct verify_file *file, char name[TILE_PATH_BYTES_MAX])
{
    char full_name[TILE_PATH_BYTES_MAX];
    enum verify_read read = tile_read_width(shard, tile, tile->width, file, name);
    if (read == READ_MISSING && tile->width < TILE_WIDTH &&
        tile_read_width(shard, tile, 0, file, full_name) == READ_GOOD) {
        memcpy(name, full_name, sizeof full_name);
        return READ_GOOD;
    }
    return read;
}

static void partial_check(const char *folder, const char *name,
                          const struct verify_partial *partial, struct verify_file *file,
                          struct verify_lines *lines)
{
    char path[2 * DURABLE_PATH_BYTES];
    char *end = NULL;
    unsigned long width = strtoul(name, &end, 10);
    bool is_width = *end == '\0' && name[0] >= '1' && name[0] <= '9' && width < TILE_WIDTH;
    if (!is_width || width > partial->count) {
        return; /* a name that does not belong is told of by the list of files; what is beyond the
                   checkpoint is not signed yet */
    }
    must(width >= 1 && width <= TILE_WIDTH); /* its first digit is none of 0 */
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    enum verify_read read = verify_file_read(file, path, BUNDLE_BYTES_MAX);
    if (read == READ_MISSING) {
        return; /* it may go at any time once the full file is there */
    }
    if (read != READ_GOOD) {
        verify_lines_add(lines, STEP_tree, "%s: %s", path, verify_read_text(read));
    } else if (file->bytes_count != partial->ends[width - 1] ||
               memcmp(file->bytes, partial->whole, file->bytes_count) != 0) {
        verify_lines_add(lines, STEP_tree, "%s: differs from the first %lu of the full file", path,
                         width);
    }
}

void verify_partials_check(const struct verify_shard *shard, const struct verify_tile *tile,
                           const struct verify_partial *partial, struct verify_file *file,
                           struct verify_lines *lines)
{
    char full_name[TILE_PATH_BYTES_MAX];
    char folder[DURABLE_PATH_BYTES + TILE_PATH_BYTES_MAX + 4];
    if (tile->level == TILE_LEVEL_BUNDLE) {
        bundle_path(tile->index, 0, full_name);
    } else {
        tile_path(tile->level, tile->index, 0, full_name);
    }
    (void)snprintf(folder, sizeof folder, "%s/%s.p", shard->path, full_name);
    DIR *listing = opendir(folder);
    if (listing == NULL) {
        return;
    }
    for (const struct dirent *name = readdir(listing); name != NULL; name = readdir(listing)) {
        if (name->d_name[0] != '.') {
            partial_check(folder, name->d_name, partial, file, lines);
        }
    }
    (void)closedir(listing);
}

bool verify_tile_check(const struct verify_shard *shard, const struct verify_tile *tile,
                       const uint8_t (*hashes)[HASH_BYTES], struct verify_file *file,
                       struct verify_lines *lines)
{
    size_t ends[TILE_WIDTH];
    char name[TILE_PATH_BYTES_MAX];
    size_t bytes_count = (size_t)tile->width * HASH_BYTES;
    enum verify_read read = verify_tile_read(shard, tile, file, name);
    if (read != READ_GOOD) {
        verify_lines_add(lines, STEP_tree, "%s/%s: %s", shard->path, name, verify_read_text(read));
        return false;
    }
    if (file->bytes_count < bytes_count || file->bytes_count % HASH_BYTES != 0) {
        verify_lines_add(lines, STEP_tree, "%s/%s: has %zu bytes for %" PRIu32 " hashes",
                         shard->path, name, file->bytes_count, tile->width);
        return true;
    }
    for (uint32_t i = 0; i < tile->width; i++) {
        ends[i] = ((size_t)i + 1) * HASH_BYTES;
    }
    if (memcmp(file->bytes, hashes, bytes_count) != 0) {
        uint32_t i = 0;
        while (hash_equal(file->bytes + (size_t)i * HASH_BYTES, hashes[i])) {
            i++;
        }
        verify_lines_add(lines, STEP_tree,
                         "%s/%s: hash %" PRIu32 " is not that of the entries (%s %" PRIu64 ")",
                         shard->path, name, i, tile->level == 0 ? "entry" : "subtree",
                         tile->index * TILE_WIDTH + i);
    }
    const struct verify_partial partial = {hashes[0], ends, tile->width};
    verify_partials_check(shard, tile, &partial, file, lines);
    return true;
}

/* ---- leaves ---- */

void verify_leaves_init(struct verify_leaves *self, const struct verify_shard *shard)
{
    memset(self, 0, sizeof *self);
    self->shard = shard;
}

void verify_leaves_fini(struct verify_leaves *self)
{
    verify_file_fini(&self->file);
}

bool verify_leaves_at(struct verify_leaves *self, uint64_t index, uint8_t out[HASH_BYTES])
{
    uint64_t tile_index = index / TILE_WIDTH;
    uint32_t at = (uint32_t)(index % TILE_WIDTH);
    if (index >= self->shard->size) {
        return false;
    }
    if (self->hashes_count == 0 || self->tile_index != tile_index) {
        char name[TILE_PATH_BYTES_MAX];
        uint64_t left = self->shard->size - tile_index * TILE_WIDTH;
        const struct verify_tile tile = {0, tile_index,
                                         left < TILE_WIDTH ? (uint32_t)left : TILE_WIDTH};
        self->hashes_count = 0;
        if (verify_tile_read(self->shard, &tile, &self->file, name) != READ_GOOD) {
            return false;
        }
        self->hashes_count = (uint32_t)(self->file.bytes_count / HASH_BYTES);
        self->tile_index = tile_index;
    }
    if (at >= self->hashes_count) {
        return false;
    }
    memcpy(out, self->file.bytes + (size_t)at * HASH_BYTES, HASH_BYTES);
    return true;
}
