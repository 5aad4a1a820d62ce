/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_NAME_H
#define ARCHIVE_NAME_H

/* Archive name: where a file lies, as FORMAT.md says. Private to daemon/archive. */

#include "archive/archive_rows.h"
#include "base/durable.h"

struct archive_names {
    char below[160]; /* "2026/09/21/<origin>-<first>-<last>.h5" */
    char full[DURABLE_PATH_BYTES];
    char part[DURABLE_PATH_BYTES];
    char directory[DURABLE_PATH_BYTES];
};

/* ARGUMENT when the directory's path is too long. */
MUST_USE struct err archive_name(const char *directory, const char *origin,
                                 const struct archive_rows *rows, struct archive_names *names);

#endif
