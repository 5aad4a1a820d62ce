/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_EMPTINESS_ROWS_H
#define CTL_EMPTINESS_ROWS_H

/* Emptiness rows: containers in images of a folder, measured, with the labels of a table.
 *
 * The table has the columns image_id (file name without its ending), x0, y0, x1, y1 (the container,
 * in pixels) and occupancy (`empty` or `loaded`; others are left out and counted); `scanner` and
 * `note` may be there. Without `scanner`, images of the same height, with or without black margins,
 * count as of one scanner. */

#include "feeds/image_folder.h"
#include "score/train_emptiness.h"

#define EMPTINESS_NOTE_BYTES 64u

struct emptiness_source {
    uint32_t folder_index;
    uint32_t factor; /* of reduction: pixels of the image for one of the working image */
    char note[EMPTINESS_NOTE_BYTES];
};

struct emptiness_rows {
    struct emptiness_row *rows;
    struct emptiness_source *sources;
    uint32_t count;
    uint32_t capacity;
    uint32_t left_out; /* labelled otherwise, or without an image, or not measurable */
    uint8_t training_set_sha256[HASH_BYTES]; /* of table and pixels */
};

/* Told on standard error when false. The caller finis in either case. */
bool emptiness_rows_read(const struct image_folder *folder, const char *labels_path,
                         uint32_t working_height, struct emptiness_rows *out);
void emptiness_rows_fini(struct emptiness_rows *self);

#endif
