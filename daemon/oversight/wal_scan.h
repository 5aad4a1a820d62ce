/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_SCAN_H
#define WAL_SCAN_H

/* Wal scan: walks the groups of the segments in order and checks everything that can be checked:
 * magic, checksums, salt, numbers, entry lengths, hash chain. Recovery and readers both walk with
 * it; what they do at the end of the walk differs and is theirs.
 *
 * One thread per handle; blocks on disk; allocates in wal_scan_open only. Reads bypass the page
 * cache where the file system lets them. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "oversight/wal_frame.h"
#include "proto/hash.h"

struct wal_scan {
    int directory_fd;
    int segment_fd; /* -1 before the first wal_scan_enter */
    uint64_t segment_bytes;
    struct wal_segment_header segment;
    uint64_t offset;     /* where the next group begins */
    uint64_t next_index; /* first entry of that group */
    uint64_t next_group; /* its number; valid with group_known */
    bool group_known;
    bool chain_known; /* previous holds the hash of the group before */
    uint8_t previous[HASH_BYTES];
    uint64_t extent_end; /* reading ahead stops here: behind it nothing has been promised yet */
    uint8_t *buffer;
    uint64_t buffer_offset;
    uint64_t buffer_bytes;
    struct sha256 *sha256;
};

/* One group, checked. Views live until the next call on the scan. */
struct wal_group {
    struct wal_group_header header;
    const uint8_t *payload;
    uint8_t hash[HASH_BYTES];
};

MUST_USE struct err wal_scan_open(const char *wal_directory, struct wal_scan *out);
void wal_scan_close(struct wal_scan *self);

/* Stand before the first group of the segment that begins with first_index. Keeps chain and group
 * number: call wal_scan_forget before jumping. ERR_NOT_FOUND when there is no such file;
 * WAL_DAMAGED when its header is not whole or belongs elsewhere. On error the scan stays where it
 * was. */
MUST_USE struct err wal_scan_enter(struct wal_scan *self, uint64_t first_index);
/* Close the segment; the next wal_scan_enter may be into any. */
void wal_scan_leave(struct wal_scan *self);
/* The next group may have any number and any predecessor. */
void wal_scan_forget(struct wal_scan *self);
/* Go to a group of this segment. */
void wal_scan_move(struct wal_scan *self, uint64_t offset, uint64_t group_number,
                   uint64_t first_index);
/* What was read ahead may have been overwritten since. */
void wal_scan_drop(struct wal_scan *self);

/* The next group, whole. *fault is WAL_BLANK at the end of what was written or of the segment; *out
 * is written on WAL_GOOD. Does not move. Errors: IO. */
MUST_USE struct err wal_scan_load(struct wal_scan *self, struct wal_group *out,
                                  enum wal_fault *fault);
/* The same for its header alone. */
MUST_USE struct err wal_scan_peek(struct wal_scan *self, struct wal_group_header *out,
                                  enum wal_fault *fault);
/* Move behind a group that was loaded, or one that was only peeked at (then the chain is not known
 * any more). */
void wal_scan_advance(struct wal_scan *self, const struct wal_group *group);
void wal_scan_skip(struct wal_scan *self, const struct wal_group_header *header);

/* Raw bytes of this segment, at most WAL_GROUP_BYTES_MAX; NULL in *out when they lie behind the
 * segment's end. offset is a multiple of a block. */
MUST_USE struct err wal_scan_bytes(struct wal_scan *self, uint64_t offset, uint64_t bytes_count,
                                   const uint8_t **out);

#endif
