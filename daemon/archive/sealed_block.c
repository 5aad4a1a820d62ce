/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/sealed_block.h"

#include <string.h>

#include "base/durable.h"

/* Object headers are of version 2 only: files written with library bounds of 1.8 and later have no
 * others. */

enum {
    OBJECT_PREFIX_BYTES = 6, /* signature, version, flags */
    CHECKSUM_BYTES = 4,
    FLAG_CHUNK_BYTES = 0x03, /* how many bytes the size of the first block has, as a power of 2 */
    FLAG_ORDERED = 0x04,
    FLAG_PHASES = 0x10,
    FLAG_TIMES = 0x20,
    MESSAGE_CONTINUATION = 0x10,
    CONTINUATION_BYTES = 16
};

struct err sealed_differs(const char *where)
{
    return err_make(ERR_ARCHIVE_DIFFERS, where);
}

uint64_t sealed_number(const uint8_t *bytes, size_t bytes_count)
{
    uint64_t number = 0;
    must(bytes_count >= 1 && bytes_count <= 8);
    for (size_t i = bytes_count; i-- > 0;) {
        number = number << 8 | bytes[i];
    }
    return number;
}

struct err sealed_read(const struct sealed_file *self, uint64_t address, void *out,
                       size_t bytes_count)
{
    if (address > self->file_bytes || bytes_count > self->file_bytes - address) {
        return sealed_differs("address outside of the sealed file");
    }
    struct err err = durable_read_at(self->fd, out, bytes_count, address);
    err.code = err_is(err) ? ERR_ARCHIVE_DIFFERS : ERR_NONE;
    return err;
}

struct err sealed_read_block(const struct sealed_file *self, uint64_t address,
                             const char *signature, void *out, size_t bytes_count)
{
    must(bytes_count >= 4);
    struct err err = sealed_read(self, address, out, bytes_count);
    if (!err_is(err) && memcmp(out, signature, 4) != 0) {
        err = sealed_differs("block of another kind in a sealed file");
    }
    return err;
}

/* ---- lookup3, hashlittle() of its public-domain source, read bytewise */

