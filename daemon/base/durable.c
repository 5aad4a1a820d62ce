/* SPDX-License-Identifier: Apache-2.0 */
#include "base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The write pattern is that of Tessera's POSIX storage: temporary file, sync, rename, sync of the
 * directory. The directory is synced after the rename because a name that is not on the disk is a
 * file that a power cut takes away (ALICE, OSDI 2014, found that missing in etcd). */

static struct err durable_parent(const char *path, char out[DURABLE_PATH_BYTES])
{
    size_t path_bytes = strlen(path);
    if (path_bytes == 0 || path_bytes >= DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    memcpy(out, path, path_bytes + 1);
    char *slash = strrchr(out, '/');
    if (slash == NULL) {
        memcpy(out, ".", 2);
    } else if (slash == out) {
        out[1] = '\0';
    } else {
        *slash = '\0';
    }
    return err_none;
}

struct err durable_sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_os(ERR_IO, "open directory");
    }
    struct err err = err_none;
    if (fsync(fd) != 0) {
        err = err_os(ERR_IO, "sync directory");
    }
    if (close(fd) != 0 && !err_is(err)) {
        err = err_os(ERR_IO, "close directory");
    }
    return err;
}

struct err durable_sync_parent(const char *path)
{
    char parent[DURABLE_PATH_BYTES];
    struct err err = durable_parent(path, parent);
    return err_is(err) ? err : durable_sync_directory(parent);
}

/* The name of a directory that is there already. The process that made it was perhaps killed before
 * it could sync that name; so it is synced before any name below it can be seen, and whoever finds
 * a directory knows that the names of those above it are on the disk. A directory in which this
 * process may not even look holds no name that it made. */
static struct err durable_sync_found(const char *found)
{
    struct err err = found[0] == '\0' ? err_none : durable_sync_parent(found);
    return err.os_errno == EACCES || err.os_errno == EPERM ? err_none : err;
}

/* Make one directory below `found`, which may be empty. */
static struct err durable_make(const char *part, const char *found, mode_t mode)
{
    struct err err = durable_sync_found(found);
    if (err_is(err)) {
        return err;
    }
    if (mkdir(part, mode) != 0 && errno != EEXIST) {
        return err_os(ERR_IO, "make directory");
    }
    return durable_sync_parent(part);
}

struct err durable_directory(const char *path, mode_t mode)
{
    char part[DURABLE_PATH_BYTES];
    char found[DURABLE_PATH_BYTES] = ""; /* the deepest that is there already */
    size_t path_bytes = strlen(path);
    if (path_bytes == 0 || path_bytes >= sizeof part) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    memcpy(part, path, path_bytes + 1);
    for (size_t i = 1; i <= path_bytes; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        char kept = part[i];
        part[i] = '\0';
        if (access(part, F_OK) == 0) {
            strcpy(found, part);
        } else if (errno != ENOENT) {
            return err_os(ERR_IO, "look for directory");
        } else {
            struct err err = durable_make(part, found, mode);
            if (err_is(err)) {
                return err;
            }
            found[0] = '\0';
        }
        part[i] = kept;
    }
    return durable_sync_found(found);
}

struct err durable_write_at(int fd, const void *bytes, size_t bytes_count, uint64_t offset)
{
    const uint8_t *at = bytes;
    while (bytes_count > 0) {
        ssize_t written = pwrite(fd, at, bytes_count, (off_t)offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            if (written == 0) {
                errno = ENOSPC;
            }
            return err_os(ERR_IO, "write");
        }
        at += written;
        offset += (uint64_t)written;
        bytes_count -= (size_t)written;
    }
    return err_none;
}

struct err durable_read_at(int fd, void *bytes, size_t bytes_count, uint64_t offset)
{
    uint8_t *at = bytes;
    while (bytes_count > 0) {
        ssize_t taken = pread(fd, at, bytes_count, (off_t)offset);
        if (taken < 0 && errno == EINTR) {
            continue;
        }
        if (taken < 0) {
            return err_os(ERR_IO, "read");
        }
        if (taken == 0) {
            return err_make(ERR_IO, "read past the end");
        }
        at += taken;
        offset += (uint64_t)taken;
        bytes_count -= (size_t)taken;
    }
    return err_none;
}

struct err durable_set_bytes(int fd, uint64_t bytes_count)
{
    return ftruncate(fd, (off_t)bytes_count) == 0 ? err_none : err_os(ERR_IO, "set file length");
}

struct err durable_sync(int fd)
{
    return fdatasync(fd) == 0 ? err_none : err_os(ERR_IO, "sync");
}

struct err durable_replace(const char *path, const void *bytes, size_t bytes_count, mode_t mode)
{
    char temporary[DURABLE_PATH_BYTES];
    int temporary_bytes = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (temporary_bytes < 0 || (size_t)temporary_bytes >= sizeof temporary) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    /* What a crash left under this name may be read-only by its mode: it is replaced, never
     * reopened. */
    if (unlink(temporary) != 0 && errno != ENOENT) {
        return err_os(ERR_IO, "remove left-over file");
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_os(ERR_IO, "create file");
    }
    struct err err = durable_write_at(fd, bytes, bytes_count, 0);
    if (!err_is(err)) {
        err = durable_sync(fd);
    }
    if (close(fd) != 0 && !err_is(err)) {
        err = err_os(ERR_IO, "close file");
    }
    if (!err_is(err) && rename(temporary, path) != 0) {
        err = err_os(ERR_IO, "rename file");
    }
    return err_is(err) ? err : durable_sync_parent(path);
}

