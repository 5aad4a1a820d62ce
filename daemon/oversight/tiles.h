/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TILES_H
#define TILES_H

/* Tiles: the public tree (C2SP tlog-tiles) as files: hash tiles and entry bundles. Derived from the
 * entries alone, so that it can be made again at any time; a file that is there already must hold
 * the very bytes it should.
 *
 * Promises: a full tile or bundle is durable when the call that completed it returns. One owner
 * thread; blocks on disk; allocates in tiles_open and tiles_load only. Errors: TILE_DIFFERS, IO,
 * DISK_FULL, MEMORY. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/merkle.h"
#include "proto/note.h"

struct tiles;

/* The directory must exist. Starts empty. */
MUST_USE struct err tiles_open(const char *public_directory, struct tiles **out);
void tiles_close(struct tiles **self);

/* The largest multiple of TILE_WIDTH that is <= size and has every full tile and bundle below it on
 * the disk. */
MUST_USE struct err tiles_complete_size(const struct tiles *self, uint64_t size, uint64_t *out);
/* Continue from size, a result of tiles_complete_size, by the hashes on the disk. What is there is
 * believed here; the caller compares the root with a signed one later. */
MUST_USE struct err tiles_load(struct tiles *self, uint64_t size);

/* Take the next entry; writes the tiles and the bundle that it completes. */
MUST_USE struct err tiles_append(struct tiles *self, const uint8_t *entry, uint32_t entry_bytes);
/* Write the partial tiles and the partial bundle of the present size. */
MUST_USE struct err tiles_write_partials(struct tiles *self);

/* The perfect subtrees of as many of the first `size` entries as full tiles on the disk tell:
 * out->size, a multiple of TILE_WIDTH. Reads only; beside an owner thread, too. */
MUST_USE struct err tiles_before(const char *public_directory, uint64_t size,
                                 struct merkle_range *out);

uint64_t tiles_size(const struct tiles *self);
/* The perfect subtrees of the present size. */
void tiles_range(const struct tiles *self, struct merkle_range *out);

#endif
