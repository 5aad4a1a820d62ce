/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_TREE_H
#define ARCHIVE_TREE_H

/* Archive tree: where the range of a file stands in the log's Merkle tree: the subtrees before it,
 * which with the leaves in the file give the root behind it. Private to daemon/archive. One thread.
 */

#include "archive/archive_rows.h"
#include "archive/chunk_pool.h"

/* Append the leaves of the range to what was before it. ARCHIVE_DIFFERS when that does not end
 * where the range begins. NULL: nothing is known, and nothing is written. */
MUST_USE struct err archive_tree_take(struct archive_rows *rows, const struct archive_tree *before);
/* The attributes of the root of the file, and the group `tree`. */
MUST_USE struct err archive_tree_write(const struct archive_rows *rows, struct chunk_pool *pool,
                                       int64_t file);
MUST_USE struct err archive_tree_check(const struct archive_rows *rows, int64_t file);
/* What a file states. *has is false for one without it. */
MUST_USE struct err archive_tree_read(int64_t file, struct archive_tree *before,
                                      struct archive_tree_end *end, bool *has);

#endif
