/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oversight/commit_index.h"
#include "oversight/mirror.h"
#include "oversight/wal_removed.h"
#include "oversight/wal_segment.h"

#define COPY_NAME "copy.tmp"
#define RUN_BYTES 1048576u

/* Read both in runs and write the blocks that differ; or, with from_fd alone, all. */
struct levelling {
    int from_fd;
    int to_fd;
    uint64_t bytes_count; /* of both files */
    uint8_t *from;        /* RUN_BYTES, aligned */
    uint8_t *to;
};

static struct err level_open(const char *directory, const char *name, int flags, int *fd)
{
    int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    struct err err = wal_open_direct(directory_fd, name, flags, fd, NULL);
    (void)close(directory_fd); /* read only */
    return err;
}

static void level_close(struct levelling *self)
{
    if (self->from_fd >= 0) {
        (void)close(self->from_fd); /* read only */
    }
    if (self->to_fd >= 0) {
        (void)close(self->to_fd); /* what was written was synced */
    }
    free(self->from);
    free(self->to);
}

static struct err level_begin(struct levelling *self, const char *directory, const char *name)
{
    struct stat status;
    *self = (struct levelling){.from_fd = -1, .to_fd = -1};
    self->from = aligned_alloc(WAL_BLOCK_BYTES, RUN_BYTES);
    self->to = aligned_alloc(WAL_BLOCK_BYTES, RUN_BYTES);
    if (self->from == NULL || self->to == NULL) {
        return err_make(ERR_MEMORY, "second copy");
    }
    struct err err = level_open(directory, name, O_RDONLY, &self->from_fd);
    if (!err_is(err) && fstat(self->from_fd, &status) != 0) {
        err = err_os(ERR_IO, "stat segment");
    }
    if (!err_is(err)) { /* segments and index are whole blocks */
        self->bytes_count = (uint64_t)status.st_size / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    }
    return err;
}

struct err mirror_copy_file(const char *from_directory, const char *to_directory, const char *name)
{
    struct levelling self;
    char path[DURABLE_PATH_BYTES];
    char beside[DURABLE_PATH_BYTES];
    struct err err = level_begin(&self, from_directory, name);
    if (!err_is(err)) {
        err = wal_path(to_directory, name, path);
    }
    if (!err_is(err)) {
        err = wal_path(to_directory, COPY_NAME, beside);
    }
    if (!err_is(err)) {
        err = durable_remove_unsynced(beside);
    }
    if (!err_is(err)) {
        err = durable_create_unsynced(beside, 0600, &self.to_fd);
    }
    for (uint64_t at = 0; !err_is(err) && at < self.bytes_count; at += RUN_BYTES) {
        uint64_t left = self.bytes_count - at;
        size_t run = left < RUN_BYTES ? (size_t)left : RUN_BYTES;
        err = durable_read_at(self.from_fd, self.from, run, at);
        err = err_is(err) ? err : durable_write_at(self.to_fd, self.from, run, at);
    }
    level_close(&self);
    return err_is(err) ? err : durable_rename(beside, path); /* syncs the file too */
}

static struct err level_run(struct levelling *self, uint64_t at, size_t run, bool *changed)
{
    struct err err = durable_read_at(self->from_fd, self->from, run, at);
    if (!err_is(err)) {
        err = durable_read_at(self->to_fd, self->to, run, at);
    }
    for (size_t i = 0; !err_is(err) && i < run; i += WAL_BLOCK_BYTES) {
        if (memcmp(self->from + i, self->to + i, WAL_BLOCK_BYTES) != 0) {
            err = durable_write_at(self->to_fd, self->from + i, WAL_BLOCK_BYTES, at + i);
            *changed = true;
        }
    }
    return err;
}

/* The file of the second copy becomes as that of the first. */
static struct err level_file(const char *from_directory, const char *to_directory, const char *name)
{
    struct levelling self;
    struct stat status;
    bool changed = false;
    struct err err = level_begin(&self, from_directory, name);
    if (!err_is(err)) {
        err = level_open(to_directory, name, O_RDWR | O_DSYNC, &self.to_fd);
    }
    bool other = err.os_errno == ENOENT;
    if (!err_is(err)) {
        err = fstat(self.to_fd, &status) == 0 ? err_none : err_os(ERR_IO, "stat segment");
        other = !err_is(err) && (uint64_t)status.st_size != self.bytes_count;
    }
    for (uint64_t at = 0; !other && !err_is(err) && at < self.bytes_count; at += RUN_BYTES) {
        uint64_t left = self.bytes_count - at;
        err = level_run(&self, at, left < RUN_BYTES ? (size_t)left : RUN_BYTES, &changed);
    }
    if (!other && !err_is(err)) { /* what was found there may not be on the disk yet */
        err = durable_sync(self.to_fd);
    }
    level_close(&self);
    return other ? mirror_copy_file(from_directory, to_directory, name) : err;
}

