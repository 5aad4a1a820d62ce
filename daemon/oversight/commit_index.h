/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMIT_INDEX_H
#define COMMIT_INDEX_H

/* Commit index: the ring commit.idx of 64 blocks, one slot a group. It says up to which group the
 * log has promised anything: with it a torn tail (never promised) can be told from a lost entry
 * (promised), which a log alone cannot.
 *
 * One thread per handle; blocks on disk; allocates in open only. Bytes: FORMAT.md, section 2.4. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "oversight/wal_frame.h"

#define COMMIT_INDEX_NAME "commit.idx"

struct commit_index;

/* Make an empty one; for a directory that has none. */
MUST_USE struct err commit_index_create(const char *wal_directory);
/* Errors: WAL_DAMAGED when it is missing or has another size, IO, MEMORY. */
MUST_USE struct err commit_index_open(const char *wal_directory, bool writable,
                                      struct commit_index **out);
void commit_index_close(struct commit_index **self);

/* Durable when it returns. */
MUST_USE struct err commit_index_write(struct commit_index *self, const struct wal_slot *slot);
/* Whatever newest reads is durable: a slot whose writer was killed may still be on its way. */
MUST_USE struct err commit_index_sync(struct commit_index *self);
/* The valid slot of the highest group. *any is false when no slot is valid. A slot that is being
 * written just now does not count yet: its group has not been promised. */
MUST_USE struct err commit_index_newest(struct commit_index *self, struct wal_slot *out, bool *any);
/* One small read: is the slot behind this group taken by a later one? */
MUST_USE struct err commit_index_moved(struct commit_index *self, uint64_t group_number,
                                       bool *moved);

#endif
