/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_crew.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct verify_crew {
    struct verify_crew_conf conf;
    pthread_mutex_t lock; /* guards the five below */
    pthread_cond_t finished;
    pthread_cond_t freed;
    uint64_t begun;    /* pieces that somebody has taken */
    uint64_t released; /* pieces whose slots are free again */
    bool stopping;
    bool *done;     /* by slot */
    uint64_t taken; /* by the one who takes results; its own */
    pthread_t threads[VERIFY_THREADS_MAX];
    uint32_t running;
};

uint32_t verify_crew_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 1) {
        return 1;
    }
    return processors < (long)VERIFY_THREADS_MAX ? (uint32_t)processors : VERIFY_THREADS_MAX;
}

static void *crew_slot(const struct verify_crew *self, uint64_t index)
{
    return (char *)self->conf.slots +
           (size_t)(index % self->conf.slots_count) * self->conf.slot_bytes;
}

static void *crew_run(void *arg)
{
    struct verify_crew *self = arg;
    (void)pthread_setname_np(pthread_self(), "verify");
    must(pthread_mutex_lock(&self->lock) == 0);
    while (!self->stopping && self->begun < self->conf.pieces_count) {
        if (self->begun == self->released + self->conf.slots_count) {
            must(pthread_cond_wait(&self->freed, &self->lock) == 0);
            continue;
        }
        uint64_t index = self->begun++;
        must(pthread_mutex_unlock(&self->lock) == 0);
        self->conf.work(self->conf.shared, crew_slot(self, index), index);
        must(pthread_mutex_lock(&self->lock) == 0);
        self->done[index % self->conf.slots_count] = true;
        must(pthread_cond_signal(&self->finished) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}

struct err verify_crew_open(const struct verify_crew_conf *conf, struct verify_crew **out)
{
    must(conf->slots_count > 0 && conf->threads_count > 0 &&
         conf->threads_count <= VERIFY_THREADS_MAX);
    struct verify_crew *self = calloc(1, sizeof *self);
    bool *done = calloc(conf->slots_count, sizeof *done);
    if (self == NULL || done == NULL) {
        free(self);
        free(done);
        return err_make(ERR_MEMORY, "verify_crew_open");
    }
    self->conf = *conf;
    self->done = done;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    must(pthread_cond_init(&self->finished, NULL) == 0);
    must(pthread_cond_init(&self->freed, NULL) == 0);
    while (self->running < conf->threads_count &&
           pthread_create(&self->threads[self->running], NULL, crew_run, self) == 0) {
        self->running++;
    }
    if (self->running == 0) { /* fewer than asked for is slower, none is the end */
        verify_crew_close(&self);
        return err_make(ERR_THREAD, "verify_crew_open");
    }
    *out = self;
    return err_none;
}

void *verify_crew_next(struct verify_crew *self)
{
    void *slot = NULL;
    must(pthread_mutex_lock(&self->lock) == 0);
    if (self->taken > self->released) {
        self->released = self->taken;
        must(pthread_cond_broadcast(&self->freed) == 0);
    }
    if (self->taken < self->conf.pieces_count) {
        bool *done = &self->done[self->taken % self->conf.slots_count];
        while (!*done) {
            must(pthread_cond_wait(&self->finished, &self->lock) == 0);
        }
        *done = false;
        slot = crew_slot(self, self->taken);
        self->taken++;
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return slot;
}

void verify_crew_close(struct verify_crew **self)
{
    struct verify_crew *closing = *self;
    if (closing == NULL) {
        return;
    }
    must(pthread_mutex_lock(&closing->lock) == 0);
    closing->stopping = true;
    must(pthread_cond_broadcast(&closing->freed) == 0);
    must(pthread_mutex_unlock(&closing->lock) == 0);
    for (uint32_t i = 0; i < closing->running; i++) {
        must(pthread_join(closing->threads[i], NULL) == 0);
    }
    must(pthread_cond_destroy(&closing->freed) == 0);
    must(pthread_cond_destroy(&closing->finished) == 0);
    must(pthread_mutex_destroy(&closing->lock) == 0);
    free(closing->done);
    free(closing);
    *self = NULL;
}
