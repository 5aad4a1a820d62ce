/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGE_FOLDER_H
#define IMAGE_FOLDER_H

/* Image folder: the scans that lie in a folder as image files, in the order of their names; for
 * triage-feed images and for training. One file is one scan; A_low.png and A_high.png (same ending)
 * are one scan with two images; the pages of a TIFF are the images of one scan (two pages: low and
 * high energy; more: views). A sidecar, FILE.json or STEM.json, overrides the defaults. One thread;
 * blocks on the disk. Bounds: FOLDER_SCANS_MAX files, images as in picture.h. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/record.h"

#define FOLDER_SCANS_MAX 1000000u
#define FOLDER_WHY_BYTES 256u

struct image_folder;

struct image_folder_conf {
    const char *directory;
    const char *list_path;      /* NULL, or a file with the names to take, one a line */
    const char *skip_list_path; /* NULL, or a file with the names to leave out */
    uint32_t every;             /* of what is left, take each `every`-th scan (0 and 1: all) ... */
    uint32_t offset;            /* ... beginning with this one, < every */
    uint64_t pixels_max;        /* of one image */
    enum mode mode;
    const char *site;
    const char *lane;
    const char *scanner;
    const char *scanner_type;
};

struct folder_scan {
    struct scan scan;
    struct image images[RECORD_IMAGES_MAX];
    const void *pixels[RECORD_IMAGES_MAX]; /* of each image; scan and images are valid until
                                              folder_scan_close */
};

/* Lists the folder. Errors: IO, MEMORY, TABLE_UNREADABLE (a list), with a sentence in why. */
MUST_USE struct err image_folder_open(const struct image_folder_conf *conf,
                                      struct image_folder **out, char *why);
void image_folder_close(struct image_folder **self);
uint32_t image_folder_count(const struct image_folder *self);
/* File name of the scan's first image. */
const char *image_folder_name(const struct image_folder *self, uint32_t index);
/* Of a pair the name of the other file, that of the high energy; else NULL. */
const char *image_folder_second_name(const struct image_folder *self, uint32_t index);
/* Newest change and total size of its files, for followers. */
void image_folder_stat(const struct image_folder *self, uint32_t index, int64_t *changed_ns,
                       uint64_t *files_bytes);
/* Errors: IMAGE_UNREADABLE, TABLE_UNREADABLE (sidecar), MEMORY, IO; why says it in words. */
MUST_USE struct err image_folder_read(const struct image_folder *self, uint32_t index,
                                      struct folder_scan **out, char *why);
void folder_scan_close(struct folder_scan **self);

#endif
