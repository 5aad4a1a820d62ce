/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CONSISTENCY_READER_H
#define CTL_CONSISTENCY_READER_H

/* Consistency reader: the scans of a folder, one after another, each with the HS chapter that a
 * table says it was declared under; and step wedges.
 *
 * The table has the columns image (id of the scan, or the file name with or without its ending) and
 * hs_code; of several rows of one image the code of most net_mass_kg (most rows, without that
 * column) counts when it has four fifths of it. Scans that are not in the table are passed over. */

#include "feeds/image_folder.h"
#include "kernels/material.h"
#include "score/hs_chapter.h"
#include "score/train.h"

enum { CONSISTENCY_ROWS_MAX = 4000000 };

struct consistency_entry;

struct consistency_reader {
    const struct image_folder *folder;
    struct consistency_entry *entries;
    uint32_t entries_count;
    uint32_t entries_capacity;
    uint32_t at;
    struct folder_scan *scan; /* the one that was given out last */
    uint32_t undeclared;      /* scans without a chapter in the table */
    uint32_t unreadable;
};

struct consistency_scan {
    const char *name; /* of the file; live until the next one */
    struct train_image image;
    uint32_t chapter;
};

/* Told on standard error when false. The caller closes in either case. */
bool consistency_reader_open(const struct image_folder *folder, const char *table_path,
                             struct consistency_reader *out);
void consistency_reader_close(struct consistency_reader *self);
/* The next declared scan; false at the end. */
bool consistency_reader_next(struct consistency_reader *self, struct consistency_scan *out);

/* A step wedge: columns atomic_number, areal_density, low, high. The caller frees *steps. Told when
 * false. */
bool consistency_wedge_read(const char *path, struct material_step **steps, size_t *count);

#endif
