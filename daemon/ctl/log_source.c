/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/log_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "base/durable.h"
#include "base/tile_minimum.h"
#include "ctl/log_shard.h"
#include "oversight/oversight.h"
#include "oversight/shards.h"
#include "proto/note.h"

#define PRUNED_WORDS "to read it, restore its bundle from a copy of the log"

struct log_source {
    struct wal_reader *reader; /* NULL for a public tree */
    char root[DURABLE_PATH_BYTES];
    struct shards *shards;     /* NULL: root is a shard itself */
    const struct shard *shard; /* the one at hand, with them */
    char directory[DURABLE_PATH_BYTES];
    uint64_t first_n;
    uint64_t tree_size;
    uint64_t next_index;
    uint8_t *bundle; /* holds next_index when not NULL */
    size_t bundle_bytes;
    size_t bundle_offset;
};

struct err log_source_open_store(const char *directory, struct log_source **out)
{
    char paths[3][DURABLE_PATH_BYTES];
    static const char *const names[3] = {"wal", "log", "packs"};
    for (int i = 0; i < 3; i++) {
        if (snprintf(paths[i], sizeof paths[i], "%s/%s", directory, names[i]) >=
            (int)sizeof paths[i]) {
            return err_make(ERR_ARGUMENT, "path of the store is too long");
        }
    }
    struct log_source *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open log");
    }
    (void)snprintf(self->root, sizeof self->root, "%s", paths[1]);
    const struct wal_places places = {paths[0], paths[1], paths[2]};
    struct err err = wal_reader_open_store(&places, &self->reader);
    if (err_is(err)) {
        free(self);
        return err;
    }
    *out = self;
    return err_none;
}

/* Second line of a checkpoint: the size, decimal without leading zeros. */
static bool read_size(const char *text, uint64_t *tree_size)
{
    const char *line = strchr(text, '\n');
    if (line == NULL || line[1] < '0' || line[1] > '9') {
        return false;
    }
    char *end = NULL;
    unsigned long long value = strtoull(line + 1, &end, 10);
    if (*end != '\n' || value > INT64_MAX) {
        return false;
    }
    *tree_size = value;
    return true;
}

struct err checkpoint_read(const char *path, uint64_t *tree_size, char **text)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err = durable_read(path, NOTE_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        return err;
    }
    if (!read_size((const char *)bytes, tree_size)) {
        free(bytes);
        return err_make(ERR_TABLE_UNREADABLE, "checkpoint does not state a size");
    }
    if (text != NULL) {
        *text = (char *)bytes;
    } else {
        free(bytes);
    }
    return err_none;
}

/* Tree size and first number of the directory at hand. */
static struct err source_measure(struct log_source *self)
{
    char path[DURABLE_PATH_BYTES];
    free(self->bundle);
    self->bundle = NULL;
    if (snprintf(path, sizeof path, "%s/checkpoint", self->directory) >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path of the log is too long");
    }
    struct err err = checkpoint_read(path, &self->tree_size, NULL);
    if (err_is(err) || self->shard != NULL) {
        self->first_n = self->shard == NULL ? 0 : self->shard->first_n;
        return err;
    }
    self->first_n = 0;
    if (self->tree_size > 0) { /* where that cannot be read, reading on will tell why */
        err = log_shard_first_n(self->directory, self->tree_size, &self->first_n);
    }
    return err.code == ERR_MEMORY ? err : err_none;
}

static struct err source_enter(struct log_source *self, const struct shard *shard)
{
    if (snprintf(self->directory, sizeof self->directory, "%s/%s", self->root, shard->directory) >=
        (int)sizeof self->directory) {
        return err_make(ERR_ARGUMENT, "path of the log is too long");
    }
    self->shard = shard;
    return source_measure(self);
}

static struct err source_open_all(struct log_source *self)
{
    self->shards = calloc(1, sizeof *self->shards);
    if (self->shards == NULL) {
        return err_make(ERR_MEMORY, "open log");
    }
    struct err err = shards_read(self->root, self->shards);
    return err_is(err) ? err : source_enter(self, &self->shards->list[0]);
}

struct err log_source_open_public(const char *log_directory, struct log_source **out)
{
    char path[DURABLE_PATH_BYTES];
    struct log_source *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "open log");
    }
    struct err err = err_none;
    if (snprintf(path, sizeof path, "%s/" SHARDS_NAME, log_directory) >= (int)sizeof path) {
        err = err_make(ERR_ARGUMENT, "path of the log is too long");
    } else {
        (void)snprintf(self->root, sizeof self->root, "%s", log_directory);
        (void)snprintf(self->directory, sizeof self->directory, "%s", log_directory);
        err = access(path, F_OK) == 0 ? source_open_all(self) : source_measure(self);
    }
    if (err_is(err)) {
        log_source_close(&self);
        return err;
    }
    self->next_index = self->first_n;
    *out = self;
    return err_none;
}

void log_source_close(struct log_source **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    wal_reader_close(&(*self)->reader);
    free((*self)->bundle);
    free((*self)->shards);
    free(*self);
    *self = NULL;
}

