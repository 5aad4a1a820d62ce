/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/commit_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "oversight/wal_segment.h"

/* A ring and not one block, because a crash may tear the slot that is being written: the slot
 * before it is another block and stays whole. */

#define INDEX_BYTES ((size_t)WAL_SLOTS * WAL_BLOCK_BYTES)

struct commit_index {
    int fd;
    uint8_t *blocks; /* INDEX_BYTES, aligned */
};

struct err commit_index_create(const char *wal_directory)
{
    char path[DURABLE_PATH_BYTES];
    struct err err = wal_path(wal_directory, COMMIT_INDEX_NAME, path);
    if (err_is(err)) {
        return err;
    }
    uint8_t *zeros = calloc(1, INDEX_BYTES);
    if (zeros == NULL) {
        return err_make(ERR_MEMORY, "commit_index_create");
    }
    err = durable_replace(path, zeros, INDEX_BYTES, 0600);
    free(zeros);
    return err;
}

static struct err commit_index_open_file(const char *wal_directory, bool writable, int *out)
{
    int directory_fd = open(wal_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    int fd = -1;
    struct err err = wal_open_direct(directory_fd, COMMIT_INDEX_NAME,
                                     writable ? O_RDWR | O_DSYNC : O_RDONLY, &fd, NULL);
    (void)close(directory_fd);
    if (err_is(err)) {
        return err.os_errno == ENOENT ? err_make(ERR_WAL_DAMAGED, "commit index is missing") : err;
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        err = err_os(ERR_IO, "stat commit index");
    } else if (status.st_size != (off_t)INDEX_BYTES) {
        err = err_make(ERR_WAL_DAMAGED, "commit index has another size");
    }
    if (err_is(err)) {
        (void)close(fd);
        return err;
    }
    *out = fd;
    return err_none;
}

struct err commit_index_open(const char *wal_directory, bool writable, struct commit_index **out)
{
    struct commit_index *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "commit_index_open");
    }
    self->fd = -1;
    self->blocks = aligned_alloc(WAL_BLOCK_BYTES, INDEX_BYTES);
    struct err err = self->blocks == NULL
                         ? err_make(ERR_MEMORY, "commit_index_open")
                         : commit_index_open_file(wal_directory, writable, &self->fd);
    if (err_is(err)) {
        commit_index_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void commit_index_close(struct commit_index **self)
{
    if (*self == NULL) {
        return;
    }
    if ((*self)->fd >= 0) {
        (void)close((*self)->fd); /* every write was O_DSYNC: nothing is left to lose */
    }
    free((*self)->blocks);
    free(*self);
    *self = NULL;
}

struct err commit_index_write(struct commit_index *self, const struct wal_slot *slot)
{
    wal_slot_encode(slot, self->blocks);
    uint64_t offset = slot->group_number % WAL_SLOTS * WAL_BLOCK_BYTES;
    return durable_write_at(self->fd, self->blocks, WAL_BLOCK_BYTES, offset);
}

struct err commit_index_sync(struct commit_index *self)
{
    return durable_sync(self->fd);
}

struct err commit_index_newest(struct commit_index *self, struct wal_slot *out, bool *any)
{
    struct err err = durable_read_at(self->fd, self->blocks, INDEX_BYTES, 0);
    if (err_is(err)) {
        return err;
    }
    struct wal_slot newest = {0};
    bool found = false;
    for (uint64_t i = 0; i < WAL_SLOTS; i++) {
        struct wal_slot slot;
        if (wal_slot_decode(self->blocks + i * WAL_BLOCK_BYTES, WAL_BLOCK_BYTES, &slot) ==
                WAL_GOOD &&
            slot.group_number % WAL_SLOTS == i &&
            (!found || slot.group_number > newest.group_number)) {
            newest = slot;
            found = true;
        }
    }
    if (found) {
        *out = newest;
    }
    *any = found;
    return err_none;
}

struct err commit_index_moved(struct commit_index *self, uint64_t group_number, bool *moved)
{
    uint64_t offset = (group_number + 1) % WAL_SLOTS * WAL_BLOCK_BYTES;
    struct err err = durable_read_at(self->fd, self->blocks, WAL_BLOCK_BYTES, offset);
    if (err_is(err)) {
        return err;
    }
    struct wal_slot slot;
    *moved = wal_slot_decode(self->blocks, WAL_BLOCK_BYTES, &slot) == WAL_GOOD &&
             slot.group_number > group_number;
    return err_none;
}
