/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/quarantine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"

/* The files are remembered as a ring, oldest first, so that making room needs no walk over the
 * directory. The number in front of the name gives the order across restarts; the clock would not.
 */

struct quarantine_file {
    uint64_t number;
    uint64_t bytes;
    uint8_t digest[HASH_BYTES];
};

struct quarantine {
    char directory[DURABLE_PATH_BYTES - 96]; /* room for the names */
    uint64_t bytes_max;
    uint64_t bytes;
    uint64_t number_next;
    uint32_t first;
    uint32_t count;
    struct quarantine_file files[QUARANTINE_FILES_MAX];
};

static void quarantine_path(const struct quarantine *self, const struct quarantine_file *file,
                            char out[DURABLE_PATH_BYTES])
{
    char hex[HASH_HEX_BYTES];
    hex_encode(file->digest, HASH_BYTES, hex);
    (void)snprintf(out, DURABLE_PATH_BYTES, "%s/%020llu-%s", self->directory,
                   (unsigned long long)file->number, hex);
}

static struct err quarantine_drop_oldest(struct quarantine *self)
{
    must(self->count > 0);
    const struct quarantine_file *oldest = &self->files[self->first];
    char path[DURABLE_PATH_BYTES];
    quarantine_path(self, oldest, path);
    struct err err = durable_remove_unsynced(path);
    if (err_is(err)) {
        return err;
    }
    must(self->bytes >= oldest->bytes);
    self->bytes -= oldest->bytes;
    self->first = (self->first + 1) % QUARANTINE_FILES_MAX;
    self->count--;
    return err_none;
}

static struct err quarantine_make_room(struct quarantine *self, uint64_t bytes_count)
{
    must(bytes_count <= self->bytes_max);
    while (self->count > 0 &&
           (self->count == QUARANTINE_FILES_MAX || self->bytes > self->bytes_max - bytes_count)) {
        struct err err = quarantine_drop_oldest(self);
        if (err_is(err)) {
            return err;
        }
    }
    return err_none;
}

static void quarantine_append(struct quarantine *self, const struct quarantine_file *file)
{
    must(self->count < QUARANTINE_FILES_MAX);
    self->files[(self->first + self->count) % QUARANTINE_FILES_MAX] = *file;
    self->count++;
    self->bytes += file->bytes;
}

/* False for names that are not ours. */
static bool quarantine_parse(const char *name, struct quarantine_file *out)
{
    char *end = NULL;
    if (strlen(name) != 20 + 1 + 2 * HASH_BYTES || name[20] != '-' || name[0] < '0' ||
        name[0] > '9') {
        return false;
    }
    out->number = strtoull(name, &end, 10);
    return end == name + 20 && hex_decode(name + 21, out->digest, HASH_BYTES);
}

/* Names sort by their number: scandir with alphasort gives the oldest first. */
static struct err quarantine_load(struct quarantine *self)
{
    struct dirent **names = NULL;
    int names_count = scandir(self->directory, &names, NULL, alphasort);
    if (names_count < 0) {
        return err_os(ERR_IO, "list quarantine");
    }
    struct err err = err_none;
    for (int i = 0; i < names_count; i++) {
        struct quarantine_file file;
        char path[DURABLE_PATH_BYTES];
        struct stat status;
        if (!err_is(err) && quarantine_parse(names[i]->d_name, &file)) {
            quarantine_path(self, &file, path);
            file.bytes = stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
            err = self->count == QUARANTINE_FILES_MAX ? quarantine_drop_oldest(self) : err_none;
            if (!err_is(err)) {
                quarantine_append(self, &file);
                self->number_next = file.number + 1;
            }
        }
        free(names[i]);
    }
    free(names);
    return err_is(err) ? err : quarantine_make_room(self, 0);
}

struct err quarantine_open(const char *blob_directory, uint64_t bytes_max, struct quarantine **out)
{
    struct quarantine *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "quarantine_open");
    }
    int path_bytes =
        snprintf(self->directory, sizeof self->directory, "%s/quarantine", blob_directory);
    struct err err = err_none;
    if (path_bytes < 0 || (size_t)path_bytes >= sizeof self->directory) {
        err = err_make(ERR_ARGUMENT, "quarantine path length");
    } else {
        self->bytes_max = bytes_max;
        err = quarantine_load(self);
    }
    if (err_is(err)) {
        free(self);
        return err;
    }
    *out = self;
    return err_none;
}

void quarantine_close(struct quarantine **self)
{
    free(*self);
    *self = NULL;
}

static bool quarantine_holds(const struct quarantine *self, const uint8_t digest[HASH_BYTES])
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (hash_equal(self->files[(self->first + i) % QUARANTINE_FILES_MAX].digest, digest)) {
            return true;
        }
    }
    return false;
}

struct err quarantine_put(struct quarantine *self, const void *bytes, uint64_t bytes_count,
                          const uint8_t digest[HASH_BYTES], bool *kept)
{
    if (bytes_count > self->bytes_max) {
        *kept = false;
        return err_none;
    }
    if (quarantine_holds(self, digest)) {
        *kept = true;
        return err_none;
    }
    struct err err = quarantine_make_room(self, bytes_count);
    if (err_is(err)) {
        return err;
    }
    struct quarantine_file file = {.number = self->number_next, .bytes = bytes_count};
    memcpy(file.digest, digest, HASH_BYTES);
    char path[DURABLE_PATH_BYTES];
    quarantine_path(self, &file, path);
    int fd = -1;
    err = durable_create_unsynced(path, 0640, &fd);
    if (err_is(err)) {
        return err;
    }
    self->number_next++;
    err = durable_write_at(fd, bytes, (size_t)bytes_count, 0);
    if (close(fd) != 0 && !err_is(err)) {
        err = err_os(ERR_IO, "close quarantined file");
    }
    if (err_is(err)) {
        struct err removed = durable_remove_unsynced(path);
        (void)removed; /* the first error is the one to tell */
        return err;
    }
    quarantine_append(self, &file);
    *kept = true;
    return err_none;
}

struct err quarantine_clear_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return err_os(ERR_IO, "list directory");
    }
    struct err err = err_none;
    for (struct dirent *name = readdir(directory); name != NULL && !err_is(err);
         name = readdir(directory)) {
        char file[DURABLE_PATH_BYTES + 256];
        if (name->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(file, sizeof file, "%s/%s", path, name->d_name);
        err = durable_remove_unsynced(file);
    }
    (void)closedir(directory);
    return err;
}
