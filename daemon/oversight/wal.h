/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_H
#define WAL_H

/* Wal: the writing end of the write-ahead log: one group at a time, and what a crash left of the
 * last one.
 *
 * Promises: when wal_commit returns without error, the group and its commit slot are on the disk,
 * on both where there is a second copy.
 * After an error nothing more may be written with this handle: what the disk holds then is for the
 * next recovery to find out. One owner thread; blocks on disk; allocates in wal_recover and
 * wal_open only. Bytes on disk: FORMAT.md, section 2. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "oversight/shards.h"
#include "oversight/wal_frame.h"
#include "proto/merkle.h"
#include "proto/note.h"

#define WAL_ENTRIES_MAX 1024u /* in one group */
#define WAL_ENTRY_BYTES_AIM \
    262144u /* of the entries of one group; one more entry than that is never waited for */

/* Where writing goes on. */
struct wal_end {
    uint64_t size; /* entries, of all shards */
    uint32_t shard_index;
    uint64_t first_n; /* of that shard */
    uint64_t next_group;
    uint64_t next_segment; /* number of the segment after the last one */
    uint8_t previous[HASH_BYTES];
    struct merkle_range range; /* of all entries from first_n on */
    bool has_segment;          /* the three below are valid */
    uint64_t first_index;      /* of the last segment */
    uint64_t offset;           /* in it, of the next group */
    uint64_t segment_bytes;
    uint8_t salt[WAL_SALT_BYTES];
    uint64_t torn_bytes; /* cut off behind the last whole group */
};

struct wal_recover_conf {
    const char *wal_directory;
    const struct shards *shards;
    uint32_t shard_index; /* whose tree the two below are of: the last one, or the one before it
                           * when nothing was signed of the last one yet */
    const struct checkpoint
        *is_signed; /* newest signed checkpoint; NULL when none was ever signed */
    const struct merkle_range
        *known; /* of a multiple of TILE_WIDTH entries, <= is_signed->size: leaves below are not
                 * hashed again. NULL: start from the first entry */
};

/* Find the end of an existing log; cut and save a torn tail; make sure that everything counted is
 * on the disk. out->shard_index is the one after conf->shard_index once a segment of it is there,
 * empty or not. Errors: WAL_DAMAGED (something promised is unreadable, or a hole), LOG_ROLLED_BACK
 * (it does not contain what was signed). */
MUST_USE struct err wal_recover(const struct wal_recover_conf *conf, struct wal_end *out);

struct wal;

struct wal_conf {
    const char *wal_directory;
    const uint8_t *origin_sha256;
    uint64_t segment_bytes;
    const char *mirror_directory; /* of the second copy, which mirror_level made equal; or NULL */
};

MUST_USE struct err wal_open(const struct wal_conf *conf, const struct wal_end *end,
                             struct wal **out);
void wal_close(struct wal **self);

/* A private record comes in pieces that lie apart in memory. */
struct wal_run {
    const uint8_t *bytes;
    uint32_t bytes_count;
};

/* One group is built: entries, then the private records of some of them, in their order; then it is
 * committed. A group must hold at least one entry; the caller keeps the limits: WAL_ENTRIES_MAX
 * entries, WAL_PAYLOAD_BYTES_MAX with the two bytes in front of each entry and
 * WAL_PRIVATE_HEADER_BYTES in front of each private record. */
void wal_add(struct wal *self, const uint8_t *stamp, uint32_t stamp_bytes, const uint8_t *rest,
             uint32_t rest_bytes);
void wal_add_private(struct wal *self, uint32_t entry_offset, const uint8_t sha256[HASH_BYTES],
                     const struct wal_run *runs, uint32_t runs_count);
/* The group that is built next begins a new segment, unless the present one is still empty. */
void wal_roll(struct wal *self);
MUST_USE struct err wal_commit(struct wal *self, uint64_t *span_bytes);
/* Take the committed group into the tree and be ready for the next one. Apart from wal_commit, so
 * that the answer to the submitters need not wait for the hashing. */
void wal_settle(struct wal *self);

uint64_t wal_size(const struct wal *self);

#endif
