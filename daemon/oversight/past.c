/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/past.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/durable.h"
#include "base/tile_minimum.h"
#include "oversight/pack.h"
#include "oversight/shards.h"
#include "proto/merkle.h"

/* The private record is looked for even where it may have been redacted a moment ago: a pack that
 * was replaced is opened again, so that nobody goes on reading the file that was. */

struct past {
    char log_directory[DURABLE_PATH_BYTES];
    char packs_directory[DURABLE_PATH_BYTES];
    struct shards shards;
    bool shards_known;
    uint64_t bundle_first; /* n of the first entry in the bundle at hand */
    uint32_t bundle_count; /* 0: none at hand */
    uint8_t *bundle;
    uint32_t offsets[TILE_WIDTH + 1];
    struct pack *pack;
};

struct err past_open(const char *log_directory, const char *packs_directory, struct past **out)
{
    if (strlen(log_directory) >= DURABLE_PATH_BYTES ||
        strlen(packs_directory) >= DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    struct past *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "past_open");
    }
    strcpy(self->log_directory, log_directory);
    strcpy(self->packs_directory, packs_directory);
    *out = self;
    return err_none;
}

void past_close(struct past **self)
{
    if (*self == NULL) {
        return;
    }
    past_rest(*self);
    free(*self);
    *self = NULL;
}

void past_rest(struct past *self)
{
    pack_close(&self->pack);
    free(self->bundle);
    self->bundle = NULL;
    self->bundle_count = 0;
    self->shards_known = false;
}

static bool past_holds(const struct past *self, uint64_t n)
{
    return self->bundle_count > 0 && n >= self->bundle_first &&
           n - self->bundle_first < self->bundle_count;
}

/* ---- the public part ---- */

