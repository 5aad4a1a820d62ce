/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_EXTRACT_H
#define ARCHIVE_EXTRACT_H

/* Archive extract: an HDF5 file of other tables than those of an archive file, in its way: columns,
 * long names, scales, filters, nothing in it that differs between two runs. Blocks on the disk. */

#include "archive/archive.h"
#include "archive/archive_table.h"

struct archive_extract_text {
    const char *name;
    const char *text;
};

struct archive_extract {
    const struct archive_extract_text *texts; /* attributes of the root */
    uint32_t texts_count;
    const struct archive_table *const *tables;
    uint32_t tables_count;
    /* Images, in this order, each out of the first of the sealed files that has it. */
    const uint8_t (*images)[HASH_BYTES];
    uint64_t images_count;
    struct archive_file **files;
    uint32_t files_count;
    uint32_t deflate_level; /* 0..2 */
    uint32_t threads;
};

/* Writes path, which must not exist: as path.part first, synced, then renamed. NOT_FOUND when an
 * image is in none of the files. */
MUST_USE struct err archive_extract_write(const struct archive_extract *self, const char *path);

#endif
