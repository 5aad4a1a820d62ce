/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_MARKS_FOLDER_H
#define CTL_MARKS_FOLDER_H

/* Marks folder: images of the store as a folder that models learn by, a subfolder a scanner type:
 * images/ with PNG files and a sidecar for each scan, marks.csv, groups.csv. Main thread. */

#include <stdint.h>
#include <stdio.h>

#include "archive/archive_read.h"
#include "ctl/ctl.h"

struct json_t;

enum { MARKS_TYPES_MAX = 64, MARKS_TYPE_BYTES = 96, MARKS_STEM_BYTES = 48 };

/* Tables of one scanner type, in memory until all images are there. */
struct marks_type {
    char type[MARKS_TYPE_BYTES]; /* as the scans have it */
    char folder[MARKS_TYPE_BYTES];
    FILE *marks;
    FILE *groups;
    char *texts[2];
    size_t bytes[2];
};

struct marks_folder {
    struct ctl *ctl;
    const char *directory;               /* exists, empty */
    const struct archive_tables *tables; /* what the scanners said of their pixels */
    struct marks_type types[MARKS_TYPES_MAX];
    uint32_t types_count;
};

/* One image with its other energy, as one scan of a folder. Rows of the read model: entry,
 * position, sha256, width, height, bits, meaning, energy, view, mode, scanner_type. */
struct marks_scan {
    char stem[MARKS_STEM_BYTES];
    const struct json_t *rows[2]; /* of a pair the low energy first */
    uint32_t rows_count;
    const char *item; /* its group */
};

/* Writes the files and a row of either table. box: an object with region_x, region_y, region_width,
 * region_height; NULL: looked at, and there is none. False when told why not. */
bool marks_folder_add(struct marks_folder *self, const struct marks_scan *one,
                      const struct json_t *box);
/* The tables, when all is there. False when told why not. */
bool marks_folder_write(struct marks_folder *self);
void marks_folder_fini(struct marks_folder *self);

#endif
