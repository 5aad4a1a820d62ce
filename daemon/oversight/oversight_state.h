/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OVERSIGHT_STATE_H
#define OVERSIGHT_STATE_H

/* Oversight state: what the threads of the oversight log share. Included by oversight*.c and
 * committer.c only. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/durable.h"
#include "oversight/oversight.h"
#include "oversight/publication.h"
#include "oversight/wal.h"

struct waiting_draft {
    struct oversight_draft *draft;
    int64_t submitted_ns;
};

struct oversight {
    pthread_mutex_t
        lock; /* guards all down to requested, and entry_index of drafts taken by submit_and_wait */
    pthread_cond_t has_drafts;  /* for the committer */
    pthread_cond_t has_room;    /* for submitters */
    pthread_cond_t moved;       /* size, published or failure changed, or it is closing */
    pthread_cond_t publish_due; /* for the publisher of checkpoints */
    struct waiting_draft *ring;
    uint32_t capacity;
    uint32_t first;
    uint32_t count;
    bool closing;        /* no more submissions; the committer drains */
    bool committed_last; /* the committer has left: size moves no more */
    bool published_last; /* so has the publisher */
    struct err failure;
    uint64_t size;
    uint64_t published;
    bool roll_due;            /* the next group begins a segment */
    uint64_t requested;       /* a checkpoint of this size was asked for */
    uint64_t tries;           /* to publish */
    struct err trouble;       /* of the last try */
    int64_t trouble_since_ns; /* monotonic: when the first of the failed tries began */

    struct waiting_draft batch[WAL_ENTRIES_MAX]; /* the committer's */
    bool batch_rolls;                            /* the committer's */
    struct wal *wal;                             /* the committer's after open */
    struct publication *publication;             /* the publisher's after open */
    bool publication_stale;                      /* the publisher's: a try failed */
    const struct sign_key *publish_key; /* the publisher's: signs while publication is closed */
    pthread_t committer;
    pthread_t publisher;
    bool committer_runs;
    bool publisher_runs;
    int lock_fd;
    int mirror_lock_fd; /* -1: no second copy */
    int64_t checkpoint_interval_ns;
    int64_t publish_grace_ns;
    char wal_directory[DURABLE_PATH_BYTES];
    char log_directory[DURABLE_PATH_BYTES];
    char public_directory[DURABLE_PATH_BYTES];  /* of the shard that is written */
    char origin_now[NOTE_ORIGIN_BYTES_MAX + 1]; /* what a new log is called */
    const struct sign_key *key;
    const struct sign_key *next_key; /* NULL when none */
    const char *rotate_reason;
    struct shards shards;                         /* these do not change after open */
    const struct shard *shard;                    /* the one that is written; in shards */
    char previous_checkpoint[NOTE_BYTES_MAX + 1]; /* for log.open; empty in the first shard */
};

/* Threads; the argument is the struct oversight. */
void *committer_run(void *oversight);
void *publisher_run(void *oversight);

/* Record the first error and wake everybody. Any thread, without the lock. */
void oversight_fail(struct oversight *self, struct err err);
/* The same, with the lock held. */
void oversight_fail_locked(struct oversight *self, struct err err);

/* oversight.c: submit_and_wait, after which nothing is taken any more. */
MUST_USE struct err oversight_submit_last(struct oversight *self, struct oversight_draft *draft);

/* oversight_shard.c. Reads or makes the list of shards, and finds the one of which something was
 * signed last. */
MUST_USE struct err oversight_choose_shard(struct oversight *self);
MUST_USE struct err oversight_open_publication(struct oversight *self, const struct sign_key *key,
                                               bool begins);
/* After recovery: go on to the shard that is to be written. *end is then its end. */
MUST_USE struct err oversight_follow_shard(struct oversight *self, struct wal_end *end);
/* The year has gone on since this shard began. */
bool oversight_is_due(const struct oversight *self);

/* oversight_first.c. log.open for an empty shard; wal.recovered for every torn tail that was saved
 * and not yet told of. The committer runs. */
MUST_USE struct err oversight_append_first(struct oversight *self);
MUST_USE struct err oversight_append_recovered(struct oversight *self);
MUST_USE struct err oversight_append_rotate(struct oversight *self);
/* Fills id, and actor when there is none; nothing is taken behind it. */
MUST_USE struct err oversight_append_last(struct oversight *self, struct entry *entry,
                                          uint64_t *entry_index);

#endif
