/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <string.h>

#include "proto/member.h"

/* Tags, names and the publish message. The publish message is walked by hand: it carries every
 * record that ever comes in, and the general decoder would copy each body. The other messages:
 * wire_encode.c and wire_decode.c. */

#define PUBLISH_FIRST_SEQUENCE 1u
#define PUBLISH_RECORDS 2u
#define RECORD_KIND 1u
#define RECORD_BODY 2u
#define RECORD_DIGEST 3u

static const char *const tags[] = {
    [WIRE_UNKNOWN] = "????", [WIRE_HELLO] = "HELO",   [WIRE_WELCOME] = "WLCM",
    [WIRE_PUBLISH] = "PUBL", [WIRE_ACK] = "ACKS",     [WIRE_RESEND] = "RSND",
    [WIRE_BYE] = "BYEE",     [WIRE_COMMAND] = "CMND", [WIRE_ANSWER] = "ANSW",
    [WIRE_VERDICT] = "VRDT",
};
#define TAGS_COUNT (sizeof tags / sizeof tags[0])

const char *wire_tag_text(enum wire_tag tag)
{
    return (unsigned)tag < TAGS_COUNT ? tags[tag] : tags[WIRE_UNKNOWN];
}

enum wire_tag wire_tag_parse(const void *bytes, size_t bytes_count)
{
    if (bytes_count != WIRE_TAG_BYTES) {
        return WIRE_UNKNOWN;
    }
    for (unsigned tag = WIRE_UNKNOWN + 1; tag < TAGS_COUNT; tag++) {
        if (memcmp(tags[tag], bytes, WIRE_TAG_BYTES) == 0) {
            return (enum wire_tag)tag;
        }
    }
    return WIRE_UNKNOWN;
}

const char *bye_name(enum bye bye)
{
    static const char *const names[] = {
        [BYE_NONE] = "none",           [BYE_PROTOCOL] = "protocol", [BYE_NO_HELLO] = "no_hello",
        [BYE_MALFORMED] = "malformed", [BYE_STREAM] = "stream",     [BYE_TOO_LARGE] = "too_large",
        [BYE_STOPPING] = "stopping",   [BYE_CREDIT] = "credit",
    };
    return (unsigned)bye < sizeof names / sizeof names[0] ? names[bye] : "unknown";
}

static size_t record_bytes_of(const struct wire_record *record)
{
    size_t bytes = record->kind == RECORD_UNKNOWN ? 0 : 1 + varint_bytes((uint64_t)record->kind);
    bytes += record->body_bytes == 0 ? 0 : member_bytes_total(RECORD_BODY, record->body_bytes);
    bytes += record->has_digest ? member_bytes_total(RECORD_DIGEST, HASH_BYTES) : 0;
    return bytes;
}

static uint8_t *record_write(const struct wire_record *record, uint8_t *out)
{
    out = member_bytes_write(PUBLISH_RECORDS, record_bytes_of(record), out);
    if (record->kind != RECORD_UNKNOWN) {
        out = member_varint_write(RECORD_KIND, (uint64_t)record->kind, out);
    }
    if (record->body_bytes > 0) {
        out = member_bytes_write(RECORD_BODY, record->body_bytes, out);
        memcpy(out, record->body, record->body_bytes);
        out += record->body_bytes;
    }
    if (record->has_digest) {
        out = member_bytes_write(RECORD_DIGEST, HASH_BYTES, out);
        memcpy(out, record->digest, HASH_BYTES);
        out += HASH_BYTES;
    }
    return out;
}

size_t wire_publish_encode(const struct wire_publish *publish, uint8_t *out, size_t out_capacity)
{
    if (publish->records_count > WIRE_RECORDS_MAX) {
        return 0;
    }
    size_t bytes = 1 + varint_bytes(publish->first_sequence);
    for (uint32_t i = 0; i < publish->records_count; i++) {
        /* At most 256 bodies of less than 4 GiB each: no overflow in 64 bits. */
        bytes += member_bytes_total(PUBLISH_RECORDS, record_bytes_of(&publish->records[i]));
    }
    if (bytes > out_capacity || bytes > WIRE_MESSAGE_BYTES_MAX) {
        return 0;
    }
    uint8_t *end = member_varint_write(PUBLISH_FIRST_SEQUENCE, publish->first_sequence, out);
    for (uint32_t i = 0; i < publish->records_count; i++) {
        end = record_write(&publish->records[i], end);
    }
    return (size_t)(end - out);
}

static bool record_decode(const uint8_t *bytes, size_t bytes_count, struct wire_record *out)
{
    *out = (struct wire_record){.kind = RECORD_UNKNOWN, .body = bytes};
    size_t at = 0;
    while (at < bytes_count) {
        struct member member;
        if (!member_next(bytes, bytes_count, &at, &member)) {
            return false;
        }
        if (member.number == RECORD_KIND && member.form == MEMBER_VARINT) {
            /* A kind of a later version is refused record by record, not by hanging up. */
            out->kind =
                member.value <= RECORD_SCAN ? (enum record_kind)member.value : RECORD_UNKNOWN;
        } else if (member.number == RECORD_BODY && member.form == MEMBER_BYTES) {
            out->body = member.bytes;
            out->body_bytes = (uint32_t)member.bytes_count; /* bounded by WIRE_MESSAGE_BYTES_MAX */
        } else if (member.number == RECORD_DIGEST && member.form == MEMBER_BYTES) {
            /* A digest of another length equals none: it stays all zeros and fails the comparison.
             */
            out->has_digest = true;
            memset(out->digest, 0, HASH_BYTES);
            if (member.bytes_count == HASH_BYTES) {
                memcpy(out->digest, member.bytes, HASH_BYTES);
            }
        } else if (member.number <= RECORD_DIGEST) {
            return false; /* a known field in another form */
        }
    }
    return true;
}

bool wire_publish_decode(const uint8_t *bytes, size_t n, struct wire_publish *out)
{
    if (n > WIRE_MESSAGE_BYTES_MAX) {
        return false;
    }
    uint64_t first_sequence = 0;
    uint32_t records_count = 0;
    size_t at = 0;
    while (at < n) {
        struct member member;
        if (!member_next(bytes, n, &at, &member)) {
            return false;
        }
        if (member.number == PUBLISH_FIRST_SEQUENCE && member.form == MEMBER_VARINT) {
            first_sequence = member.value;
        } else if (member.number == PUBLISH_RECORDS && member.form == MEMBER_BYTES) {
            if (records_count == WIRE_RECORDS_MAX ||
                !record_decode(member.bytes, member.bytes_count, &out->records[records_count])) {
                return false;
            }
            records_count++;
        } else if (member.number <= PUBLISH_RECORDS) {
            return false;
        }
    }
    /* Sequences start at 1, and the last one of this message must be a number too. */
    if (first_sequence == 0 || records_count == 0 || first_sequence > UINT64_MAX - records_count) {
        return false;
    }
    out->first_sequence = first_sequence;
    out->records_count = records_count;
    return true;
}
