/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/tiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/tile_minimum.h"
#include "proto/entry.h"

/* In memory is only the right edge of the tree: at each level of tiles the hashes of the one tile
 * that is not full yet, and the bundle that goes with it. A full tile is written once and
 * forgotten; its root moves up a level. */

#define LEVELS 8u /* of tiles: 8 levels of 256 span 2^64 entries */
#define LEVEL_BITS 8u
#define TILE_BYTES ((size_t)TILE_WIDTH * HASH_BYTES)
#define TILE_MODE 0444
/* Directories in use at a time: full and partial files of the bundles and of two levels. A third
 * level comes after 16 million entries; then one is now and then synced once more than needed. */
#define MADE_COUNT 6u

struct tiles {
    char directory[DURABLE_PATH_BYTES];
    uint64_t size;
    uint32_t counts[LEVELS];
    uint8_t hashes[LEVELS][TILE_WIDTH][HASH_BYTES];
    uint8_t *bundle;
    size_t bundle_bytes;
    char made[MADE_COUNT][DURABLE_PATH_BYTES]; /* directories that are known to be durable */
    uint32_t made_next;
};

struct err tiles_open(const char *public_directory, struct tiles **out)
{
    if (strlen(public_directory) + 1 + TILE_PATH_BYTES_MAX > DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    struct tiles *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "tiles_open");
    }
    self->bundle = malloc(BUNDLE_BYTES_MAX); /* only the pages that are used cost anything */
    if (self->bundle == NULL) {
        free(self);
        return err_make(ERR_MEMORY, "tiles_open");
    }
    strcpy(self->directory, public_directory);
    *out = self;
    return err_none;
}

void tiles_close(struct tiles **self)
{
    if (*self == NULL) {
        return;
    }
    free((*self)->bundle);
    free(*self);
    *self = NULL;
}

uint64_t tiles_size(const struct tiles *self)
{
    return self->size;
}

static void tiles_path(const struct tiles *self, const char *name, char out[DURABLE_PATH_BYTES])
{
    int path_bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s", self->directory, name);
    must(path_bytes > 0 && path_bytes < (int)DURABLE_PATH_BYTES); /* tiles_open left room */
}

/* ---- what is on the disk ---- */

static struct err tiles_exists(const struct tiles *self, const char *name, bool *exists)
{
    char path[DURABLE_PATH_BYTES];
    tiles_path(self, name, path);
    return durable_exists(path, exists);
}

struct err tiles_complete_size(const struct tiles *self, uint64_t size, uint64_t *out)
{
    char name[TILE_PATH_BYTES_MAX];
    uint64_t complete = size / TILE_WIDTH * TILE_WIDTH;
    uint64_t minimum = 0;
    struct err err = tile_minimum_read(self->directory, &minimum);
    bool exists = false;
    for (uint64_t n = 0; n < complete / TILE_WIDTH && !err_is(err); n++) {
        if (tile_minimum_covers(minimum, n * TILE_WIDTH)) {
            continue; /* it was complete when it was pruned */
        }
        bundle_path(n, 0, name);
        err = tiles_exists(self, name, &exists);
        complete = exists ? complete : n * TILE_WIDTH;
    }
    for (uint32_t level = 0; level < LEVELS - 1; level++) {
        uint32_t shift = LEVEL_BITS * (level + 1);
        for (uint64_t n = 0; n < complete >> shift && !err_is(err); n++) {
            tile_path(level, n, 0, name);
            err = tiles_exists(self, name, &exists);
            complete = exists ? complete : n << shift;
        }
    }
    if (!err_is(err)) {
        *out = complete;
    }
    return err;
}

