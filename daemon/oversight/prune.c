/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/prune.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"
#include "base/tile_minimum.h"
#include "proto/entry.h"
#include "proto/note.h"

#define PRUNE_SYNC_BUNDLES 1000u /* as many as lie in one directory */

struct prune {
    struct shards shards;
    char directory[DURABLE_PATH_BYTES]; /* of the shard at hand */
    uint64_t minimum;
    struct arena arena;
    uint8_t arena_bytes[ENTRY_ARENA_BYTES];
};

static struct err prune_open(const char *log_directory, struct prune **out)
{
    struct prune *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "prune");
    }
    arena_init(&self->arena, self->arena_bytes, sizeof self->arena_bytes);
    struct err err = shards_read(log_directory, &self->shards);
    if (err_is(err)) {
        free(self);
        return err;
    }
    *out = self;
    return err_none;
}

static struct err prune_enter(struct prune *self, const char *log_directory,
                              const struct shard *shard)
{
    int bytes =
        snprintf(self->directory, sizeof self->directory, "%s/%s", log_directory, shard->directory);
    return bytes < 0 || bytes >= (int)sizeof self->directory
               ? err_make(ERR_ARGUMENT, "path length")
               : tile_minimum_read(self->directory, &self->minimum);
}

/* Whole bundles of the shard below this n; the one of its last entry is not among them. */
static uint64_t prune_minimum(const struct prune *self, const struct shard *shard, uint64_t below,
                              uint64_t size)
{
    uint64_t end = shards_end(&self->shards, shard);
    end = end < size ? end : size;
    if (below <= shard->first_n || end <= shard->first_n) {
        return 0;
    }
    uint64_t wanted = below - shard->first_n;
    uint64_t most = end - shard->first_n - 1;
    uint64_t minimum = (wanted < most ? wanted : most) / TILE_WIDTH * TILE_WIDTH;
    return minimum > TILE_WIDTH ? minimum : 0; /* nothing but the first bundle: nothing goes */
}

/* out NULL: the minima are written. */
static struct err prune_walk(const char *log_directory, uint64_t below, uint64_t size,
                             struct prune_plan *out)
{
    struct prune *self = NULL;
    struct err err = prune_open(log_directory, &self);
    for (uint32_t i = 0; !err_is(err) && i < self->shards.count; i++) {
        const struct shard *shard = &self->shards.list[i];
        uint64_t minimum = prune_minimum(self, shard, below, size);
        err = prune_enter(self, log_directory, shard);
        if (err_is(err) || minimum <= self->minimum) {
            continue;
        }
        if (out == NULL) {
            err = tile_minimum_write(self->directory, minimum);
        } else {
            uint64_t from = self->minimum == 0 ? TILE_WIDTH : self->minimum;
            out->bundles += (minimum - from) / TILE_WIDTH;
            out->least = shard->first_n + minimum;
        }
    }
    free(self);
    return err;
}

struct err prune_weigh(const char *log_directory, uint64_t below, uint64_t size,
                       struct prune_plan *out)
{
    *out = (struct prune_plan){0};
    return prune_walk(log_directory, below, size, out);
}

struct err prune_mark(const char *log_directory, uint64_t below, uint64_t size)
{
    return prune_walk(log_directory, below, size, NULL);
}

/* ---- the bundles ---- */

/* What cannot be read as entries is no reason to keep it: its leaves are in the hash tile. */
static bool prune_has_key(struct prune *self, const uint8_t *bundle, size_t bundle_bytes)
{
    const uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    size_t offset = 0;
    while (bundle_next(bundle, bundle_bytes, &offset, &bytes, &bytes_count)) {
        struct entry entry;
        arena_reset(&self->arena);
        if (entry_decode(bytes, bytes_count, &self->arena, &entry) == ENTRY_GOOD &&
            entry.type == ENTRY_KEY_ROTATE) {
            return true;
        }
    }
    return false;
}

/* Earlier partial files of the bundle, in a directory of their own. */
static struct err prune_partials(const char *bundle)
{
    char folder[DURABLE_PATH_BYTES];
    char path[DURABLE_PATH_BYTES];
    struct err err = err_none;
    int bytes = snprintf(folder, sizeof folder, "%s.p", bundle);
    DIR *listing = bytes < (int)sizeof folder ? opendir(folder) : NULL;
    if (listing == NULL) {
        return err_none;
    }
    for (const struct dirent *name = readdir(listing); !err_is(err) && name != NULL;
         name = readdir(listing)) {
        bytes = snprintf(path, sizeof path, "%s/%s", folder, name->d_name);
        if (name->d_name[0] != '.' && bytes < (int)sizeof path) {
            err = durable_remove_unsynced(path);
        }
    }
    (void)closedir(listing);
    if (!err_is(err)) {
        (void)rmdir(folder); /* empty directories harm nobody */
    }
    return err;
}

static struct err prune_bundle(struct prune *self, uint64_t index, uint64_t *removed)
{
    char name[TILE_PATH_BYTES_MAX];
    char path[DURABLE_PATH_BYTES];
    uint8_t *bundle = NULL;
    size_t bundle_bytes = 0;
    bundle_path(index, 0, name);
    int bytes = snprintf(path, sizeof path, "%s/%s", self->directory, name);
    if (bytes < 0 || bytes >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    struct err err = durable_read(path, BUNDLE_BYTES_MAX, &bundle, &bundle_bytes);
    if (err_is(err) && err.os_errno != ENOENT) {
        return err;
    }
    if (!err_is(err) && prune_has_key(self, bundle, bundle_bytes)) {
        free(bundle);
        return err_none;
    }
    *removed += !err_is(err);
    free(bundle);
    err = prune_partials(path);
    if (!err_is(err)) {
        err = durable_remove_unsynced(path);
    }
    bool last = (index + 1) * TILE_WIDTH >= self->minimum;
    return !err_is(err) && (last || index % PRUNE_SYNC_BUNDLES == PRUNE_SYNC_BUNDLES - 1)
               ? durable_sync_parent(path)
               : err;
}

struct err prune_sweep(const char *log_directory, uint64_t *removed)
{
    struct prune *self = NULL;
    *removed = 0;
    struct err err = prune_open(log_directory, &self);
    for (uint32_t i = 0; !err_is(err) && i < self->shards.count; i++) {
        err = prune_enter(self, log_directory, &self->shards.list[i]);
        for (uint64_t index = 1; !err_is(err) && index < self->minimum / TILE_WIDTH; index++) {
            err = prune_bundle(self, index, removed);
        }
    }
    free(self);
    return err;
}
