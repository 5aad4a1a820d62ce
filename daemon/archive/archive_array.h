/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_ARRAY_H
#define ARCHIVE_ARRAY_H

/* Archive array: datasets of an archive file by way of the pool: filters in its threads, chunks
 * into the file in their order by the caller's. Private to daemon/archive. */

#include "archive/chunk_pool.h"
#include "archive/h5.h"
#include "base/err.h"

/* Chunks of about this much, of whole rows: smaller costs index, larger costs readers who want one
 * row. A row of an archive file is never longer (h5.h; an image is at most 65535 pixels wide). */
#define ARCHIVE_CHUNK_BYTES (UINT64_C(1) << 20)

struct h5_storage archive_storage(uint32_t deflate_level);

/* Write values, which lie in memory; *out stays open for attributes. The pool is empty before and
 * after, on an error too. */
MUST_USE struct err archive_array_write(struct chunk_pool *pool, int64_t group, const char *name,
                                        const struct h5_array *array, const void *values,
                                        int64_t *out);
/* Put chunk number `chunk` of an array whose bytes lie in memory (blob NULL) or in a blob that has
 * exactly them. There must be room. */
void archive_array_put(struct chunk_pool *pool, const struct h5_array *array, uint64_t chunk,
                       const uint8_t *bytes, const uint8_t *blob);
/* Take it, and write it. */
MUST_USE struct err archive_array_take(struct chunk_pool *pool, int64_t dataset,
                                       const struct h5_array *array, uint64_t chunk);
/* Read a dataset of this name back through HDF5 and compare: ARCHIVE_DIFFERS. */
MUST_USE struct err archive_array_check(int64_t group, const char *name,
                                        const struct h5_array *array, const void *values);
uint64_t archive_array_chunks(const struct h5_array *array);
/* Wait for what was put and drop it: after an error. */
void archive_array_drop(struct chunk_pool *pool);

#endif
