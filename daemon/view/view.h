/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIEW_H
#define VIEW_H

/* View: a region of an image at the size of a screen, reduced on the way from the disk.
 *
 * Pixels come from the blob store or from sealed files (archive/image_reader.h tells what that
 * proves, and that no writer waits for it); each output pixel is the exact area average of what it
 * covers (kernels/area.h), of the counts as they are stored. Nothing is enlarged. No pyramid is
 * kept: an overview reads the whole image, and is checked against its SHA-256 for it. Memory: the
 * reader's few chunks, one row of sums, and the output, which is bounded. One thread a reader. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "archive/image_reader.h"
#include "base/err.h"

#define VIEW_PIXELS_MAX (UINT64_C(1) << 24)
#define VIEW_SEALED_MAX 4u

struct view_request {
    struct image_wanted wanted; /* which image, and the region in its pixels */
    uint32_t width;             /* of the output; 1 to that of the region, as is the height */
    uint32_t height;
    uint64_t pixels_max; /* that the output may have; 0: VIEW_PIXELS_MAX */
    /* Sealed files that hold the image, below the archive directory; tried in turn, each in every
     * place of the reader. */
    const char *sealed[VIEW_SEALED_MAX];
    uint32_t sealed_count;
    const _Atomic bool *stop; /* set: the read ends with CLOSED; NULL: never */
};

struct view {
    uint8_t *pixels; /* owned; width * height, 8 or 16 bits little-endian, rows from the top */
    uint64_t pixels_bytes;
    uint32_t width;
    uint32_t height;
    uint32_t bits;
    enum image_check check;
    bool is_sealed; /* from a sealed file, not from a blob */
};

/* The blob is tried first, then the sealed files. NOT_FOUND when none has the image;
 * BLOB_MISSING or ARCHIVE_DIFFERS when what is there is not the image that the log names; ARGUMENT
 * when the region or size is out of bounds. */
MUST_USE struct err view_read(struct image_reader *reader, const struct view_request *request,
                              struct view *out);
void view_fini(struct view *self);

#endif
