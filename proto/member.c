/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/member.h"

#include <string.h>

#define MEMBER_NUMBER_MAX 536870911u /* 2^29 - 1, the protobuf limit */

static bool varint_read(const uint8_t *bytes, size_t bytes_count, size_t *at, uint64_t *out)
{
    uint64_t value = 0;
    size_t left = bytes_count - *at;
    if (left > 0 && bytes[*at] < 0x80u) { /* nearly every key and length */
        *out = bytes[*at];
        *at += 1;
        return true;
    }
    size_t limit = left < VARINT_BYTES_MAX ? left : VARINT_BYTES_MAX;
    for (size_t i = 0; i < limit; i++) {
        uint8_t byte = bytes[*at + i];
        if (i == VARINT_BYTES_MAX - 1 && byte > 1) {
            return false; /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7fu) << (7 * i);
        if ((byte & 0x80u) == 0) {
            *at += i + 1;
            *out = value;
            return true;
        }
    }
    return false;
}

bool member_next(const uint8_t *bytes, size_t bytes_count, size_t *at, struct member *out)
{
    size_t cursor = *at;
    uint64_t key;
    if (!varint_read(bytes, bytes_count, &cursor, &key)) {
        return false;
    }
    struct member member = {.bytes = NULL};
    uint64_t skipped = 0;
    switch (key & 7u) {
    case MEMBER_VARINT:
        member.form = MEMBER_VARINT;
        if (!varint_read(bytes, bytes_count, &cursor, &member.value)) {
            return false;
        }
        break;
    case MEMBER_FIXED64:
        member.form = MEMBER_FIXED64;
        skipped = 8;
        break;
    case MEMBER_BYTES:
        member.form = MEMBER_BYTES;
        if (!varint_read(bytes, bytes_count, &cursor, &skipped)) {
            return false;
        }
        break;
    case MEMBER_FIXED32:
        member.form = MEMBER_FIXED32;
        skipped = 4;
        break;
    default: /* groups: nobody writes them any more, and skipping them needs recursion */
        return false;
    }
    if (key >> 3 == 0 || key >> 3 > MEMBER_NUMBER_MAX || skipped > bytes_count - cursor) {
        return false;
    }
    member.number = (uint32_t)(key >> 3);
    if (member.form == MEMBER_BYTES) {
        member.bytes = bytes + cursor;
        member.bytes_count = (size_t)skipped;
    }
    *at = cursor + (size_t)skipped;
    *out = member;
    return true;
}

size_t varint_bytes(uint64_t value)
{
    size_t bytes = 1;
    while (value >= 0x80u) {
        value >>= 7;
        bytes++;
    }
    return bytes;
}

uint8_t *varint_write(uint64_t value, uint8_t *out)
{
    while (value >= 0x80u) {
        *out++ = (uint8_t)(value | 0x80u);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

uint8_t *member_varint_write(uint32_t number, uint64_t value, uint8_t *out)
{
    return varint_write(value, varint_write((uint64_t)number << 3 | MEMBER_VARINT, out));
}

uint8_t *member_bytes_write(uint32_t number, size_t bytes_count, uint8_t *out)
{
    return varint_write(bytes_count, varint_write((uint64_t)number << 3 | MEMBER_BYTES, out));
}

size_t member_bytes_total(uint32_t number, size_t bytes_count)
{
    return varint_bytes((uint64_t)number << 3) + varint_bytes(bytes_count) + bytes_count;
}

/* Length of the well-formed sequence at bytes, 0 when there is none. RFC 3629 section 4. */
static size_t text_sequence_bytes(const uint8_t *bytes, size_t bytes_count)
{
    uint8_t first = bytes[0];
    if (first < 0x80u) {
        return first == 0 ? 0 : 1;
    }
    size_t sequence = first >= 0xf0u ? 4 : first >= 0xe0u ? 3 : 2;
    if (first < 0xc2u || first > 0xf4u || sequence > bytes_count) {
        return 0;
    }
    /* The second byte is where overlong forms, surrogates and values above U+10FFFF show. */
    uint8_t low = first == 0xe0u ? 0xa0u : first == 0xf0u ? 0x90u : 0x80u;
    uint8_t high = first == 0xedu ? 0x9fu : first == 0xf4u ? 0x8fu : 0xbfu;
    if (bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < sequence; i++) {
        if ((bytes[i] & 0xc0u) != 0x80u) {
            return 0;
        }
    }
    return sequence;
}

/* How many bytes from here on lie in whole words of ASCII without a zero: nearly all of most texts.
 */
static size_t text_ascii_bytes(const uint8_t *bytes, size_t bytes_count)
{
    static const uint64_t high = UINT64_C(0x8080808080808080);
    static const uint64_t low = UINT64_C(0x0101010101010101);
    size_t at = 0;
    while (bytes_count - at >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        /* Without a high bit, taking one from each byte borrows only where a byte is zero. */
        if (((word | (word - low)) & high) != 0) {
            break;
        }
        at += sizeof word;
    }
    return at;
}

bool text_valid(const uint8_t *bytes, size_t bytes_count)
{
    size_t at = text_ascii_bytes(bytes, bytes_count);
    while (at < bytes_count) {
        size_t sequence = text_sequence_bytes(bytes + at, bytes_count - at);
        if (sequence == 0) {
            return false;
        }
        at += sequence;
    }
    return true;
}
