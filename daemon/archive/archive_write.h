/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_WRITE_H
#define ARCHIVE_WRITE_H

/* Archive write: tables and images of a range into an HDF5 file, as FORMAT.md says. Private to
 * daemon/archive. Closed, synced and read-only on return; on an error the caller removes the file.
 * Memory is the pool's, the part's and a column's; images are never whole in memory. */

#include <stdint.h>

#include "archive/archive.h"
#include "archive/archive_images.h"
#include "archive/archive_rows.h"
#include "archive/chunk_pool.h"

#define ARCHIVE_FORMAT "triaged-archive"
#define ARCHIVE_FORMAT_VERSION 1u

/* The file must not exist. conf->filters and conf->hdf5_version are set. The bytes depend on the
 * entries, the blobs and these settings alone. */
MUST_USE struct err archive_write(const struct archive_conf *conf, const struct archive_rows *rows,
                                  const struct archive_images *images, struct chunk_pool *pool,
                                  const char *path);
/* Open the file again and compare every cell of its tables, and the entries, with what went in.
 * ARCHIVE_DIFFERS. Images: archive_images_check. */
MUST_USE struct err archive_check_tables(const struct archive_rows *rows, const char *path);

#endif
