/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_READ_H
#define ARCHIVE_READ_H

/* Archive read: the tables of sealed files, in memory, one file behind the other. One thread a
 * handle; memory grows with the files. */

#include "archive/archive_table.h"

struct archive_tables {
    struct archive_table tables[TABLE_COUNT];
};

void archive_tables_init(struct archive_tables *self);
void archive_tables_fini(struct archive_tables *self);
/* Add what this sealed file of our own making has; scans.first_image counts on over all files.
 * ARCHIVE_DIFFERS, MEMORY: the tables are then of no use. */
MUST_USE struct err archive_tables_append(struct archive_tables *self, const char *path);

#endif