struct err log_source_seek(struct log_source *self, uint64_t entry_index)
{
    if (self->reader != NULL) {
        return wal_reader_seek(self->reader, entry_index);
    }
    const struct shard *shard =
        self->shards == NULL ? NULL : shards_find(self->shards, entry_index);
    if (shard != self->shard) {
        struct err err = source_enter(self, shard);
        if (err_is(err)) {
            return err;
        }
    }
    entry_index = entry_index < self->first_n ? self->first_n : entry_index;
    if (entry_index - self->first_n > self->tree_size) {
        return err_make(ERR_NOT_FOUND, "entry beyond the checkpoint");
    }
    free(self->bundle);
    self->bundle = NULL;
    self->next_index = entry_index;
    return err_none;
}

/* A full bundle is preferred: a later checkpoint may have been copied beside older partial ones. */
static struct err load_bundle(struct log_source *self)
{
    char name[TILE_PATH_BYTES_MAX];
    char path[DURABLE_PATH_BYTES];
    uint64_t leaf_index = self->next_index - self->first_n;
    uint64_t bundle_index = leaf_index / TILE_WIDTH;
    uint64_t left = self->tree_size - bundle_index * TILE_WIDTH;
    bundle_path(bundle_index, left >= TILE_WIDTH ? 0 : (uint32_t)left, name);
    if (snprintf(path, sizeof path, "%s/%s", self->directory, name) >= (int)sizeof path) {
        return err_make(ERR_ARGUMENT, "path of the log is too long");
    }
    struct err err = durable_read(path, BUNDLE_BYTES_MAX, &self->bundle, &self->bundle_bytes);
    if (err_is(err)) {
        self->bundle = NULL;
        return err.os_errno == ENOENT
                   ? tile_minimum_explain(self->directory, leaf_index, PRUNED_WORDS, err)
                   : err;
    }
    self->bundle_offset = 0;
    const uint8_t *entry;
    uint32_t entry_bytes;
    for (uint64_t skip = leaf_index % TILE_WIDTH; skip > 0; skip--) {
        if (!bundle_next(self->bundle, self->bundle_bytes, &self->bundle_offset, &entry,
                         &entry_bytes)) {
            return err_make(ERR_WAL_DAMAGED, "entry bundle is cut short");
        }
    }
    return err_none;
}

/* Is there another entry, in this shard or in the one after it? */
static struct err source_has_next(struct log_source *self, bool *has)
{
    *has = self->next_index - self->first_n < self->tree_size;
    bool is_last = self->shards == NULL || shards_end(self->shards, self->shard) == UINT64_MAX;
    if (*has || is_last) {
        return err_none;
    }
    if (self->shard[1].first_n != self->next_index) {
        return err_make(ERR_WAL_DAMAGED, "shard ends before the next one begins");
    }
    struct err err = source_enter(self, self->shard + 1);
    *has = !err_is(err) && self->tree_size > 0;
    return err.os_errno == ENOENT ? err_none : err; /* it has no checkpoint yet */
}

static struct err next_public(struct log_source *self, struct log_bytes *out, bool *got)
{
    struct err has = source_has_next(self, got);
    if (err_is(has) || !*got) {
        return has;
    }
    if (self->bundle != NULL && (self->next_index - self->first_n) % TILE_WIDTH == 0) {
        free(self->bundle);
        self->bundle = NULL;
    }
    struct err err = self->bundle == NULL ? load_bundle(self) : err_none;
    if (err_is(err)) {
        return err;
    }
    *out = (struct log_bytes){.entry_index = self->next_index};
    if (!bundle_next(self->bundle, self->bundle_bytes, &self->bundle_offset, &out->bytes,
                     &out->bytes_count)) {
        return err_make(ERR_WAL_DAMAGED, "entry bundle is cut short");
    }
    self->next_index++;
    *got = true;
    return err_none;
}

struct err log_source_next(struct log_source *self, struct log_bytes *out, bool *got)
{
    if (self->reader == NULL) {
        return next_public(self, out, got);
    }
    struct wal_entry entry;
    struct err err = wal_reader_next(self->reader, &entry, got);
    if (err.code == ERR_PRUNED) {
        self->next_index = entry.entry_index;
    }
    if (!err_is(err) && *got) {
        *out = (struct log_bytes){entry.entry_index, entry.bytes, entry.bytes_count,
                                  entry.private_bytes, entry.private_count};
    }
    return err;
}

struct err log_source_pass(struct log_source *self, uint64_t *entry_index)
{
    uint64_t first_n = self->first_n;
    if (self->reader != NULL) {
        struct shards *shards = calloc(1, sizeof *shards);
        struct err err =
            shards == NULL ? err_make(ERR_MEMORY, "pass") : shards_read(self->root, shards);
        const struct shard *shard = err_is(err) ? NULL : shards_find(shards, self->next_index);
        first_n = shard == NULL ? 0 : shard->first_n;
        free(shards);
        if (err_is(err)) {
            return err;
        }
    }
    uint64_t leaf_index = self->next_index - first_n;
    *entry_index = first_n + (leaf_index / TILE_WIDTH + 1) * TILE_WIDTH;
    return log_source_seek(self, *entry_index);
}
