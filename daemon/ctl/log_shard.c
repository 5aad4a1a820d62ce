/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/log_shard.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tile_files.h"
#include "oversight/shards.h"

struct err log_shard_first_n(const char *shard_directory, uint64_t tree_size, uint64_t *first_n)
{
    struct tile_files *tiles = calloc(1, sizeof *tiles); /* 64 KB */
    uint8_t *memory = malloc(ENTRY_ARENA_BYTES);
    uint8_t *bytes = NULL;
    uint32_t bytes_count = 0;
    struct arena arena;
    struct entry entry;
    struct err err =
        tiles == NULL || memory == NULL ? err_make(ERR_MEMORY, "first entry") : err_none;
    if (!err_is(err) && !tile_files_init(tiles, shard_directory, tree_size)) {
        err = err_make(ERR_ARGUMENT, "path of the log is too long");
    }
    if (!err_is(err)) {
        err = tile_files_entry(tiles, 0, &bytes, &bytes_count);
    }
    if (!err_is(err)) {
        arena_init(&arena, memory, ENTRY_ARENA_BYTES);
        bool opens = entry_decode(bytes, bytes_count, &arena, &entry) == ENTRY_GOOD &&
                     entry.type == ENTRY_LOG_OPEN;
        err = opens ? err_none : err_make(ERR_TABLE_UNREADABLE, "first entry is not log.open");
        *first_n = opens ? entry.body.log_open.first_n : 0;
    }
    free(bytes);
    free(memory);
    free(tiles);
    return err;
}

static bool shard_path(struct ctl *ctl, const struct shard *shard, char *out)
{
    char name[SHARD_NAME_BYTES + 8];
    (void)snprintf(name, sizeof name, "log/%s", shard->directory);
    return ctl_path(ctl, name, out);
}

static bool shard_has_checkpoint(const char *directory)
{
    char path[DURABLE_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/checkpoint", directory);
    return access(path, F_OK) == 0;
}

/* n UINT64_MAX: the newest with a checkpoint. */
static bool shard_choose(struct ctl *ctl, uint64_t n, struct shard *shard, char *out)
{
    char log_directory[DURABLE_PATH_BYTES];
    struct shards *shards = calloc(1, sizeof *shards);
    if (shards == NULL || !ctl_path(ctl, "log", log_directory)) {
        free(shards);
        return false;
    }
    struct err err = shards_read(log_directory, shards);
    bool found = false;
    if (!err_is(err)) {
        uint32_t i = (uint32_t)(shards_find(shards, n) - shards->list);
        found = shard_path(ctl, &shards->list[i], out);
        *shard = shards->list[i];
        if (found && n == UINT64_MAX && i > 0 && !shard_has_checkpoint(out)) {
            found = shard_path(ctl, &shards->list[i - 1], out); /* that one was opened just now */
        }
    }
    free(shards);
    if (err_is(err)) {
        ctl_refuse("no public log below %s", log_directory);
    }
    return found;
}

bool log_shard_of(struct ctl *ctl, uint64_t n, char *out)
{
    struct shard shard;
    return shard_choose(ctl, n, &shard, out);
}

bool log_shard_find(struct ctl *ctl, uint64_t n, struct shard *shard, char *out)
{
    return shard_choose(ctl, n, shard, out);
}

bool log_shard_newest(struct ctl *ctl, char *out)
{
    struct shard shard;
    return shard_choose(ctl, UINT64_MAX, &shard, out);
}
