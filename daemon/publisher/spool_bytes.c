/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/spool_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publisher/crc32c.h"

/* The bytes of FORMAT.md: record header, segment header, position file. The position file has two
 * halves, written in turn: a torn write costs one step back, and the daemon tells the true position
 * anyway. */

#define SPOOL_RECORD_MAGIC 0x31525354u   /* "TSR1" */
#define SPOOL_SEGMENT_MAGIC 0x31535354u  /* "TSS1" */
#define SPOOL_POSITION_MAGIC 0x31505354u /* "TSP1" */

enum { SPOOL_POSITION_BYTES = 128 };

static void put_u32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t get_u32(const uint8_t *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static uint64_t get_u64(const uint8_t *in)
{
    return (uint64_t)get_u32(in) | (uint64_t)get_u32(in + 4) << 32;
}

void spool_header_write(const struct spool_header *header, uint8_t out[SPOOL_HEADER_BYTES])
{
    put_u32(out, SPOOL_RECORD_MAGIC);
    put_u64(out + 8, header->number);
    put_u32(out + 16, (uint32_t)header->kind);
    put_u32(out + 20, header->body_bytes);
    put_u32(out + 24, header->images_count);
    put_u32(out + 28, header->payload_crc);
    for (uint32_t i = 0; i < RECORD_IMAGES_MAX; i++) {
        put_u64(out + 32 + (size_t)8 * i, header->images_bytes[i]);
    }
    memcpy(out + 96, header->digest, HASH_BYTES);
    put_u32(out + 4, crc32c_add(0, out + 8, SPOOL_HEADER_BYTES - 8));
}

bool spool_header_read(const uint8_t in[SPOOL_HEADER_BYTES], struct spool_header *out)
{
    if (get_u32(in) != SPOOL_RECORD_MAGIC ||
        get_u32(in + 4) != crc32c_add(0, in + 8, SPOOL_HEADER_BYTES - 8)) {
        return false;
    }
    out->number = get_u64(in + 8);
    out->kind = (enum record_kind)get_u32(in + 16);
    out->body_bytes = get_u32(in + 20);
    out->images_count = get_u32(in + 24);
    out->payload_crc = get_u32(in + 28);
    bool bounded = out->number > 0 && out->body_bytes <= SPOOL_BODY_BYTES_MAX &&
                   out->images_count <= RECORD_IMAGES_MAX;
    for (uint32_t i = 0; i < RECORD_IMAGES_MAX; i++) {
        out->images_bytes[i] = get_u64(in + 32 + (size_t)8 * i);
        bounded = bounded && out->images_bytes[i] <= (UINT64_C(1) << 40);
    }
    memcpy(out->digest, in + 96, HASH_BYTES);
    return bounded;
}

uint64_t spool_record_bytes(const struct spool_header *header)
{
    uint64_t bytes = SPOOL_HEADER_BYTES + (uint64_t)header->body_bytes;
    for (uint32_t i = 0; i < header->images_count; i++) {
        bytes += header->images_bytes[i];
    }
    return bytes;
}

void spool_segment_header_write(uint64_t first, uint8_t out[SPOOL_SEGMENT_HEADER_BYTES])
{
    memset(out, 0, SPOOL_SEGMENT_HEADER_BYTES);
    put_u32(out, SPOOL_SEGMENT_MAGIC);
    put_u64(out + 8, first);
    put_u32(out + 4, crc32c_add(0, out + 8, SPOOL_SEGMENT_HEADER_BYTES - 8));
}

bool spool_segment_header_read(const uint8_t in[SPOOL_SEGMENT_HEADER_BYTES], uint64_t *first)
{
    if (get_u32(in) != SPOOL_SEGMENT_MAGIC ||
        get_u32(in + 4) != crc32c_add(0, in + 8, SPOOL_SEGMENT_HEADER_BYTES - 8)) {
        return false;
    }
    *first = get_u64(in + 8);
    return true;
}

void spool_segment_path(const struct spool *self, uint64_t first, char out[DURABLE_PATH_BYTES])
{
    int bytes =
        snprintf(out, DURABLE_PATH_BYTES, "%s/%020" PRIu64 ".spool", self->directory, first);
    must(bytes > 0 && (size_t)bytes < DURABLE_PATH_BYTES);
}

static void position_encode(const struct spool *self, uint8_t out[SPOOL_POSITION_BYTES])
{
    memset(out, 0, SPOOL_POSITION_BYTES);
    put_u32(out, SPOOL_POSITION_MAGIC);
    put_u64(out + 8, self->generation);
    put_u64(out + 16, self->released);
    put_u64(out + 24, self->offset);
    memcpy(out + 32, self->stream, strlen(self->stream));
    put_u32(out + 4, crc32c_add(0, out + 8, SPOOL_POSITION_BYTES - 8));
}

struct err spool_position_write(struct spool *self, bool sync)
{
    self->generation++;
    uint8_t bytes[SPOOL_POSITION_BYTES];
    position_encode(self, bytes);
    uint64_t at = self->generation % 2 * SPOOL_POSITION_BYTES;
    struct err err = durable_write_at(self->position_fd, bytes, sizeof bytes, at);
    if (!err_is(err) && sync) {
        err = durable_sync(self->position_fd);
    }
    if (!err_is(err)) {
        self->released_written = self->released;
    }
    return err;
}

/* Takes the newer of the two halves. */
static struct err position_read(struct spool *self)
{
    uint8_t halves[2 * SPOOL_POSITION_BYTES];
    struct err err = durable_read_at(self->position_fd, halves, sizeof halves, 0);
    if (err_is(err)) {
        return err;
    }
    const uint8_t *newest = NULL;
    for (int i = 0; i < 2; i++) {
        const uint8_t *half = halves + (size_t)i * SPOOL_POSITION_BYTES;
        if (get_u32(half) == SPOOL_POSITION_MAGIC &&
            get_u32(half + 4) == crc32c_add(0, half + 8, SPOOL_POSITION_BYTES - 8) &&
            (newest == NULL || get_u64(half + 8) > get_u64(newest + 8))) {
            newest = half;
        }
    }
    if (newest == NULL || get_u64(newest + 16) == 0) {
        return err_make(ERR_IO, "spool: position file is damaged");
    }
    if (strncmp((const char *)newest + 32, self->stream, sizeof self->stream) != 0) {
        return err_make(ERR_CONFLICT, "spool: directory belongs to another stream");
    }
    self->generation = get_u64(newest + 8);
    self->released = get_u64(newest + 16);
    self->offset = get_u64(newest + 24);
    self->released_written = self->released;
    return err_none;
}

struct err spool_position_open(struct spool *self)
{
    char path[DURABLE_PATH_BYTES];
    int path_bytes = snprintf(path, sizeof path, "%s/position", self->directory);
    must(path_bytes > 0 && (size_t)path_bytes < sizeof path);
    if (access(path, F_OK) != 0) {
        self->released = 1;
        uint8_t halves[2 * SPOOL_POSITION_BYTES];
        position_encode(self, halves);
        memcpy(halves + SPOOL_POSITION_BYTES, halves, SPOOL_POSITION_BYTES);
        struct err err = durable_replace(path, halves, sizeof halves, 0600);
        if (err_is(err)) {
            return err;
        }
    }
    self->position_fd = open(path, O_RDWR | O_CLOEXEC);
    return self->position_fd < 0 ? err_os(ERR_IO, "open spool position") : position_read(self);
}
