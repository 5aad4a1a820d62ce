/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_REREAD_H
#define ARCHIVE_REREAD_H

/* Reread: a file read once, from its front to its back, past the page cache, for several who look
 * at it side by side. Private to daemon/archive.
 *
 * A thread reads pieces ahead with O_DIRECT into REREAD_PIECES buffers and waits when they are
 * full. Each of those who look says from where on it still needs the file (reread_hold); a buffer
 * is used again when nobody needs it. So all see the same bytes, as they came from the disk: who
 * hashes the file hashes what the others decode. A file system that refuses O_DIRECT is read
 * through its cache.
 *
 * Nobody waits for ever, if each one holds what it looks at, goes on to let go, and asks for less
 * than a piece at a time. Any thread, each with a holder's number of its own. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define REREAD_PIECES 6u
#define REREAD_PIECE_BYTES ((size_t)4 << 20)
#define REREAD_HOLDERS_MAX 80u
#define REREAD_NOTHING UINT64_MAX

struct reread;

/* Holder 0 holds the whole file, the others nothing. */
MUST_USE struct err reread_open(const char *path, struct reread **out);
/* Nobody may be looking. Accepts NULL. */
void reread_close(struct reread **self);
uint64_t reread_bytes(const struct reread *self);
/* This holder needs nothing in front of offset; REREAD_NOTHING: nothing at all. */
void reread_hold(struct reread *self, uint32_t holder, uint64_t offset);
/* Bytes at or behind what the caller holds, fewer than a piece. *out lives until it holds something
 * behind them: in a buffer, or in scratch when they lie across two, or in front of all. IO also
 * beyond the end of the file. */
MUST_USE struct err reread_get(struct reread *self, uint64_t offset, size_t bytes_count,
                               uint8_t *scratch, const uint8_t **out);

#endif
