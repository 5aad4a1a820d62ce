/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/replay_shelf.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILES_MAX = 1 << 20,
    /* An item is held for hours at most, a file covers minutes to a day. */
    LOOK_BACK = 16
};

/* "...-<first>-<last>.h5" */
static bool range_of_name(const char *name, uint64_t *first, uint64_t *last)
{
    const char *end = strstr(name, ".h5");
    const char *dash = end;
    unsigned dashes = 0;
    while (dash != NULL && dash > name && dashes < 2) {
        dash--;
        dashes += *dash == '-' ? 1u : 0u;
    }
    unsigned long long from = 0;
    unsigned long long to = 0;
    int used = 0;
    if (dashes < 2 || sscanf(dash, "-%20llu-%20llu.h5%n", &from, &to, &used) != 2 || used == 0 ||
        dash[used] != '\0' || to < from) {
        return false;
    }
    *first = from;
    *last = to;
    return true;
}

static struct err shelf_put(struct replay_shelf *self, const char *path, uint64_t first,
                            uint64_t last)
{
    if (self->files_count == self->files_capacity) {
        uint32_t capacity = self->files_capacity == 0 ? 64 : self->files_capacity * 2;
        struct replay_file *files =
            capacity > FILES_MAX ? NULL : realloc(self->files, capacity * sizeof *files);
        if (files == NULL) {
            return err_make(ERR_MEMORY, "list of archive files");
        }
        self->files = files;
        self->files_capacity = capacity;
    }
    struct replay_file *file = &self->files[self->files_count];
    memset(file, 0, sizeof *file);
    if (snprintf(file->path, sizeof file->path, "%s", path) >= (int)sizeof file->path) {
        return err_make(ERR_ARGUMENT, "path of an archive file");
    }
    file->first_index = first;
    file->last_index = last;
    id_map_init(&file->received);
    self->files_count++;
    return err_none;
}

static int compare_files(const void *a, const void *b)
{
    const struct replay_file *left = a;
    const struct replay_file *right = b;
    return left->first_index < right->first_index   ? -1
           : left->first_index > right->first_index ? 1
                                                    : strcmp(left->path, right->path);
}

static void shelf_sort(struct replay_shelf *self)
{
    if (self->files_count > 1) {
        qsort(self->files, self->files_count, sizeof *self->files, compare_files);
    }
}

static struct err shelf_walk(struct replay_shelf *self, const char *directory)
{
    char root[DURABLE_PATH_BYTES];
    (void)snprintf(root, sizeof root, "%s", directory);
    char *const roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (walk == NULL) {
        return err_os(ERR_IO, "look for archive files");
    }
    struct err err = err_none;
    FTSENT *found;
    while (!err_is(err) && (found = fts_read(walk)) != NULL) {
        uint64_t first = 0;
        uint64_t last = 0;
        if (found->fts_info == FTS_F && range_of_name(found->fts_name, &first, &last)) {
            err = shelf_put(self, found->fts_path, first, last);
        }
    }
    (void)fts_close(walk); /* read only */
    return err;
}

struct err replay_shelf_open(const char *directory, struct replay_shelf *out)
{
    *out = (struct replay_shelf){.arena_memory = malloc(ENTRY_ARENA_BYTES)};
    struct err err = out->arena_memory == NULL ? err_make(ERR_MEMORY, "replay_shelf") : err_none;
    err = err_is(err) ? err : shelf_walk(out, directory);
    if (err_is(err)) {
        replay_shelf_close(out);
        return err;
    }
    shelf_sort(out);
    return err_none;
}

static void file_unload(struct replay_file *file)
{
    archive_file_close(&file->file);
    id_map_fini(&file->received);
    id_map_init(&file->received);
    free(file->calibrations);
    file->calibrations = NULL;
    file->calibrations_count = 0;
}

void replay_shelf_close(struct replay_shelf *self)
{
    for (uint32_t i = 0; i < self->files_count; i++) {
        file_unload(&self->files[i]);
        id_map_fini(&self->files[i].received);
    }
    free(self->files);
    free(self->arena_memory);
    memset(self, 0, sizeof *self);
}

uint32_t replay_shelf_find(const struct replay_shelf *self, const char *path)
{
    struct stat wanted;
    if (stat(path, &wanted) != 0) {
        return self->files_count;
    }
    for (uint32_t i = 0; i < self->files_count; i++) {
        struct stat there;
        if (stat(self->files[i].path, &there) == 0 && there.st_ino == wanted.st_ino &&
            there.st_dev == wanted.st_dev) {
            return i;
        }
    }
    return self->files_count;
}

