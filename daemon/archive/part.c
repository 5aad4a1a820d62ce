/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/part.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"

/* Buffer n holds the bytes from n * PART_BUFFER_BYTES on. The caller fills one buffer at a time;
 * those before it belong to the writer until they are written. Two descriptors: what is written
 * late goes through the page cache, whole blocks at once, so that the disk can put them in an order
 * of its own; it does so when all direct writes are done, and is pushed out of the cache again
 * after the sync. If the machine stops anywhere, the part file is swept at the next start. */

#define PART_BLOCKS (PART_BUFFER_BYTES / DURABLE_BLOCK_BYTES)
#define PART_KEPT_MIN 256u

struct part_block {
    uint64_t offset;
    uint8_t *bytes;
    bool dirty; /* differs from what the writer got */
};

struct part {
    int fd;          /* through the page cache */
    int direct_fd;   /* -1: refused by the file system */
    uint64_t number; /* of the buffer being filled */
    uint64_t front;  /* bytes from 0 on that are filled */
    uint64_t end;
    bool has_end;
    bool finished;
    bool keep[PART_BLOCKS];  /* blocks of the buffer being filled that may change later */
    struct part_block *kept; /* in the order of offsets, all behind the buffer being filled */
    size_t kept_count;
    size_t kept_capacity;
    uint8_t *buffers[PART_BUFFERS];
    size_t buffer_bytes[PART_BUFFERS]; /* what of it is to be written: blocks */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t offer;
    pthread_cond_t done;
    uint64_t offered; /* lock: buffers for the writer */
    uint64_t written; /* lock */
    bool stopping;    /* lock */
    struct err err;   /* lock: the first error */
};

/* ---- the writer */

static struct err part_write_buffer(const struct part *self, uint64_t number)
{
    uint32_t slot = (uint32_t)(number % PART_BUFFERS);
    uint64_t offset = number * PART_BUFFER_BYTES;
    int fd = self->direct_fd >= 0 ? self->direct_fd : self->fd;
    struct err err = durable_write_at(fd, self->buffers[slot], self->buffer_bytes[slot], offset);
    if (!err_is(err) && self->direct_fd < 0) {
        durable_hurry(fd, offset, self->buffer_bytes[slot]);
    }
    return err;
}

static void *part_work(void *arg)
{
    struct part *self = arg;
    must(pthread_mutex_lock(&self->lock) == 0);
    for (;;) {
        while (!self->stopping && self->written == self->offered) {
            must(pthread_cond_wait(&self->offer, &self->lock) == 0);
        }
        if (self->stopping) {
            break;
        }
        uint64_t number = self->written;
        struct err err = self->err;
        must(pthread_mutex_unlock(&self->lock) == 0);
        if (!err_is(err)) {
            err = part_write_buffer(self, number);
        }
        must(pthread_mutex_lock(&self->lock) == 0);
        if (!err_is(self->err)) { /* the caller may have failed meanwhile: the first one stays */
            self->err = err;
        }
        self->written++;
        must(pthread_cond_signal(&self->done) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}

/* ---- open and close */

static struct err part_start(struct part *self)
{
    for (uint32_t i = 0; i < PART_BUFFERS; i++) {
        self->buffers[i] = aligned_alloc(DURABLE_BLOCK_BYTES, PART_BUFFER_BYTES);
        if (self->buffers[i] == NULL) {
            return err_make(ERR_MEMORY, "part_create");
        }
    }
    int fault = pthread_create(&self->thread, NULL, part_work, self);
    if (fault != 0) {
        return (struct err){.code = ERR_IO, .os_errno = fault, .where = "start the part writer"};
    }
    self->started = true;
    (void)pthread_setname_np(self->thread, "archive-part");
    return err_none;
}

struct err part_create(const char *path, struct part **out)
{
    struct part *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "part_create");
    }
    self->fd = -1;
    self->direct_fd = -1;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    must(pthread_cond_init(&self->offer, NULL) == 0);
    must(pthread_cond_init(&self->done, NULL) == 0);
    struct err err = durable_create_unsynced(path, 0666, &self->fd);
    if (!err_is(err)) {
        err = durable_open_direct(path, O_WRONLY, &self->direct_fd);
    }
    if (!err_is(err)) {
        err = part_start(self);
    }
    if (err_is(err)) {
        part_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void part_close(struct part **part)
{
    struct part *self = *part;
    if (self == NULL) {
        return;
    }
    if (self->started) {
        must(pthread_mutex_lock(&self->lock) == 0);
        self->stopping = true;
        must(pthread_cond_signal(&self->offer) == 0);
        must(pthread_mutex_unlock(&self->lock) == 0);
        must(pthread_join(self->thread, NULL) == 0);
    }
    for (uint32_t i = 0; i < PART_BUFFERS; i++) {
        free(self->buffers[i]);
    }
    for (size_t i = 0; i < self->kept_count; i++) {
        free(self->kept[i].bytes);
    }
    free(self->kept);
    if (self->direct_fd >= 0) {
        (void)close(self->direct_fd); /* synced in part_finish, or of no use */
    }
    if (self->fd >= 0) {
        (void)close(self->fd);
    }
    (void)pthread_cond_destroy(&self->done);
    (void)pthread_cond_destroy(&self->offer);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
    *part = NULL;
}

/* ---- errors, and waiting for the writer */

struct err part_error(struct part *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    struct err err = self->err;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}

static struct err part_fail(struct part *self, struct err err)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    if (!err_is(self->err)) {
        self->err = err;
    }
    err = self->err;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}

/* Until at most `left` of the offered buffers are not written. */
static struct err part_wait(struct part *self, uint64_t left)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    while (self->offered - self->written > left) {
        must(pthread_cond_wait(&self->done, &self->lock) == 0);
    }
    struct err err = self->err;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}

