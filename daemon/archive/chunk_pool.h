/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_CHUNK_POOL_H
#define ARCHIVE_CHUNK_POOL_H

/* Chunk pool: threads that encode chunks and check images, while one thread alone speaks to HDF5.
 * Private to daemon/archive.
 *
 * What is put comes back in the order in which it was put, whatever the number of threads: the
 * order of bytes in a file depends on the order of calls alone. Bounded: CHUNK_POOL_SLOTS jobs, all
 * memory taken in chunk_pool_open (about 40 MiB with chunks of 1 MiB). One thread puts and takes;
 * the pool's threads inherit its priority. The pool never calls HDF5. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/blob.h"
#include "archive/reread.h"
#include "base/err.h"
#include "proto/hash.h"

#define CHUNK_POOL_SLOTS 16u
#define CHUNK_POOL_THREADS_MAX 64u

struct chunk_pool;

struct chunk_pool_conf {
    uint32_t threads;
    size_t chunk_bytes_max;
    uint32_t deflate_level;
    struct blob_store *blobs; /* borrowed */
};

/* MEMORY; IO when a thread cannot be started. */
MUST_USE struct err chunk_pool_open(const struct chunk_pool_conf *conf, struct chunk_pool **out);
/* Ends the threads; what was put and not taken is dropped. Accepts NULL. */
void chunk_pool_close(struct chunk_pool **self);
uint32_t chunk_pool_deflate_level(const struct chunk_pool *self);

/* Where a chunk's bytes come from; borrowed until it is taken. */
struct chunk_source {
    const uint8_t *bytes; /* in memory; NULL: a blob */
    const uint8_t
        *digest; /* of the blob, which is not checked here: who reads the file back does */
    uint64_t blob_bytes;
    uint64_t blob_offset;
    size_t bytes_count; /* at most chunk_bytes; zeros follow, as at the end of a dataset */
    size_t chunk_bytes;
    size_t cell_bytes;
};

/* One stored chunk of an image in a file. */
struct chunk_place {
    uint64_t offset;
    uint64_t stored_bytes;
};

/* An image as it lies in a file, to be read, decoded, hashed and compared; borrowed until taken. */
struct chunk_image {
    struct reread *file; /* a thread of the pool is its holder 1 and on */
    const struct chunk_place *places;
    uint64_t places_count;
    size_t chunk_bytes;
    size_t cell_bytes;
    uint64_t bytes_count; /* of the image: the last chunk may have more */
    const uint8_t *digest;
};

bool chunk_pool_has_room(const struct chunk_pool *self);
bool chunk_pool_is_empty(const struct chunk_pool *self);
/* True when the oldest is done: taking it does not wait. False when there is none. */
bool chunk_pool_is_ready(struct chunk_pool *self);
/* There must be room. */
void chunk_pool_put(struct chunk_pool *self, const struct chunk_source *source);
void chunk_pool_put_image(struct chunk_pool *self, const struct chunk_image *image);
/* Waits for the oldest, which must be a chunk; *stored lives until the next call of any function
 * here. BLOB_MISSING, ARCHIVE_WRITE. */
MUST_USE struct err chunk_pool_take(struct chunk_pool *self, const uint8_t **stored,
                                    size_t *stored_bytes);
/* Waits for the oldest, which must be an image: true when its bytes have its digest. */
bool chunk_pool_take_image(struct chunk_pool *self);

#endif
