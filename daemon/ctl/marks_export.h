/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_MARKS_EXPORT_H
#define CTL_MARKS_EXPORT_H

/* Marks export: what officers confirmed on images, as `model train appearance --images --marks` and
 * `model evaluate` read it: for each scanner type a folder with images/ (PNG and a sidecar with
 * what the pixels mean), marks.csv (image,x,y,width,height) and groups.csv (image,group; a group an
 * item).
 *
 * Of each item the outcome that stands speaks. A find with a region gives the image that was marked
 * (with its other energy) and its box; other views of it are left out: the same object is in them,
 * where nobody drew it. An exam that opened the item and found nothing gives all of its images,
 * without a box. Everything else says nothing about where something is. Neither keys, names, places
 * nor times are written; what an image itself shows is. Main thread. */

#include "archive/archive_read.h"
#include "ctl/ctl.h"

struct json_t;

struct marks_export {
    const char *directory; /* exists, empty */
    /* Seals whose entries are looked at for outcomes. */
    struct json_t *seals;
    /* Of all sealed files: what the scanners said of their pixels. */
    const struct archive_tables *tables;
};

/* Returns an exit code. */
int marks_export_run(struct ctl *ctl, const struct marks_export *order);

#endif