static uint32_t turn(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void lookup3_mix(uint32_t s[3])
{
    static const unsigned turns[6] = {4, 6, 8, 16, 19, 4};
    for (unsigned i = 0; i < 6; i++) {
        uint32_t *a = &s[i % 3];
        uint32_t *b = &s[(i + 1) % 3];
        uint32_t *c = &s[(i + 2) % 3];
        *a -= *c;
        *a ^= turn(*c, turns[i]);
        *c += *b;
    }
}

static void lookup3_end(uint32_t s[3])
{
    static const unsigned turns[7] = {14, 11, 25, 16, 4, 14, 24};
    for (unsigned i = 0; i < 7; i++) {
        uint32_t *c = &s[(i + 2) % 3];
        uint32_t from = s[(i + 1) % 3];
        *c ^= from;
        *c -= turn(from, turns[i]);
    }
}

uint32_t sealed_checksum(const uint8_t *bytes, size_t bytes_count)
{
    uint32_t start = UINT32_C(0xdeadbeef) + (uint32_t)bytes_count;
    uint32_t s[3] = {start, start, start};
    size_t at = 0;
    while (bytes_count - at > 12) {
        for (size_t i = 0; i < 3; i++) {
            s[i] += (uint32_t)sealed_number(bytes + at + 4 * i, 4);
        }
        lookup3_mix(s);
        at += 12;
    }
    if (at == bytes_count) {
        return s[2];
    }
    for (size_t i = 0; at + i < bytes_count; i++) {
        s[i / 4] += (uint32_t)bytes[at + i] << (8 * (i % 4));
    }
    lookup3_end(s);
    return s[2];
}

bool sealed_block_is_sound(const uint8_t *bytes, size_t bytes_count)
{
    return bytes_count > CHECKSUM_BYTES &&
           sealed_checksum(bytes, bytes_count - CHECKSUM_BYTES) ==
               (uint32_t)sealed_number(bytes + bytes_count - CHECKSUM_BYTES, CHECKSUM_BYTES);
}

/* ---- object headers */

/* One block of a header behind those that are there already; its messages become an area. `before`
 * bytes stand in front of them. */
static struct err object_add_block(const struct sealed_file *file, uint64_t address,
                                   const char *signature, size_t before, uint64_t block_bytes,
                                   struct sealed_object *out)
{
    if (out->areas_count == SEALED_AREAS_MAX || block_bytes < before + CHECKSUM_BYTES ||
        block_bytes > sizeof out->bytes - out->used) {
        return sealed_differs("size of an object header");
    }
    uint8_t *block = out->bytes + out->used;
    struct err err = sealed_read_block(file, address, signature, block, (size_t)block_bytes);
    if (err_is(err)) {
        return err;
    }
    if (!sealed_block_is_sound(block, (size_t)block_bytes)) {
        return sealed_differs("checksum of an object header");
    }
    out->areas[out->areas_count].from = out->used + before;
    out->areas[out->areas_count].until = out->used + (size_t)block_bytes - CHECKSUM_BYTES;
    out->areas_count++;
    out->used += (size_t)block_bytes;
    return err_none;
}

bool sealed_object_next(const struct sealed_object *self, uint32_t type, struct sealed_walk *walk,
                        const uint8_t **body, size_t *body_bytes)
{
    const size_t head_bytes = self->ordered ? 6 : 4;
    while (walk->area < self->areas_count) {
        size_t until = self->areas[walk->area].until;
        size_t at = walk->at == 0 ? self->areas[walk->area].from : walk->at;
        if (until - at < head_bytes) { /* a gap of less than a message ends a block */
            walk->area++;
            walk->at = 0;
            continue;
        }
        const uint8_t *message = self->bytes + at;
        size_t bytes = (size_t)sealed_number(message + 1, 2);
        if (bytes > until - at - head_bytes) {
            walk->area = self->areas_count; /* broken: what is missing will be missed */
            return false;
        }
        walk->at = at + head_bytes + bytes;
        if (message[0] == type) {
            *body = message + head_bytes;
            *body_bytes = bytes;
            return true;
        }
    }
    return false;
}

struct err sealed_object_read(const struct sealed_file *self, uint64_t address,
                              struct sealed_object *out)
{
    uint8_t prefix[OBJECT_PREFIX_BYTES];
    uint8_t number[8];
    out->used = 0;
    out->areas_count = 0;
    struct err err = sealed_read_block(self, address, "OHDR", prefix, sizeof prefix);
    if (err_is(err)) {
        return err;
    }
    unsigned flags = prefix[5];
    size_t size_bytes = (size_t)1 << (flags & FLAG_CHUNK_BYTES);
    size_t before = sizeof prefix + ((flags & FLAG_TIMES) != 0 ? 16u : 0u) +
                    ((flags & FLAG_PHASES) != 0 ? 4u : 0u);
    out->ordered = (flags & FLAG_ORDERED) != 0;
    if (prefix[4] != 2) {
        return sealed_differs("object header of another version");
    }
    err = sealed_read(self, address + before, number, size_bytes);
    if (err_is(err)) {
        return err;
    }
    uint64_t messages_bytes = sealed_number(number, size_bytes);
    before += size_bytes;
    if (messages_bytes > SEALED_OBJECT_BYTES_MAX) {
        return sealed_differs("size of an object header");
    }
    err = object_add_block(self, address, "OHDR", before, before + messages_bytes + CHECKSUM_BYTES,
                           out);
    struct sealed_walk walk = {0, 0};
    const uint8_t *body = NULL;
    size_t body_bytes = 0;
    /* A continuation adds an area behind the ones walked, so that it is walked too. */
    while (!err_is(err) &&
           sealed_object_next(out, MESSAGE_CONTINUATION, &walk, &body, &body_bytes)) {
        err = body_bytes < CONTINUATION_BYTES
                  ? sealed_differs("continuation of an object header")
                  : object_add_block(self, sealed_number(body, 8), "OCHK", 4,
                                     sealed_number(body + 8, 8), out);
    }
    return err;
}
