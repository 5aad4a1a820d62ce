/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_IMAGES_H
#define ARCHIVE_IMAGES_H

/* Archive images: the different images of a range, into a file and out of it again. Private to
 * daemon/archive. One thread; the pool does the work. */

#include <stdint.h>

#include "archive/archive_rows.h"
#include "archive/blob.h"
#include "archive/chunk_pool.h"
#include "proto/hash.h"

struct archive_images {
    const struct archive_image **images; /* in the order in which entries first name them */
    uint64_t count;
};

/* ARCHIVE_DIFFERS when an entry states a shape that no image has. Borrows from rows. */
MUST_USE struct err archive_images_init(struct archive_images *self,
                                        const struct archive_rows *rows);
void archive_images_fini(struct archive_images *self);
/* Make the group of the images in `file`. BLOB_MISSING, ARCHIVE_WRITE. */
MUST_USE struct err archive_images_write(const struct archive_images *self, struct chunk_pool *pool,
                                         int64_t file);
/* Read every image of the file `path` back and hash it, and meanwhile the file itself. blobs tells
 * whose fault a difference is: BLOB_MISSING when the blob is damaged, else ARCHIVE_DIFFERS. */
MUST_USE struct err archive_images_check(const struct archive_images *self, struct chunk_pool *pool,
                                         struct blob_store *blobs, const char *path,
                                         uint8_t sha256[HASH_BYTES], uint64_t *file_bytes);

#endif
