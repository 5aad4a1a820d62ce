/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"

/* If the machine stops while the part file is written, the part file stays and is swept; after the
 * rename, a copy is there that no entry tells of yet: the next turn finds it good and only writes
 * the entry. */

#define COPY_PIECE_BYTES ((size_t)1 << 20)

static bool path_of(const char *directory, const char *below, const char *end,
                    char out[DURABLE_PATH_BYTES])
{
    int bytes = snprintf(out, DURABLE_PATH_BYTES, "%s/%s%s", directory, below, end);
    return bytes > 0 && (size_t)bytes < DURABLE_PATH_BYTES && below[0] != '/' &&
           strstr(below, "..") == NULL;
}

/* Is this the other, or above it? */
static bool path_holds(const char *path, const char *other)
{
    size_t bytes = strcmp(path, "/") == 0 ? 0 : strlen(path);
    return strncmp(path, other, bytes) == 0 && (other[bytes] == '/' || other[bytes] == '\0');
}

/* Whoever sweeps the one must not meet the part files of the other. */
static struct err check_apart(const char *archive, const char *place)
{
    char *first = realpath(archive, NULL);
    char *second = realpath(place, NULL);
    struct err err = err_none;
    if (first == NULL || second == NULL) {
        err = err_os(ERR_IO, "path of the directory of copies");
    } else if (path_holds(first, second) || path_holds(second, first)) {
        err = err_make(ERR_ARGUMENT, "directory of copies lies above or inside the archive");
    }
    free(first);
    free(second);
    return err;
}

struct err archive_place_check(const char *archive, const char *place,
                               struct archive_place_rule rule, bool *same_device)
{
    struct stat first;
    struct stat second;
    char mark[DURABLE_PATH_BYTES];
    bool differs = false;
    bool marked = false;
    if (stat(archive, &first) != 0) {
        return err_os(ERR_IO, "stat archive");
    }
    if (stat(place, &second) != 0 || !S_ISDIR(second.st_mode)) {
        return err_make(ERR_NOT_FOUND, "directory of copies");
    }
    if (first.st_dev == second.st_dev && first.st_ino == second.st_ino) {
        return err_make(ERR_ARGUMENT, "directory of copies is the archive itself");
    }
    if (!path_of(place, ARCHIVE_PLACE_MARK, "", mark)) {
        return err_make(ERR_ARGUMENT, "path length");
    }
    struct err err = check_apart(archive, place);
    if (err_is(err)) {
        return err;
    }
    *same_device = first.st_dev == second.st_dev;
    if (*same_device && !rule.may_share) {
        return err_make(ERR_ARGUMENT, "on the device of the archive (archive.copy_same_device)");
    }
    err = durable_exists(mark, &marked);
    if (err_is(err) || marked) {
        return err;
    }
    if (rule.known) {
        return err_make(ERR_NOT_FOUND, "mark in the directory of copies (is its disk mounted?)");
    }
    static const char words[] = "Copies of sealed archive files of triaged are kept here.\n";
    return durable_create(mark, words, sizeof words - 1, 0444, &differs);
}

static size_t bytes_of(const char *path)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/') {
        bytes--;
    }
    return bytes;
}

bool archive_place_same(const char *one, const char *other)
{
    struct stat first;
    struct stat second;
    size_t bytes = bytes_of(one);
    if (stat(one, &first) == 0 && stat(other, &second) == 0) {
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
    }
    return bytes == bytes_of(other) && memcmp(one, other, bytes) == 0;
}

static bool is_stopped(const _Atomic bool *stop)
{
    return stop != NULL && atomic_load(stop);
}

/* Hash what lies in from_fd and, unless to_fd is negative, write it there. */
static struct err copy_bytes(int from_fd, int to_fd, uint64_t file_bytes, const _Atomic bool *stop,
                             uint8_t sha256[HASH_BYTES])
{
    uint8_t *piece = malloc(COPY_PIECE_BYTES);
    struct err err = piece == NULL ? err_make(ERR_MEMORY, "archive_copy") : err_none;
    struct sha256 *hash = sha256_open();
    for (uint64_t at = 0; !err_is(err) && at < file_bytes; at += COPY_PIECE_BYTES) {
        uint64_t left = file_bytes - at;
        size_t count = left < COPY_PIECE_BYTES ? (size_t)left : COPY_PIECE_BYTES;
        err = is_stopped(stop) ? err_make(ERR_CLOSED, "copy of a sealed file") : err_none;
        if (!err_is(err)) {
            err = durable_read_at(from_fd, piece, count, at);
        }
        if (!err_is(err)) {
            sha256_add(hash, piece, count);
        }
        if (!err_is(err) && to_fd >= 0) {
            err = durable_write_at(to_fd, piece, count, at);
            durable_hurry(to_fd, at, count);
        }
    }
    sha256_finish(hash, sha256);
    sha256_close(&hash);
    free(piece);
    return err;
}

