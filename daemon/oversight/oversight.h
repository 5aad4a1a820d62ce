/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OVERSIGHT_H
#define OVERSIGHT_H

/* Oversight: the log. Private write-ahead log (what an acknowledgement means) and the public tile
 * tree derived from it.
 *
 * Promises: entries get consecutive indices in the order they were submitted; a draft comes back
 * only after its group and its commit slot are durable (O_DIRECT|O_DSYNC); what came back survives
 * a crash or a power cut; a checkpoint is durable in wal/last-signed before anybody can see it.
 * After any write error nothing comes back any more: oversight_failure() tells, and the process
 * must stop (HALT). Does not promise: that outsiders see an entry yet; that takes until the next
 * checkpoint (at most checkpoint_interval). Threads: committer, publisher of checkpoints and
 * segment preparer are inside; the functions below may be called from any thread unless they say
 * otherwise. Bytes on disk: FORMAT.md beside this file. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/queue.h"
#include "oversight/shards.h"
#include "proto/entry.h"
#include "proto/note.h"

#define OVERSIGHT_PRIVATE_HEAD_BYTES 64u
#define OVERSIGHT_PRIVATE_TAIL_BYTES 320u

struct oversight;

#define STILL_YEAR 2020 /* earlier than any log: a clock that says so was never set */

struct oversight_conf {
    const char *wal_directory;
    const char *log_directory; /* of all shards; is made when missing */
    const char *origin; /* as of this moment, the year behind its last '/': a new log gets it; an
                         * open shard of an earlier year is closed and one of this year opened */
    const struct sign_key *key;      /* borrowed while open, as the next one */
    const struct sign_key *next_key; /* to be gone on to; NULL when none */
    const char *rotate_reason;       /* why; goes into the log; may be NULL without a next key */
    uint64_t segment_bytes; /* 64 MiB; smaller in tests; a multiple of 1 MiB + 4096 is not needed */
    uint32_t queue_entries; /* drafts that may wait */
    int64_t checkpoint_interval_ns;
    const char *mirror_directory; /* second copy of the write-ahead log, best on another device: is
                                   * made and filled when missing; NULL: none. An error of either
                                   * copy stops the log */
    int64_t publish_grace_ns;     /* how long entries are taken while the public directory cannot be
                                   * written; 0: the first such error stops the log */
};

struct oversight_recovery {
    uint64_t size;       /* entries found */
    uint64_t torn_bytes; /* of an unacknowledged tail that was cut and saved; 0 when none */
    bool created;        /* there was no log before */
    bool key_changed;    /* next_key signs now and the old one never again: it can be destroyed */
};

/* One entry on its way. The caller owns the memory and must leave it alone between submit and its
 * coming back. */
struct oversight_draft {
    uint8_t rest[ENTRY_BYTES_MAX - ENTRY_STAMP_BYTES_MAX]; /* from entry_encode_rest */
    uint32_t rest_bytes;
    /* The private record rides in the WAL beside the entry and is never published. It is head,
     * bytes and tail behind one another, so that a large piece is written from where it lies. NULL
     * bytes: there is none. */
    const uint8_t *private_bytes;
    uint32_t private_count;
    uint8_t private_head[OVERSIGHT_PRIVATE_HEAD_BYTES];
    uint32_t private_head_bytes;
    uint8_t private_tail[OVERSIGHT_PRIVATE_TAIL_BYTES];
    uint32_t private_tail_bytes;
    uint8_t private_sha256[HASH_BYTES];
    struct queue *done;   /* where it comes back once durable; must have room for all drafts of its
                           * owner.   NULL: the draft was taken with oversight_submit_and_wait */
    void *owner;          /* the submitter's own */
    uint64_t entry_index; /* set when it comes back */
    int64_t t_ns;         /* set when it comes back */
};

/* Open or create, recovering a torn tail. Errors: LOCKED, WAL_DAMAGED, LOG_ROLLED_BACK, KEY, IO,
 * MEMORY, ARGUMENT (a new log when the clock stands before STILL_YEAR). A new log gets its log.open
 * entry, a recovered torn tail its wal.recovered entry, before this returns; so do a shard that
 * ends because of the year, the shard after a closed one, and a change of the key. */
MUST_USE struct err oversight_open(const struct oversight_conf *conf, struct oversight **out,
                                   struct oversight_recovery *recovery);
