/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLICATION_H
#define PUBLICATION_H

/* Publication: turns durable entries into the public directory: tiles, bundles, signed checkpoints.
 *
 * Promises: a checkpoint is durable in last-signed before anybody can see it, and everything it
 * covers is in the public directory before that. May stop at any line and be done again. One owner
 * thread; blocks on disk. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/merkle.h"
#include "proto/note.h"

struct publication;

struct publication_conf {
    const char *wal_directory;
    const char *public_directory; /* of one shard */
    const char *origin;
    const struct sign_key *key;      /* borrowed while open, as the next one */
    const struct sign_key *next_key; /* that a key.rotate entry may go on to; NULL when none */
    uint64_t first_n;                /* of the shard */
    bool begins; /* nothing of this shard was signed: last-signed is of the shard before */
};

/* Makes the public directory and its vkey file; reads what was signed last, and completes the
 * change to next_key where a crash came into it. Does not need a write-ahead log yet. Errors: KEY
 * (the directory belongs to another key), LOG_ROLLED_BACK (a public checkpoint is newer than
 * last-signed), TILE_DIFFERS (the public checkpoint is not one of ours), IO, MEMORY, ARGUMENT. */
MUST_USE struct err publication_open(const struct publication_conf *conf, struct publication **out);
void publication_close(struct publication **self);

/* What was signed last; NULL when nothing was. Lives as long as self; changes with
 * publication_step. */
const struct checkpoint *publication_signed(const struct publication *self);
/* Its text as it was signed, zero-terminated; only when there is one. */
const char *publication_signed_text(const struct publication *self);
/* The key that signs the next checkpoint alone: next_key once the log has gone on to it. */
const struct sign_key *publication_key(const struct publication *self);
/* Continue from the tiles that are complete on the disk and not newer than the signed checkpoint;
 * *range is that tree. */
MUST_USE struct err publication_resume(struct publication *self, struct merkle_range *range);
/* Continue from the first entry: every tile is compared or made again. */
MUST_USE struct err publication_restart(struct publication *self);

/* Publish a checkpoint of everything below entry n = size, which is all durable; beyond first_n and
 * not below the signed one. The first one that covers a key.rotate entry is signed by both keys,
 * and the new one signs from then on. Errors: KEY when that is not next_key, those of the
 * write-ahead log's reader, TILE_DIFFERS, LOG_ROLLED_BACK, IO, DISK_FULL.
 */
MUST_USE struct err publication_step(struct publication *self, uint64_t size);

#endif
