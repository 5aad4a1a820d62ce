/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_SEALS_H
#define VERIFY_SEALS_H

/* Verify seals: the archive files that a log's entries seal: length, digest, every entry and image
 * inside. A file whose digest is not the sealed one is never opened as HDF5. One thread. */

#include "verify/verify_report.h"
#include "verify/verify_story.h"

/* When all shards were walked; `last` is the one that the story ended in. A file is held against
 * the shard that its entries are in. archive_directory NULL: there is none below what was given;
 * sealed files are then not checked, which is a warning. */
MUST_USE struct err verify_seals(struct verify_report *report, struct verify_shard *last,
                                 const struct verify_story *story, const char *archive_directory,
                                 bool progress);
/* Files that no seal of any shard names are a warning. `sealed` are the paths below the directory.
 */
void verify_unsealed(struct verify_report *report, const char *archive_directory,
                     const char (*sealed)[160], uint64_t sealed_count);

#endif
