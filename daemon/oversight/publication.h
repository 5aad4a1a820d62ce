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
    const char *public_directory;
    const char *origin;
    const struct sign_key *key; /* borrowed while open */
};

/* Makes the public directory and its vkey file; reads what was signed last. Does not need a
 * write-ahead log yet. Errors: KEY (the directory belongs to another key), LOG_ROLLED_BACK (a
 * public checkpoint is newer than last-signed), TILE_DIFFERS (the public checkpoint is not one of
 * ours), IO, MEMORY, ARGUMENT. */
MUST_USE struct err publication_open(const struct publication_conf *conf, struct publication **out);
void publication_close(struct publication **self);

/* What was signed last; NULL when nothing was. Lives as long as self; changes with
 * publication_step. */
const struct checkpoint *publication_signed(const struct publication *self);
/* Continue from the tiles that are complete on the disk and not newer than the signed checkpoint;
 * *range is that tree. */
MUST_USE struct err publication_resume(struct publication *self, struct merkle_range *range);
/* Continue from the first entry: every tile is compared or made again. */
MUST_USE struct err publication_restart(struct publication *self);

/* Publish a checkpoint of size entries, which are all durable; size > 0 and not below the signed
 * one. Errors: those of the write-ahead log's reader, TILE_DIFFERS, LOG_ROLLED_BACK, IO, DISK_FULL.
 */
MUST_USE struct err publication_step(struct publication *self, uint64_t size);

#endif
