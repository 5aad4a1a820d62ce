/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUTANT_H
#define MUTANT_H

/* Mutants: the product broken on purpose, each in one way, to see that the simulator notices.
 *
 * The named source is compiled once more with this header in front of it and MUTANT_<name> defined,
 * and takes the place of the library's object. The product's text stays as it is. tests.cmake has
 * the list that is built; every one of them must be caught within the runs given there.
 *
 * - no_fdatasync (base/durable): file data is never synced
 * - no_dsync (wal, wal_spare, wal_recover, commit_index): O_DSYNC is left out
 * - no_directory_sync (base/durable): names are never synced
 * - rename_before_sync (base/durable): a file gets its name before its bytes are synced
 * - segment_name_unsynced (wal_spare): of all names only that of a new segment is not synced
 * - slot_before_group (wal): the slot promises before the group is there
 * - answer_before_slot (wal): drafts come back before their slot is written
 * - answer_before_group (wal): drafts come back before anything is written
 * - checkpoint_before_signed (publication): shown first, remembered afterwards
 * - signed_forgotten (publication): last-signed is never written
 * - payload_unchecked (wal_scan): the checksum of a payload is not compared
 * - recovery_unsynced (wal_recover): a group that was read is taken for durable
 * - index_unsynced (wal_recover): a slot that was read is taken for durable
 * - names_unsynced (wal_recover): names that were found are taken for durable
 * - recovered_slot_unwritten (wal_recover): a kept group gets no slot
 * - torn_tail_left (wal_recover): a torn tail is saved and not zeroed
 * - pack_unsynced (pack_writer): the segment goes before its pack is durable
 * - removed_before_told (retire): the segment goes before wal/removed says so
 * - write_error_ignored (base/durable): a failed write is taken for done
 * - sync_error_ignored (base/durable): a failed sync is taken for done
 * - sync_retried (base/durable): a failed sync is tried again
 * - damage_cut_off (wal_recover): a damaged promised group is taken for a torn tail
 * - key_unchecked (publication): another key or a bad signature is accepted
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/durable.h"
#include "oversight/commit_index.h"
#include "oversight/wal.h"
#include "oversight/wal_removed.h"
#include "proto/hash.h"

#if defined(MUTANT_no_fdatasync)
#define fdatasync(fd) ((void)(fd), 0)

#elif defined(MUTANT_no_dsync)
#undef O_DSYNC
#define O_DSYNC 0

#elif defined(MUTANT_no_directory_sync)
#define fsync(fd) ((void)(fd), 0)

#elif defined(MUTANT_rename_before_sync)
static int mutant_rename(const char *from, const char *to)
{
    if (rename(from, to) != 0) {
        return -1;
    }
    int fd = open(to, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 ? -1 : fdatasync(fd);
    return fd < 0 || close(fd) != 0 ? -1 : failed;
}
#define rename(from, to) mutant_rename(from, to)
#define fdatasync(fd) ((void)(fd), 0)

#elif defined(MUTANT_segment_name_unsynced)
#define durable_rename(from, to) durable_rename_unsynced(from, to)

#elif defined(MUTANT_slot_before_group)
static struct {
    int fd;
    const void *bytes;
    size_t bytes_count;
    uint64_t offset;
} mutant_group;
static struct err mutant_hold(int fd, const void *bytes, size_t bytes_count, uint64_t offset)
{
    mutant_group.fd = fd;
    mutant_group.bytes = bytes;
    mutant_group.bytes_count = bytes_count;
    mutant_group.offset = offset;
    return err_none;
}
static struct err mutant_slot(struct commit_index *index, const struct wal_slot *slot)
{
    struct err err = commit_index_write(index, slot);
    return err_is(err) ? err
                       : durable_write_at(mutant_group.fd, mutant_group.bytes,
                                          mutant_group.bytes_count, mutant_group.offset);
}
#define durable_write_at(fd, bytes, count, offset) mutant_hold(fd, bytes, count, offset)
#define commit_index_write(index, slot) mutant_slot(index, slot)

#elif defined(MUTANT_answer_before_slot) || defined(MUTANT_answer_before_group)
static struct {
    int fd;
    const void *bytes;
    size_t bytes_count;
    uint64_t offset;
} mutant_group;
static struct commit_index *mutant_index;
static struct wal_slot mutant_slot;
static struct err mutant_hold_group(int fd, const void *bytes, size_t bytes_count, uint64_t offset)
{
    mutant_group.fd = fd;
    mutant_group.bytes = bytes;
    mutant_group.bytes_count = bytes_count;
    mutant_group.offset = offset;
    return err_none;
}
static struct err mutant_hold_slot(struct commit_index *index, const struct wal_slot *slot)
{
    mutant_index = index;
    mutant_slot = *slot;
    return err_none;
}
static enum wal_fault mutant_settle(const uint8_t *payload, uint32_t payload_bytes,
                                    uint32_t entry_count, uint32_t flags, struct wal_cursor *out)
{
    struct err err = err_none;
#if defined(MUTANT_answer_before_group)
    err = durable_write_at(mutant_group.fd, mutant_group.bytes, mutant_group.bytes_count,
                           mutant_group.offset);
#endif
    if (!err_is(err)) {
        err = commit_index_write(mutant_index, &mutant_slot);
    }
    return wal_cursor_open(payload, payload_bytes, entry_count, flags, out);
}
#if defined(MUTANT_answer_before_group)
#define durable_write_at(fd, bytes, count, offset) mutant_hold_group(fd, bytes, count, offset)
#endif
#define commit_index_write(index, slot) mutant_hold_slot(index, slot)
#define wal_cursor_open(payload, bytes, count, flags, out) \
    mutant_settle(payload, bytes, count, flags, out)

#elif defined(MUTANT_checkpoint_before_signed) || defined(MUTANT_signed_forgotten)
static char mutant_path[DURABLE_PATH_BYTES];
static uint8_t mutant_text[8192];
static size_t mutant_text_bytes;
static struct err mutant_replace(const char *path, const void *bytes, size_t bytes_count,
                                 mode_t mode)
{
    if (strstr(path, "last-signed") != NULL) {
        strcpy(mutant_path, path);
        memcpy(mutant_text, bytes, bytes_count);
        mutant_text_bytes = bytes_count;
        return err_none;
    }
    struct err err = durable_replace(path, bytes, bytes_count, mode);
#if defined(MUTANT_checkpoint_before_signed)
    if (!err_is(err)) {
        err = durable_replace(mutant_path, mutant_text, mutant_text_bytes, 0600);
    }
#endif
    return err;
}
#define durable_replace(path, bytes, count, mode) mutant_replace(path, bytes, count, mode)

#elif defined(MUTANT_payload_unchecked)
#define wal_crc32c(bytes, count) (group.header.payload_crc)

#elif defined(MUTANT_recovery_unsynced)
#define durable_sync(fd) ((void)(fd), err_none)

#elif defined(MUTANT_recovered_slot_unwritten)
#define commit_index_write(index, slot) ((void)(index), (void)(slot), err_none)

#elif defined(MUTANT_torn_tail_left)
#define durable_write_at(fd, bytes, count, offset) ((void)(fd), (void)(bytes), err_none)

#elif defined(MUTANT_pack_unsynced)
#define durable_rename(from, to) durable_rename_unsynced(from, to)

#elif defined(MUTANT_removed_before_told)
static const char *mutant_directory;
static struct wal_removed mutant_removed;
static struct err mutant_hold(const char *wal_directory, const struct wal_removed *removed)
{
    mutant_directory = wal_directory;
    mutant_removed = *removed;
    return err_none;
}
static struct err mutant_remove(const char *path)
{
    struct err err = durable_remove(path);
    if (!err_is(err) && mutant_directory != NULL) {
        err = wal_removed_write(mutant_directory, &mutant_removed);
        mutant_directory = NULL;
    }
    return err;
}
#define wal_removed_write(directory, removed) mutant_hold(directory, removed)
#define durable_remove(path) mutant_remove(path)

#elif defined(MUTANT_write_error_ignored)
#define pwrite(fd, bytes, count, offset) \
    (pwrite(fd, bytes, count, offset) < 0 ? (ssize_t)(count) : (ssize_t)(count))

#elif defined(MUTANT_sync_error_ignored)
#define fdatasync(fd) ((void)fdatasync(fd), 0)

#elif defined(MUTANT_sync_retried)
#define fdatasync(fd) (fdatasync(fd) == 0 ? 0 : fdatasync(fd))

#elif defined(MUTANT_damage_cut_off)
/* The check of the promised group is the one place of wal_recover.c with these words. */
static struct err mutant_err(enum err_code code, const char *where)
{
    return strcmp(where, "promised group is unreadable") == 0 ? err_none : err_make(code, where);
}
#define err_make(code, where) mutant_err(code, where)

#elif defined(MUTANT_key_unchecked)
#define err_make(code, where) ((code) == ERR_KEY ? err_none : err_make(code, where))

#elif defined(MUTANT_index_unsynced)
#define commit_index_sync(index) ((void)(index), err_none)

#elif defined(MUTANT_names_unsynced)
#define durable_sync_directory(path) ((void)(path), err_none)

#else
#error "which mutant?"
#endif

#endif