/* Close the shard (actor: as in an entry; NULL is the daemon): log.close becomes its last entry and
 * nothing is taken any more; returns when its final checkpoint is published. What is left is
 * oversight_close; the next open begins the shard after it, which is named by this year. Errors:
 * CLOSED, ARGUMENT (no name is left), those that stop the log. */
MUST_USE struct err oversight_end(struct oversight *self, const char *actor, const char *reason,
                                  int year, uint64_t *entry_index);
/* Commits what was submitted, publishes a last checkpoint, stops the threads. Nulls *self; accepts
 * NULL. An error on the way is a diag line only: nothing that came back depends on it, and the next
 * start publishes; who must know calls oversight_publish before. */
void oversight_close(struct oversight **self);

/* Waits for room. ERR_CLOSED once the log has failed or is closing: nothing of these drafts is or
 * will be durable. */
MUST_USE struct err oversight_submit(struct oversight *self, struct oversight_draft *const *drafts,
                                     uint32_t count);
/* For the rare entries of main and archiver: returns when durable. The draft's done must be NULL.
 */
MUST_USE struct err oversight_submit_and_wait(struct oversight *self,
                                              struct oversight_draft *draft);

/* The next entry begins a new segment of the write-ahead log, so that the one before it can be
 * retired. */
void oversight_roll(struct oversight *self);

/* Entries that are durable. */
uint64_t oversight_size(struct oversight *self);
/* Waits until more than `size` entries are durable, the log fails or closes, or the timeout passes;
 * returns oversight_size. */
uint64_t oversight_wait(struct oversight *self, uint64_t size, int64_t timeout_ns);
/* The error that stopped the log, or err_none. */
struct err oversight_failure(struct oversight *self);
/* What the last try to publish a checkpoint failed by, and since when (monotonic) tries fail;
 * err_none when it did not. The log goes on for publish_grace_ns. */
struct err oversight_trouble(struct oversight *self, int64_t *since_ns);
/* Size of the newest published checkpoint. */
uint64_t oversight_published(struct oversight *self);
/* All shards, the open one last. Does not change while the log is open; lives as long. */
const struct shards *oversight_shards(const struct oversight *self);
/* Publish a checkpoint of everything durable now; returns when it is visible. */
MUST_USE struct err oversight_publish(struct oversight *self);

/* ---- reading: also for other processes, on the files alone ---- */

struct wal_reader;

struct wal_entry {
    uint64_t entry_index;
    const uint8_t *bytes; /* lives until the next call on this reader */
    uint32_t bytes_count;
    const uint8_t *private_bytes; /* NULL when none */
    uint32_t private_count;
    uint8_t private_sha256[HASH_BYTES]; /* as the submitter gave it; zeros when of a retired one */
};

/* Read entries of a WAL directory, acknowledged ones only (up to the commit index). Needs no lock
 * and no daemon; CRCs and hash chain are checked while reading. One thread a reader; allocates only
 * here. */
MUST_USE struct err wal_reader_open(const char *wal_directory, struct wal_reader **out);
/* The same, and what was removed from the write-ahead log is read from the public log and the packs
 * of private records: from entry 0 on, whatever was retired. private_bytes is NULL where nothing is
 * kept any more. More errors: TILE_DIFFERS, MEMORY. */
struct wal_places {
    const char *wal_directory;
    const char *log_directory; /* log/: holds the shards */
    const char *packs_directory;
};
MUST_USE struct err wal_reader_open_store(const struct wal_places *places, struct wal_reader **out);
/* Keep no file open that may have been removed or replaced; reading goes on where it was. */
void wal_reader_rest(struct wal_reader *self);
void wal_reader_close(struct wal_reader **self);
/* The next entry returned will be entry_index. Cheap forwards, one segment scan at most backwards.
 * ERR_NOT_FOUND beyond the end. */
MUST_USE struct err wal_reader_seek(struct wal_reader *self, uint64_t entry_index);
/* *got is false at the (present) end; call again later. Errors: WAL_DAMAGED, IO; PRUNED as
 * past_read has it (reading can go on with a seek to an entry that is still there). */
MUST_USE struct err wal_reader_next(struct wal_reader *self, struct wal_entry *out, bool *got);

#endif
