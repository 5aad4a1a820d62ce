/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/reread.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"

/* Pieces first .. loaded - 1 are in their buffers. The reader begins with piece `loaded` only when
 * the piece in that buffer is in front of everything that is held, and moves `first` on before it
 * does. */

struct reread {
    int fd;        /* through the page cache: the end of the file, and what is asked for late */
    int direct_fd; /* -1: refused by the file system */
    uint64_t bytes_count;
    uint64_t pieces_count;
    uint8_t *pieces[REREAD_PIECES];
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t read; /* a piece was read, or cannot be */
    pthread_cond_t room;
    uint64_t first;                    /* lock */
    uint64_t loaded;                   /* lock */
    uint64_t held[REREAD_HOLDERS_MAX]; /* lock: offsets */
    bool stopping;                     /* lock */
    struct err err;                    /* lock */
};

/* ---- the reader */

/* Direct reads take whole blocks: what the file has behind its last one comes the other way. */
static struct err reread_load(const struct reread *self, uint64_t piece)
{
    uint64_t offset = piece * REREAD_PIECE_BYTES;
    uint64_t left = self->bytes_count - offset;
    size_t count = left < REREAD_PIECE_BYTES ? (size_t)left : REREAD_PIECE_BYTES;
    size_t whole = self->direct_fd < 0 ? 0 : count - count % DURABLE_BLOCK_BYTES;
    uint8_t *to = self->pieces[piece % REREAD_PIECES];
    struct err err = durable_read_at(self->direct_fd, to, whole, offset);
    return err_is(err) ? err : durable_read_at(self->fd, to + whole, count - whole, offset + whole);
}

/* Under the lock: is the buffer of this piece needed for another? */
static bool reread_is_full(const struct reread *self, uint64_t piece)
{
    for (uint32_t i = 0; i < REREAD_HOLDERS_MAX; i++) {
        if (self->held[i] != REREAD_NOTHING &&
            piece >= self->held[i] / REREAD_PIECE_BYTES + REREAD_PIECES) {
            return true;
        }
    }
    return false;
}

static void *reread_work(void *arg)
{
    struct reread *self = arg;
    must(pthread_mutex_lock(&self->lock) == 0);
    while (self->loaded < self->pieces_count && !err_is(self->err)) {
        uint64_t piece = self->loaded;
        while (!self->stopping && reread_is_full(self, piece)) {
            must(pthread_cond_wait(&self->room, &self->lock) == 0);
        }
        if (self->stopping) {
            break;
        }
        self->first = piece < REREAD_PIECES ? 0 : piece - REREAD_PIECES + 1;
        must(pthread_mutex_unlock(&self->lock) == 0);
        struct err err = reread_load(self, piece);
        must(pthread_mutex_lock(&self->lock) == 0);
        self->err = err;
        self->loaded += err_is(err) ? 0 : 1;
        must(pthread_cond_broadcast(&self->read) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}

/* ---- open and close */

static struct err reread_start(struct reread *self)
{
    for (uint32_t i = 0; i < REREAD_PIECES; i++) {
        self->pieces[i] = aligned_alloc(DURABLE_BLOCK_BYTES, REREAD_PIECE_BYTES);
        if (self->pieces[i] == NULL) {
            return err_make(ERR_MEMORY, "reread_open");
        }
    }
    int fault = pthread_create(&self->thread, NULL, reread_work, self);
    if (fault != 0) {
        return (struct err){.code = ERR_IO, .os_errno = fault, .where = "start the rereader"};
    }
    self->started = true;
    (void)pthread_setname_np(self->thread, "archive-reread");
    return err_none;
}

struct err reread_open(const char *path, struct reread **out)
{
    struct stat status;
    struct reread *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "reread_open");
    }
    self->direct_fd = -1;
    for (uint32_t i = 0; i < REREAD_HOLDERS_MAX; i++) {
        self->held[i] = REREAD_NOTHING;
    }
    self->held[0] = 0;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    must(pthread_cond_init(&self->read, NULL) == 0);
    must(pthread_cond_init(&self->room, NULL) == 0);
    struct err err = err_none;
    self->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (self->fd < 0 || fstat(self->fd, &status) != 0) {
        err = err_os(ERR_IO, "open file to read it back");
    } else {
        self->bytes_count = (uint64_t)status.st_size;
        self->pieces_count = (self->bytes_count + REREAD_PIECE_BYTES - 1) / REREAD_PIECE_BYTES;
        err = durable_open_direct(path, O_RDONLY, &self->direct_fd);
    }
    if (!err_is(err)) {
        err = reread_start(self);
    }
    if (err_is(err)) {
        reread_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void reread_close(struct reread **reread)
{
    struct reread *self = *reread;
    if (self == NULL) {
        return;
    }
    if (self->started) {
        must(pthread_mutex_lock(&self->lock) == 0);
        self->stopping = true;
        must(pthread_cond_signal(&self->room) == 0);
        must(pthread_mutex_unlock(&self->lock) == 0);
        must(pthread_join(self->thread, NULL) == 0);
    }
    for (uint32_t i = 0; i < REREAD_PIECES; i++) {
        free(self->pieces[i]);
    }
    if (self->direct_fd >= 0) {
        (void)close(self->direct_fd); /* read only: nothing can be lost here */
    }
    if (self->fd >= 0) {
        (void)close(self->fd);
    }
    (void)pthread_cond_destroy(&self->room);
    (void)pthread_cond_destroy(&self->read);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
    *reread = NULL;
}

/* ---- those who look */

uint64_t reread_bytes(const struct reread *self)
{
    return self->bytes_count;
}

void reread_hold(struct reread *self, uint32_t holder, uint64_t offset)
{
    must(holder < REREAD_HOLDERS_MAX);
    must(pthread_mutex_lock(&self->lock) == 0);
    self->held[holder] = offset;
    must(pthread_cond_signal(&self->room) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
}

static const uint8_t *reread_place(const struct reread *self, uint64_t offset)
{
    return self->pieces[offset / REREAD_PIECE_BYTES % REREAD_PIECES] + offset % REREAD_PIECE_BYTES;
}

struct err reread_get(struct reread *self, uint64_t offset, size_t bytes_count, uint8_t *scratch,
                      const uint8_t **out)
{
    must(bytes_count > 0 && bytes_count < REREAD_PIECE_BYTES);
    if (offset >= self->bytes_count || bytes_count > self->bytes_count - offset) {
        return err_make(ERR_IO, "read back past the end");
    }
    uint64_t last = (offset + bytes_count - 1) / REREAD_PIECE_BYTES;
    must(pthread_mutex_lock(&self->lock) == 0);
    bool gone = offset / REREAD_PIECE_BYTES < self->first;
    while (!gone && self->loaded <= last && !err_is(self->err)) {
        must(pthread_cond_wait(&self->read, &self->lock) == 0);
    }
    struct err err = self->err;
    must(pthread_mutex_unlock(&self->lock) == 0);
    if (err_is(err)) {
        return err;
    }
    if (gone) {
        must(scratch != NULL);
        *out = scratch;
        return durable_read_at(self->fd, scratch, bytes_count, offset);
    }
    size_t in_first = REREAD_PIECE_BYTES - (size_t)(offset % REREAD_PIECE_BYTES);
    *out = reread_place(self, offset);
    if (bytes_count > in_first) {
        memcpy(scratch, *out, in_first);
        memcpy(scratch + in_first, reread_place(self, offset + in_first), bytes_count - in_first);
        *out = scratch;
    }
    return err_none;
}
