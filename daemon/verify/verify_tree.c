/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_tree.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"
#include "proto/merkle.h"

/* At each level of tiles the hashes of the one tile under work are kept. The leaves come from the
 * entries; a full tile is compared with its file and folded into one hash of the level above. Where
 * a bundle is missing, the leaves are taken from the tile, so that one lost file is one problem and
 * the rest is still checked. */

#define TREE_LEVELS 8u
#define TREE_BUNDLE_BYTES_MAX ((size_t)TILE_WIDTH * (2 + 65535u))
#define TREE_TILE_BYTES ((size_t)TILE_WIDTH * HASH_BYTES)
#define TREE_PROGRESS_EVERY ((uint64_t)64 * TILE_WIDTH)

struct tree_level {
    uint32_t count;
    uint8_t hashes[TILE_WIDTH][HASH_BYTES];
};

struct tree_walk {
    struct verify_report *report;
    struct verify_shard *shard;
    struct verify_heads *heads;
    struct verify_story *story;
    bool lost; /* neither bundle nor tile for some leaves: no root can be told any more */
    struct merkle_range range;
    struct tree_level levels[TREE_LEVELS];
};

struct tree_file {
    uint8_t *bytes;
    size_t bytes_count;
    char name[TILE_PATH_BYTES_MAX]; /* below the shard */
};

static bool tree_read(const struct verify_shard *shard, size_t bytes_max, struct tree_file *file)
{
    char path[DURABLE_PATH_BYTES + TILE_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", shard->path, file->name);
    return !err_is(durable_read(path, bytes_max, &file->bytes, &file->bytes_count));
}

/* The file of this width or, when the log has grown since the checkpoint, the full one. */
static bool tree_read_tile(const struct verify_shard *shard, uint32_t level, uint64_t index,
                           uint32_t width, struct tree_file *file)
{
    tile_path(level, index, width, file->name);
    if (tree_read(shard, TREE_TILE_BYTES, file)) {
        return true;
    }
    char partial[TILE_PATH_BYTES_MAX];
    memcpy(partial, file->name, sizeof partial);
    tile_path(level, index, 0, file->name);
    if (width < TILE_WIDTH && tree_read(shard, TREE_TILE_BYTES, file)) {
        return true;
    }
    memcpy(file->name, partial, sizeof partial);
    return false;
}

static bool tree_read_bundle(const struct verify_shard *shard, uint64_t index, uint32_t width,
                             struct tree_file *file)
{
    bundle_path(index, width, file->name);
    if (tree_read(shard, TREE_BUNDLE_BYTES_MAX, file)) {
        return true;
    }
    char partial[TILE_PATH_BYTES_MAX];
    memcpy(partial, file->name, sizeof partial);
    bundle_path(index, 0, file->name);
    if (width < TILE_WIDTH && tree_read(shard, TREE_BUNDLE_BYTES_MAX, file)) {
        return true;
    }
    memcpy(file->name, partial, sizeof partial);
    return false;
}

/* ---- earlier partial files, which the format lets stay
 * ------------------------------------------------------------------ */

/* What an earlier partial file must be the beginning of. */
struct tree_partial {
    const uint8_t *whole; /* of the file under work */
    const size_t *ends;   /* where each of the `count` cells ends in it */
    uint32_t count;
};

static void tree_check_partial(struct tree_walk *self, const char *folder, const char *name,
                               const struct tree_partial *partial)
{
    char path[2 * DURABLE_PATH_BYTES];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    char *end = NULL;
    unsigned long width = strtoul(name, &end, 10);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".tmp") == 0) {
        return; /* being written */
    }
    if (*end != '\0' || width == 0 || width >= TILE_WIDTH) {
        verify_problem(self->report, "%s: does not belong here", path);
        return;
    }
    if (width > partial->count) {
        return; /* beyond the checkpoint: nothing is signed yet that it could be held against */
    }
    if (err_is(durable_read(path, TREE_BUNDLE_BYTES_MAX, &bytes, &bytes_count))) {
        if (access(path, F_OK) == 0) { /* it may go at any time once the full file is there */
            verify_problem(self->report, "%s: unreadable", path);
        }
        return;
    }
    if (bytes_count != partial->ends[width - 1] ||
        memcmp(bytes, partial->whole, bytes_count) != 0) {
        verify_problem(self->report, "%s: differs from the first %lu of the full file", path,
                       width);
    }
    free(bytes);
}

static void tree_check_partials(struct tree_walk *self, const char *full_name,
                                const struct tree_partial *partial)
{
    char folder[DURABLE_PATH_BYTES + TILE_PATH_BYTES_MAX + 4];
    (void)snprintf(folder, sizeof folder, "%s/%s.p", self->shard->path, full_name);
    DIR *listing = opendir(folder);
    if (listing == NULL) {
        return;
    }
    for (const struct dirent *name = readdir(listing); name != NULL; name = readdir(listing)) {
        if (name->d_name[0] != '.') {
            tree_check_partial(self, folder, name->d_name, partial);
        }
    }
    (void)closedir(listing);
}

