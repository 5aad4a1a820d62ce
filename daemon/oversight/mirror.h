/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MIRROR_H
#define MIRROR_H

/* Mirror: makes the two copies of the write-ahead log whole again at a start, each from the other.
 * What was promised is whatever the higher of the two commit indexes says; a group up to there that
 * only one copy still has is written to the other one. Rules: FORMAT.md, section 2.8.
 *
 * The caller holds the locks of both directories. One thread; blocks on disk; allocates. */

#include "base/err.h"
#include "oversight/wal_frame.h"

/* Before anything else is read of the log. A second copy with nothing in it is filled from the
 * first. Errors: WAL_DAMAGED (damaged in both, or whole in both and different, or the first copy
 * is empty beside a second one; nothing was changed), IO, DISK_FULL, MEMORY. */
MUST_USE struct err mirror_repair(const char *wal_directory, const char *mirror_directory);
/* After the recovery of the first copy: what is behind the promised end, and which segments there
 * are, becomes in the second copy as in the first. */
MUST_USE struct err mirror_level(const char *wal_directory, const char *mirror_directory);
/* The segment was retired from the first copy: do the same in the second one. */
MUST_USE struct err mirror_retire(const char *wal_directory, const char *mirror_directory,
                                  uint64_t first_index);

/* Beside: the whole file, durable under its name when this returns. */
MUST_USE struct err mirror_copy_file(const char *from_directory, const char *to_directory,
                                     const char *name);
/* Are there segments or a commit index? */
MUST_USE struct err mirror_is_empty(const char *directory, bool *empty);

#endif
