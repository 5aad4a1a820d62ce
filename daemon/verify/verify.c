/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "verify/verify_against.h"
#include "verify/verify_checkpoints.h"
#include "verify/verify_files.h"
#include "verify/verify_quorum.h"
#include "verify/verify_seals.h"
#include "verify/verify_story.h"
#include "verify/verify_tree.h"

/* A directory is a shard when anything of a shard is in it: with the checkpoint taken away the rest
 * must still be looked at, or deleting one file would turn "bad" into "nothing here". */

struct verify_sealed {
    char (*paths)[160];
    uint64_t count;
};

static bool verify_is_there(const char *directory, const char *name)
{
    char path[DURABLE_PATH_BYTES + 32];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    return stat(path, &status) == 0;
}

static bool verify_is_shard(const char *directory)
{
    return verify_is_there(directory, "checkpoint") || verify_is_there(directory, "checkpoints") ||
           verify_is_there(directory, "tile");
}

static void verify_add_shard(struct verify_report *report, const char *path)
{
    if (report->shards_count == VERIFY_SHARDS_MAX) {
        verify_warning(report, "%s: not checked, more than %u logs here", path, VERIFY_SHARDS_MAX);
        return;
    }
    struct verify_shard *shard = &report->shards[report->shards_count++];
    (void)snprintf(shard->path, sizeof shard->path, "%s", path);
}

static int verify_compare_shards(const void *a, const void *b)
{
    return strcmp(((const struct verify_shard *)a)->path, ((const struct verify_shard *)b)->path);
}

static struct err verify_find(const char *directory, struct verify_report *report)
{
    char log_path[DURABLE_PATH_BYTES + 8];
    if (strlen(directory) + 300 > DURABLE_PATH_BYTES) { /* room for a name and what lies below it */
        return err_make(ERR_ARGUMENT, "path length");
    }
    if (verify_is_shard(directory)) {
        verify_add_shard(report, directory);
        return err_none;
    }
    (void)snprintf(log_path, sizeof log_path, "%s/log", directory);
    DIR *listing = opendir(log_path);
    if (listing == NULL) {
        return err_make(ERR_NOT_FOUND, "no log below this directory");
    }
    for (const struct dirent *name = readdir(listing); name != NULL; name = readdir(listing)) {
        char path[DURABLE_PATH_BYTES + 300];
        (void)snprintf(path, sizeof path, "%s/%s", log_path, name->d_name);
        bool fits = strlen(path) < DURABLE_PATH_BYTES - TILE_PATH_BYTES_MAX;
        if (name->d_name[0] != '.' && fits && verify_is_shard(path)) {
            verify_add_shard(report, path);
        }
    }
    (void)closedir(listing);
    qsort(report->shards, report->shards_count, sizeof report->shards[0], verify_compare_shards);
    return report->shards_count > 0 ? err_none
                                    : err_make(ERR_NOT_FOUND, "no log below this directory");
}

static struct err verify_keep_sealed(struct verify_sealed *sealed, const struct verify_story *story)
{
    uint64_t count = 0;
    const struct verify_seal *seals = verify_story_seals(story, &count);
    if (count == 0) {
        return err_none;
    }
    void *grown =
        reallocarray(sealed->paths, (size_t)(sealed->count + count), sizeof *sealed->paths);
    if (grown == NULL) {
        return err_make(ERR_MEMORY, "verify_keep_sealed");
    }
    sealed->paths = grown;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(sealed->paths[sealed->count++], seals[i].path, sizeof seals[i].path);
    }
    return err_none;
}

/* What a verification is, in order. Each step says in its header what it proves; VERIFY.md says
 * what each catches. */
static struct err verify_one(const struct verify_conf *conf, struct verify_report *report,
                             struct verify_shard *shard, struct verify_kept *kept,
                             struct verify_story **story)
{
    struct verify_heads heads;
    bool usable = false;
    struct err err = verify_files(report, shard);
    if (err_is(err)) {
        return err;
    }
    err = verify_heads_read(report, shard, conf->vkey, &heads, &usable);
    if (err_is(err) || !usable) {
        verify_heads_fini(&heads);
        return err;
    }
    err = verify_kept_claim(report, shard, &heads, kept, conf->against_count);
    if (!err_is(err)) {
        err = verify_story_open(report, shard, conf->now_ns, story);
    }
    if (!err_is(err)) {
        err = verify_tree_walk(report, shard, &heads, *story, conf->progress);
    }
    if (!err_is(err)) {
        verify_heads_finish(&heads, report, shard);
        verify_kept_finish(report, shard, kept, conf->against_count);
        verify_story_finish(*story);
    }
    if (!err_is(err) && conf->quorum != NULL) {
        err = verify_quorum(report, shard, conf->quorum);
    }
    verify_heads_fini(&heads);
    return err;
}

static struct err verify_shard(const struct verify_conf *conf, struct verify_report *report,
                               struct verify_shard *shard, struct verify_kept *kept,
                               const char *archive_directory, struct verify_sealed *sealed)
{
    struct verify_story *story = NULL;
    struct err err = verify_one(conf, report, shard, kept, &story);
    if (!err_is(err) && story != NULL) {
        err = verify_seals(report, shard, story, archive_directory, conf->progress);
    }
    if (!err_is(err) && story != NULL) {
        err = verify_keep_sealed(sealed, story);
    }
    verify_story_close(&story);
    return err;
}

static struct err verify_shards(const struct verify_conf *conf, struct verify_report *report,
                                struct verify_kept *kept)
{
    char archive_path[DURABLE_PATH_BYTES + 16];
    struct verify_sealed sealed = {.count = 0};
    (void)snprintf(archive_path, sizeof archive_path, "%s/archive", conf->directory);
    const char *archive_directory =
        verify_is_there(conf->directory, "archive") ? archive_path : NULL;
    struct err err = verify_kept_read(report, conf->against, conf->against_count, kept);
    for (uint32_t i = 0; i < report->shards_count && !err_is(err); i++) {
        err = verify_shard(conf, report, &report->shards[i], kept, archive_directory, &sealed);
    }
    if (!err_is(err)) {
        verify_kept_unclaimed(report, kept, conf->against_count);
    }
    if (!err_is(err) && archive_directory != NULL) {
        verify_unsealed(report, archive_directory, (const char(*)[160])sealed.paths, sealed.count);
    }
    free(sealed.paths);
    return err;
}

struct err verify_run(const struct verify_conf *conf, struct verify_report *report)
{
    if (!sign_init()) {
        return err_make(ERR_KEY, "signature library");
    }
    if (conf->against_count > VERIFY_KEPT_MAX) {
        return err_make(ERR_ARGUMENT, "too many checkpoints to hold the log against");
    }
    struct err err = verify_find(conf->directory, report);
    if (err_is(err)) {
        return err;
    }
    struct verify_kept *kept = calloc((size_t)conf->against_count + 1, sizeof *kept);
    if (kept == NULL) {
        return err_make(ERR_MEMORY, "verify_run");
    }
    err = verify_shards(conf, report, kept);
    free(kept);
    return err;
}
