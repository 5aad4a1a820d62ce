/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_IMAGE_READER_H
#define ARCHIVE_IMAGE_READER_H

/* Image reader: rows of one image, wherever its pixels lie: in the blob store, else in a sealed
 * file.
 *
 * Never blocks a writer: no lock is shared with blob store or archiver, HDF5's library is not
 * entered (sealed_block.h), files are opened to read only. A blob that is removed while it is read
 * is read to its end. Reads only what the region needs: of a blob the region's part of each row, of
 * a sealed file the chunks that its rows touch. Memory is a few chunks, whatever the image.
 *
 * What a read proves. All rows and columns: the pixels have the SHA-256 that the log's entry holds,
 * or the read fails (IMAGE_CHECK_SHA256). A part of a sealed file: every chunk agreed with its
 * fletcher32, which finds rot and torn writes, not intent (IMAGE_CHECK_FLETCHER32). A part of a
 * blob: its name and length only (IMAGE_CHECK_LENGTH). Whoever must know reads the whole image
 * once, or has triagectl archive verify and triage-verify look.
 *
 * One thread a reader. Blocks on the disk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

enum image_check { IMAGE_CHECK_LENGTH, IMAGE_CHECK_FLETCHER32, IMAGE_CHECK_SHA256 };
/* "length", "fletcher32", "sha256". */
const char *image_check_text(enum image_check check);

struct image_reader;

#define IMAGE_READER_PLACES_MAX 9u

/* Directories of the store; the strings are copied, nothing is opened yet. The archive is place 0.
 */
MUST_USE struct err image_reader_open(const char *blobs_directory, const char *archive_directory,
                                      struct image_reader **out);
void image_reader_close(struct image_reader **self);
/* A directory with copies of sealed files: the next place. ARGUMENT when there are too many. */
MUST_USE struct err image_reader_add_place(struct image_reader *self, const char *directory);
uint32_t image_reader_places(const struct image_reader *self);

struct image_wanted {
    uint8_t sha256[HASH_BYTES];
    uint32_t image_width; /* of the whole image, as its entry states it */
    uint32_t image_height;
    uint32_t bits; /* 8 or 16 */
    uint32_t x;    /* the region; inside the image, not empty */
    uint32_t y;
    uint32_t width;
    uint32_t height;
};

/* Begin to read from the blob. NOT_FOUND when there is none, BLOB_MISSING when it has another
 * length, IO when it cannot be opened. */
MUST_USE struct err image_reader_start_blob(struct image_reader *self,
                                            const struct image_wanted *wanted);
/* Begin to read from a sealed file in one of the places; path is below it, as a seal states it.
 * NOT_FOUND when the file or the image in it is not there, IO when it cannot be opened,
 * ARCHIVE_DIFFERS when it is not as it was sealed. */
MUST_USE struct err image_reader_start_sealed(struct image_reader *self,
                                              const struct image_wanted *wanted, uint32_t place,
                                              const char *path);

struct image_rows {
    const uint8_t *pixels; /* of the region's first column in the first row; lives until the next
                              call */
    size_t stride_bytes;
    uint32_t rows_count; /* 0: that was all, and it was checked */
};
/* The next rows of the region, in order. ARCHIVE_DIFFERS or BLOB_MISSING when they are not what
 * they should be; of a whole image that may be known only at its end. */
MUST_USE struct err image_reader_next(struct image_reader *self, struct image_rows *out);
/* Give back the file: nothing is read any more. Starting anew or closing does it too. */
void image_reader_stop(struct image_reader *self);
/* Of the read at hand, until it is stopped. */
enum image_check image_reader_check(const struct image_reader *self);
bool image_reader_is_sealed(const struct image_reader *self);

#endif
