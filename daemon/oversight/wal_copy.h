/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_COPY_H
#define WAL_COPY_H

/* Wal copy: the writing end of the second copy of the write-ahead log: does in another directory,
 * in a thread of its own, what the first copy's writer does at the same time.
 *
 * One job at a time: begin it, do the same for the first copy, then wait. What a job was given is
 * borrowed until wal_copy_wait returns. Durable when that returns without error; after an error
 * nothing more may be begun. One owner thread; allocates in wal_copy_open only. */

#include "base/err.h"
#include "oversight/wal.h"

struct wal_copy;

/* end: as of the first copy, to which this one was made equal (mirror_level). */
MUST_USE struct err wal_copy_open(const char *mirror_directory, uint64_t segment_bytes,
                                  const struct wal_end *end, struct wal_copy **out);
void wal_copy_close(struct wal_copy **self);

/* A new segment; groups go there from now on. */
void wal_copy_take(struct wal_copy *self, const struct wal_segment_header *header);
/* A group, aligned and padded to blocks. */
void wal_copy_group(struct wal_copy *self, const uint8_t *group, size_t bytes_count,
                    uint64_t offset);
void wal_copy_slot(struct wal_copy *self, const struct wal_slot *slot);
/* Of the job that was begun. */
MUST_USE struct err wal_copy_wait(struct wal_copy *self);

#endif
