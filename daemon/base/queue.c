/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wake.h"

/* A ring under one mutex. At the design point a few thousand things a second pass here and takers
 * take in batches, so a lock costs less than the reader's time that a lock-free ring would. */

struct queue {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t has_things;
    pthread_cond_t has_room;
    void **ring;
    uint32_t capacity;
    uint32_t first;
    uint32_t count;
    bool stopped;
    int fd; /* eventfd, non-zero while count > 0; -1 when nobody polls */
};

struct err queue_open(uint32_t capacity, struct queue **out)
{
    must(capacity > 0);
    struct queue *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "queue_open");
    }
    self->ring = calloc(capacity, sizeof *self->ring);
    if (self->ring == NULL) {
        free(self);
        return err_make(ERR_MEMORY, "queue_open");
    }
    self->capacity = capacity;
    self->fd = -1;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    wake_init(&self->has_things);
    wake_init(&self->has_room);
    *out = self;
    return err_none;
}

struct err queue_open_polled(uint32_t capacity, struct queue **out)
{
    struct queue *self = NULL;
    struct err err = queue_open(capacity, &self);
    if (err_is(err)) {
        return err;
    }
    self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->fd < 0) {
        err = err_os(ERR_THREAD, "eventfd");
        queue_free(&self);
        return err;
    }
    *out = self;
    return err_none;
}

int queue_fd(const struct queue *self)
{
    return self->fd;
}

void queue_free(struct queue **self)
{
    if (*self == NULL) {
        return;
    }
    must(pthread_cond_destroy(&(*self)->has_room) == 0);
    must(pthread_cond_destroy(&(*self)->has_things) == 0);
    must(pthread_mutex_destroy(&(*self)->lock) == 0);
    if ((*self)->fd >= 0) {
        (void)close((*self)->fd);
    }
    free((*self)->ring);
    free(*self);
    *self = NULL;
}

static void queue_push(struct queue *self, void *const *things, uint32_t count)
{
    must(count > 0 && count <= self->capacity - self->count);
    bool was_empty = self->count == 0;
    for (uint32_t i = 0; i < count; i++) {
        self->ring[(self->first + self->count + i) % self->capacity] = things[i];
    }
    self->count += count;
    if (self->fd >= 0 && was_empty) { /* one write an empty-to-full turn, not one a thing */
        must(eventfd_write(self->fd, 1) == 0);
    }
    must((count > 1 ? pthread_cond_broadcast(&self->has_things)
                    : pthread_cond_signal(&self->has_things)) == 0);
}

struct err queue_put(struct queue *self, void *thing)
{
    struct err err = err_none;
    must(pthread_mutex_lock(&self->lock) == 0);
    while (self->count == self->capacity && !self->stopped) {
        must(pthread_cond_wait(&self->has_room, &self->lock) == 0);
    }
    if (self->stopped) {
        err = err_make(ERR_CLOSED, "queue_put");
    } else {
        queue_push(self, &thing, 1);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}

struct err queue_try_put_many(struct queue *self, void *const *things, uint32_t count)
{
    struct err err = err_none;
    must(pthread_mutex_lock(&self->lock) == 0);
    if (self->stopped) {
        err = err_make(ERR_CLOSED, "queue_try_put");
    } else if (self->capacity - self->count < count) {
        err = err_make(ERR_QUEUE_FULL, "queue_try_put");
    } else {
        queue_push(self, things, count);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}

struct err queue_try_put(struct queue *self, void *thing)
{
    return queue_try_put_many(self, &thing, 1);
}

/* Waits until there is something, the queue stops or the deadline passes; the lock is held. */
static void queue_await(struct queue *self, int64_t timeout_ns)
{
    int64_t until_ns = timeout_ns > 0 ? clock_monotonic_ns() + timeout_ns : 0;
    while (self->count == 0 && !self->stopped && timeout_ns != 0) {
        if (timeout_ns < 0) {
            must(pthread_cond_wait(&self->has_things, &self->lock) == 0);
        } else if (!wake_wait(&self->has_things, &self->lock, until_ns)) {
            return;
        }
    }
}

uint32_t queue_take(struct queue *self, void **out, uint32_t out_capacity, int64_t timeout_ns)
{
    must(out_capacity > 0);
    must(pthread_mutex_lock(&self->lock) == 0);
    queue_await(self, timeout_ns);
    uint32_t taken = self->count < out_capacity ? self->count : out_capacity;
    for (uint32_t i = 0; i < taken; i++) {
        out[i] = self->ring[self->first];
        self->first = (self->first + 1) % self->capacity;
    }
    self->count -= taken;
    if (taken > 0) {
        if (self->fd >= 0 && self->count == 0) {
            eventfd_t seen;
            must(eventfd_read(self->fd, &seen) == 0);
        }
        must(pthread_cond_broadcast(&self->has_room) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return taken;
}

void queue_stop(struct queue *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    self->stopped = true;
    must(pthread_cond_broadcast(&self->has_things) == 0);
    must(pthread_cond_broadcast(&self->has_room) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
}

bool queue_is_stopped(struct queue *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    bool stopped = self->stopped;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return stopped;
}

uint32_t queue_depth(struct queue *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    uint32_t depth = self->count;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return depth;
}
