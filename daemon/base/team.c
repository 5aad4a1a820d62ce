/* SPDX-License-Identifier: Apache-2.0 */
#include "base/team.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* Every job has a number; a thread that has seen the number up to which it worked waits for the
 * next. Parts are taken one by one under the lock: they last many microseconds. */

struct team {
    pthread_mutex_t lock; /* guards everything below but threads */
    pthread_cond_t has_job;
    pthread_cond_t is_done;
    void (*work)(void *argument, size_t part);
    void *argument;
    size_t part_next;
    size_t part_count;
    size_t parts_open; /* not finished */
    uint64_t job;
    bool closing;
    size_t thread_count; /* without the caller */
    pthread_t threads[TEAM_THREADS_MAX];
};

static void *serve(void *argument);

struct err team_open(size_t thread_count, struct team **out)
{
    must(thread_count >= 1 && thread_count <= TEAM_THREADS_MAX);
    struct team *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "team_open");
    }
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    must(pthread_cond_init(&self->has_job, NULL) == 0);
    must(pthread_cond_init(&self->is_done, NULL) == 0);
    while (self->thread_count + 1 < thread_count &&
           pthread_create(&self->threads[self->thread_count], NULL, serve, self) == 0) {
        self->thread_count++;
    }
    *out = self;
    return err_none;
}

void team_close(struct team **self)
{
    struct team *team = *self;
    if (team == NULL) {
        return;
    }
    *self = NULL;
    must(pthread_mutex_lock(&team->lock) == 0);
    team->closing = true;
    must(pthread_cond_broadcast(&team->has_job) == 0);
    must(pthread_mutex_unlock(&team->lock) == 0);
    for (size_t i = 0; i < team->thread_count; i++) {
        must(pthread_join(team->threads[i], NULL) == 0);
    }
    must(pthread_cond_destroy(&team->is_done) == 0);
    must(pthread_cond_destroy(&team->has_job) == 0);
    must(pthread_mutex_destroy(&team->lock) == 0);
    free(team);
}

size_t team_threads(size_t most)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = online < 1 ? 1 : (size_t)online;
    count = count < most ? count : most;
    return count < TEAM_THREADS_MAX ? count : TEAM_THREADS_MAX;
}

/* Takes parts until none is left. Called and returns with the lock held. */
static void take_parts(struct team *self)
{
    while (self->part_next < self->part_count) {
        size_t part = self->part_next++;
        void (*work)(void *argument, size_t part) = self->work;
        void *argument = self->argument;
        must(pthread_mutex_unlock(&self->lock) == 0);
        work(argument, part);
        must(pthread_mutex_lock(&self->lock) == 0);
        self->parts_open--;
        if (self->parts_open == 0) {
            must(pthread_cond_signal(&self->is_done) == 0);
        }
    }
}

static void *serve(void *argument)
{
    struct team *self = argument;
    uint64_t seen = 0;
    must(pthread_mutex_lock(&self->lock) == 0);
    while (!self->closing) {
        if (self->job == seen) {
            must(pthread_cond_wait(&self->has_job, &self->lock) == 0);
            continue;
        }
        seen = self->job;
        take_parts(self);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}

void team_run(void *self, void (*work)(void *argument, size_t part), void *argument,
              size_t part_count)
{
    struct team *team = self;
    must(pthread_mutex_lock(&team->lock) == 0);
    must(team->parts_open == 0);
    team->work = work;
    team->argument = argument;
    team->part_next = 0;
    team->part_count = part_count;
    team->parts_open = part_count;
    team->job++;
    must(pthread_cond_broadcast(&team->has_job) == 0);
    take_parts(team);
    while (team->parts_open > 0) {
        must(pthread_cond_wait(&team->is_done, &team->lock) == 0);
    }
    must(pthread_mutex_unlock(&team->lock) == 0);
}
