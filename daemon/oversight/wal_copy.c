/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/wal_copy.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/durable.h"
#include "oversight/commit_index.h"
#include "oversight/wal_segment.h"

/* Two disks are written at the same time, so that the slower one of them and not their sum is what
 * an answer waits for. */

enum copy_job { COPY_NONE, COPY_TAKE, COPY_GROUP, COPY_SLOT };

struct wal_copy {
    pthread_mutex_t lock; /* guards the job, what it was given, its result, and stopping */
    pthread_cond_t begun;
    pthread_cond_t done;
    enum copy_job job; /* COPY_NONE: done */
    const struct wal_segment_header *header;
    const uint8_t *group;
    size_t group_bytes;
    uint64_t offset;
    const struct wal_slot *slot;
    struct err result;
    bool stopping;
    bool runs;
    pthread_t thread;
    int segment_fd; /* the thread's, as the two below; -1 before the first segment */
    struct wal_spare *spare;
    struct commit_index *index;
    uint64_t segment_bytes; /* of a new one */
};

static struct err copy_change_segment(struct wal_copy *self)
{
    int fd = -1;
    struct err err = wal_spare_take(self->spare, self->header, &fd);
    if (err_is(err)) {
        return err;
    }
    if (self->segment_fd >= 0) {
        (void)close(self->segment_fd); /* every write was O_DSYNC */
    }
    self->segment_fd = fd;
    off_t bytes_count = lseek(fd, 0, SEEK_END);
    if (bytes_count < 0) {
        return err_os(ERR_IO, "measure segment");
    }
    return (uint64_t)bytes_count == self->segment_bytes
               ? err_none
               : err_make(ERR_WAL_WRITE, "segment is not as long as it was made");
}

static struct err copy_do(struct wal_copy *self, enum copy_job job)
{
    switch (job) {
    case COPY_TAKE:
        return copy_change_segment(self);
    case COPY_GROUP:
        return durable_write_at(self->segment_fd, self->group, self->group_bytes, self->offset);
    case COPY_SLOT:
        return commit_index_write(self->index, self->slot);
    case COPY_NONE:
        break;
    }
    must(false);
    return err_none;
}

static void *copy_run(void *argument)
{
    struct wal_copy *self = argument;
    (void)pthread_setname_np(pthread_self(), "wal-mirror");
    must(pthread_mutex_lock(&self->lock) == 0);
    for (;;) {
        while (self->job == COPY_NONE && !self->stopping) {
            must(pthread_cond_wait(&self->begun, &self->lock) == 0);
        }
        if (self->job == COPY_NONE) {
            break;
        }
        enum copy_job job = self->job;
        must(pthread_mutex_unlock(&self->lock) == 0);
        struct err err = copy_do(self, job);
        must(pthread_mutex_lock(&self->lock) == 0);
        self->result = err;
        self->job = COPY_NONE;
        must(pthread_cond_signal(&self->done) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}

static struct err copy_open_last_segment(struct wal_copy *self, const char *mirror_directory,
                                         uint64_t first_index)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    wal_segment_name(first_index, name);
    int directory_fd = open(mirror_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0) {
        return err_os(ERR_IO, "open second copy");
    }
    struct err err = wal_open_direct(directory_fd, name, O_RDWR | O_DSYNC, &self->segment_fd, NULL);
    (void)close(directory_fd); /* read only */
    return err;
}

struct err wal_copy_open(const char *mirror_directory, uint64_t segment_bytes,
                         const struct wal_end *end, struct wal_copy **out)
{
    struct wal_copy *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "wal_copy_open");
    }
    self->segment_fd = -1;
    self->segment_bytes = segment_bytes;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    must(pthread_cond_init(&self->begun, NULL) == 0);
    must(pthread_cond_init(&self->done, NULL) == 0);
    struct err err = commit_index_open(mirror_directory, true, &self->index);
    if (!err_is(err)) {
        err = wal_spare_open(mirror_directory, segment_bytes, &self->spare);
    }
    if (!err_is(err) && end->has_segment) {
        err = copy_open_last_segment(self, mirror_directory, end->first_index);
    }
    if (!err_is(err)) {
        self->runs = pthread_create(&self->thread, NULL, copy_run, self) == 0;
        err = self->runs ? err_none : err_make(ERR_THREAD, "wal_copy_open");
    }
    if (err_is(err)) {
        wal_copy_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void wal_copy_close(struct wal_copy **self)
{
    struct wal_copy *closing = *self;
    if (closing == NULL) {
        return;
    }
    if (closing->runs) {
        must(pthread_mutex_lock(&closing->lock) == 0);
        closing->stopping = true;
        must(pthread_cond_signal(&closing->begun) == 0);
        must(pthread_mutex_unlock(&closing->lock) == 0);
        must(pthread_join(closing->thread, NULL) == 0);
    }
    if (closing->segment_fd >= 0) {
        (void)close(closing->segment_fd); /* every write was O_DSYNC */
    }
    wal_spare_close(&closing->spare);
    commit_index_close(&closing->index);
    must(pthread_cond_destroy(&closing->done) == 0);
    must(pthread_cond_destroy(&closing->begun) == 0);
    must(pthread_mutex_destroy(&closing->lock) == 0);
    free(closing);
    *self = NULL;
}

/* The lock is held, and let go. */
static void copy_begin(struct wal_copy *self, enum copy_job job)
{
    must(self->job == COPY_NONE);
    self->job = job;
    must(pthread_cond_signal(&self->begun) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
}

void wal_copy_take(struct wal_copy *self, const struct wal_segment_header *header)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    self->header = header;
    copy_begin(self, COPY_TAKE);
}

void wal_copy_group(struct wal_copy *self, const uint8_t *group, size_t bytes_count,
                    uint64_t offset)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    self->group = group;
    self->group_bytes = bytes_count;
    self->offset = offset;
    copy_begin(self, COPY_GROUP);
}

void wal_copy_slot(struct wal_copy *self, const struct wal_slot *slot)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    self->slot = slot;
    copy_begin(self, COPY_SLOT);
}

struct err wal_copy_wait(struct wal_copy *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    while (self->job != COPY_NONE) {
        must(pthread_cond_wait(&self->done, &self->lock) == 0);
    }
    struct err err = self->result;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}
