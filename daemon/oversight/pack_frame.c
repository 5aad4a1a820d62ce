/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/pack_frame.h"

#include <string.h>

#include "oversight/pack.h"
#include "oversight/wal_frame.h"

#define PACK_VERSION 1u

static const uint8_t pack_magic[8] = {'O', 'V', 'P', 'A', 'C', 'K', 0, 1};

void pack_header_encode(const struct pack_header *header, uint8_t out[PACK_HEADER_BYTES])
{
    memset(out, 0, PACK_HEADER_BYTES);
    memcpy(out, pack_magic, sizeof pack_magic);
    wal_put_u32(out + 8, PACK_VERSION);
    wal_put_u32(out + 12, PACK_HEADER_BYTES);
    wal_put_u64(out + 16, header->first_index);
    wal_put_u64(out + 24, header->end_index);
    wal_put_u64(out + 32, header->count);
    wal_put_u64(out + 40, header->index_offset);
    wal_put_u32(out + 48, header->index_crc);
    wal_put_u32(out + 60, wal_crc32c(out, 60));
}

bool pack_header_decode(const uint8_t *bytes, size_t bytes_count, uint64_t file_bytes,
                        struct pack_header *out)
{
    if (bytes_count < PACK_HEADER_BYTES || memcmp(bytes, pack_magic, sizeof pack_magic) != 0 ||
        wal_get_u32(bytes + 8) != PACK_VERSION || wal_get_u32(bytes + 12) != PACK_HEADER_BYTES ||
        wal_get_u32(bytes + 60) != wal_crc32c(bytes, 60)) {
        return false;
    }
    struct pack_header header = {.first_index = wal_get_u64(bytes + 16),
                                 .end_index = wal_get_u64(bytes + 24),
                                 .count = wal_get_u64(bytes + 32),
                                 .index_offset = wal_get_u64(bytes + 40),
                                 .index_crc = wal_get_u32(bytes + 48)};
    bool fits = header.first_index < header.end_index && header.index_offset >= PACK_HEADER_BYTES &&
                header.index_offset <= file_bytes &&
                header.count == (file_bytes - header.index_offset) / PACK_ROW_BYTES &&
                (file_bytes - header.index_offset) % PACK_ROW_BYTES == 0 &&
                header.count <= header.end_index - header.first_index;
    if (fits) {
        *out = header;
    }
    return fits;
}

void pack_row_encode(const struct pack_row *row, uint8_t out[PACK_ROW_BYTES])
{
    wal_put_u64(out, row->entry_index);
    wal_put_u64(out + 8, row->offset);
    wal_put_u32(out + 16, row->bytes_count);
    wal_put_u32(out + 20, row->crc);
}

void pack_row_decode(const uint8_t bytes[PACK_ROW_BYTES], struct pack_row *out)
{
    *out = (struct pack_row){wal_get_u64(bytes), wal_get_u64(bytes + 8), wal_get_u32(bytes + 16),
                             wal_get_u32(bytes + 20)};
}

bool pack_index_check(const struct pack_header *header, const uint8_t *index)
{
    if (wal_crc32c(index, (size_t)header->count * PACK_ROW_BYTES) != header->index_crc) {
        return false;
    }
    uint64_t least_entry = header->first_index;
    uint64_t offset = PACK_HEADER_BYTES;
    for (uint64_t i = 0; i < header->count; i++) {
        struct pack_row row;
        pack_row_decode(index + i * PACK_ROW_BYTES, &row);
        if (row.entry_index < least_entry || row.entry_index >= header->end_index ||
            row.offset != offset || row.bytes_count == 0 ||
            row.bytes_count > PACK_RECORD_BYTES_MAX ||
            row.bytes_count > header->index_offset - offset) {
            return false;
        }
        least_entry = row.entry_index + 1;
        offset += row.bytes_count;
    }
    return offset == header->index_offset;
}
