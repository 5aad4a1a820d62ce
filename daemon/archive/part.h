/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_PART_H
#define ARCHIVE_PART_H

/* Part: a new file written once, from its front to its back, past the page cache. Private to
 * daemon/archive.
 *
 * What is handed in is gathered in PART_BUFFERS large buffers, which a thread of its own writes
 * with O_DIRECT: one is filled while others go to the disk, no sync has much left to do, and
 * whoever reads the file afterwards reads the disk, because nothing of it ever lay in the cache. A
 * file system that refuses O_DIRECT gets ordinary writes, written back early.
 *
 * Behind the front, bytes may still be written: blocks with something left out, and blocks written
 * as `late`, are kept in memory (4 KiB each) and go to the disk in part_finish(). HDF5 writes its
 * metadata that way, half a per cent of a file.
 *
 * One thread calls; it waits when the disk is behind. Errors: IO, DISK_FULL, MEMORY; the first one
 * stays, every later call tells it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PART_BUFFERS 4u
#define PART_BUFFER_BYTES ((size_t)4 << 20)

struct part;

/* The file must not exist. */
MUST_USE struct err part_create(const char *path, struct part **out);
/* Ends the thread. A file that was not finished holds anything: the caller removes it. */
void part_close(struct part **self);
/* late: these bytes are likely to be written once more. Anything may be: it is slow without. */
MUST_USE struct err part_write(struct part *self, uint64_t offset, const void *bytes,
                               size_t bytes_count, bool late);
/* What was written last; zeros where nothing was. */
MUST_USE struct err part_read(struct part *self, uint64_t offset, void *out, size_t bytes_count);
/* The file ends here, whatever was written behind. Without it, it ends where writing did. */
void part_set_end(struct part *self, uint64_t file_bytes);
/* All of it is on the disk and out of the cache, and the file read-only (that a power cut may
 * undo); kept blocks were read back from there and compared: ARCHIVE_DIFFERS. Nothing more may be
 * written. */
MUST_USE struct err part_finish(struct part *self);
/* The error that stays, for whoever wrote through a library that tells less. */
struct err part_error(struct part *self);

#endif
