/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_QUARANTINE_H
#define ARCHIVE_QUARANTINE_H

/* Quarantine: refused bytes, kept for inspection within a bound, in <directory>/quarantine/<20
 * digits>-<digest>. The oldest goes when the bound is reached. Not synced: it is no evidence. Part
 * of the blob store, one writer thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

#define QUARANTINE_FILES_MAX 4096u

struct quarantine;

/* Takes up what an earlier process kept; removes the oldest of it when the bound has shrunk. */
MUST_USE struct err quarantine_open(const char *blob_directory, uint64_t bytes_max,
                                    struct quarantine **out);
void quarantine_close(struct quarantine **self);
/* *kept is false when the bytes are larger than the whole bound. Bytes that are already there are
 * kept once. */
MUST_USE struct err quarantine_put(struct quarantine *self, const void *bytes, uint64_t bytes_count,
                                   const uint8_t digest[HASH_BYTES], bool *kept);

/* Remove every file of a directory; for incoming/ too. */
MUST_USE struct err quarantine_clear_directory(const char *path);

#endif
