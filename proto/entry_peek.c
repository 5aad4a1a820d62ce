/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/entry.h"

/* Who looks for one entry among many thousand need not unpack them all. Fields of the protobuf wire
 * format are stepped over until the type comes, which the encoder writes among the first. */

#define FIELD_TYPE 5u
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static bool varint_next(const uint8_t *bytes, size_t bytes_count, size_t *at, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < bytes_count; shift += 7) {
        uint8_t byte = bytes[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

enum entry_type entry_type_peek(const uint8_t *bytes, size_t bytes_count)
{
    size_t at = 0;
    uint64_t tag = 0;
    uint64_t value = 0;
    while (varint_next(bytes, bytes_count, &at, &tag) &&
           varint_next(bytes, bytes_count, &at, &value)) {
        if (tag == (FIELD_TYPE << 3 | WIRE_VARINT)) {
            return value <= INT32_MAX ? (enum entry_type)value : ENTRY_UNKNOWN;
        }
        bool is_bytes = (tag & 7) == WIRE_BYTES;
        if ((!is_bytes && (tag & 7) != WIRE_VARINT) || (is_bytes && value > bytes_count - at)) {
            break; /* a kind of field that no entry begins with */
        }
        at += is_bytes ? (size_t)value : 0;
    }
    return ENTRY_UNKNOWN;
}