struct err replay_shelf_add(struct replay_shelf *self, const char *path)
{
    if (replay_shelf_find(self, path) < self->files_count) {
        return err_none;
    }
    struct archive_file *file = NULL;
    struct archive_summary summary;
    struct err err = archive_file_open(path, &file);
    if (err_is(err)) {
        return err;
    }
    err = archive_file_summary(file, &summary);
    archive_file_close(&file);
    err = err_is(err) ? err : shelf_put(self, path, summary.first_index, summary.last_index);
    shelf_sort(self);
    return err;
}

uint32_t replay_shelf_before(const struct replay_shelf *self, uint32_t at)
{
    must(at < self->files_count);
    uint64_t first_index = self->files[at].first_index;
    uint32_t i = at;
    while (i > 0 && self->files[i - 1].first_index == first_index) {
        i--; /* a copy of the same range under another name */
    }
    bool adjoins = i > 0 && self->files[i - 1].last_index + 1 == first_index;
    return adjoins ? i - 1 : self->files_count;
}

static struct err file_learn(struct replay_shelf *self, struct replay_file *file)
{
    struct err err = err_none;
    for (uint64_t i = file->first_index; i <= file->last_index && !err_is(err); i++) {
        const uint8_t *bytes = NULL;
        uint32_t bytes_count = 0;
        bool added = false;
        err = archive_file_entry(file->file, i, &bytes, &bytes_count);
        enum entry_type type = err_is(err) ? ENTRY_UNKNOWN : entry_type_peek(bytes, bytes_count);
        if (type != ENTRY_SCAN_RECEIVED && type != ENTRY_DECLARATION_RECEIVED) {
            continue;
        }
        struct arena arena;
        struct entry entry;
        arena_init(&arena, self->arena_memory, ENTRY_ARENA_BYTES);
        err = entry_decode(bytes, bytes_count, &arena, &entry) == ENTRY_GOOD
                  ? id_map_add(&file->received, entry.id, i, &added)
                  : err_make(ERR_ARCHIVE_DIFFERS, "an entry cannot be read");
    }
    return err;
}

struct err replay_shelf_load(struct replay_shelf *self, uint32_t at)
{
    must(at < self->files_count);
    struct replay_file *file = &self->files[at];
    for (uint32_t i = 0; i + LOOK_BACK < at; i++) {
        if (self->files[i].file != NULL) {
            file_unload(&self->files[i]);
        }
    }
    if (file->file != NULL) {
        return err_none;
    }
    struct archive_summary summary;
    struct err err = archive_file_open(file->path, &file->file);
    err = err_is(err) ? err : archive_file_summary(file->file, &summary);
    if (!err_is(err)) { /* what the name says is only where to look */
        file->first_index = summary.first_index;
        file->last_index = summary.last_index;
        err = file_learn(self, file);
    }
    if (!err_is(err)) {
        err = archive_file_calibrations(file->file, &file->calibrations, &file->calibrations_count);
        file->has_calibrations = !err_is(err);
        err = err.code == ERR_NOT_FOUND ? err_none : err;
    }
    if (err_is(err)) {
        file_unload(file);
    }
    return err;
}

struct err replay_shelf_received(struct replay_shelf *self, uint32_t at,
                                 const uint8_t id[ENTRY_ID_BYTES], struct replay_file **found,
                                 uint64_t *entry_index)
{
    *found = NULL;
    uint32_t place = at;
    for (uint32_t back = 0; back <= LOOK_BACK && place < self->files_count; back++) {
        struct replay_file *file = &self->files[place];
        struct err err = replay_shelf_load(self, place);
        if (err_is(err)) { /* an unreadable one before is as good as none */
            return back > 0 && err.code != ERR_MEMORY ? err_none : err;
        }
        if (id_map_find(&file->received, id, entry_index)) {
            *found = file;
            break;
        }
        place = replay_shelf_before(self, place);
    }
    return err_none;
}

const struct archive_calibration *
replay_shelf_calibration(const struct replay_file *file, uint64_t entry_index, uint64_t image_index)
{
    uint64_t low = 0;
    uint64_t high = file->calibrations_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (file->calibrations[middle].entry_index < entry_index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < file->calibrations_count && file->calibrations[low].entry_index == entry_index;
         low++) {
        if (file->calibrations[low].image_index == image_index) {
            return &file->calibrations[low];
        }
    }
    return NULL;
}
