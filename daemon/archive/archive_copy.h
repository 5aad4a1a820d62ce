/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_COPY_H
#define ARCHIVE_COPY_H

/* Archive copy: sealed files in a second place. A copy is written as a part file, synced, read back
 * past the cache, and gets its name only when its SHA-256 is that of the seal; so whatever has the
 * name of a sealed file in a place was whole once. Nothing here knows the log: whoever calls says
 * in an entry that a copy counts.
 *
 * Any thread; blocks on both disks; allocates 1 MiB. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hash.h"

/* What a seal says of a file. */
struct archive_sealed {
    const char *path; /* below the archive directory */
    uint64_t file_bytes;
    const uint8_t *sha256;
};

/* A file in the place tells that the directory is the one that copies were put into before, and not
 * the empty mount point of a disk that is missing. */
#define ARCHIVE_PLACE_MARK "triaged-copies"

struct archive_place_rule {
    bool known; /* it must have the mark: the log tells of copies in it, or it had it just now */
    bool may_share; /* the device of the archive */
};

/* May copies be put there? The directory must exist, must lie neither in the archive nor
 * above it (links followed), nor on its device unless the rule allows it, and have the mark when
 * known; else the mark is made. *same_device: as the archive. Errors: NOT_FOUND (no such directory,
 * or no mark), ARGUMENT (the archive, above or inside it, or its device), IO. */
MUST_USE struct err archive_place_check(const char *archive, const char *place,
                                        struct archive_place_rule rule, bool *same_device);

/* Two names of one directory, as far as it is there; else names that differ in their last slashes.
 */
bool archive_place_same(const char *one, const char *other);

/* The file is there with the length and digest of its seal, read from the disk and not from the
 * cache as far as the system allows it. NOT_FOUND when it is not there, ARCHIVE_DIFFERS when it is
 * another one, IO; CLOSED when *stop (may be NULL) became true. */
MUST_USE struct err archive_copy_check(const char *directory, const struct archive_sealed *sealed,
                                       const _Atomic bool *stop);
/* Copy from one directory to the other. A file of the name that is not the sealed one is replaced,
 * the sealed one stays. *made tells whether it was written. Errors: NOT_FOUND and ARCHIVE_DIFFERS
 * of the file in `from`; IO, DISK_FULL, ARCHIVE_WRITE (the copy reads back as something else) of
 * the other; CLOSED. */
MUST_USE struct err archive_copy_make(const char *from, const char *to,
                                      const struct archive_sealed *sealed, const _Atomic bool *stop,
                                      bool *made);

#endif
