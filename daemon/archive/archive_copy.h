/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_COPY_H
#define ARCHIVE_COPY_H

/* Archive copy: an HDF5 file of other tables than those of an archive file, in its way: columns,
 * long names, scales, filters, nothing in it that differs between two runs. Blocks on the disk. */

#include "archive/archive.h"
#include "archive/archive_table.h"

struct archive_copy_text {
    const char *name;
    const char *text;
};

struct archive_copy {
    const struct archive_copy_text *texts; /* attributes of the root */
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
MUST_USE struct err archive_copy_write(const struct archive_copy *self, const char *path);

#endif