/* True when the file is there and holds exactly these bytes. */
static bool durable_holds(const char *path, const void *bytes, size_t bytes_count)
{
    uint8_t *there = NULL;
    size_t there_bytes = 0;
    struct err err = durable_read(path, bytes_count + 1, &there, &there_bytes);
    bool same =
        !err_is(err) && there_bytes == bytes_count && memcmp(there, bytes, bytes_count) == 0;
    free(there);
    return same;
}

struct err durable_exists(const char *path, bool *exists)
{
    bool found = access(path, F_OK) == 0;
    if (!found && errno != ENOENT) {
        return err_os(ERR_IO, "look for file");
    }
    *exists = found;
    return err_none;
}

struct err durable_create(const char *path, const void *bytes, size_t bytes_count, mode_t mode,
                          bool *differs)
{
    bool exists = false;
    *differs = false;
    struct err err = durable_exists(path, &exists);
    if (err_is(err)) {
        return err;
    }
    if (exists) {
        *differs = !durable_holds(path, bytes, bytes_count);
        /* Its bytes were synced before it had this name; the name perhaps was not. */
        return *differs ? err_none : durable_sync_parent(path);
    }
    return durable_replace(path, bytes, bytes_count, mode);
}

struct err durable_rename(const char *from, const char *to)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_os(ERR_IO, "open for rename");
    }
    struct err err = durable_sync(fd);
    if (close(fd) != 0 && !err_is(err)) {
        err = err_os(ERR_IO, "close file");
    }
    if (!err_is(err) && rename(from, to) != 0) {
        err = err_os(ERR_IO, "rename file");
    }
    if (!err_is(err)) {
        err = durable_sync_parent(to);
    }
    return err_is(err) ? err : durable_sync_parent(from);
}

struct err durable_remove(const char *path)
{
    if (unlink(path) != 0) {
        return errno == ENOENT ? err_none : err_os(ERR_IO, "remove file");
    }
    return durable_sync_parent(path);
}

struct err durable_wipe(const char *path)
{
    static const uint8_t zeros[4096];
    struct stat status;
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? err_none : err_os(ERR_IO, "open file to wipe");
    }
    struct err err = fstat(fd, &status) == 0 ? err_none : err_os(ERR_IO, "stat file");
    for (off_t at = 0; !err_is(err) && at < status.st_size; at += (off_t)sizeof zeros) {
        off_t left = status.st_size - at;
        size_t run = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;
        err = durable_write_at(fd, zeros, run, (uint64_t)at);
    }
    if (!err_is(err) && fsync(fd) != 0) {
        err = err_os(ERR_IO, "sync file");
    }
    if (close(fd) != 0 && !err_is(err)) {
        err = err_os(ERR_IO, "close file");
    }
    return err_is(err) ? err : durable_remove(path);
}

struct err durable_read(const char *path, size_t bytes_max, uint8_t **out, size_t *out_bytes)
{
    /* Without O_NONBLOCK a pipe in the place of a file would stop us here, for ever. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return err_os(ERR_IO, "open file");
    }
    struct err err = err_none;
    uint8_t *bytes = NULL;
    struct stat status;
    if (fstat(fd, &status) != 0) {
        err = err_os(ERR_IO, "stat file");
    } else if (!S_ISREG(status.st_mode)) {
        err = err_make(ERR_IO, "not a regular file");
    } else if ((uint64_t)status.st_size > bytes_max) {
        err = err_make(ERR_IO, "file larger than its limit");
    } else if ((bytes = malloc((size_t)status.st_size + 1)) == NULL) {
        err = err_make(ERR_MEMORY, "durable_read");
    } else {
        err = durable_read_at(fd, bytes, (size_t)status.st_size, 0);
    }
    (void)close(fd); /* read only: nothing can be lost here */
    if (err_is(err)) {
        free(bytes);
        return err;
    }
    bytes[status.st_size] = 0;
    *out = bytes;
    *out_bytes = (size_t)status.st_size;
    return err_none;
}

struct err durable_create_unsynced(const char *path, mode_t mode, int *out_fd)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_os(ERR_IO, "create file");
    }
    *out_fd = fd;
    return err_none;
}

struct err durable_open_direct(const char *path, int flags, int *out_fd)
{
    int fd = open(path, flags | O_DIRECT | O_CLOEXEC);
    if (fd < 0 && errno != EINVAL) {
        return err_os(ERR_IO, "open file past the page cache");
    }
    *out_fd = fd;
    return err_none;
}

struct err durable_rename_unsynced(const char *from, const char *to)
{
    return rename(from, to) == 0 ? err_none : err_os(ERR_IO, "rename file");
}

struct err durable_remove_unsynced(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ? err_none : err_os(ERR_IO, "remove file");
}

void durable_hurry(int fd, uint64_t offset, uint64_t bytes_count)
{
    (void)sync_file_range(fd, (off_t)offset, (off_t)bytes_count, SYNC_FILE_RANGE_WRITE);
}
