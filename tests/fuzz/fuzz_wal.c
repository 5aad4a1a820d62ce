/* SPDX-License-Identifier: Apache-2.0 */
/* The group parser of the write-ahead log on hostile bytes: as they are, and with checksums made to
 * fit, so that the inner lengths are reached too. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "oversight/wal_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

/* Touch every byte that a walk hands out: a view outside of the input is then found by the
 * sanitizer. */
static uint64_t fuzz_walk(const uint8_t *payload, uint32_t payload_bytes, uint32_t entry_count,
                          uint32_t flags)
{
    struct wal_cursor cursor;
    struct wal_piece piece;
    uint64_t sum = 0;
    uint32_t walked = 0;
    uint64_t covered = 0;
    if (wal_cursor_open(payload, payload_bytes, entry_count, flags, &cursor) != WAL_GOOD) {
        return 0;
    }
    while (wal_cursor_next(&cursor, &piece)) {
        must(piece.bytes >= payload && piece.bytes + piece.bytes_count <= payload + payload_bytes);
        for (uint32_t i = 0; i < piece.bytes_count; i++) {
            sum += piece.bytes[i];
        }
        covered += 2 + piece.bytes_count;
        if (piece.private_bytes != NULL) {
            for (uint32_t i = 0; i < piece.private_count; i++) {
                sum += piece.private_bytes[i];
            }
            covered += WAL_PRIVATE_HEADER_BYTES + piece.private_count;
        }
        walked++;
    }
    must(walked == entry_count && covered == payload_bytes);
    return sum;
}

/* A file as recovery reads it: header block, then groups. */
static uint64_t fuzz_segment(const uint8_t *bytes, size_t bytes_count)
{
    struct wal_segment_header segment;
    struct wal_slot slot;
    uint64_t sum = (uint64_t)wal_segment_header_decode(bytes, bytes_count, &segment);
    sum += (uint64_t)wal_slot_decode(bytes, bytes_count, &slot);
    for (size_t at = 0; at < bytes_count; at += WAL_BLOCK_BYTES) {
        struct wal_group_header header;
        size_t left = bytes_count - at;
        if (wal_group_header_decode(bytes + at, left, &header) == WAL_GOOD &&
            header.payload_bytes <= left - WAL_GROUP_HEADER_BYTES) {
            sum += fuzz_walk(bytes + at + WAL_GROUP_HEADER_BYTES, header.payload_bytes,
                             header.entry_count, header.flags);
        }
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    uint64_t sum = fuzz_segment(bytes, bytes_count);
    /* The first byte gives the flags, two more the entry count, the rest is a payload of exactly
     * its own memory. */
    if (bytes_count > 3 && bytes_count - 3 <= WAL_PAYLOAD_BYTES_MAX) {
        uint32_t payload_bytes = (uint32_t)(bytes_count - 3);
        uint8_t *payload = malloc(payload_bytes);
        if (payload == NULL) {
            return 0;
        }
        memcpy(payload, bytes + 3, payload_bytes);
        sum += fuzz_walk(payload, payload_bytes, (uint32_t)bytes[1] << 8 | bytes[2], bytes[0] & 1u);
        free(payload);
    }
    /* With checksums made to fit, as an author of a false log could. */
    if (bytes_count >= WAL_GROUP_HEADER_BYTES) {
        uint8_t header[WAL_GROUP_HEADER_BYTES];
        struct wal_group_header group;
        memcpy(header, bytes, sizeof header);
        memcpy(header, "OVG1", 4);
        wal_put_u32(header + 4, wal_crc32c(header + 8, sizeof header - 8));
        if (wal_group_header_decode(header, sizeof header, &group) == WAL_GOOD &&
            group.payload_bytes <= bytes_count - sizeof header) {
            sum += fuzz_walk(bytes + sizeof header, group.payload_bytes, group.entry_count,
                             group.flags);
        }
    }
    return sum == UINT64_MAX ? 1 : 0; /* uses the sum, so that no read is optimised away */
}