static struct err tiles_read_root(const struct tiles *self, uint32_t level, uint64_t n,
                                  uint8_t out[HASH_BYTES])
{
    char name[TILE_PATH_BYTES_MAX];
    char path[DURABLE_PATH_BYTES];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    tile_path(level, n, 0, name);
    tiles_path(self, name, path);
    struct err err = durable_read(path, TILE_BYTES, &bytes, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    if (bytes_count == TILE_BYTES) {
        merkle_fold((const uint8_t(*)[HASH_BYTES])bytes, TILE_WIDTH, out);
    } else {
        err = err_make(ERR_TILE_DIFFERS, "tile has another size");
    }
    free(bytes);
    return err;
}

/* The newest full files were perhaps given their names by a process that was killed before it could
 * sync the directory. Older ones were synced before these were begun. */
static struct err tiles_sync_newest(const struct tiles *self, uint64_t size)
{
    char name[TILE_PATH_BYTES_MAX];
    char path[DURABLE_PATH_BYTES];
    bundle_path(size / TILE_WIDTH - 1, 0, name);
    tiles_path(self, name, path);
    struct err err = durable_sync_parent(path);
    for (uint32_t level = 0; level < LEVELS - 1 && !err_is(err); level++) {
        uint64_t full = size >> (LEVEL_BITS * (level + 1));
        if (full == 0) {
            break;
        }
        tile_path(level, full - 1, 0, name);
        tiles_path(self, name, path);
        err = durable_sync_parent(path);
    }
    return err;
}

struct err tiles_load(struct tiles *self, uint64_t size)
{
    must(size % TILE_WIDTH == 0);
    memset(self->counts, 0, sizeof self->counts);
    self->size = 0;
    self->bundle_bytes = 0;
    for (uint32_t level = 1; level < LEVELS; level++) {
        uint64_t entries =
            size >> (LEVEL_BITS * level); /* hashes at this level, all tiles together */
        uint32_t count = (uint32_t)(entries % TILE_WIDTH);
        for (uint32_t i = 0; i < count; i++) {
            struct err err =
                tiles_read_root(self, level - 1, entries - count + i, self->hashes[level][i]);
            if (err_is(err)) {
                return err;
            }
        }
        self->counts[level] = count;
    }
    self->size = size;
    return size == 0 ? err_none : tiles_sync_newest(self, size);
}

/* ---- writing ---- */

/* Before the first file that this process writes into a directory, the directory's own name is made
 * durable, also when it is there: the process before was perhaps killed before it could. */
static struct err tiles_make_parent(struct tiles *self, const char *path)
{
    char parent[DURABLE_PATH_BYTES];
    strcpy(parent, path);
    *strrchr(parent, '/') = '\0';
    for (uint32_t i = 0; i < MADE_COUNT; i++) {
        if (strcmp(self->made[i], parent) == 0) {
            return err_none;
        }
    }
    struct err err = durable_directory(parent, 0755);
    if (!err_is(err)) {
        strcpy(self->made[self->made_next], parent);
        self->made_next = (self->made_next + 1) % MADE_COUNT;
    }
    return err;
}

static struct err tiles_write(struct tiles *self, const char *name, const void *bytes,
                              size_t bytes_count)
{
    char path[DURABLE_PATH_BYTES];
    bool differs = false;
    tiles_path(self, name, path);
    struct err err = tiles_make_parent(self, path);
    if (!err_is(err)) {
        err = durable_create(path, bytes, bytes_count, TILE_MODE, &differs);
    }
    if (!err_is(err) && differs) {
        err = err_make(ERR_TILE_DIFFERS, "write tile");
    }
    return err;
}

/* The full file exists: its partial ones are not needed any more (tlog-tiles allows to delete
 * them). full is its name. */
static struct err tiles_remove_partials(const struct tiles *self, const char *full)
{
    char folder[DURABLE_PATH_BYTES];
    tiles_path(self, full, folder);
    size_t folder_bytes = strlen(folder);
    must(folder_bytes + sizeof ".p/256" <=
         sizeof folder); /* TILE_PATH_BYTES_MAX counts the widest partial */
    strcpy(folder + folder_bytes, ".p");
    DIR *listing = opendir(folder);
    if (listing == NULL) {
        return errno == ENOENT ? err_none : err_os(ERR_IO, "list partial tiles");
    }
    struct err err = err_none;
    while (!err_is(err)) { /* ends with the listing */
        char path[DURABLE_PATH_BYTES + 1 + NAME_MAX];
        errno = 0;
        const struct dirent *name = readdir(listing);
        if (name == NULL) {
            err = errno == 0 ? err_none : err_os(ERR_IO, "list partial tiles");
            break;
        }
        (void)snprintf(path, sizeof path, "%s/%s", folder, name->d_name);
        if (name->d_name[0] != '.') {
            err = durable_remove(path);
        }
    }
    (void)closedir(listing);
    if (!err_is(err) && rmdir(folder) != 0 && errno != ENOTEMPTY && errno != EEXIST) {
        err = err_os(ERR_IO, "remove directory of partial tiles");
    }
    return err;
}

/* A level has 256 hashes: write its tile, move its root up, and so on while that fills the level
 * above. */
static struct err tiles_complete_levels(struct tiles *self)
{
    char name[TILE_PATH_BYTES_MAX];
    for (uint32_t level = 0; level < LEVELS && self->counts[level] == TILE_WIDTH; level++) {
        uint64_t n = (self->size >> (LEVEL_BITS * (level + 1))) - 1;
        tile_path(level, n, 0, name);
        struct err err = tiles_write(self, name, self->hashes[level], TILE_BYTES);
        if (!err_is(err)) {
            err = tiles_remove_partials(self, name);
        }
        if (err_is(err)) {
            return err;
        }
        must(level + 1 < LEVELS);
        merkle_fold((const uint8_t(*)[HASH_BYTES])self->hashes[level], TILE_WIDTH,
                   self->hashes[level + 1][self->counts[level + 1]]);
        self->counts[level + 1]++;
        self->counts[level] = 0;
    }
    return err_none;
}

struct err tiles_append(struct tiles *self, const uint8_t *entry, uint32_t entry_bytes)
{
    must(entry_bytes > 0 && entry_bytes <= UINT16_MAX && self->counts[0] < TILE_WIDTH);
    uint8_t *at = self->bundle + self->bundle_bytes;
    at[0] = (uint8_t)(entry_bytes >> 8);
    at[1] = (uint8_t)entry_bytes;
    memcpy(at + 2, entry, entry_bytes);
    self->bundle_bytes += 2 + (size_t)entry_bytes;
    merkle_leaf(entry, entry_bytes, self->hashes[0][self->counts[0]]);
    self->counts[0]++;
    self->size++;
    if (self->counts[0] < TILE_WIDTH) {
        return err_none;
    }
    char name[TILE_PATH_BYTES_MAX];
    bundle_path(self->size / TILE_WIDTH - 1, 0, name);
    struct err err = tiles_write(self, name, self->bundle, self->bundle_bytes);
    if (!err_is(err)) {
        err = tiles_remove_partials(self, name);
    }
    self->bundle_bytes = 0;
    /* The bundle goes first: whoever sees a tile finds the entries under it. */
    return err_is(err) ? err : tiles_complete_levels(self);
}

struct err tiles_write_partials(struct tiles *self)
{
    char name[TILE_PATH_BYTES_MAX];
    struct err err = err_none;
    if (self->counts[0] > 0) {
        bundle_path(self->size / TILE_WIDTH, self->counts[0], name);
        err = tiles_write(self, name, self->bundle, self->bundle_bytes);
    }
    for (uint32_t level = 0; level < LEVELS && !err_is(err); level++) {
        if (self->counts[level] > 0) {
            uint32_t shift = LEVEL_BITS * (level + 1);
            tile_path(level, shift < 64 ? self->size >> shift : 0, self->counts[level], name);
            err = tiles_write(self, name, self->hashes[level],
                              (size_t)self->counts[level] * HASH_BYTES);
        }
    }
    return err;
}

void tiles_range(const struct tiles *self, struct merkle_range *out)
{
    merkle_range_init(out);
    for (uint32_t bit = MERKLE_LEVELS_MAX; bit-- > 0;) {
        if ((self->size >> bit & 1) == 0) {
            continue;
        }
        /* The subtree of 2^bit entries is a run of 2^(bit % 8) hashes of the unfinished tile of its
         * level; wider runs come first in it, as the size's higher bits do. */
        uint32_t level = bit / LEVEL_BITS;
        uint32_t width = 1u << (bit % LEVEL_BITS);
        uint32_t first = self->counts[level] & ~(2 * width - 1);
        merkle_fold((const uint8_t(*)[HASH_BYTES]) & self->hashes[level][first], width,
                   out->roots[out->roots_count]);
        out->roots_count++;
    }
    out->size = self->size;
}

struct err tiles_before(const char *public_directory, uint64_t size, struct merkle_range *out)
{
    struct tiles *tiles = NULL;
    uint64_t complete = 0;
    struct err err = tiles_open(public_directory, &tiles);
    if (err_is(err)) {
        return err;
    }
    err = tiles_complete_size(tiles, size, &complete);
    if (!err_is(err)) {
        err = tiles_load(tiles, complete);
    }
    if (!err_is(err)) {
        tiles_range(tiles, out);
    }
    tiles_close(&tiles);
    return err;
}
