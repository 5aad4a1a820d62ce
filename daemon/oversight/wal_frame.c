/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/wal_frame.h"

#include <string.h>

#include <isa-l/crc.h>

#include "base/err.h"

/* All integers of the write-ahead log are little-endian, except the entry lengths, which are those
 * of an entry bundle (u16 big-endian): a payload without private records is a bundle, byte for
 * byte. */

#define SEGMENT_MAGIC "OVWSEG\0\1"
#define SEGMENT_VERSION 1u
#define GROUP_MAGIC 0x3147564fu /* "OVG1" */
#define SLOT_MAGIC 0x3143564fu  /* "OVC1" */

void wal_put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

void wal_put_u64(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

uint32_t wal_get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint64_t wal_get_u64(const uint8_t *at)
{
    return (uint64_t)wal_get_u32(at) | (uint64_t)wal_get_u32(at + 4) << 32;
}

uint32_t wal_crc32c(const void *bytes, size_t bytes_count)
{
    must(bytes_count <= INT32_MAX);
    /* The library takes a plain pointer but only reads; its register is not inverted at the end. */
    unsigned char *at = (unsigned char *)(uintptr_t)bytes;
    return ~crc32_iscsi(at, (int)bytes_count, UINT32_MAX);
}

uint64_t wal_group_span(uint32_t payload_bytes)
{
    uint64_t bytes = (uint64_t)WAL_GROUP_HEADER_BYTES + payload_bytes;
    return (bytes + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
}

static bool wal_is_zero(const uint8_t *bytes, size_t bytes_count)
{
    for (size_t i = 0; i < bytes_count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

void wal_segment_header_encode(const struct wal_segment_header *header,
                               uint8_t out[WAL_BLOCK_BYTES])
{
    memset(out, 0, WAL_BLOCK_BYTES);
    memcpy(out, SEGMENT_MAGIC, 8);
    wal_put_u32(out + 8, SEGMENT_VERSION);
    wal_put_u32(out + 12, WAL_SEGMENT_HEADER_BYTES);
    memcpy(out + 16, header->origin_sha256, HASH_BYTES);
    wal_put_u64(out + 48, header->segment_number);
    wal_put_u64(out + 56, header->first_index);
    memcpy(out + 64, header->root, HASH_BYTES);
    memcpy(out + 96, header->salt, WAL_SALT_BYTES);
    wal_put_u64(out + 112, (uint64_t)header->created_ns);
    wal_put_u32(out + 124, wal_crc32c(out, 124));
}

enum wal_fault wal_segment_header_decode(const uint8_t *bytes, size_t bytes_count,
                                         struct wal_segment_header *out)
{
    if (bytes_count < WAL_SEGMENT_HEADER_BYTES) {
        return WAL_CUT;
    }
    if (wal_is_zero(bytes, WAL_SEGMENT_HEADER_BYTES)) {
        return WAL_BLANK;
    }
    if (memcmp(bytes, SEGMENT_MAGIC, 8) != 0 || wal_get_u32(bytes + 8) != SEGMENT_VERSION ||
        wal_get_u32(bytes + 12) != WAL_SEGMENT_HEADER_BYTES ||
        wal_get_u32(bytes + 124) != wal_crc32c(bytes, 124)) {
        return WAL_BROKEN;
    }
    memcpy(out->origin_sha256, bytes + 16, HASH_BYTES);
    out->segment_number = wal_get_u64(bytes + 48);
    out->first_index = wal_get_u64(bytes + 56);
    memcpy(out->root, bytes + 64, HASH_BYTES);
    memcpy(out->salt, bytes + 96, WAL_SALT_BYTES);
    out->created_ns = (int64_t)wal_get_u64(bytes + 112);
    return WAL_GOOD;
}

uint64_t wal_group_seal(struct wal_group_header *header, uint8_t *group)
{
    must(header->entry_count > 0 && header->payload_bytes <= WAL_PAYLOAD_BYTES_MAX);
    header->payload_crc = wal_crc32c(group + WAL_GROUP_HEADER_BYTES, header->payload_bytes);
    wal_put_u32(group, GROUP_MAGIC);
    wal_put_u64(group + 8, header->group_number);
    wal_put_u64(group + 16, header->first_index);
    wal_put_u32(group + 24, header->entry_count);
    wal_put_u32(group + 28, header->payload_bytes);
    memcpy(group + 32, header->salt, WAL_GROUP_SALT_BYTES);
    wal_put_u32(group + 40, header->payload_crc);
    wal_put_u32(group + 44, header->flags);
    memcpy(group + 48, header->previous, WAL_CHAIN_BYTES);
    wal_put_u32(group + 4, wal_crc32c(group + 8, WAL_GROUP_HEADER_BYTES - 8));
    uint64_t span = wal_group_span(header->payload_bytes);
    uint64_t used = (uint64_t)WAL_GROUP_HEADER_BYTES + header->payload_bytes;
    memset(group + used, 0, (size_t)(span - used));
    return span;
}

enum wal_fault wal_group_header_decode(const uint8_t *bytes, size_t bytes_count,
                                       struct wal_group_header *out)
{
    if (bytes_count < WAL_GROUP_HEADER_BYTES) {
        return WAL_CUT;
    }
    if (wal_is_zero(bytes, WAL_GROUP_HEADER_BYTES)) {
        return WAL_BLANK;
    }
    struct wal_group_header header;
    header.group_number = wal_get_u64(bytes + 8);
    header.first_index = wal_get_u64(bytes + 16);
    header.entry_count = wal_get_u32(bytes + 24);
    header.payload_bytes = wal_get_u32(bytes + 28);
    memcpy(header.salt, bytes + 32, WAL_GROUP_SALT_BYTES);
    header.payload_crc = wal_get_u32(bytes + 40);
    header.flags = wal_get_u32(bytes + 44);
    memcpy(header.previous, bytes + 48, WAL_CHAIN_BYTES);
    if (wal_get_u32(bytes) != GROUP_MAGIC ||
        wal_get_u32(bytes + 4) != wal_crc32c(bytes + 8, WAL_GROUP_HEADER_BYTES - 8) ||
        header.payload_bytes > WAL_PAYLOAD_BYTES_MAX || (header.flags & ~WAL_FLAG_PRIVATE) != 0 ||
        header.entry_count == 0 || header.first_index > UINT64_MAX - header.entry_count) {
        return WAL_BROKEN;
    }
    *out = header;
    return WAL_GOOD;
}

void wal_slot_encode(const struct wal_slot *slot, uint8_t out[WAL_BLOCK_BYTES])
{
    memset(out, 0, WAL_BLOCK_BYTES);
    wal_put_u32(out, SLOT_MAGIC);
    wal_put_u64(out + 8, slot->group_number);
    wal_put_u64(out + 16, slot->segment_number);
    wal_put_u64(out + 24, slot->offset);
    wal_put_u64(out + 32, slot->next_index);
    memcpy(out + 40, slot->hash, HASH_BYTES);
    wal_put_u32(out + 4, wal_crc32c(out + 8, WAL_SLOT_BYTES - 8));
}

enum wal_fault wal_slot_decode(const uint8_t *bytes, size_t bytes_count, struct wal_slot *out)
{
    if (bytes_count < WAL_SLOT_BYTES) {
        return WAL_CUT;
    }
    if (wal_is_zero(bytes, WAL_SLOT_BYTES)) {
        return WAL_BLANK;
    }
    if (wal_get_u32(bytes) != SLOT_MAGIC ||
        wal_get_u32(bytes + 4) != wal_crc32c(bytes + 8, WAL_SLOT_BYTES - 8)) {
        return WAL_BROKEN;
    }
    out->group_number = wal_get_u64(bytes + 8);
    out->segment_number = wal_get_u64(bytes + 16);
    out->offset = wal_get_u64(bytes + 24);
    out->next_index = wal_get_u64(bytes + 32);
    memcpy(out->hash, bytes + 40, HASH_BYTES);
    return WAL_GOOD;
}

/* Private records: entry offsets grow strictly and stay below entry_count, and the last one ends
 * the payload. */
static enum wal_fault wal_private_check(const uint8_t *payload, uint32_t at, uint32_t payload_bytes,
                                        uint32_t entry_count)
{
    uint32_t least_offset = 0;
    while (at < payload_bytes) {
        if (payload_bytes - at < WAL_PRIVATE_HEADER_BYTES) {
            return WAL_CUT;
        }
        uint32_t entry_offset = wal_get_u32(payload + at);
        uint32_t record_bytes = wal_get_u32(payload + at + 4);
        if (entry_offset < least_offset || entry_offset >= entry_count) {
            return WAL_BROKEN;
        }
        at += WAL_PRIVATE_HEADER_BYTES;
        if (record_bytes > payload_bytes - at) {
            return WAL_CUT;
        }
        at += record_bytes;
        least_offset = entry_offset + 1;
    }
    return WAL_GOOD;
}

enum wal_fault wal_cursor_open(const uint8_t *payload, uint32_t payload_bytes, uint32_t entry_count,
                               uint32_t flags, struct wal_cursor *out)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < entry_count; i++) {
        if (payload_bytes - at < 2) {
            return WAL_CUT;
        }
        uint32_t entry_bytes = (uint32_t)payload[at] << 8 | payload[at + 1];
        at += 2;
        if (entry_bytes == 0) {
            return WAL_BROKEN;
        }
        if (entry_bytes > payload_bytes - at) {
            return WAL_CUT;
        }
        at += entry_bytes;
    }
    bool has_private = (flags & WAL_FLAG_PRIVATE) != 0;
    if (has_private != (at < payload_bytes)) {
        return WAL_BROKEN; /* bytes that nobody declared, or a declaration without bytes */
    }
    enum wal_fault fault = wal_private_check(payload, at, payload_bytes, entry_count);
    if (fault != WAL_GOOD) {
        return fault;
    }
    *out = (struct wal_cursor){payload, payload_bytes, entry_count, 0, 0, at};
    return WAL_GOOD;
}

bool wal_cursor_next(struct wal_cursor *self, struct wal_piece *out)
{
    if (self->entry_offset == self->entry_count) {
        return false;
    }
    const uint8_t *entry = self->payload + self->entry_at;
    uint32_t entry_bytes = (uint32_t)entry[0] << 8 | entry[1];
    *out = (struct wal_piece){entry + 2, entry_bytes, NULL, 0, NULL};
    if (self->private_at < self->payload_bytes) {
        const uint8_t *record = self->payload + self->private_at;
        if (wal_get_u32(record) == self->entry_offset) {
            out->private_count = wal_get_u32(record + 4);
            out->private_sha256 = record + 8;
            out->private_bytes = record + WAL_PRIVATE_HEADER_BYTES;
            self->private_at += WAL_PRIVATE_HEADER_BYTES + out->private_count;
        }
    }
    self->entry_at += 2 + entry_bytes;
    self->entry_offset++;
    return true;
}