/* The descriptor of a file that has the sealed length. */
static struct err open_sealed(const char *path, const struct archive_sealed *sealed, int *out)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return err_os(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "open sealed file");
    }
    struct err err = err_none;
    if (fstat(fd, &status) != 0) {
        err = err_os(ERR_IO, "stat sealed file");
    } else if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != sealed->file_bytes) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "length of a sealed file");
    }
    if (err_is(err)) {
        (void)close(fd); /* read only */
        return err;
    }
    *out = fd;
    return err_none;
}

static struct err check_path(const char *path, const struct archive_sealed *sealed,
                             const _Atomic bool *stop)
{
    uint8_t found[HASH_BYTES];
    int fd = -1;
    struct err err = open_sealed(path, sealed, &fd);
    if (err_is(err)) {
        return err;
    }
    /* A wish: what is dirty or mapped stays in the cache. */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    err = copy_bytes(fd, -1, sealed->file_bytes, stop, found);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* nobody waits for these pages */
    (void)close(fd);
    if (!err_is(err) && !hash_equal(found, sealed->sha256)) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "SHA-256 of a sealed file");
    }
    return err;
}

struct err archive_copy_check(const char *directory, const struct archive_sealed *sealed,
                              const _Atomic bool *stop)
{
    char path[DURABLE_PATH_BYTES];
    return path_of(directory, sealed->path, "", path) ? check_path(path, sealed, stop)
                                                      : err_make(ERR_ARGUMENT, "archive path");
}

/* The part file, whole and on the disk. */
static struct err write_part(const char *source, const char *part,
                             const struct archive_sealed *sealed, const _Atomic bool *stop)
{
    uint8_t found[HASH_BYTES];
    int from_fd = -1;
    int to_fd = -1;
    struct err err = open_sealed(source, sealed, &from_fd);
    if (err_is(err)) {
        return err;
    }
    err = durable_remove_unsynced(part);
    if (!err_is(err)) {
        err = durable_create_unsynced(part, 0444, &to_fd);
    }
    if (!err_is(err)) {
        err = copy_bytes(from_fd, to_fd, sealed->file_bytes, stop, found);
    }
    if (!err_is(err) && !hash_equal(found, sealed->sha256)) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "SHA-256 of a sealed file");
    }
    if (!err_is(err)) {
        err = durable_sync(to_fd);
    }
    if (to_fd >= 0 && close(to_fd) != 0 && !err_is(err)) {
        err = err_os(ERR_IO, "close copy");
    }
    (void)close(from_fd); /* read only */
    return err;
}

/* "a/b/2026/09/21/x.h5" without its last part. */
static void folder_of(const char *path, char out[DURABLE_PATH_BYTES])
{
    (void)snprintf(out, DURABLE_PATH_BYTES, "%s", path);
    char *slash = strrchr(out, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

/* Whoever put it there, or was stopped before its name was on the disk. */
static struct err sync_found(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_os(ERR_IO, "open copy");
    }
    struct err err = durable_sync(fd);
    (void)close(fd); /* opened for reading: nothing can be lost here */
    return err_is(err) ? err : durable_sync_parent(path);
}

struct err archive_copy_make(const char *from, const char *to, const struct archive_sealed *sealed,
                             const _Atomic bool *stop, bool *made)
{
    char source[DURABLE_PATH_BYTES];
    char full[DURABLE_PATH_BYTES];
    char part[DURABLE_PATH_BYTES];
    char folder[DURABLE_PATH_BYTES];
    *made = false;
    if (!path_of(from, sealed->path, "", source) || !path_of(to, sealed->path, "", full) ||
        !path_of(to, sealed->path, ".part", part)) {
        return err_make(ERR_ARGUMENT, "archive path");
    }
    struct err err = check_path(full, sealed, stop);
    bool unreadable = err.code == ERR_IO && err.os_errno == EIO; /* a sector of it: damage too */
    if (err.code != ERR_NOT_FOUND && err.code != ERR_ARCHIVE_DIFFERS && !unreadable) {
        return err_is(err) ? err : sync_found(full);
    }
    folder_of(full, folder);
    err = durable_directory(folder, 0750);
    if (!err_is(err)) {
        err = write_part(source, part, sealed, stop);
    }
    if (!err_is(err)) {
        err = check_path(part, sealed, stop);
        if (err.code == ERR_ARCHIVE_DIFFERS || err.code == ERR_NOT_FOUND) {
            err = err_make(ERR_ARCHIVE_WRITE, "copy read back");
        }
    }
    if (!err_is(err)) {
        err = durable_rename(part, full);
    }
    if (err_is(err)) {
        struct err removed = durable_remove_unsynced(part);
        (void)removed; /* the first error is the one to tell; what stays is swept */
        return err;
    }
    *made = true;
    return err_none;
}
