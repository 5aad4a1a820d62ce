/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hash.h"

#include <string.h>

/* Hexadecimal and base64 of hash.h. Written out here because the library's decoder accepts spaces
 * and loose padding bits: two spellings of one signature line would then both be "the" checkpoint.
 */

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(const uint8_t *bytes, size_t bytes_count, char *out)
{
    for (size_t i = 0; i < bytes_count; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15u];
    }
    out[2 * bytes_count] = '\0';
}

static int hex_digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

bool hex_decode(const char *text, uint8_t *out, size_t out_bytes)
{
    for (size_t i = 0; i < out_bytes; i++) {
        /* The terminating zero is no digit, so a short text stops here before anything beyond it is
         * read. */
        int high = hex_digit_value(text[2 * i]);
        if (high < 0) {
            return false;
        }
        int low = hex_digit_value(text[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * out_bytes] == '\0';
}

void base64_encode(const uint8_t *bytes, size_t bytes_count, char *out)
{
    while (bytes_count > 0) {
        size_t taken = bytes_count < 3 ? bytes_count : 3;
        uint32_t group = (uint32_t)bytes[0] << 16;
        group |= taken > 1 ? (uint32_t)bytes[1] << 8 : 0;
        group |= taken > 2 ? (uint32_t)bytes[2] : 0;
        out[0] = base64_digits[group >> 18];
        out[1] = base64_digits[group >> 12 & 63u];
        out[2] = (char)(taken > 1 ? base64_digits[group >> 6 & 63u] : '=');
        out[3] = (char)(taken > 2 ? base64_digits[group & 63u] : '=');
        out += 4;
        bytes += taken;
        bytes_count -= taken;
    }
    *out = '\0';
}

static int base64_digit_value(char digit)
{
    const char *at = digit == '\0' ? NULL : strchr(base64_digits, digit);
    return at == NULL ? -1 : (int)(at - base64_digits);
}

/* Four characters to 1..3 bytes; 0 when they are none. Padding counts only in the last group. */
static size_t base64_group_decode(const char text[4], bool is_last, uint8_t out[3])
{
    size_t bytes = 3;
    if (is_last && text[3] == '=') {
        bytes = text[2] == '=' ? 1 : 2;
    }
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i <= bytes ? base64_digit_value(text[i]) : 0;
        if (value < 0) {
            return 0;
        }
        group = group << 6 | (uint32_t)value;
    }
    uint32_t unused_bits = bytes == 3 ? 0 : bytes == 2 ? 0xffu : 0xffffu;
    if ((group & unused_bits) != 0) {
        return 0;
    }
    out[0] = (uint8_t)(group >> 16);
    out[1] = (uint8_t)(group >> 8);
    out[2] = (uint8_t)group;
    return bytes;
}

bool base64_decode(const char *text, size_t text_bytes, uint8_t *out, size_t out_capacity,
                   size_t *out_bytes)
{
    if (text_bytes % 4 != 0) {
        return false;
    }
    size_t written = 0;
    for (size_t at = 0; at < text_bytes; at += 4) {
        uint8_t group[3];
        size_t bytes = base64_group_decode(text + at, at + 4 == text_bytes, group);
        if (bytes == 0 || bytes > out_capacity - written) {
            return false;
        }
        memcpy(out + written, group, bytes);
        written += bytes;
    }
    *out_bytes = written;
    return true;
}
