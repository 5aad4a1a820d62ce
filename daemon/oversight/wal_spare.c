/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "oversight/wal_segment.h"

/* Zeroing 64 MiB takes a good part of a second; the committer must not wait for it. So the next
 * segment lies ready as "spare.tmp", zeroed and synced, and only its header, its name and the sync
 * of the directory are left for the moment of change. If the machine stops anywhere before the
 * rename, the file is removed at the next start: it never held an entry. */

#define SPARE_NAME "spare.tmp"
#define ZERO_BYTES 1048576u

enum spare_state { SPARE_WANTED, SPARE_READY, SPARE_FAILED };

struct wal_spare {
    pthread_mutex_t lock; /* guards state, failure and stopping */
    pthread_cond_t moved;
    enum spare_state state;
    struct err failure;
    bool stopping;
    pthread_t thread;
    uint64_t segment_bytes;
    int directory_fd;
    uint8_t *zeros; /* one ZERO_BYTES run, aligned, never written; the thread's */
    uint8_t *block; /* for the header; the taker's */
    char directory[DURABLE_PATH_BYTES];
    char spare_path[DURABLE_PATH_BYTES];
};

static bool spare_is_stopping(struct wal_spare *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    bool stopping = self->stopping;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return stopping;
}

static struct err spare_fill(struct wal_spare *self, int fd)
{
    for (uint64_t offset = 0; offset < self->segment_bytes;) {
        if (spare_is_stopping(self)) {
            return err_make(ERR_CLOSED, "prepare segment");
        }
        uint64_t left = self->segment_bytes - offset;
        size_t run = left < ZERO_BYTES ? (size_t)left : ZERO_BYTES;
        struct err err = durable_write_at(fd, self->zeros, run, offset);
        if (err_is(err)) {
            return err;
        }
        offset += run;
    }
    return durable_sync(fd);
}

static struct err spare_prepare(struct wal_spare *self)
{
    int fd = -1;
    bool direct = false;
    struct err err =
        wal_open_direct(self->directory_fd, SPARE_NAME, O_WRONLY | O_CREAT | O_EXCL, &fd, &direct);
    if (err_is(err)) {
        return err;
    }
    if (!direct) {
        diag_warn(
            slow,
            "what=wal reason=\"file system refuses O_DIRECT, writing through the page cache\"");
    }
    err = spare_fill(self, fd);
    if (close(fd) != 0 && !err_is(err)) {
        err = err_os(ERR_IO, "close segment");
    }
    return err;
}

static void *spare_run(void *argument)
{
    struct wal_spare *self = argument;
    (void)pthread_setname_np(pthread_self(), "wal-spare");
    must(pthread_mutex_lock(&self->lock) == 0);
    for (;;) {
        while (self->state != SPARE_WANTED && !self->stopping) {
            must(pthread_cond_wait(&self->moved, &self->lock) == 0);
        }
        if (self->stopping) {
            break;
        }
        must(pthread_mutex_unlock(&self->lock) == 0);
        struct err err = spare_prepare(self);
        must(pthread_mutex_lock(&self->lock) == 0);
        self->failure = err;
        self->state = err_is(err) ? SPARE_FAILED : SPARE_READY;
        must(pthread_cond_broadcast(&self->moved) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}

static void spare_release(struct wal_spare *self)
{
    if (self->directory_fd >= 0) {
        (void)close(self->directory_fd); /* read only */
    }
    must(pthread_cond_destroy(&self->moved) == 0);
    must(pthread_mutex_destroy(&self->lock) == 0);
    free(self->zeros);
    free(self->block);
    free(self);
}

/* Everything but the thread. */
static struct err spare_set_up(struct wal_spare *self, const char *wal_directory)
{
    self->zeros = aligned_alloc(WAL_BLOCK_BYTES, ZERO_BYTES);
    self->block = aligned_alloc(WAL_BLOCK_BYTES, WAL_BLOCK_BYTES);
    if (self->zeros == NULL || self->block == NULL) {
        return err_make(ERR_MEMORY, "wal_spare_open");
    }
    memset(self->zeros, 0, ZERO_BYTES);
    struct err err = wal_path(wal_directory, SPARE_NAME, self->spare_path);
    if (err_is(err)) {
        return err;
    }
    strcpy(self->directory, wal_directory); /* shorter than spare_path, which fitted */
    self->directory_fd = open(wal_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->directory_fd < 0) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    return durable_remove(self->spare_path);
}

struct err wal_spare_open(const char *wal_directory, uint64_t segment_bytes, struct wal_spare **out)
{
    must(segment_bytes % WAL_BLOCK_BYTES == 0);
    struct wal_spare *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "wal_spare_open");
    }
    self->segment_bytes = segment_bytes;
    self->directory_fd = -1;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    must(pthread_cond_init(&self->moved, NULL) == 0);
    struct err err = spare_set_up(self, wal_directory);
    if (!err_is(err) && pthread_create(&self->thread, NULL, spare_run, self) != 0) {
        err = err_make(ERR_THREAD, "wal_spare_open");
    }
    if (err_is(err)) {
        spare_release(self);
        return err;
    }
    *out = self;
    return err_none;
}

void wal_spare_close(struct wal_spare **self)
{
    if (*self == NULL) {
        return;
    }
    must(pthread_mutex_lock(&(*self)->lock) == 0);
    (*self)->stopping = true;
    must(pthread_cond_broadcast(&(*self)->moved) == 0);
    must(pthread_mutex_unlock(&(*self)->lock) == 0);
    must(pthread_join((*self)->thread, NULL) == 0);
    spare_release(*self);
    *self = NULL;
}

/* Header and name; from the rename on the segment exists. */
static struct err spare_name(struct wal_spare *self, const struct wal_segment_header *header,
                             int *fd)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    char path[DURABLE_PATH_BYTES];
    wal_segment_name(header->first_index, name);
    struct err err = wal_path(self->directory, name, path);
    if (err_is(err)) {
        return err;
    }
    if (faccessat(self->directory_fd, name, F_OK, 0) == 0) {
        return err_make(ERR_WAL_DAMAGED, "segment exists already");
    }
    if (errno != ENOENT) { /* a rename would take away what may be there */
        return err_os(ERR_IO, "look for segment");
    }
    int opened = -1;
    err = wal_open_direct(self->directory_fd, SPARE_NAME, O_RDWR | O_DSYNC, &opened, NULL);
    if (err_is(err)) {
        return err;
    }
    wal_segment_header_encode(header, self->block);
    err = durable_write_at(opened, self->block, WAL_BLOCK_BYTES, 0);
    if (!err_is(err)) {
        err = durable_rename(self->spare_path, path);
    }
    if (err_is(err)) {
        (void)close(opened);
        return err;
    }
    *fd = opened;
    return err_none;
}

struct err wal_spare_take(struct wal_spare *self, const struct wal_segment_header *header, int *fd)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    while (self->state == SPARE_WANTED) {
        must(pthread_cond_wait(&self->moved, &self->lock) == 0);
    }
    struct err err = self->failure;
    must(pthread_mutex_unlock(&self->lock) == 0);
    if (!err_is(err)) {
        err = spare_name(self, header, fd);
    }
    if (err_is(err)) {
        return err;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    self->state = SPARE_WANTED;
    must(pthread_cond_broadcast(&self->moved) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err_none;
}
