/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/disclosure.h"

#include <stdlib.h>
#include <string.h>

/* Written by hand and not by the generated coder: the value, which may be a whole record, is hashed
 * and written from where it lies. Any protobuf decoder reads what comes out. */

enum { TAG_SALT = 0x0a, TAG_NAME = 0x12, TAG_VALUE = 0x1a };

static size_t length_bytes(size_t value)
{
    size_t bytes = 1;
    for (; value >= 0x80; value >>= 7) {
        bytes++;
    }
    return bytes;
}

static size_t length_put(uint8_t *at, size_t value)
{
    size_t bytes = 0;
    for (; value >= 0x80; value >>= 7) {
        at[bytes++] = (uint8_t)(value | 0x80);
    }
    at[bytes++] = (uint8_t)value;
    return bytes;
}

size_t disclosure_head(const uint8_t salt[DISCLOSURE_SALT_BYTES], const char *name,
                       size_t value_bytes, uint8_t out[DISCLOSURE_HEAD_BYTES_MAX])
{
    size_t name_bytes = strlen(name);
    if (name_bytes == 0 || name_bytes > DISCLOSURE_NAME_BYTES_MAX ||
        value_bytes > DISCLOSURE_BYTES_MAX) {
        abort(); /* names are ours, lengths were bounded: our own bug */
    }
    size_t encoded =
        2 + DISCLOSURE_SALT_BYTES + 2 + name_bytes + 1 + length_bytes(value_bytes) + value_bytes;
    uint8_t *at = out;
    for (unsigned i = 0; i < DISCLOSURE_FRAME_BYTES; i++) {
        *at++ = (uint8_t)(encoded >> (8 * i));
    }
    *at++ = TAG_SALT;
    *at++ = DISCLOSURE_SALT_BYTES;
    memcpy(at, salt, DISCLOSURE_SALT_BYTES);
    at += DISCLOSURE_SALT_BYTES;
    *at++ = TAG_NAME;
    *at++ = (uint8_t)name_bytes;
    memcpy(at, name, name_bytes);
    at += name_bytes;
    *at++ = TAG_VALUE;
    at += length_put(at, value_bytes);
    return (size_t)(at - out);
}

size_t disclosure_write(const uint8_t salt[DISCLOSURE_SALT_BYTES], const char *name,
                        const void *value, size_t value_bytes, uint8_t *out, size_t out_capacity)
{
    uint8_t head[DISCLOSURE_HEAD_BYTES_MAX];
    if (value_bytes > DISCLOSURE_BYTES_MAX - DISCLOSURE_HEAD_BYTES_MAX) {
        return 0;
    }
    size_t head_bytes = disclosure_head(salt, name, value_bytes, head);
    if (head_bytes > out_capacity || value_bytes > out_capacity - head_bytes) {
        return 0;
    }
    memcpy(out, head, head_bytes);
    if (value_bytes > 0) {
        memcpy(out + head_bytes, value, value_bytes);
    }
    return head_bytes + value_bytes;
}

/* One field of bytes: tag, length in its shortest spelling, bytes. */
static bool field_read(const uint8_t **at, const uint8_t *end, uint8_t tag, const uint8_t **bytes,
                       uint32_t *bytes_count)
{
    const uint8_t *from = *at;
    uint32_t value = 0;
    if (from == end || *from++ != tag) {
        return false;
    }
    for (unsigned shift = 0;; shift += 7) {
        if (from == end || shift > 21) {
            return false;
        }
        uint8_t byte = *from++;
        value |= (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            if (byte == 0 && shift > 0) {
                return false;
            }
            break;
        }
    }
    if (value > (size_t)(end - from)) {
        return false;
    }
    *bytes = from;
    *bytes_count = value;
    *at = from + value;
    return true;
}

static bool name_good(const uint8_t *name, uint32_t name_bytes)
{
    for (uint32_t i = 0; i < name_bytes; i++) {
        bool plain = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
                     (name[i] >= '0' && name[i] <= '9') || name[i] == '_';
        if (!plain) {
            return false;
        }
    }
    return name_bytes > 0 && name_bytes <= DISCLOSURE_NAME_BYTES_MAX;
}

