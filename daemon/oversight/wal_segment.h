/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_SEGMENT_H
#define WAL_SEGMENT_H

/* Wal segment: the files of the write-ahead log's directory: names, how they are opened, how a new
 * segment comes to be.
 *
 * A segment is zeroed as a whole before its name exists, so that a group is written into blocks
 * that the file system has already allocated and that read as zero: writing then changes no
 * metadata, and an unwritten place can be told from a damaged one. Blocks: yes, on disk. One thread
 * per call unless it says otherwise. */

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/durable.h"
#include "base/err.h"
#include "oversight/wal_frame.h"

#define WAL_SEGMENT_NAME_BYTES 25u /* 20 digits, ".seg", zero */

/* "00000000000000000042.seg" */
void wal_segment_name(uint64_t first_index, char out[WAL_SEGMENT_NAME_BYTES]);
bool wal_segment_name_parse(const char *name, uint64_t *first_index);
/* directory/name; ERR_ARGUMENT when it is too long. */
MUST_USE struct err wal_path(const char *directory, const char *name, char out[DURABLE_PATH_BYTES]);

/* Open a file with O_DIRECT added to flags. A file system that refuses O_DIRECT gets the same
 * without it: with O_DSYNC writes are as durable, only slower and through the page cache. *direct
 * tells; may be NULL. */
MUST_USE struct err wal_open_direct(int directory_fd, const char *name, int flags, int *out,
                                    bool *direct);

/* The largest first_index of a segment that is <= index, found by listing; *found is false when
 * there is none. Allocates nothing. */
MUST_USE struct err wal_segment_find(DIR *listing, uint64_t index, uint64_t *first_index,
                                     bool *found);

/* One segment being prepared ahead of need by a thread of its own. */
struct wal_spare;

/* Removes what a crash left half prepared and starts the first preparation. segment_bytes is a
 * multiple of a block. */
MUST_USE struct err wal_spare_open(const char *wal_directory, uint64_t segment_bytes,
                                   struct wal_spare **out);
void wal_spare_close(struct wal_spare **self);
/* Turn the prepared file into the segment of this header: header, sync, rename, sync of the
 * directory. Waits when the preparation is still on its way, then starts the next one. *fd is open
 * for O_DIRECT|O_DSYNC writing and the caller's. One thread at a time. Errors: DISK_FULL,
 * WAL_WRITE, whatever stopped the preparation. */
MUST_USE struct err wal_spare_take(struct wal_spare *self, const struct wal_segment_header *header,
                                   int *fd);

#endif
