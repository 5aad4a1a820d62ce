/* SPDX-License-Identifier: Apache-2.0 */
#include "score/part_digest.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "proto/hash.h"

/* Every value is digested once a line with SHA-256, cut to 64 bits; a pair mixes the digests of its
 * parts. Nobody can choose a name that lands on somebody else's history without finding a 64-bit
 * second preimage. Two of ten million keys meet by accident with a chance of about 3 in a million.
 */

#define TEXT_BYTES (RECORD_TEXT_BYTES_MAX + 1u)

static uint64_t digest_by_sha256(enum history_part part, const char *text, size_t text_bytes)
{
    char named[TEXT_BYTES + 1];
    must(text_bytes < TEXT_BYTES);
    named[0] = (char)('A' + (int)part);
    memcpy(named + 1, text, text_bytes);
    uint8_t digest[HASH_BYTES];
    sha256_of(named, text_bytes + 1, digest);
    uint64_t key = 0;
    for (int i = 0; i < 8; i++) {
        key = key << 8 | digest[i];
    }
    return key != 0 ? key : 1;
}

/* Codes, countries and rates come again and again, and so do big importers: the digests of the last
 * ones are at hand, which saves half the time of a line. 128 KB a thread. */
enum { RECENT_SLOTS = 4096, RECENT_TEXT_BYTES = 22 };
struct recent {
    uint64_t digest; /* 0: free */
    uint8_t part;
    uint8_t text_bytes;
    char text[RECENT_TEXT_BYTES];
};
static _Thread_local struct recent recents[RECENT_SLOTS];

static struct recent *recent_of(uint8_t part, const void *bytes, size_t bytes_count)
{
    uint64_t mixed = (uint64_t)part + 1;
    for (size_t i = 0; i < bytes_count; i++) {
        mixed = (mixed ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    }
    return &recents[(mixed ^ mixed >> 32) % RECENT_SLOTS];
}

static bool recent_is(const struct recent *recent, uint8_t part, const void *bytes,
                      size_t bytes_count)
{
    return recent->digest != 0 && recent->part == part && recent->text_bytes == bytes_count &&
           memcmp(recent->text, bytes, bytes_count) == 0;
}

static void recent_set(struct recent *recent, uint8_t part, const void *bytes, size_t bytes_count,
                       uint64_t digest)
{
    *recent = (struct recent){.digest = digest, .part = part, .text_bytes = (uint8_t)bytes_count};
    memcpy(recent->text, bytes, bytes_count);
}

uint64_t part_digest_text(enum history_part part, const char *text, size_t text_bytes)
{
    if (text_bytes == 0) {
        return 0;
    }
    if (text_bytes > RECENT_TEXT_BYTES) {
        return digest_by_sha256(part, text, text_bytes);
    }
    struct recent *recent = recent_of((uint8_t)part, text, text_bytes);
    if (!recent_is(recent, (uint8_t)part, text, text_bytes)) {
        recent_set(recent, (uint8_t)part, text, text_bytes,
                   digest_by_sha256(part, text, text_bytes));
    }
    return recent->digest;
}

/* A number is digested as its text; its bits are what is remembered, under a part of their own. */
uint64_t part_digest_number(enum history_part part, double number,
                            size_t (*text_of)(double number, char out[24]))
{
    uint8_t own = (uint8_t)(0x80u | (unsigned)part);
    struct recent *recent = recent_of(own, &number, sizeof number);
    if (!recent_is(recent, own, &number, sizeof number)) {
        char text[24];
        size_t text_bytes = text_of(number, text);
        if (text_bytes == 0) {
            return 0;
        }
        recent_set(recent, own, &number, sizeof number, digest_by_sha256(part, text, text_bytes));
    }
    return recent->digest;
}
