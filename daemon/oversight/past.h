/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PAST_H
#define PAST_H

/* Past: entries whose segment of the write-ahead log is gone: the public part out of the bundles,
 * each held against its hash tile, the private record out of a pack, if it is still kept.
 *
 * One thread a handle; blocks on disk; allocates when it moves to another bundle or pack. */

#include <stdint.h>

#include "base/err.h"
#include "oversight/oversight.h"

struct past;

MUST_USE struct err past_open(const char *log_directory, const char *packs_directory,
                              struct past **out);
void past_close(struct past **self);
/* The entry n, as wal_reader_next gives it: its bytes live until the next call. Its private_sha256
 * is zeros. Errors: TILE_DIFFERS when a bundle does not have its tile's hashes, WAL_DAMAGED when
 * bundle or tile is missing or a pack is damaged, IO, MEMORY; PRUNED when its bundle was taken out
 * on purpose: *out then has the private record, if it is kept, and bytes NULL. */
MUST_USE struct err past_read(struct past *self, uint64_t n, struct wal_entry *out);
/* The same without the private record: looks into no pack. On an error *out is as it was. */
MUST_USE struct err past_read_public(struct past *self, uint64_t n, struct wal_entry *out);
/* Let go of open files: what was removed or replaced is then really gone. */
void past_rest(struct past *self);

#endif
