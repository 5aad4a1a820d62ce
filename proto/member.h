/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_MEMBER_H
#define PROTO_MEMBER_H

/* Member: one field of a protobuf message as it lies in the bytes, for the places where the general
 * decoder would copy or could not tell: the publish message, the stamp of an entry, the check of
 * texts. Inside proto/ only. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VARINT_BYTES_MAX 10u

enum member_form { MEMBER_VARINT = 0, MEMBER_FIXED64 = 1, MEMBER_BYTES = 2, MEMBER_FIXED32 = 5 };

struct member {
    uint32_t number;
    enum member_form form;
    uint64_t value;       /* of a varint; 0 for the other forms */
    const uint8_t *bytes; /* of MEMBER_BYTES: points into the message */
    size_t bytes_count;
};

/* Reads the member at *at and moves *at behind it. False, with *at untouched, when the bytes there
 * are not a whole member: the caller stops. At the end of the message (*at == bytes_count) there is
 * nothing to call this for. */
bool member_next(const uint8_t *bytes, size_t bytes_count, size_t *at, struct member *out);

size_t varint_bytes(uint64_t value);
/* Writes varint_bytes(value) bytes and returns the place behind them. */
uint8_t *varint_write(uint64_t value, uint8_t *out);
/* Writes key and value of a varint member. */
uint8_t *member_varint_write(uint32_t number, uint64_t value, uint8_t *out);
/* Writes key and length of a bytes member; the bytes follow. */
uint8_t *member_bytes_write(uint32_t number, size_t bytes_count, uint8_t *out);
/* What member_bytes_write and the bytes themselves take. */
size_t member_bytes_total(uint32_t number, size_t bytes_count);

/* Well-formed UTF-8 (no overlong form, no surrogate, nothing above U+10FFFF) without a zero byte.
 */
bool text_valid(const uint8_t *bytes, size_t bytes_count);

#endif
