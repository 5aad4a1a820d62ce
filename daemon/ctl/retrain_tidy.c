/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/retrain_tidy.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/model_file.h"
#include "base/clock.h"
#include "state/state.h"

enum { NAME_BYTES = HASH_HEX_BYTES + 3 };
#define TIDY_PATH_BYTES (DURABLE_PATH_BYTES + 280u)

struct kept_file {
    char name[NAME_BYTES];
    int64_t written_s;
    bool named;    /* by a model.change */
    bool in_force; /* by the last one of its place */
};

struct tidy {
    struct kept_file *files;
    uint32_t count;
};

static bool is_model_name(const char *name)
{
    size_t bytes = strlen(name);
    return bytes == NAME_BYTES - 1 && strspn(name, "0123456789abcdef") == HASH_HEX_BYTES - 1 &&
           strcmp(name + HASH_HEX_BYTES - 1, ".h5") == 0;
}

/* Of a comparison that did not come to its end: its one file, then the folder. */
static void remove_comparison(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char file[TIDY_PATH_BYTES + 280u];
        if (is_model_name(entry->d_name) &&
            snprintf(file, sizeof file, "%s/%s", path, entry->d_name) < (int)sizeof file) {
            struct err err = durable_remove_unsynced(file);
            (void)err; /* what cannot be removed is tried again the next time */
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    (void)rmdir(path);
}

static void take_entry(struct tidy *tidy, const char *directory, const char *name)
{
    static const char comparison[] = "compare-";
    struct stat found;
    char path[TIDY_PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path ||
        lstat(path, &found) != 0) {
        return;
    }
    if (S_ISDIR(found.st_mode) && strncmp(name, comparison, sizeof comparison - 1) == 0 &&
        found.st_mtim.tv_sec < clock_utc_ns() / NS_PER_S - 86400) {
        remove_comparison(path);
    }
    if (S_ISREG(found.st_mode) && is_model_name(name) && tidy->count < RETRAIN_TIDY_MAX) {
        struct kept_file *file = &tidy->files[tidy->count++];
        *file = (struct kept_file){.written_s = found.st_mtim.tv_sec};
        memcpy(file->name, name, NAME_BYTES);
    }
}

/* Newest first. */
static int compare_files(const void *a, const void *b)
{
    const struct kept_file *first = a;
    const struct kept_file *second = b;
    if (first->written_s != second->written_s) {
        return first->written_s > second->written_s ? -1 : 1;
    }
    return strcmp(first->name, second->name);
}

/* A folder that is not there has nothing to be tidied. */
static void list_files(struct tidy *tidy, const char *directory)
{
    DIR *folder = opendir(directory);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        take_entry(tidy, directory, entry->d_name);
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    qsort(tidy->files, tidy->count, sizeof *tidy->files, compare_files);
}

static void take_model(void *argument, uint32_t columns_count, const char *const *names,
                       const char *const *values)
{
    struct tidy *tidy = argument;
    (void)names;
    must(columns_count == 2);
    for (uint32_t i = 0; i < tidy->count && values[0] != NULL; i++) {
        if (strncmp(tidy->files[i].name, values[0], HASH_HEX_BYTES - 1) == 0) {
            tidy->files[i].named = true;
            tidy->files[i].in_force |= values[1] != NULL && values[1][0] == '1';
        }
    }
}

static bool mark_named(struct ctl *ctl, struct tidy *tidy)
{
    static const char sql[] =
        "SELECT lower(hex(sha256)), entry = (SELECT max(entry) FROM models AS later"
        " WHERE later.name = models.name) FROM models ORDER BY entry";
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return false;
    }
    struct err err = state_metric(state, sql, take_model, tidy);
    state_close(&state);
    if (err_is(err)) {
        ctl_fail("read model", err);
    }
    return !err_is(err);
}

/* The store's own copy, whole. */
static bool is_in_models(const char *models, const char *name)
{
    char path[TIDY_PATH_BYTES];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    uint8_t digest[HASH_BYTES];
    char hex[HASH_HEX_BYTES];
    if (snprintf(path, sizeof path, "%s/%s", models, name) >= (int)sizeof path ||
        err_is(durable_read(path, MODEL_BYTES_MAX, &bytes, &bytes_count))) {
        return false;
    }
    sha256_of(bytes, bytes_count, digest);
    free(bytes);
    hex_encode(digest, HASH_BYTES, hex);
    return strncmp(hex, name, HASH_HEX_BYTES - 1) == 0;
}

static bool remove_old(const struct tidy *tidy, const char *directory, const char *models,
                       uint32_t *removed)
{
    for (uint32_t i = RETRAIN_KEEP; i < tidy->count; i++) {
        const struct kept_file *file = &tidy->files[i];
        char path[TIDY_PATH_BYTES];
        if (file->in_force || (file->named && !is_in_models(models, file->name))) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", directory, file->name);
        struct err err = durable_remove(path);
        if (err_is(err)) {
            ctl_fail(path, err);
            return false;
        }
        (*removed)++;
    }
    return true;
}

bool retrain_tidy(struct ctl *ctl, const char *directory, uint32_t *removed)
{
    char models[DURABLE_PATH_BYTES];
    struct tidy tidy = {.files = calloc(RETRAIN_TIDY_MAX, sizeof *tidy.files)};
    *removed = 0;
    if (tidy.files == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    list_files(&tidy, directory);
    bool good = tidy.count <= RETRAIN_KEEP ||
                (ctl_path(ctl, ctl->conf.store_models, models) && mark_named(ctl, &tidy) &&
                 remove_old(&tidy, directory, models, removed));
    free(tidy.files);
    return good;
}
