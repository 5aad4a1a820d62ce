/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WAL_FRAME_H
#define WAL_FRAME_H

/* Wal frame: the bytes of the write-ahead log as values, and back. Byte tables: FORMAT.md,
 * section 2.
 *
 * Pure; caller's memory; any thread. Everything read is treated as hostile: a frame that is cut,
 * changed or inconsistent is refused, and no length is used before it was compared with what
 * remains. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/hash.h"

#define WAL_BLOCK_BYTES 4096u
#define WAL_SEGMENT_HEADER_BYTES 128u
#define WAL_GROUP_HEADER_BYTES 64u
#define WAL_PAYLOAD_BYTES_MAX 1048576u
/* A whole group: header and payload, padded to blocks. */
#define WAL_GROUP_BYTES_MAX (WAL_PAYLOAD_BYTES_MAX + WAL_BLOCK_BYTES)
#define WAL_SLOT_BYTES 72u
#define WAL_SLOTS 64u
#define WAL_SALT_BYTES 16u
#define WAL_GROUP_SALT_BYTES 8u
#define WAL_CHAIN_BYTES 16u
#define WAL_PRIVATE_HEADER_BYTES 40u
#define WAL_PRIVATE_BYTES_MAX 131072u
#define WAL_FLAG_PRIVATE 1u

struct wal_segment_header {
    uint8_t origin_sha256[HASH_BYTES];
    uint64_t segment_number;
    uint64_t first_index;
    uint8_t root[HASH_BYTES]; /* of the tree of first_index entries */
    uint8_t salt[WAL_SALT_BYTES];
    int64_t created_ns;
};

struct wal_group_header {
    uint64_t group_number;
    uint64_t first_index;
    uint32_t entry_count;
    uint32_t payload_bytes;
    uint32_t payload_crc;
    uint32_t flags;
    uint8_t salt[WAL_GROUP_SALT_BYTES];
    uint8_t previous[WAL_CHAIN_BYTES]; /* of the SHA-256 of the group before */
};

struct wal_slot {
    uint64_t group_number;
    uint64_t segment_number;
    uint64_t offset;
    uint64_t next_index;
    uint8_t hash[HASH_BYTES]; /* SHA-256(header || payload) of the group */
};

enum wal_fault {
    WAL_GOOD,
    WAL_BLANK, /* all zero: nothing was ever written here */
    WAL_CUT,   /* ends before it is complete */
    WAL_BROKEN /* magic, checksum, salt, number or inner length is wrong */
};

/* CRC-32C (Castagnoli): "123456789" gives e3069283. */
uint32_t wal_crc32c(const void *bytes, size_t bytes_count);
/* Bytes that a group with this payload takes on the disk. */
uint64_t wal_group_span(uint32_t payload_bytes);

/* Writes the whole first block, zeros included. */
void wal_segment_header_encode(const struct wal_segment_header *header,
                               uint8_t out[WAL_BLOCK_BYTES]);
enum wal_fault wal_segment_header_decode(const uint8_t *bytes, size_t bytes_count,
                                         struct wal_segment_header *out);

/* Writes the header in front of a payload that lies at group + WAL_GROUP_HEADER_BYTES already, and
 * zeros behind it up to the next block. Sets payload_crc. Returns the span. */
uint64_t wal_group_seal(struct wal_group_header *header, uint8_t *group);
/* The header alone: magic, its checksum and its limits. */
enum wal_fault wal_group_header_decode(const uint8_t *bytes, size_t bytes_count,
                                       struct wal_group_header *out);

void wal_slot_encode(const struct wal_slot *slot, uint8_t out[WAL_BLOCK_BYTES]);
enum wal_fault wal_slot_decode(const uint8_t *bytes, size_t bytes_count, struct wal_slot *out);

/* Where a walk through a payload is. Views live as long as the payload's bytes. */
struct wal_cursor {
    const uint8_t *payload;
    uint32_t payload_bytes;
    uint32_t entry_count;
    uint32_t entry_at;     /* offset of the next entry */
    uint32_t entry_offset; /* its number within the group */
    uint32_t private_at;   /* offset of the next private record; payload_bytes when there is none */
};

struct wal_piece {
    const uint8_t *bytes;
    uint32_t bytes_count;
    const uint8_t *private_bytes; /* NULL when none */
    uint32_t private_count;
    const uint8_t *private_sha256;
};

/* Checks that the payload is exactly entry_count entries and, with the flag, their private records;
 * then stands before the first entry. Does not look at checksums. */
enum wal_fault wal_cursor_open(const uint8_t *payload, uint32_t payload_bytes, uint32_t entry_count,
                               uint32_t flags, struct wal_cursor *out);
/* False behind the last entry. */
bool wal_cursor_next(struct wal_cursor *self, struct wal_piece *out);

/* Little-endian integers, for whoever writes a payload. */
void wal_put_u32(uint8_t *at, uint32_t value);
void wal_put_u64(uint8_t *at, uint64_t value);
uint32_t wal_get_u32(const uint8_t *at);
uint64_t wal_get_u64(const uint8_t *at);

#endif
