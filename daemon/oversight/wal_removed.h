/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_REMOVED_H
#define WAL_REMOVED_H

/* Wal removed: the file wal/removed, which says how much of the write-ahead log's beginning was
 * taken away on purpose. With it a segment that was retired can be told from one that was lost.
 * Bytes: FORMAT.md, section 2.6. Blocks on disk. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct wal_removed {
    uint64_t first_index;    /* first entry of the oldest segment that is kept */
    uint64_t segment_number; /* of that segment */
    int64_t removed_ns;      /* UTC */
};

/* *out is all zeros when there is no such file. WAL_DAMAGED when it cannot be read as one. */
MUST_USE struct err wal_removed_read(const char *wal_directory, struct wal_removed *out);
/* Durable on return. Goes before the segments: what lies below first_index is then nobody's. */
MUST_USE struct err wal_removed_write(const char *wal_directory, const struct wal_removed *removed);

#endif