/* Segments of the second copy that the first one does not have: begun, and nothing promised. */
static struct err level_names(const char *wal_directory, const char *mirror_directory)
{
    DIR *listing = opendir(mirror_directory);
    if (listing == NULL) {
        return err_os(ERR_IO, "open second copy");
    }
    struct err err = err_none;
    while (!err_is(err)) { /* ends with the listing */
        errno = 0;
        const struct dirent *name = readdir(listing);
        if (name == NULL) {
            err = errno == 0 ? err_none : err_os(ERR_IO, "list second copy");
            break;
        }
        uint64_t first_index = 0;
        char path[DURABLE_PATH_BYTES];
        bool exists = true;
        if (wal_segment_name_parse(name->d_name, &first_index)) {
            err = wal_path(wal_directory, name->d_name, path);
            err = err_is(err) ? err : durable_exists(path, &exists);
        }
        if (!err_is(err) && !exists) {
            err = wal_path(mirror_directory, name->d_name, path);
            err = err_is(err) ? err : durable_remove(path);
        }
    }
    (void)closedir(listing);
    return err;
}

static struct err level_removed(const char *wal_directory, const char *mirror_directory)
{
    struct wal_removed first;
    struct wal_removed second;
    struct err err = wal_removed_read(wal_directory, &first);
    if (err_is(err) || first.first_index == 0) {
        return err;
    }
    err = wal_removed_read(mirror_directory, &second);
    if (err.code == ERR_WAL_DAMAGED || (!err_is(err) && second.first_index != first.first_index)) {
        err = wal_removed_write(mirror_directory, &first);
    }
    return err;
}

struct err mirror_level(const char *wal_directory, const char *mirror_directory)
{
    DIR *listing = opendir(wal_directory);
    if (listing == NULL) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    char beside[DURABLE_PATH_BYTES];
    struct err err = wal_path(mirror_directory, COPY_NAME, beside);
    if (!err_is(err)) { /* of a copy that a crash ended */
        err = durable_remove(beside);
    }
    if (!err_is(err)) {
        err = level_removed(wal_directory, mirror_directory);
    }
    if (!err_is(err)) {
        err = level_names(wal_directory, mirror_directory);
    }
    uint64_t below = UINT64_MAX;
    /* The promised end lies in the last segment or, when that is new, in the one before. */
    for (int back = 0; !err_is(err) && back < 2; back++) {
        char name[WAL_SEGMENT_NAME_BYTES];
        bool found = false;
        err = wal_segment_find(listing, below, &below, &found);
        if (err_is(err) || !found) {
            break;
        }
        wal_segment_name(below, name);
        err = level_file(wal_directory, mirror_directory, name);
        if (below == 0) {
            break;
        }
        below--;
    }
    (void)closedir(listing);
    if (!err_is(err)) { /* after the groups it speaks of */
        err = level_file(wal_directory, mirror_directory, COMMIT_INDEX_NAME);
    }
    return err_is(err) ? err : durable_sync_directory(mirror_directory);
}

struct err mirror_retire(const char *wal_directory, const char *mirror_directory,
                         uint64_t first_index)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    char path[DURABLE_PATH_BYTES];
    wal_segment_name(first_index, name);
    struct err err = wal_path(mirror_directory, name, path);
    if (!err_is(err)) { /* if the machine stops before this, the next start finds a leftover */
        err = level_removed(wal_directory, mirror_directory);
    }
    return err_is(err) ? err : durable_remove(path);
}

struct err mirror_is_empty(const char *directory, bool *empty)
{
    char path[DURABLE_PATH_BYTES];
    uint64_t first_index = 0;
    bool found = false;
    bool indexed = false;
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    struct err err = wal_segment_find(listing, UINT64_MAX, &first_index, &found);
    (void)closedir(listing);
    if (!err_is(err)) {
        err = wal_path(directory, COMMIT_INDEX_NAME, path);
    }
    if (!err_is(err)) {
        err = durable_exists(path, &indexed);
    }
    *empty = !found && !indexed;
    return err;
}