static struct err past_read_file(const struct past *self, const struct shard *shard,
                                 const char *name, size_t bytes_max, uint8_t **out,
                                 size_t *out_bytes)
{
    char path[DURABLE_PATH_BYTES];
    int path_bytes =
        snprintf(path, sizeof path, "%s/%s/%s", self->log_directory, shard->directory, name);
    if (path_bytes < 0 || path_bytes >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    return durable_read(path, bytes_max, out, out_bytes);
}

/* Where each entry begins; false unless the bundle is exactly that many entries. */
static bool past_cut(struct past *self, const uint8_t *bytes, size_t bytes_count, uint32_t width)
{
    size_t at = 0;
    for (uint32_t i = 0; i < width; i++) {
        if (bytes_count - at < 2) {
            return false;
        }
        size_t entry_bytes = (size_t)bytes[at] << 8 | bytes[at + 1];
        if (entry_bytes == 0 || entry_bytes > bytes_count - at - 2) {
            return false;
        }
        self->offsets[i] = (uint32_t)at;
        at += 2 + entry_bytes;
    }
    self->offsets[width] = (uint32_t)at;
    return at == bytes_count;
}

static bool past_leaves_agree(const struct past *self, const uint8_t *bytes, const uint8_t *tile,
                              uint32_t width)
{
    for (uint32_t i = 0; i < width; i++) {
        uint8_t leaf[HASH_BYTES];
        merkle_leaf(bytes + self->offsets[i] + 2, self->offsets[i + 1] - self->offsets[i] - 2,
                    leaf);
        if (!hash_equal(leaf, tile + (size_t)i * HASH_BYTES)) {
            return false;
        }
    }
    return true;
}

/* Nothing there: on purpose, or lost? */
static struct err past_missing(const struct past *self, const struct shard *shard, uint64_t bundle)
{
    char path[DURABLE_PATH_BYTES];
    int bytes = snprintf(path, sizeof path, "%s/%s", self->log_directory, shard->directory);
    if (bytes < 0 || bytes >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    return tile_minimum_explain(path, bundle * TILE_WIDTH,
                                "to read it, restore its bundle from a copy of the log",
                                err_make(ERR_WAL_DAMAGED, "bundle or tile of an old entry"));
}

/* A bundle and the tile over it. A closed shard ends in a bundle that never becomes full. */
static struct err past_load(struct past *self, const struct shard *shard, uint64_t bundle,
                            uint32_t width)
{
    char name[TILE_PATH_BYTES_MAX];
    uint8_t *bytes = NULL;
    uint8_t *tile = NULL;
    size_t bytes_count = 0;
    size_t tile_bytes = 0;
    bundle_path(bundle, width, name);
    struct err err = past_read_file(self, shard, name, BUNDLE_BYTES_MAX, &bytes, &bytes_count);
    if (!err_is(err)) {
        tile_path(0, bundle, width, name);
        err =
            past_read_file(self, shard, name, (size_t)TILE_WIDTH * HASH_BYTES, &tile, &tile_bytes);
    }
    if (!err_is(err) &&
        (tile_bytes != (size_t)width * HASH_BYTES || !past_cut(self, bytes, bytes_count, width) ||
         !past_leaves_agree(self, bytes, tile, width))) {
        err = err_make(ERR_TILE_DIFFERS, "bundle does not have the hashes of its tile");
    }
    free(tile);
    if (err_is(err)) {
        free(bytes);
        return err.os_errno == ENOENT ? past_missing(self, shard, bundle) : err;
    }
    self->bundle = bytes;
    self->bundle_first = shard->first_n + bundle * TILE_WIDTH;
    self->bundle_count = width;
    return err_none;
}

static struct err past_turn_to(struct past *self, uint64_t n)
{
    struct err err = err_none;
    free(self->bundle);
    self->bundle = NULL;
    self->bundle_count = 0;
    if (!self->shards_known) {
        err = shards_read(self->log_directory, &self->shards);
        self->shards_known = !err_is(err);
    }
    const struct shard *shard = err_is(err) ? NULL : shards_find(&self->shards, n);
    if (shard == NULL) {
        return err_is(err) ? err : err_make(ERR_WAL_DAMAGED, "shard of an old entry");
    }
    uint64_t bundle = (n - shard->first_n) / TILE_WIDTH;
    uint64_t left = shards_end(&self->shards, shard) - shard->first_n - bundle * TILE_WIDTH;
    return past_load(self, shard, bundle, left < TILE_WIDTH ? (uint32_t)left : TILE_WIDTH);
}

struct err past_read_public(struct past *self, uint64_t n, struct wal_entry *out)
{
    struct err err = past_holds(self, n) ? err_none : past_turn_to(self, n);
    if (!err_is(err)) {
        uint64_t place = n - self->bundle_first;
        *out =
            (struct wal_entry){.entry_index = n,
                               .bytes = self->bundle + self->offsets[place] + 2,
                               .bytes_count = self->offsets[place + 1] - self->offsets[place] - 2};
    }
    return err;
}

/* ---- the private part ---- */

static struct err past_turn_pack(struct past *self, uint64_t n)
{
    bool here = self->pack != NULL && n >= pack_first(self->pack) && n < pack_end(self->pack);
    if (here && !pack_is_stale(self->pack)) {
        return err_none;
    }
    pack_close(&self->pack);
    uint64_t first = 0;
    bool found = false;
    struct err err = pack_find(self->packs_directory, n, &first, &found);
    if (!err_is(err) && found) {
        err = pack_open(self->packs_directory, first, &self->pack);
    }
    return err.code == ERR_NOT_FOUND ? err_none : err; /* removed since: nothing is kept */
}

struct err past_read(struct past *self, uint64_t n, struct wal_entry *out)
{
    struct wal_entry entry = {.entry_index = n};
    struct err public = past_read_public(self, n, &entry);
    if (err_is(public) && public.code != ERR_PRUNED) {
        return public;
    }
    struct err err = past_turn_pack(self, n);
    if (err_is(err)) {
        return err;
    }
    bool found = false;
    if (self->pack != NULL && n < pack_end(self->pack)) {
        err = pack_read(self->pack, n, &entry.private_bytes, &entry.private_count, &found);
    }
    if (!found) {
        entry.private_bytes = NULL;
        entry.private_count = 0;
    }
    if (!err_is(err)) {
        *out = entry;
    }
    return err_is(err) ? err : public;
}
