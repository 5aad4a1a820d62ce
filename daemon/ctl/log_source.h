/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_LOG_SOURCE_H
#define CTL_LOG_SOURCE_H

/* Log source: entries one after another, out of a store's private files or out of a copy of the
 * public tile tree (bundles below a checkpoint). Nothing is verified here beyond what the reader of
 * the log checks: triage-verify does that. One thread; blocks on the disk. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct log_source;

/* Of a store: its write-ahead log, and what was retired from it. Errors: IO, WAL_DAMAGED, NOT_FOUND
 * (no checkpoint), PRUNED, TILE_DIFFERS (list of shards), MEMORY; the same for the other one, which
 * takes the directory of one shard (with `checkpoint`), or log/ with all of them. */
MUST_USE struct err log_source_open_store(const char *directory, struct log_source **out);
MUST_USE struct err log_source_open_public(const char *log_directory, struct log_source **out);
void log_source_close(struct log_source **self);
/* The next entry will be this number, or the first one there is when that is later; NOT_FOUND
 * beyond the end. */
MUST_USE struct err log_source_seek(struct log_source *self, uint64_t entry_index);
/* *got false at the end. The bytes live until the next call; private_bytes is NULL from a public
 * tree. */
struct log_bytes {
    uint64_t entry_index;
    const uint8_t *bytes;
    uint32_t bytes_count;
    const uint8_t *private_bytes;
    uint32_t private_count;
};
MUST_USE struct err log_source_next(struct log_source *self, struct log_bytes *out, bool *got);

/* After ERR_PRUNED of log_source_next: on to the next bundle; *entry_index is its first entry. */
MUST_USE struct err log_source_pass(struct log_source *self, uint64_t *entry_index);

/* Size that a checkpoint file states, and its whole text (caller frees *text; may be NULL). */
MUST_USE struct err checkpoint_read(const char *path, uint64_t *tree_size, char **text);

#endif
