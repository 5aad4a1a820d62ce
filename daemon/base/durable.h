/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DURABLE_H
#define BASE_DURABLE_H

/* Durable: the only functions that create, replace, rename, remove or sync files (HDF5's and
 * SQLite's own excepted).
 *
 * Each says what is on the disk when it returns without error. A failed sync is never retried: the
 * kernel may have marked the lost pages clean. All errors are IO (or DISK_FULL). Paths are relative
 * to the process or absolute. Any thread; they block on the disk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define DURABLE_BLOCK_BYTES 4096u
#define DURABLE_PATH_BYTES 512u

/* Make a directory and its parents; each new name is synced into its parent. Existing is fine: then
 * its name is synced, because who made it may have been killed before that. */
MUST_USE struct err durable_directory(const char *path, mode_t mode);
MUST_USE struct err durable_sync_directory(const char *path);
MUST_USE struct err durable_sync_parent(const char *path);
/* Is there anything of this name? What cannot be looked for is an error, not an absence: whoever
 * took it for one would put something else in its place. */
MUST_USE struct err durable_exists(const char *path, bool *exists);
/* Write a file as `path.tmp`, sync it, rename it to path, sync the directory. Replaces what was
 * there; readers see the old or the new bytes, never a mixture. */
MUST_USE struct err durable_replace(const char *path, const void *bytes, size_t bytes_count,
                                    mode_t mode);
/* The same, but a file that is already there (then only its name is synced) must hold these very
 * bytes: *differs tells when it
 * does not (then nothing is written and the error is NONE). For files that never change. */
MUST_USE struct err durable_create(const char *path, const void *bytes, size_t bytes_count,
                                   mode_t mode, bool *differs);
/* Sync the file, rename it, sync both directories. */
MUST_USE struct err durable_rename(const char *from, const char *to);
/* Remove and sync the directory; a file that is not there is fine. */
MUST_USE struct err durable_remove(const char *path);
/* Overwrite with zeros, sync, remove: for secrets. What a file system or a disk wrote elsewhere
 * before (copy on write, wear levelling, snapshots, backups) is out of reach. A file that is not
 * there is fine. */
MUST_USE struct err durable_wipe(const char *path);
/* Read a whole file of at most bytes_max bytes; the caller frees *out. One zero byte is added
 * behind the bytes. */
MUST_USE struct err durable_read(const char *path, size_t bytes_max, uint8_t **out,
                                 size_t *out_bytes);

/* For batches: no directory is synced here, so the name is not on the disk before
 * durable_sync_directory. */
MUST_USE struct err durable_create_unsynced(const char *path, mode_t mode,
                                            int *out_fd); /* must not exist */
/* A file that is there with O_DIRECT added to flags (O_RDONLY or O_WRONLY): offsets, counts and
 * memory in multiples of DURABLE_BLOCK_BYTES. *out_fd is -1 when the file system refuses that. */
MUST_USE struct err durable_open_direct(const char *path, int flags, int *out_fd);
MUST_USE struct err durable_rename_unsynced(const char *from, const char *to);
MUST_USE struct err
durable_remove_unsynced(const char *path); /* a file that is not there is fine */

/* Descriptors. Every write is complete or an error: a short write is continued, and reported when
 * it cannot be. */
MUST_USE struct err durable_write_at(int fd, const void *bytes, size_t bytes_count,
                                     uint64_t offset);
MUST_USE struct err durable_read_at(int fd, void *bytes, size_t bytes_count, uint64_t offset);
/* Cut the file, or extend it with zeros. */
MUST_USE struct err durable_set_bytes(int fd, uint64_t bytes_count);
/* Data and the size needed to read it back (fdatasync). */
MUST_USE struct err durable_sync(int fd);
/* Have the system begin to write what lies in its cache of these bytes; promises nothing, a
 * durable_sync later finds less to do. */
void durable_hurry(int fd, uint64_t offset, uint64_t bytes_count);

#endif