/* ---- tiles
 * ----------------------------------------------------------------------------------------------------------
 */

/* The hashes of a level against the tile's file and its earlier partial ones. */
static void tree_check_tile(struct tree_walk *self, uint32_t level, uint64_t index)
{
    const struct tree_level *at = &self->levels[level];
    struct tree_file file = {.bytes = NULL};
    size_t ends[TILE_WIDTH];
    char full_name[TILE_PATH_BYTES_MAX];
    if (!tree_read_tile(self->shard, level, index, at->count, &file)) {
        verify_problem(self->report, "%s/%s: missing or unreadable", self->shard->path, file.name);
        return;
    }
    self->shard->tiles++;
    if (file.bytes_count < (size_t)at->count * HASH_BYTES || file.bytes_count % HASH_BYTES != 0) {
        verify_problem(self->report, "%s/%s: has %zu bytes for %" PRIu32 " hashes",
                       self->shard->path, file.name, file.bytes_count, at->count);
        free(file.bytes);
        return;
    }
    for (uint32_t i = 0; i < at->count; i++) {
        ends[i] = ((size_t)i + 1) * HASH_BYTES;
        if (!hash_equal(file.bytes + (size_t)i * HASH_BYTES, at->hashes[i])) {
            verify_problem(self->report,
                           "%s/%s: hash %" PRIu32 " is not that of the entries (%s %" PRIu64 ")",
                           self->shard->path, file.name, i, level == 0 ? "entry" : "subtree",
                           index * TILE_WIDTH + i);
            break;
        }
    }
    free(file.bytes);
    const struct tree_partial partial = {.whole = at->hashes[0], .ends = ends, .count = at->count};
    tile_path(level, index, 0, full_name);
    tree_check_partials(self, full_name, &partial);
}

static void tree_fold(const uint8_t (*hashes)[HASH_BYTES], uint8_t out[HASH_BYTES])
{
    uint8_t row[TILE_WIDTH][HASH_BYTES];
    memcpy(row, hashes, sizeof row);
    for (uint32_t width = TILE_WIDTH; width > 1; width /= 2) {
        for (uint32_t i = 0; i < width / 2; i++) {
            merkle_node(row[2 * (size_t)i], row[2 * (size_t)i + 1], row[i]);
        }
    }
    memcpy(out, row[0], HASH_BYTES);
}

static void tree_add_leaf(struct tree_walk *self, const uint8_t leaf[HASH_BYTES])
{
    uint8_t hash[HASH_BYTES];
    merkle_range_append(&self->range, leaf);
    memcpy(hash, leaf, HASH_BYTES);
    for (uint32_t level = 0; level < TREE_LEVELS; level++) {
        struct tree_level *at = &self->levels[level];
        memcpy(at->hashes[at->count++], hash, HASH_BYTES);
        if (at->count < TILE_WIDTH) {
            break;
        }
        tree_check_tile(self, level, (self->range.size >> (8 * (level + 1))) - 1);
        tree_fold((const uint8_t(*)[HASH_BYTES])at->hashes, hash);
        at->count = 0;
    }
    if (self->range.size == verify_heads_next(self->heads)) {
        merkle_range_root(&self->range, hash);
        verify_heads_meet(self->heads, self->range.size, hash);
    }
}

/* ---- bundles
 * ----------------------------------------------------------------------------------------------------------
 */

/* Leaves first .. width - 1 of this bundle out of the tile. */
static void tree_leaves_from_tile(struct tree_walk *self, uint64_t bundle_index, uint32_t first,
                                  uint32_t width)
{
    struct tree_file file = {.bytes = NULL};
    verify_story_gap(self->story);
    if (!tree_read_tile(self->shard, 0, bundle_index, width, &file) ||
        file.bytes_count < (size_t)width * HASH_BYTES) {
        verify_problem(self->report,
                       "%s/%s: missing as well: the tree cannot be followed beyond entry %" PRIu64,
                       self->shard->path, file.name, bundle_index * TILE_WIDTH + first);
        self->lost = true;
    }
    for (uint32_t i = first; i < width && !self->lost; i++) {
        uint8_t leaf[HASH_BYTES];
        memcpy(leaf, file.bytes + (size_t)i * HASH_BYTES, HASH_BYTES);
        tree_add_leaf(self, leaf);
    }
    free(file.bytes);
}

static struct err tree_cut_bundle(struct tree_walk *self, const struct tree_file *file,
                                  uint64_t index, uint32_t width, size_t ends[TILE_WIDTH],
                                  uint32_t *cut)
{
    size_t offset = 0;
    const uint8_t *entry = NULL;
    uint32_t entry_bytes = 0;
    struct err err = err_none;
    *cut = 0;
    while (*cut < width && !err_is(err) &&
           bundle_next(file->bytes, file->bytes_count, &offset, &entry, &entry_bytes)) {
        uint8_t leaf[HASH_BYTES];
        merkle_leaf(entry, entry_bytes, leaf);
        ends[*cut] = offset;
        err = verify_story_add(self->story, index * TILE_WIDTH + *cut, entry, entry_bytes);
        *cut += 1;
        tree_add_leaf(self, leaf);
    }
    bool is_partial_file = strstr(file->name, ".p/") != NULL;
    if (*cut < width) {
        verify_problem(self->report, "%s/%s: cut short behind %" PRIu32 " of %" PRIu32 " entries",
                       self->shard->path, file->name, *cut, width);
    } else if (offset != file->bytes_count && (is_partial_file || width == TILE_WIDTH)) {
        verify_problem(self->report, "%s/%s: %zu bytes behind the last entry", self->shard->path,
                       file->name, file->bytes_count - offset);
    }
    return err;
}