bool disclosure_parse(const uint8_t *encoded, size_t encoded_bytes, struct disclosure *out)
{
    struct disclosure found = {.encoded = encoded};
    const uint8_t *name = NULL;
    uint32_t name_bytes = 0;
    if (encoded_bytes > DISCLOSURE_BYTES_MAX) {
        return false;
    }
    found.encoded_bytes = (uint32_t)encoded_bytes;
    const uint8_t *at = encoded;
    const uint8_t *end = encoded + encoded_bytes;
    bool whole = field_read(&at, end, TAG_SALT, &found.salt, &found.salt_bytes) &&
                 field_read(&at, end, TAG_NAME, &name, &name_bytes) &&
                 field_read(&at, end, TAG_VALUE, &found.value, &found.value_bytes) && at == end;
    if (!whole || found.salt_bytes < DISCLOSURE_SALT_BYTES ||
        found.salt_bytes > DISCLOSURE_SALT_BYTES_MAX || !name_good(name, name_bytes)) {
        return false;
    }
    memcpy(found.name, name, name_bytes);
    *out = found;
    return true;
}

void disclosure_walk_open(const uint8_t *bytes, size_t bytes_count, struct disclosure_walk *out)
{
    *out = (struct disclosure_walk){bytes, bytes_count, false};
}

bool disclosure_next(struct disclosure_walk *self, struct disclosure *out)
{
    if (self->left == 0 || self->broken) {
        return false;
    }
    uint32_t encoded = 0;
    self->broken = self->left < DISCLOSURE_FRAME_BYTES;
    for (unsigned i = 0; !self->broken && i < DISCLOSURE_FRAME_BYTES; i++) {
        encoded |= (uint32_t)self->at[i] << (8 * i);
    }
    self->broken = self->broken || encoded > self->left - DISCLOSURE_FRAME_BYTES ||
                   !disclosure_parse(self->at + DISCLOSURE_FRAME_BYTES, encoded, out);
    if (self->broken) {
        return false;
    }
    self->at += DISCLOSURE_FRAME_BYTES + encoded;
    self->left -= DISCLOSURE_FRAME_BYTES + encoded;
    return true;
}

void disclosure_digest(const struct disclosure *disclosure, uint8_t out[HASH_BYTES])
{
    sha256_of(disclosure->encoded, disclosure->encoded_bytes, out);
}

bool disclosure_find(const uint8_t *bytes, size_t bytes_count, const char *name,
                     struct disclosure *out)
{
    struct disclosure_walk walk;
    struct disclosure found;
    disclosure_walk_open(bytes, bytes_count, &walk);
    while (disclosure_next(&walk, &found)) {
        if (strcmp(found.name, name) == 0) {
            *out = found;
            return true;
        }
    }
    return false;
}

bool received_record(const struct entry *entry, const uint8_t *private_bytes,
                     uint32_t private_count, const uint8_t **record, uint32_t *record_bytes)
{
    struct disclosure found;
    if (private_bytes == NULL) {
        return false;
    }
    if (entry->sd_count == 0) {
        *record = private_bytes;
        *record_bytes = private_count;
        return true;
    }
    if (!disclosure_find(private_bytes, private_count, DISCLOSURE_RECORD, &found)) {
        return false;
    }
    *record = found.value;
    *record_bytes = found.value_bytes;
    return true;
}

enum received_fault received_check(const struct entry *entry, const uint8_t *private_bytes,
                                   uint32_t private_count)
{
    uint8_t digest[HASH_BYTES];
    if (entry->sd_count == 0) {
        sha256_of(private_bytes, private_count, digest);
        return hash_equal(digest, entry->body.received.record_sha256) ? RECEIVED_GOOD
                                                                      : RECEIVED_DIFFERS;
    }
    struct disclosure_walk walk;
    struct disclosure found;
    disclosure_walk_open(private_bytes, private_count, &walk);
    while (disclosure_next(&walk, &found)) {
        bool known = false;
        disclosure_digest(&found, digest);
        for (uint32_t i = 0; i < entry->sd_count; i++) {
            known = known || hash_equal(digest, entry->sd[i]);
        }
        if (!known) {
            return RECEIVED_DIFFERS;
        }
    }
    return walk.broken ? RECEIVED_BROKEN : RECEIVED_GOOD;
}
