/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TILE_MINIMUM_H
#define BASE_TILE_MINIMUM_H

/* Tile minimum: the public file `minimum` of a shard, one decimal line: the first leaf index that
 * is still served. Bundles that end at or below it may be gone, on purpose; hash tiles never are.
 * No file: nothing was pruned. It only ever grows. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TILE_MINIMUM_NAME "minimum"
#define TILE_MINIMUM_BYTES_MAX 24u

/* False unless it is one line, as it is written, of a number of whole bundles above 0. */
bool tile_minimum_parse(const char *text, size_t text_bytes, uint64_t *out);
/* *out 0 when there is no such file. Errors: TILE_DIFFERS when it is malformed, IO, MEMORY. */
MUST_USE struct err tile_minimum_read(const char *shard_directory, uint64_t *out);
/* Durable on return; a lower one than is there is ARGUMENT and nothing is written. */
MUST_USE struct err tile_minimum_write(const char *shard_directory, uint64_t minimum);
/* May the bundle of this leaf be gone? Bundle 0 never: it opens the shard. */
bool tile_minimum_covers(uint64_t minimum, uint64_t leaf_index);
/* A bundle that should hold this leaf is not there: PRUNED, with the caller's words (static), when
 * that is on purpose; else `missing`, or why the minimum cannot be read. */
MUST_USE struct err tile_minimum_explain(const char *shard_directory, uint64_t leaf_index,
                                         const char *pruned_words, struct err missing);

#endif