/* ---- kept blocks */

/* Where the block of this offset is, or where it would be. */
static size_t part_kept_place(const struct part *self, uint64_t offset)
{
    size_t low = 0;
    size_t high = self->kept_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->kept[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct part_block *part_kept_find(const struct part *self, uint64_t offset)
{
    size_t place = part_kept_place(self, offset);
    bool found = place < self->kept_count && self->kept[place].offset == offset;
    return found ? &self->kept[place] : NULL;
}

/* Its bytes are the caller's to fill; NULL without memory. */
static struct part_block *part_kept_add(struct part *self, uint64_t offset)
{
    if (self->kept_count == self->kept_capacity) {
        size_t capacity = self->kept_capacity == 0 ? PART_KEPT_MIN : 2 * self->kept_capacity;
        struct part_block *kept = realloc(self->kept, capacity * sizeof *kept);
        if (kept == NULL) {
            return NULL;
        }
        self->kept = kept;
        self->kept_capacity = capacity;
    }
    uint8_t *bytes = aligned_alloc(DURABLE_BLOCK_BYTES, DURABLE_BLOCK_BYTES);
    if (bytes == NULL) {
        return NULL;
    }
    size_t place = part_kept_place(self, offset);
    must(place == self->kept_count || self->kept[place].offset != offset);
    memmove(&self->kept[place + 1], &self->kept[place],
            (self->kept_count - place) * sizeof *self->kept);
    self->kept[place] = (struct part_block){.offset = offset, .bytes = bytes};
    self->kept_count++;
    return &self->kept[place];
}

/* A block behind the buffer being filled: kept, or fetched from the disk. */
static struct err part_kept_get(struct part *self, uint64_t offset, struct part_block **out)
{
    *out = part_kept_find(self, offset);
    if (*out != NULL) {
        return err_none;
    }
    struct err err = part_wait(self, 0);
    if (err_is(err)) {
        return err;
    }
    *out = part_kept_add(self, offset);
    return *out == NULL ? err_make(ERR_MEMORY, "part_write")
                        : durable_read_at(self->fd, (*out)->bytes, DURABLE_BLOCK_BYTES, offset);
}

/* ---- filling */

static uint64_t part_base(const struct part *self)
{
    return self->number * PART_BUFFER_BYTES;
}

static uint8_t *part_buffer(struct part *self)
{
    return self->buffers[self->number % PART_BUFFERS];
}

static void part_mark(struct part *self, uint64_t from, uint64_t to)
{
    uint64_t base = part_base(self);
    for (uint64_t at = from / DURABLE_BLOCK_BYTES * DURABLE_BLOCK_BYTES; at < to;
         at += DURABLE_BLOCK_BYTES) {
        self->keep[(at - base) / DURABLE_BLOCK_BYTES] = true;
    }
}

/* Nothing was written up to here yet: zeros, and the blocks are kept. Within the buffer. */
static void part_skip(struct part *self, uint64_t to)
{
    if (to > self->front) {
        memset(part_buffer(self) + (self->front - part_base(self)), 0, (size_t)(to - self->front));
        part_mark(self, self->front, to);
        self->front = to;
    }
}

/* The buffer to the writer: what may change is kept. Then the next one, once it is free. */
static struct err part_hand_over(struct part *self)
{
    uint64_t base = part_base(self);
    size_t bytes_count = (size_t)(self->front - base);
    size_t blocks = (bytes_count + DURABLE_BLOCK_BYTES - 1) / DURABLE_BLOCK_BYTES;
    memset(part_buffer(self) + bytes_count, 0, blocks * DURABLE_BLOCK_BYTES - bytes_count);
    for (size_t i = 0; i < blocks; i++) {
        if (!self->keep[i]) {
            continue;
        }
        struct part_block *block = part_kept_add(self, base + i * DURABLE_BLOCK_BYTES);
        if (block == NULL) {
            return err_make(ERR_MEMORY, "part_write");
        }
        memcpy(block->bytes, part_buffer(self) + i * DURABLE_BLOCK_BYTES, DURABLE_BLOCK_BYTES);
    }
    memset(self->keep, 0, sizeof self->keep);
    self->buffer_bytes[self->number % PART_BUFFERS] = blocks * DURABLE_BLOCK_BYTES;
    self->number++;
    must(pthread_mutex_lock(&self->lock) == 0);
    self->offered = self->number;
    must(pthread_cond_signal(&self->offer) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    return part_wait(self, PART_BUFFERS - 1);
}

/* As much as one block behind the buffer, or the buffer, takes. */
static struct err part_write_some(struct part *self, uint64_t offset, const uint8_t *bytes,
                                  size_t *bytes_count, bool late)
{
    uint64_t base = part_base(self);
    uint64_t limit = base + PART_BUFFER_BYTES;
    if (offset < base) {
        struct part_block *block = NULL;
        size_t at = (size_t)(offset % DURABLE_BLOCK_BYTES);
        size_t room = DURABLE_BLOCK_BYTES - at;
        struct err err = part_kept_get(self, offset - at, &block);
        if (!err_is(err)) {
            *bytes_count = *bytes_count < room ? *bytes_count : room;
            memcpy(block->bytes + at, bytes, *bytes_count);
            block->dirty = true;
        }
        return err;
    }
    if (offset >= limit) {
        part_skip(self, limit);
        *bytes_count = 0;
        return part_hand_over(self);
    }
    *bytes_count = *bytes_count < limit - offset ? *bytes_count : (size_t)(limit - offset);
    part_skip(self, offset);
    memcpy(part_buffer(self) + (offset - base), bytes, *bytes_count);
    if (late) {
        part_mark(self, offset, offset + *bytes_count);
    }
    self->front = self->front > offset + *bytes_count ? self->front : offset + *bytes_count;
    return self->front == limit ? part_hand_over(self) : err_none;
}

struct err part_write(struct part *self, uint64_t offset, const void *bytes, size_t bytes_count,
                      bool late)
{
    must(!self->finished && bytes_count <= UINT64_MAX - offset);
    struct err err = part_error(self);
    const uint8_t *at = bytes;
    while (bytes_count > 0 && !err_is(err)) {
        size_t run = bytes_count;
        err = part_write_some(self, offset, at, &run, late);
        offset += run;
        at += run;
        bytes_count -= run;
    }
    return err_is(err) ? part_fail(self, err) : err_none;
}

struct err part_read(struct part *self, uint64_t offset, void *out, size_t bytes_count)
{
    uint8_t *to = out;
    struct err err = part_error(self);
    must(bytes_count <= UINT64_MAX - offset);
    while (bytes_count > 0 && !err_is(err)) {
        uint64_t base = part_base(self);
        size_t at = (size_t)(offset % DURABLE_BLOCK_BYTES);
        size_t run = DURABLE_BLOCK_BYTES - at;
        struct part_block *block = NULL;
        run = run < bytes_count ? run : bytes_count;
        if (offset < base) {
            err = part_kept_get(self, offset - at, &block);
        }
        if (block != NULL && !err_is(err)) {
            memcpy(to, block->bytes + at, run);
        } else if (!err_is(err)) {
            size_t filled = self->front > offset ? (size_t)(self->front - offset) : 0;
            filled = filled < run ? filled : run;
            memset(to, 0, run);
            memcpy(to, part_buffer(self) + (filled == 0 ? 0 : offset - base), filled);
        }
        offset += run;
        to += run;
        bytes_count -= run;
    }
    return err_is(err) ? part_fail(self, err) : err_none;
}

/* ---- the end */

void part_set_end(struct part *self, uint64_t file_bytes)
{
    self->end = file_bytes;
    self->has_end = true;
}

static struct err part_write_kept(const struct part *self)
{
    struct err err = err_none;
    for (size_t i = 0; i < self->kept_count && !err_is(err); i++) {
        if (self->kept[i].dirty) {
            err = durable_write_at(self->fd, self->kept[i].bytes, DURABLE_BLOCK_BYTES,
                                   self->kept[i].offset);
        }
    }
    return err;
}

/* What was kept is what whoever opens the file looks at first, a block here and a block there: each
 * would wait for the disk alone. So they are all asked back from it at once. */
static void part_ask_back(const struct part *self)
{
    (void)posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED);
    for (size_t i = 0; i < self->kept_count; i++) {
        (void)posix_fadvise(self->fd, (off_t)self->kept[i].offset, DURABLE_BLOCK_BYTES,
                            POSIX_FADV_WILLNEED);
    }
}

/* Nobody else looks at every byte of these blocks: HDF5 leaves parts of them unused. What they hold
 * must be what the next build of the same file holds. */
static struct err part_compare_kept(const struct part *self)
{
    uint8_t found[DURABLE_BLOCK_BYTES];
    uint64_t file_bytes = self->has_end ? self->end : self->front;
    struct err err = err_none;
    for (size_t i = 0; i < self->kept_count && !err_is(err); i++) {
        const struct part_block *block = &self->kept[i];
        uint64_t left = block->offset < file_bytes ? file_bytes - block->offset : 0;
        size_t count = left < sizeof found ? (size_t)left : sizeof found;
        err = durable_read_at(self->fd, found, count, block->offset);
        if (!err_is(err) && memcmp(found, block->bytes, count) != 0) {
            err = err_make(ERR_ARCHIVE_DIFFERS, "metadata read back");
        }
    }
    return err;
}

static struct err part_settle(struct part *self)
{
    struct stat status;
    struct err err = self->front > part_base(self) ? part_hand_over(self) : err_none;
    if (!err_is(err)) {
        err = part_wait(self, 0);
    }
    if (!err_is(err)) {
        err = part_write_kept(self);
    }
    if (!err_is(err)) { /* the last block is whole until now */
        err = durable_set_bytes(self->fd, self->has_end ? self->end : self->front);
    }
    if (!err_is(err)) {
        err = durable_sync(self->fd);
    }
    if (!err_is(err) &&
        (fstat(self->fd, &status) != 0 || fchmod(self->fd, status.st_mode & 0444) != 0)) {
        err = err_os(ERR_IO, "make part file read-only");
    }
    if (!err_is(err)) {
        part_ask_back(self);
        err = part_compare_kept(self);
    }
    return err;
}

struct err part_finish(struct part *self)
{
    must(!self->finished);
    struct err err = part_error(self);
    if (!err_is(err)) {
        err = part_settle(self);
    }
    self->finished = true;
    return err_is(err) ? part_fail(self, err) : err_none;
}
