/* SPDX-License-Identifier: Apache-2.0 */
#include "feeds/image_folder.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/durable.h"
#include "feeds/image_sidecar.h"
#include "picture/picture.h"
#include "proto/arena.h"
#include "proto/hash.h"

/* Names are sorted by their bytes, so that "every second scan" means the same on every machine. */

#define PATH_BYTES 4352u
#define LIST_BYTES_MAX (64u << 20)
#define SCAN_ARENA_BYTES 65536u
#define STEM_BYTES 48u

struct group {
    char *first;  /* file name; of a pair the low energy */
    char *second; /* NULL, or the high energy */
};

struct image_folder {
    struct image_folder_conf conf;
    char *directory;
    struct group *groups;
    uint32_t groups_count;
};

struct names {
    char **names;
    uint32_t count;
    uint32_t capacity;
};

struct scan_storage {
    struct folder_scan out; /* first: a folder_scan pointer is a storage pointer */
    struct picture pictures[RECORD_IMAGES_MAX];
    struct arena arena;
    uint8_t arena_bytes[SCAN_ARENA_BYTES];
};

static void names_free(struct names *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        free(self->names[i]);
    }
    free(self->names);
    *self = (struct names){0};
}

static bool names_add(struct names *self, const char *name)
{
    if (self->count == self->capacity) {
        uint32_t capacity = self->capacity == 0 ? 256 : 2 * self->capacity;
        char **larger = realloc(self->names, capacity * sizeof *larger);
        if (larger == NULL || self->count >= FOLDER_SCANS_MAX) {
            self->names = larger != NULL ? larger : self->names;
            return false;
        }
        self->names = larger;
        self->capacity = capacity;
    }
    self->names[self->count] = strdup(name);
    return self->names[self->count] != NULL && ++self->count > 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_have(const struct names *self, const char *name)
{
    return self->count > 0 &&
           bsearch(&name, self->names, self->count, sizeof *self->names, compare_names) != NULL;
}

static bool is_image_name(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".tif", ".tiff"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && name[0] != '.' && i < sizeof endings / sizeof endings[0];
         i++) {
        if (strcasecmp(dot, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

static struct err list_directory(const char *directory, struct names *out)
{
    DIR *stream = opendir(directory);
    if (stream == NULL) {
        return err_os(ERR_IO, "open folder");
    }
    struct err err = err_none;
    for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (is_image_name(entry->d_name) && !names_add(out, entry->d_name)) {
            err = err_make(ERR_MEMORY, "list folder");
            break;
        }
    }
    (void)closedir(stream);
    if (out->count > 0) {
        qsort(out->names, out->count, sizeof *out->names, compare_names);
    }
    return err;
}

static struct err read_list(const char *path, struct names *out)
{
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    struct err err =
        path != NULL ? durable_read(path, LIST_BYTES_MAX, &bytes, &bytes_count) : err_none;
    if (err_is(err) || path == NULL) {
        return err;
    }
    char *rest = (char *)bytes;
    for (char *line = strsep(&rest, "\r\n"); line != NULL; line = strsep(&rest, "\r\n")) {
        if (line[0] != '\0' && line[0] != '#' && !names_add(out, line)) {
            err = err_make(ERR_MEMORY, "read list");
            break;
        }
    }
    free(bytes);
    if (out->count > 0) {
        qsort(out->names, out->count, sizeof *out->names, compare_names);
    }
    return err;
}

/* "a_low.png" -> "a_high.png"; false when the name is not of that form. */
static bool partner_of(const char *name, const char *from, const char *to, char out[NAME_MAX + 8])
{
    const char *dot = strrchr(name, '.');
    size_t from_bytes = strlen(from);
    if (dot == NULL || (size_t)(dot - name) <= from_bytes ||
        strncmp(dot - from_bytes, from, from_bytes) != 0) {
        return false;
    }
    int stem_bytes = (int)((size_t)(dot - name) - from_bytes);
    return snprintf(out, NAME_MAX + 8, "%.*s%s%s", stem_bytes, name, to, dot) < NAME_MAX + 8;
}

static bool wanted(const struct image_folder_conf *conf, const struct names lists[2],
                   const struct group *group)
{
    bool listed = conf->list_path == NULL || names_have(&lists[0], group->first) ||
                  (group->second != NULL && names_have(&lists[0], group->second));
    bool skipped = names_have(&lists[1], group->first) ||
                   (group->second != NULL && names_have(&lists[1], group->second));
    return listed && !skipped;
}

static struct err make_groups(struct image_folder *self, const struct names *files,
                              const struct names lists[2])
{
    self->groups = calloc(files->count + 1u, sizeof *self->groups);
    if (self->groups == NULL) {
        return err_make(ERR_MEMORY, "list folder");
    }
    uint32_t every = self->conf.every > 1 ? self->conf.every : 1;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < files->count; i++) {
        char partner[NAME_MAX + 8];
        if (partner_of(files->names[i], "_high", "_low", partner) && names_have(files, partner)) {
            continue; /* it comes with its low energy */
        }
        bool pair =
            partner_of(files->names[i], "_low", "_high", partner) && names_have(files, partner);
        struct group group = {files->names[i], pair ? partner : NULL};
        if (!wanted(&self->conf, lists, &group) || taken++ % every != self->conf.offset) {
            continue;
        }
        group.first = strdup(group.first);
        group.second = pair ? strdup(partner) : NULL;
        self->groups[self->groups_count++] = group;
        if (group.first == NULL || (pair && group.second == NULL)) {
            return err_make(ERR_MEMORY, "list folder");
        }
    }
    return err_none;
}

struct err image_folder_open(const struct image_folder_conf *conf, struct image_folder **out,
                             char *why)
{
    must(conf != NULL && out != NULL && why != NULL);
    must(conf->every < 2 || conf->offset < conf->every);
    struct image_folder *self = calloc(1, sizeof *self);
    struct names files = {0}, lists[2] = {{0}, {0}};
    struct err err = self != NULL ? err_none : err_make(ERR_MEMORY, "open folder");
    if (!err_is(err)) {
        self->conf = *conf;
        self->directory = strdup(conf->directory);
        self->conf.offset = conf->every > 1 ? conf->offset : 0;
        err = self->directory != NULL ? list_directory(conf->directory, &files)
                                      : err_make(ERR_MEMORY, "open folder");
    }
    if (!err_is(err)) {
        err = read_list(conf->list_path, &lists[0]);
    }
    if (!err_is(err)) {
        err = read_list(conf->skip_list_path, &lists[1]);
    }
    if (!err_is(err)) {
        err = make_groups(self, &files, lists);
    }
    names_free(&files);
    names_free(&lists[0]);
    names_free(&lists[1]);
    if (err_is(err)) {
        (void)err_text(err, why);
        image_folder_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void image_folder_close(struct image_folder **self)
{
    if (*self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->groups_count; i++) {
        free((*self)->groups[i].first);
        free((*self)->groups[i].second);
    }
    free((*self)->groups);
    free((*self)->directory);
    free(*self);
    *self = NULL;
}

uint32_t image_folder_count(const struct image_folder *self)
{
    return self->groups_count;
}

const char *image_folder_name(const struct image_folder *self, uint32_t index)
{
    must(index < self->groups_count);
    return self->groups[index].first;
}

const char *image_folder_second_name(const struct image_folder *self, uint32_t index)
{
    must(index < self->groups_count);
    return self->groups[index].second;
}

static bool path_of(const struct image_folder *self, const char *name, const char *ending,
                    char out[PATH_BYTES])
{
    int written = snprintf(out, PATH_BYTES, "%s/%s%s", self->directory, name, ending);
    return written > 0 && written < (int)PATH_BYTES;
}

void image_folder_stat(const struct image_folder *self, uint32_t index, int64_t *changed_ns,
                       uint64_t *files_bytes)
{
    must(index < self->groups_count);
    const char *names[2] = {self->groups[index].first, self->groups[index].second};
    *changed_ns = 0;
    *files_bytes = 0;
    for (int i = 0; i < 2; i++) {
        char path[PATH_BYTES];
        struct stat status;
        if (names[i] == NULL || !path_of(self, names[i], "", path) || stat(path, &status) != 0) {
            continue;
        }
        int64_t file_ns = (int64_t)status.st_mtim.tv_sec * NS_PER_S + status.st_mtim.tv_nsec;
        *changed_ns = file_ns > *changed_ns ? file_ns : *changed_ns;
        *files_bytes += (uint64_t)status.st_size;
    }
}

static struct err add_picture(const struct image_folder *self, struct scan_storage *storage,
                              const char *name, uint32_t page, char *why)
{
    uint32_t count = storage->out.scan.images_count;
    char path[PATH_BYTES];
    const char *words = "path is too long";
    struct picture *picture = &storage->pictures[count];
    struct err err = path_of(self, name, "", path)
                         ? picture_read(path, page, self->conf.pixels_max, picture, &words)
                         : err_make(ERR_ARGUMENT, "read image");
    if (err_is(err)) {
        (void)snprintf(why, FOLDER_WHY_BYTES, "%s", words);
        return err;
    }
    uint32_t brightest = picture->bits == 16 ? 65535 : 255;
    storage->out.images[count] = (struct image){.width = picture->width,
                                                .height = picture->height,
                                                .bits = picture->bits,
                                                .meaning = PIXEL_DISPLAY,
                                                .payload_bytes = picture->pixels_bytes,
                                                .air_level = brightest};
    storage->out.pixels[count] = picture->pixels;
    storage->out.scan.images_count = count + 1;
    return err_none;
}

static struct err read_pictures(const struct image_folder *self, const struct group *group,
                                struct scan_storage *storage, char *why)
{
    struct err err = add_picture(self, storage, group->first, 0, why);
    if (err_is(err)) {
        return err;
    }
    uint32_t pages = storage->pictures[0].pages;
    if (group->second != NULL) {
        err = add_picture(self, storage, group->second, 0, why);
    } else if (pages > RECORD_IMAGES_MAX) {
        (void)snprintf(why, FOLDER_WHY_BYTES, "%u pages: a scan has at most %u images", pages,
                       RECORD_IMAGES_MAX);
        return err_make(ERR_IMAGE_UNREADABLE, "read image");
    }
    for (uint32_t page = 1; group->second == NULL && page < pages && !err_is(err); page++) {
        err = add_picture(self, storage, group->first, page, why);
    }
    uint32_t count = storage->out.scan.images_count;
    for (uint32_t i = 0; i < count; i++) {
        storage->out.images[i].energy = count != 2 ? ENERGY_SINGLE
                                        : i == 0   ? ENERGY_LOW
                                                   : ENERGY_HIGH;
        storage->out.images[i].view = count > 2 ? i : 0;
    }
    return err;
}

/* File stem and the beginning of the pixels' digest: the same picture under the same name is the
 * same scan. */
static const char *make_scan_id(struct scan_storage *storage, const struct group *group)
{
    struct sha256 *hash = sha256_open();
    for (uint32_t i = 0; i < storage->out.scan.images_count; i++) {
        sha256_add(hash, storage->out.pixels[i], storage->out.images[i].payload_bytes);
    }
    uint8_t digest[HASH_BYTES];
    char hex[HASH_HEX_BYTES];
    sha256_finish(hash, digest);
    sha256_close(&hash);
    hex_encode(digest, sizeof digest, hex);
    size_t stem_bytes = (size_t)(strrchr(group->first, '.') - group->first);
    stem_bytes -= group->second != NULL ? 4 : 0; /* "_low" */
    stem_bytes = stem_bytes < STEM_BYTES ? stem_bytes : STEM_BYTES;
    char *id = arena_take(&storage->arena, RECORD_ID_BYTES_MAX + 1);
    must(id != NULL);
    (void)snprintf(id, RECORD_ID_BYTES_MAX + 1, "%.*s-%.12s", (int)stem_bytes, group->first, hex);
    return id;
}

/* FILE.json, then STEM.json (of a pair the stem without "_low"). */
static struct err read_sidecar(const struct image_folder *self, const struct group *group,
                               struct scan_storage *storage, char *why)
{
    char path[PATH_BYTES];
    struct err err = err_make(ERR_NOT_FOUND, "read sidecar");
    if (path_of(self, group->first, ".json", path)) {
        err =
            image_sidecar_read(path, &storage->arena, &storage->out.scan, storage->out.images, why);
    }
    if (err.code == ERR_NOT_FOUND && path_of(self, group->first, "", path)) {
        char *dot = strrchr(path, '.');
        size_t stem_bytes = (size_t)(dot - path) - (group->second != NULL ? 4 : 0);
        must(stem_bytes + sizeof ".json" <= PATH_BYTES);
        memcpy(path + stem_bytes, ".json", sizeof ".json");
        err =
            image_sidecar_read(path, &storage->arena, &storage->out.scan, storage->out.images, why);
    }
    return err.code == ERR_NOT_FOUND ? err_none : err;
}

struct err image_folder_read(const struct image_folder *self, uint32_t index,
                             struct folder_scan **out, char *why)
{
    must(index < self->groups_count && out != NULL && why != NULL);
    const struct group *group = &self->groups[index];
    struct scan_storage *storage = calloc(1, sizeof *storage);
    if (storage == NULL) {
        (void)snprintf(why, FOLDER_WHY_BYTES, "no memory");
        return err_make(ERR_MEMORY, "read image");
    }
    arena_init(&storage->arena, storage->arena_bytes, sizeof storage->arena_bytes);
    struct scan *scan = &storage->out.scan;
    *scan = (struct scan){.scan_id = "",
                          .mode = self->conf.mode,
                          .site = self->conf.site,
                          .lane = self->conf.lane,
                          .scanner = self->conf.scanner,
                          .scanner_type = self->conf.scanner_type,
                          .images = storage->out.images};
    uint64_t files_bytes;
    image_folder_stat(self, index, &scan->acquired_ns, &files_bytes);
    struct err err = read_pictures(self, group, storage, why);
    if (!err_is(err)) {
        scan->scan_id = make_scan_id(storage, group);
        err = read_sidecar(self, group, storage, why);
    }
    struct folder_scan *result = &storage->out;
    if (err_is(err)) {
        folder_scan_close(&result);
        return err;
    }
    *out = result;
    return err_none;
}

void folder_scan_close(struct folder_scan **self)
{
    if (*self == NULL) {
        return;
    }
    struct scan_storage *storage = (struct scan_storage *)*self;
    for (uint32_t i = 0; i < RECORD_IMAGES_MAX; i++) {
        picture_fini(&storage->pictures[i]);
    }
    free(storage);
    *self = NULL;
}
