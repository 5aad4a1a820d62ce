/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_ARCHIVE_SEALS_H
#define CTL_ARCHIVE_SEALS_H

/* Archive seals: the sealed files that a command means by FILE or DAY, from the log by way of the
 * read model. Main thread. */

#include "ctl/ctl.h"

struct json_t;

/* The seals whose path is, or is the end of, FILE ("2026/09/21/x.h5", or a path that ends so, or
 * the bare name), or of DAY ("2026-09-21"); all when text is NULL. An array of objects with entry,
 * path, file_bytes, sha256 (hex), first_index, last_index, hdf5_version, filters, items (different
 * ones that its entries speak of), copies (in other places, as sealed). NULL when told why not:
 * there is none, too. */
struct json_t *archive_seals_find(struct ctl *ctl, const char *text);
/* "present", "missing", or "wrong size"; full has DURABLE_PATH_BYTES and gets the path below
 * archive. A path that climbs out of the archive is never looked at: "missing". */
const char *archive_seal_state(const char *archive, const struct json_t *seal, char *full);

/* The archive directory first (*at NULL), then those of archive.copy; false behind the last. */
bool archive_place_next(struct ctl *ctl, const char **at, char out[DURABLE_PATH_BYTES]);

/* Calls `found` for the archive directory and then for each directory of archive.copy that has a
 * file of the sealed length, until it returns true; false when none did. */
typedef bool (*archive_found)(void *arg, const char *path);
bool archive_seal_anywhere(struct ctl *ctl, const struct json_t *seal, archive_found found,
                           void *arg);

#endif
