/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PACK_FRAME_H
#define PACK_FRAME_H

/* Pack frame: header and index of a pack as values, and back. Byte tables: FORMAT.md, section 2.7.
 * Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACK_HEADER_BYTES 64u
#define PACK_ROW_BYTES 24u

struct pack_header {
    uint64_t first_index; /* entries first_index .. end_index - 1 */
    uint64_t end_index;
    uint64_t count; /* records */
    uint64_t index_offset;
    uint32_t index_crc;
};

struct pack_row {
    uint64_t entry_index;
    uint64_t offset;
    uint32_t bytes_count;
    uint32_t crc;
};

void pack_header_encode(const struct pack_header *header, uint8_t out[PACK_HEADER_BYTES]);
/* file_bytes: of the whole file. False when it is not a header or speaks of more than the file
 * holds. */
bool pack_header_decode(const uint8_t *bytes, size_t bytes_count, uint64_t file_bytes,
                        struct pack_header *out);
void pack_row_encode(const struct pack_row *row, uint8_t out[PACK_ROW_BYTES]);
void pack_row_decode(const uint8_t bytes[PACK_ROW_BYTES], struct pack_row *out);
/* Checksum of the index, entries that ascend within the pack's range, records one behind the other
 * between header and index. */
bool pack_index_check(const struct pack_header *header, const uint8_t *index);

#endif
