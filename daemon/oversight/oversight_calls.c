/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/oversight.h"

#include "base/clock.h"
#include "base/counter.h"
#include "base/wake.h"
#include "oversight/oversight_state.h"

/* What callers do with a log that is open: hand in, wait, ask.
 *
 * The drafts wait in a ring of their own and not in a struct queue: the drafts of one call must go
 * in together or not at all, so that ERR_CLOSED can promise that none of them will ever be durable.
 */

void oversight_fail_locked(struct oversight *self, struct err err)
{
    must(err_is(err));
    if (!err_is(self->failure)) {
        self->failure = err;
    }
    must(pthread_cond_broadcast(&self->has_drafts) == 0);
    must(pthread_cond_broadcast(&self->has_room) == 0);
    must(pthread_cond_broadcast(&self->moved) == 0);
    must(pthread_cond_broadcast(&self->publish_due) == 0);
}

void oversight_fail(struct oversight *self, struct err err)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    oversight_fail_locked(self, err);
    must(pthread_mutex_unlock(&self->lock) == 0);
}

static bool oversight_private_fits(const struct oversight_draft *draft)
{
    return draft->private_bytes == NULL ||
           (draft->private_head_bytes <= sizeof draft->private_head &&
            draft->private_tail_bytes <= sizeof draft->private_tail &&
            draft->private_count <=
                WAL_PRIVATE_BYTES_MAX - draft->private_head_bytes - draft->private_tail_bytes);
}

/* last: nothing is taken behind these. */
static struct err oversight_enqueue(struct oversight *self, struct oversight_draft *const *drafts,
                                    uint32_t count, bool last)
{
    if (count == 0 || count > self->capacity) {
        return err_make(ERR_ARGUMENT, "oversight_submit");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (drafts[i]->rest_bytes == 0 || drafts[i]->rest_bytes > sizeof drafts[i]->rest ||
            !oversight_private_fits(drafts[i])) {
            return err_make(ERR_ARGUMENT, "oversight_submit");
        }
    }
    int64_t submitted_ns = clock_monotonic_ns();
    must(pthread_mutex_lock(&self->lock) == 0);
    while (self->capacity - self->count < count && !self->closing && !err_is(self->failure)) {
        must(pthread_cond_wait(&self->has_room, &self->lock) == 0);
    }
    struct err err = err_none;
    if (self->closing || err_is(self->failure)) {
        err = err_make(ERR_CLOSED, "oversight_submit");
    } else {
        for (uint32_t i = 0; i < count; i++) {
            self->ring[(self->first + self->count + i) % self->capacity] =
                (struct waiting_draft){drafts[i], submitted_ns};
        }
        self->count += count;
        self->closing = last;
        counter_set(COUNTER_waiting_log, self->count);
        must(pthread_cond_signal(&self->has_drafts) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}

struct err oversight_submit(struct oversight *self, struct oversight_draft *const *drafts,
                            uint32_t count)
{
    return oversight_enqueue(self, drafts, count, false);
}

static struct err oversight_enqueue_and_wait(struct oversight *self, struct oversight_draft *draft,
                                             bool last)
{
    must(draft->done == NULL);
    draft->entry_index = UINT64_MAX; /* until it is durable */
    struct err err = oversight_enqueue(self, (struct oversight_draft *const[]){draft}, 1, last);
    if (err_is(err)) {
        return err;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    while (draft->entry_index == UINT64_MAX && !err_is(self->failure)) {
        must(pthread_cond_wait(&self->moved, &self->lock) == 0);
    }
    if (draft->entry_index == UINT64_MAX) {
        err = self->failure;
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}

struct err oversight_submit_and_wait(struct oversight *self, struct oversight_draft *draft)
{
    return oversight_enqueue_and_wait(self, draft, false);
}

struct err oversight_submit_last(struct oversight *self, struct oversight_draft *draft)
{
    return oversight_enqueue_and_wait(self, draft, true);
}

void oversight_roll(struct oversight *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    self->roll_due = true;
    must(pthread_mutex_unlock(&self->lock) == 0);
}

uint64_t oversight_size(struct oversight *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    uint64_t size = self->size;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return size;
}

uint64_t oversight_wait(struct oversight *self, uint64_t size, int64_t timeout_ns)
{
    int64_t deadline_ns = clock_monotonic_ns() + timeout_ns;
    bool expired = timeout_ns <= 0;
    must(pthread_mutex_lock(&self->lock) == 0);
    while (self->size <= size && !expired && !self->closing && !err_is(self->failure)) {
        expired = !wake_wait(&self->moved, &self->lock, deadline_ns);
    }
    uint64_t reached = self->size;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return reached;
}

struct err oversight_failure(struct oversight *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    struct err failure = self->failure;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return failure;
}

uint64_t oversight_published(struct oversight *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    uint64_t published = self->published;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return published;
}

struct err oversight_trouble(struct oversight *self, int64_t *since_ns)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    struct err trouble = self->trouble;
    *since_ns = self->trouble_since_ns;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return trouble;
}

struct err oversight_publish(struct oversight *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    uint64_t size = self->size;
    self->requested = size > self->requested ? size : self->requested;
    uint64_t tries_before = self->tries;
    must(pthread_cond_signal(&self->publish_due) == 0);
    while (self->published < size && !err_is(self->failure) && !self->published_last &&
           !(err_is(self->trouble) && self->tries > tries_before)) {
        must(pthread_cond_wait(&self->moved, &self->lock) == 0);
    }
    struct err err = err_none;
    if (self->published < size && err_is(self->trouble)) {
        err = self->trouble;
    } else if (self->published < size) {
        err = err_is(self->failure) ? self->failure : err_make(ERR_CLOSED, "oversight_publish");
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err;
}
