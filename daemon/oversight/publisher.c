/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "base/wake.h"
#include "oversight/oversight_state.h"

/* The publisher of checkpoints. The public directory may lie on another disk than the write-ahead
 * log, and that it is full or gone loses no evidence: what is acknowledged is in the log. So a
 * write there that fails is an alarm at first, and halts the log only when outsiders have been kept
 * waiting for longer than they were promised. Nothing of a failed try is built upon: the next one
 * reads again from the disk what was published, and makes every file anew under a new name. */

#define TROUBLE_WAIT_NS NS_PER_S /* between two tries */

/* Waits until a checkpoint is due; false when there will be no more. The lock is held. */
static bool publisher_wait(struct oversight *self, int64_t last_ns)
{
    bool troubled = err_is(self->trouble);
    int64_t due_ns = last_ns + (troubled ? TROUBLE_WAIT_NS : self->checkpoint_interval_ns);
    for (;;) { /* ends: every wake-up finds one of these true or sleeps again, at most until due_ns
                */
        bool news = self->size > self->published;
        if (err_is(self->failure) || (self->committed_last && !news)) {
            return false;
        }
        bool asked = self->requested > self->published && !troubled;
        if (news && (self->committed_last || asked || clock_monotonic_ns() >= due_ns)) {
            return true;
        }
        if (news) {
            (void)wake_wait(&self->publish_due, &self->lock, due_ns); /* looked at above */
        } else {
            must(pthread_cond_wait(&self->publish_due, &self->lock) == 0);
        }
    }
}

/* Only what the disk did can pass by itself: that files differ, or a key, never does. */
static bool publisher_may_wait(const struct oversight *self, struct err err, int64_t now_ns)
{
    bool passes = err.code == ERR_IO || err.code == ERR_DISK_FULL;
    return passes && !self->committed_last &&
           now_ns - self->trouble_since_ns < self->publish_grace_ns;
}

/* After a failed try the memory of the tree is ahead of the disk: read it again. */
static struct err publisher_reopen(struct oversight *self)
{
    struct merkle_range range;
    if (self->publication != NULL) { /* or opening it again failed before */
        self->publish_key = publication_key(self->publication);
    }
    publication_close(&self->publication);
    struct err err = oversight_open_publication(self, self->publish_key, false);
    return err_is(err) ? err : publication_resume(self->publication, &range);
}

static struct err publisher_try(struct oversight *self, uint64_t size)
{
    struct err err = err_none;
    if (self->publication_stale) {
        err = publisher_reopen(self);
    }
    self->publication_stale = err_is(err);
    if (!err_is(err)) {
        err = publication_step(self->publication, size);
        self->publication_stale = err_is(err);
    }
    return err;
}

/* The lock is held. */
static void publisher_note(struct oversight *self, struct err err, uint64_t size, int64_t began_ns)
{
    self->tries++;
    if (!err_is(err)) {
        if (err_is(self->trouble)) {
            diag_info(checkpoint, "size=%llu reason=\"published again\"", (unsigned long long)size);
        }
        self->trouble = err_none;
        self->published = size;
        counter_add(COUNTER_checkpoints, 1);
        counter_set(COUNTER_waiting_checkpoint, self->size - size);
        return;
    }
    char text[ERR_TEXT_BYTES];
    if (!err_is(self->trouble)) {
        self->trouble_since_ns = began_ns;
    }
    self->trouble = err;
    counter_add(COUNTER_checkpoints_failed, 1);
    diag_err(checkpoint, "size=%llu error=%s reason=\"%s\" since_s=%.0f", (unsigned long long)size,
             err_name(err.code), err_text(err, text),
             (double)(began_ns - self->trouble_since_ns) / (double)NS_PER_S);
}

void *publisher_run(void *oversight)
{
    struct oversight *self = oversight;
    (void)pthread_setname_np(pthread_self(), "checkpoint");
    int64_t last_ns = clock_monotonic_ns();
    must(pthread_mutex_lock(&self->lock) == 0);
    while (publisher_wait(self, last_ns)) {
        uint64_t size = self->size;
        must(pthread_mutex_unlock(&self->lock) == 0);
        last_ns = clock_monotonic_ns();
        struct err err = publisher_try(self, size);
        stage_took(STAGE_checkpoint, clock_monotonic_ns() - last_ns);
        must(pthread_mutex_lock(&self->lock) == 0);
        publisher_note(self, err, size, last_ns);
        if (err_is(err) && !publisher_may_wait(self, err, last_ns)) {
            oversight_fail_locked(self, err); /* before anybody hears of the failed try */
        }
        must(pthread_cond_broadcast(&self->moved) == 0);
    }
    self->published_last = true;
    must(pthread_cond_broadcast(&self->moved) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}
