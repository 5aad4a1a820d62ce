/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/durable.h"
#include "verify/verify_against.h"
#include "verify/verify_chain.h"
#include "verify/verify_checkpoints.h"
#include "verify/verify_files.h"
#include "verify/verify_minimum.h"
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

/* By the numbers of their entries; copies of one shard by their names. */
static int verify_compare_shards(const void *a, const void *b)
{
    const struct verify_shard *left = a;
    const struct verify_shard *right = b;
    int order = (left->first_n > right->first_n) - (left->first_n < right->first_n);
    return order != 0 ? order : strcmp(left->path, right->path);
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
    for (uint32_t i = 0; i < report->shards_count; i++) {
        report->shards[i].first_n = verify_chain_peek(&report->shards[i]);
    }
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

/* A run over the shards. A story is told over all shards whose numbers go on from one another, so
 * `working` is the shard at hand all the time, and goes back to the report when it is done. */
struct verify_pass {
    const struct verify_conf *conf;
    struct verify_report *report;
    struct verify_kept *kept;
    struct verify_link *links; /* one a shard */
    const char *archive_directory;
    struct verify_shard working;
    struct verify_story *story;
    struct verify_sealed sealed;
    bool key_seen; /* the key that was given is one of some shard */
};

/* What a verification is, in order. Each step says in its header what it proves; VERIFY.md says
 * what each catches. */
static struct err verify_one(struct verify_pass *self, struct verify_link *link)
{
    const struct verify_conf *conf = self->conf;
    struct verify_report *report = self->report;
    struct verify_shard *shard = &self->working;
    static struct verify_heads heads; /* with its keys too large for a stack */
    uint64_t first_n = shard->first_n;
    bool key_is_here = false;
    bool usable = false;
    struct err err = verify_files(report, shard);
    if (err_is(err)) {
        return err;
    }
    err = verify_heads_read(report, shard, conf->vkey, &heads, &key_is_here, &usable);
    self->key_seen |= key_is_here;
    if (err_is(err) || !usable) {
        verify_heads_fini(&heads);
        return err;
    }
    link->keys = &heads.keys;
    link->keys_known = true;
    memcpy(link->first_key, heads.keys.vkeys[0].public_key, SIGN_PUBLIC_BYTES);
    memcpy(link->last_key, heads.keys.vkeys[heads.keys.count - 1].public_key, SIGN_PUBLIC_BYTES);
    err = verify_kept_claim(report, shard, &heads, self->kept, conf->against_count);
    if (!err_is(err) && self->story == NULL) {
        err = verify_story_open(report, shard, conf, &self->story);
    }
    if (!err_is(err)) {
        verify_minimum_read(report, shard);
        verify_story_turn(self->story, link, first_n);
        err = verify_tree_walk(report, shard, &heads, self->story, conf->progress);
    }
    if (!err_is(err)) {
        for (uint64_t i = 0; conf->day != NULL && i < heads.count; i++) {
            verify_day_cover(conf->day, shard->first_n + heads.heads[i].size);
        }
        verify_heads_finish(&heads, report, shard);
        verify_keys_finish(&heads.keys, report, shard, &heads);
        verify_kept_finish(report, shard, self->kept, conf->against_count);
    }
    if (!err_is(err) && conf->quorum != NULL) {
        err = verify_quorum(report, shard, conf->quorum);
    }
    link->keys = NULL;
    verify_heads_fini(&heads);
    return err;
}

/* The story ends with the shard `last`. */
static struct err verify_end_story(struct verify_pass *self, uint32_t last)
{
    struct verify_report *report = self->report;
    struct err err = err_none;
    if (self->story != NULL) {
        verify_story_finish(self->story);
        report->shards[last] = self->working;
        err = verify_seals(report, &report->shards[last], self->story, self->archive_directory,
                           self->conf->progress);
    }
    if (!err_is(err) && self->story != NULL) {
        err = verify_keep_sealed(&self->sealed, self->story);
    }
    verify_story_close(&self->story);
    return err;
}

static struct err verify_each(struct verify_pass *self)
{
    struct verify_report *report = self->report;
    struct err err = err_none;
    for (uint32_t i = 0; i < report->shards_count && !err_is(err); i++) {
        self->working = report->shards[i];
        err = verify_one(self, &self->links[i]);
        report->shards[i] = self->working;
        bool goes_on = i + 1 < report->shards_count && self->story != NULL &&
                       report->shards[i + 1].first_n == self->working.first_n + self->working.size;
        if (!err_is(err) && !goes_on) {
            err = verify_end_story(self, i);
        }
    }
    verify_story_close(&self->story);
    return err;
}

static struct err verify_shards(struct verify_pass *self)
{
    char archive_path[DURABLE_PATH_BYTES + 16];
    const struct verify_conf *conf = self->conf;
    struct verify_report *report = self->report;
    bool whole = !verify_is_shard(conf->directory);
    (void)snprintf(archive_path, sizeof archive_path, "%s/archive", conf->directory);
    if (conf->day == NULL && verify_is_there(conf->directory, "archive")) {
        self->archive_directory = archive_path;
    }
    struct err err = verify_kept_read(report, conf->against, conf->against_count, self->kept);
    if (!err_is(err)) {
        err = verify_each(self);
    }
    if (err_is(err)) {
        return err;
    }
    if (conf->vkey != NULL && !self->key_seen) {
        (void)verify_report_step(report, STEP_key);
        verify_problem(report, "%s: the log was not signed with the key that you gave", conf->vkey);
    }
    verify_minimum_finish(report, whole);
    verify_chain_finish(report, self->links, whole);
    if (whole) {
        verify_chain_list(report, conf->directory);
    }
    verify_kept_unclaimed(report, self->kept, conf->against_count);
    if (self->archive_directory != NULL) {
        verify_unsealed(report, self->archive_directory, (const char(*)[160])self->sealed.paths,
                        self->sealed.count);
    }
    return err_none;
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
    struct verify_pass *pass = calloc(1, sizeof *pass);
    struct verify_kept *kept = calloc((size_t)conf->against_count + 1, sizeof *kept);
    struct verify_link *links = calloc(report->shards_count, sizeof *links);
    if (pass == NULL || kept == NULL || links == NULL) {
        err = err_make(ERR_MEMORY, "verify_run");
    } else {
        pass->conf = conf;
        pass->report = report;
        pass->kept = kept;
        pass->links = links;
        err = verify_shards(pass);
        free(pass->sealed.paths);
    }
    free(links);
    free(kept);
    free(pass);
    return err;
}
