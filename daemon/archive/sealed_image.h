/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_SEALED_IMAGE_H
#define ARCHIVE_SEALED_IMAGE_H

/* Sealed image: where the chunks of one image lie in a sealed file, found without HDF5's library
 * and so without its lock (sealed_block.h says why). Private to daemon/archive and its tests.
 *
 * Takes datasets as this product writes them: two dimensions, unsigned 8 or 16 bits, chunks of
 * whole rows, fletcher32 with or without shuffle and deflate. Anything else is ARCHIVE_DIFFERS,
 * never a guess. Reads a few kilobytes; memory is that of the list of chunks. Any thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

struct sealed_chunk {
    uint64_t offset;
    uint64_t stored_bytes;
};

struct sealed_image {
    uint32_t width;
    uint32_t height;
    uint32_t bits;
    bool deflated;       /* shuffle and deflate before fletcher32 */
    uint32_t chunk_rows; /* the last chunk has as many, beyond the image zeros */
    uint32_t chunks_count;
    struct sealed_chunk *chunks; /* owned; every one lies inside the file */
};

/* fd is the sealed file, open for reading. NOT_FOUND when it has no such image. */
MUST_USE struct err sealed_image_find(int fd, const uint8_t digest[HASH_BYTES],
                                      struct sealed_image *out);
void sealed_image_fini(struct sealed_image *self);

#endif
