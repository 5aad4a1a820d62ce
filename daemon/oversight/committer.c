/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/counter.h"
#include "base/diag.h"
#include "oversight/oversight_state.h"

/* Group commit without a timer: while one group is on its way to the disk the next one forms by
 * itself in the ring. A lone entry is written at once, and under load the groups grow until the
 * disk keeps up. */

/* How many waiting drafts, from the oldest on, fit into one group. The lock is held. */
static uint32_t committer_measure(const struct oversight *self)
{
    uint32_t entries_bytes = 0;
    uint32_t private_bytes = 0;
    uint32_t taken = 0;
    while (taken < self->count && taken < WAL_ENTRIES_MAX) {
        const struct oversight_draft *draft =
            self->ring[(self->first + taken) % self->capacity].draft;
        uint32_t entry_bytes = 2 + ENTRY_STAMP_BYTES_MAX + draft->rest_bytes;
        uint32_t beside_bytes = draft->private_bytes == NULL
                                    ? 0
                                    : WAL_PRIVATE_HEADER_BYTES + draft->private_head_bytes +
                                          draft->private_count + draft->private_tail_bytes;
        bool fits =
            entries_bytes + entry_bytes <= WAL_ENTRY_BYTES_AIM &&
            entries_bytes + entry_bytes + private_bytes + beside_bytes <= WAL_PAYLOAD_BYTES_MAX;
        if (!fits) {
            break;
        }
        entries_bytes += entry_bytes;
        private_bytes += beside_bytes;
        taken++;
    }
    must(self->count == 0 || taken > 0); /* oversight_submit refuses what does not fit alone */
    return taken;
}

/* Waits for drafts; moves what fits into the batch. 0 when there will be no more. */
static uint32_t committer_take(struct oversight *self)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    while (self->count == 0 && !self->closing && !err_is(self->failure)) {
        must(pthread_cond_wait(&self->has_drafts, &self->lock) == 0);
    }
    uint32_t taken = err_is(self->failure) ? 0 : committer_measure(self);
    for (uint32_t i = 0; i < taken; i++) {
        self->batch[i] = self->ring[self->first];
        self->first = (self->first + 1) % self->capacity;
    }
    self->count -= taken;
    self->batch_rolls = taken > 0 && self->roll_due;
    self->roll_due = self->roll_due && taken == 0;
    counter_set(COUNTER_waiting_log, self->count);
    must(pthread_cond_broadcast(&self->has_room) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    return taken;
}

static struct err committer_write(struct oversight *self, uint32_t count)
{
    uint64_t first_index = wal_size(self->wal);
    int64_t t_ns = clock_utc_ns();
    if (self->batch_rolls) {
        wal_roll(self->wal);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct oversight_draft *draft = self->batch[i].draft;
        uint8_t stamp[ENTRY_STAMP_BYTES_MAX];
        size_t stamp_bytes = entry_encode_stamp(first_index + i, t_ns, stamp, sizeof stamp);
        must(stamp_bytes > 0);
        wal_add(self->wal, stamp, (uint32_t)stamp_bytes, draft->rest, draft->rest_bytes);
        draft->t_ns = t_ns;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct oversight_draft *draft = self->batch[i].draft;
        if (draft->private_bytes != NULL) {
            const struct wal_run runs[3] = {{draft->private_head, draft->private_head_bytes},
                                            {draft->private_bytes, draft->private_count},
                                            {draft->private_tail, draft->private_tail_bytes}};
            wal_add_private(self->wal, i, draft->private_sha256, runs, 3);
        }
    }
    uint64_t span_bytes = 0;
    struct err err = wal_commit(self->wal, &span_bytes);
    if (!err_is(err)) {
        counter_add(COUNTER_log_entries, count);
        counter_add(COUNTER_log_groups, 1);
        counter_add(COUNTER_log_bytes, span_bytes);
    }
    return err;
}

/* How many drafts from this one on came in one call and go back to one queue. */
static uint32_t committer_run_length(const struct oversight *self, uint32_t first, uint32_t count)
{
    const struct waiting_draft *batch = self->batch;
    uint32_t end = first + 1;
    while (end < count && batch[first].draft != NULL && batch[end].draft != NULL &&
           batch[end].draft->done == batch[first].draft->done &&
           batch[end].submitted_ns == batch[first].submitted_ns) {
        end++;
    }
    return end - first;
}

/* One wake-up of the owner for all of them: waking him for each costs more than the write. */
static void committer_give_back(struct oversight *self, uint32_t first, uint32_t count,
                                uint64_t first_index)
{
    void *drafts[WAL_ENTRIES_MAX];
    struct queue *done = self->batch[first].draft->done;
    for (uint32_t i = 0; i < count; i++) {
        struct oversight_draft *draft = self->batch[first + i].draft;
        draft->entry_index = first_index + first + i;
        drafts[i] = draft;
    }
    struct err err = queue_try_put_many(done, drafts, count);
    /* The owner promised room; a stopped queue has no owner any more. */
    must(err.code != ERR_QUEUE_FULL);
}

/* The group is durable. A draft is its owner's again the moment it comes back: nothing of it is
 * read after that. */
static void committer_answer(struct oversight *self, uint32_t count)
{
    uint64_t first_index = wal_size(self->wal) - count;
    must(pthread_mutex_lock(&self->lock) == 0);
    self->size = first_index + count;
    counter_set(COUNTER_waiting_checkpoint, self->size - self->published);
    for (uint32_t i = 0; i < count; i++) {
        struct oversight_draft *draft = self->batch[i].draft;
        if (draft->done == NULL) { /* oversight_submit_and_wait sleeps on it */
            draft->entry_index = first_index + i;
            self->batch[i].draft = NULL;
        }
    }
    must(pthread_cond_broadcast(&self->moved) == 0);
    must(pthread_cond_signal(&self->publish_due) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    int64_t now_ns = clock_monotonic_ns();
    for (uint32_t i = 0; i < count;) {
        uint32_t run = committer_run_length(self, i, count);
        stage_took_many(STAGE_commit, now_ns - self->batch[i].submitted_ns, run);
        if (self->batch[i].draft != NULL) {
            committer_give_back(self, i, run, first_index);
        }
        i += run;
    }
}

void *committer_run(void *oversight)
{
    struct oversight *self = oversight;
    (void)pthread_setname_np(pthread_self(), "commit");
    for (;;) {
        uint32_t count = committer_take(self);
        if (count == 0) {
            break;
        }
        struct err err = committer_write(self, count);
        if (err_is(err)) {
            oversight_fail(self, err);
            break;
        }
        committer_answer(self, count);
        wal_settle(self->wal);
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    self->committed_last = true;
    must(pthread_cond_broadcast(&self->publish_due) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    return NULL;
}
