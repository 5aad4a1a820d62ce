/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_WRITE_H
#define ARCHIVE_WRITE_H

/* Archive write: tables and images of a range into an HDF5 file, as FORMAT.md says. Private to
 * daemon/archive. Closed but not synced on return; on an error the caller removes the file. One
 * image is in memory at a time. */

#include <stdint.h>

#include "archive/archive.h"
#include "archive/archive_rows.h"

#define ARCHIVE_FORMAT "triaged-archive"
#define ARCHIVE_FORMAT_VERSION 1u

/* *images_count is the number of different images. The file must not exist. */
MUST_USE struct err archive_write(const struct archive_conf *conf, const struct archive_rows *rows,
                                  struct blob_store *blobs, const char *path,
                                  uint64_t *images_count);

#endif
