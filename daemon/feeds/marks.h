/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEEDS_MARKS_H
#define FEEDS_MARKS_H

/* Marks: the boxes that somebody drew on images, for training and evaluation. Either a folder of
 * Pascal-VOC files, STEM.xml for the image STEM.any, or one CSV table with the columns
 * image,x,y,width,height (as officers' marks are exported; a row with an empty x says that the
 * image was looked at and has none).
 *
 * Files are not trusted: XML with a document type (where entities come from) is refused, so are
 * deeper, longer or larger files than any real one, numbers that are none, boxes without an area or
 * outside the picture. What hangs over the edge of the picture is cut off. One thread; blocks on
 * the disk. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MARKS_WHY_BYTES 256u
enum {
    MARKS_BOXES_MAX = 1024,         /* of an image */
    MARKS_FILE_BYTES_MAX = 4 << 20, /* of a VOC file */
    MARKS_TABLE_ROWS_MAX = 10000000,
};

struct marks_box { /* pixels of the image, from its upper left corner */
    double left;
    double top;
    double right;
    double bottom;
};

struct marks; /* opaque; marks.c */

/* The path is a folder, or else a table, which is read whole. Errors: IO, MEMORY,
 * TABLE_UNREADABLE, with a sentence in why (MARKS_WHY_BYTES). */
MUST_USE struct err marks_open(const char *path, struct marks **out, char *why);
void marks_close(struct marks **self);

/* The boxes of an image of this size; boxes has room for MARKS_BOXES_MAX. width 0: the size is not
 * known yet, and nothing is held against it. Errors: NOT_FOUND (no file, no row: nobody looked at
 * it), TABLE_UNREADABLE (why says what is wrong), IO. */
MUST_USE struct err marks_of(const struct marks *self, const char *image, uint32_t width,
                             uint32_t height, struct marks_box *boxes, uint32_t *count, char *why);

/* A VOC file in memory, for fuzzing. */
MUST_USE struct err marks_decode(const uint8_t *bytes, size_t bytes_count, uint32_t width,
                                 uint32_t height, struct marks_box *boxes, uint32_t *count,
                                 char *why);
#endif