static struct err tree_walk_bundle(struct tree_walk *self, uint64_t index, uint32_t width)
{
    struct tree_file file = {.bytes = NULL};
    size_t ends[TILE_WIDTH];
    char full_name[TILE_PATH_BYTES_MAX];
    uint32_t cut = 0;
    if (!tree_read_bundle(self->shard, index, width, &file)) {
        verify_problem(self->report, "%s/%s: missing or unreadable", self->shard->path, file.name);
        tree_leaves_from_tile(self, index, 0, width);
        return err_none;
    }
    self->shard->bundles++;
    struct err err = tree_cut_bundle(self, &file, index, width, ends, &cut);
    if (!err_is(err)) {
        const struct tree_partial partial = {.whole = file.bytes, .ends = ends, .count = cut};
        bundle_path(index, 0, full_name);
        tree_check_partials(self, full_name, &partial);
    }
    free(file.bytes);
    if (!err_is(err) && cut < width) {
        tree_leaves_from_tile(self, index, cut, width);
    }
    return err;
}

static void tree_check_edge(struct tree_walk *self)
{
    for (uint32_t level = 0; level < TREE_LEVELS; level++) {
        uint32_t shift = 8 * (level + 1);
        if (self->levels[level].count > 0) {
            tree_check_tile(self, level, shift < 64 ? self->range.size >> shift : 0);
        }
    }
}

static void tree_finish(struct tree_walk *self)
{
    uint8_t root[HASH_BYTES];
    const struct verify_head *newest = &self->heads->newest;
    tree_check_edge(self);
    merkle_range_root(&self->range, root);
    if (self->range.size == 0) {
        verify_heads_meet(self->heads, 0, root); /* checkpoints of the empty tree */
    }
    if (!hash_equal(root, newest->root)) {
        verify_problem(self->report, "%s/checkpoint: root is not that of the %" PRIu64 " entries",
                       self->shard->path, newest->size);
    }
}

struct err verify_tree_walk(struct verify_report *report, struct verify_shard *shard,
                            struct verify_heads *heads, struct verify_story *story, bool progress)
{
    struct tree_walk *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_tree_walk");
    }
    self->report = report;
    self->shard = shard;
    self->heads = heads;
    self->story = story;
    merkle_range_init(&self->range);
    uint64_t size = heads->newest.size;
    struct err err = err_none;
    for (uint64_t first = 0; first < size && !self->lost && !err_is(err); first += TILE_WIDTH) {
        uint32_t width = size - first < TILE_WIDTH ? (uint32_t)(size - first) : TILE_WIDTH;
        err = tree_walk_bundle(self, first / TILE_WIDTH, width);
        if (progress && (first % TREE_PROGRESS_EVERY == 0 || first + width == size)) {
            (void)fprintf(stderr, "\r%s: entry %" PRIu64 " of %" PRIu64 " ", shard->origin,
                          first + width, size);
        }
    }
    if (progress && size > 0) {
        (void)fputc('\n', stderr);
    }
    if (!self->lost && !err_is(err)) {
        tree_finish(self);
    }
    free(self);
    return err;
}

/* ---- leaves
 * -----------------------------------------------------------------------------------------------------------
 */

void verify_leaves_init(struct verify_leaves *self, const struct verify_shard *shard)
{
    memset(self, 0, sizeof *self);
    self->shard = shard;
}

bool verify_leaves_at(struct verify_leaves *self, uint64_t index, uint8_t out[HASH_BYTES])
{
    uint64_t tile_index = index / TILE_WIDTH;
    uint32_t at = (uint32_t)(index % TILE_WIDTH);
    if (index >= self->shard->size) {
        return false;
    }
    if (self->hashes_count == 0 || self->tile_index != tile_index) {
        struct tree_file file = {.bytes = NULL};
        uint64_t left = self->shard->size - tile_index * TILE_WIDTH;
        self->hashes_count = 0;
        if (!tree_read_tile(self->shard, 0, tile_index,
                            left < TILE_WIDTH ? (uint32_t)left : TILE_WIDTH, &file)) {
            return false;
        }
        self->hashes_count = (uint32_t)(file.bytes_count / HASH_BYTES);
        memcpy(self->hashes, file.bytes, (size_t)self->hashes_count * HASH_BYTES);
        self->tile_index = tile_index;
        free(file.bytes);
    }
    if (at >= self->hashes_count) {
        return false;
    }
    memcpy(out, self->hashes[at], HASH_BYTES);
    return true;
}
