/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oversight/pack.h"
#include "oversight/pack_frame.h"
#include "oversight/wal_frame.h"

/* Records go out in runs as they come, the index behind them, the header last: a file without a
 * header is no pack. If the machine stops before the rename, ".tmp" is left and the next writer
 * removes it; the log still has the segment, or the pack as it was. */

#define BUFFER_BYTES 1048576u

struct pack_writer {
    char path[DURABLE_PATH_BYTES];
    char part[DURABLE_PATH_BYTES + 4];
    int fd;
    struct pack_header header;
    uint8_t *buffer;
    size_t buffered;
    uint64_t written; /* bytes of the file that left the buffer */
    uint8_t *index;
    uint64_t index_capacity; /* records */
    bool finished;
};

struct err pack_writer_open(const char *directory, uint64_t first_index, uint64_t end_index,
                            struct pack_writer **out)
{
    must(first_index < end_index);
    struct pack_writer *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "pack_writer_open");
    }
    self->fd = -1;
    self->header = (struct pack_header){.first_index = first_index, .end_index = end_index};
    self->written = PACK_HEADER_BYTES;
    self->buffer = malloc(BUFFER_BYTES);
    struct err err = self->buffer == NULL ? err_make(ERR_MEMORY, "pack_writer_open")
                                          : pack_path(directory, first_index, self->path);
    if (!err_is(err)) {
        (void)snprintf(self->part, sizeof self->part, "%s.tmp", self->path);
        err = durable_directory(directory, 0700);
    }
    if (!err_is(err)) {
        err = durable_remove_unsynced(self->part);
    }
    if (!err_is(err)) {
        err = durable_create_unsynced(self->part, 0600, &self->fd);
    }
    if (err_is(err)) {
        pack_writer_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

static struct err writer_flush(struct pack_writer *self)
{
    if (self->buffered == 0) {
        return err_none;
    }
    struct err err = durable_write_at(self->fd, self->buffer, self->buffered, self->written);
    self->written += self->buffered;
    self->buffered = 0;
    return err;
}

static struct err writer_put(struct pack_writer *self, const uint8_t *bytes, size_t bytes_count)
{
    struct err err = err_none;
    while (!err_is(err) && bytes_count > 0) {
        size_t room = BUFFER_BYTES - self->buffered;
        size_t run = bytes_count < room ? bytes_count : room;
        memcpy(self->buffer + self->buffered, bytes, run);
        self->buffered += run;
        bytes += run;
        bytes_count -= run;
        if (self->buffered == BUFFER_BYTES) {
            err = writer_flush(self);
        }
    }
    return err;
}

static bool writer_grow(struct pack_writer *self)
{
    if (self->header.count < self->index_capacity) {
        return true;
    }
    uint64_t capacity = self->index_capacity == 0 ? 4096 : 2 * self->index_capacity;
    uint8_t *index = realloc(self->index, (size_t)capacity * PACK_ROW_BYTES);
    if (index == NULL) {
        return false;
    }
    self->index = index;
    self->index_capacity = capacity;
    return true;
}

struct err pack_writer_add(struct pack_writer *self, uint64_t entry_index, const uint8_t *bytes,
                           uint32_t bytes_count)
{
    must(bytes_count > 0 && bytes_count <= PACK_RECORD_BYTES_MAX);
    must(entry_index >= self->header.first_index && entry_index < self->header.end_index);
    if (!writer_grow(self)) {
        return err_make(ERR_MEMORY, "pack_writer_add");
    }
    struct pack_row row = {.entry_index = entry_index,
                           .offset = self->written + self->buffered,
                           .bytes_count = bytes_count,
                           .crc = wal_crc32c(bytes, bytes_count)};
    pack_row_encode(&row, self->index + self->header.count * PACK_ROW_BYTES);
    self->header.count++;
    return writer_put(self, bytes, bytes_count);
}

struct err pack_writer_finish(struct pack_writer *self)
{
    uint8_t header[PACK_HEADER_BYTES];
    size_t index_bytes = (size_t)self->header.count * PACK_ROW_BYTES;
    must(!self->finished);
    self->header.index_offset = self->written + self->buffered;
    self->header.index_crc = wal_crc32c(self->index, index_bytes);
    struct err err = writer_put(self, self->index, index_bytes);
    if (!err_is(err)) {
        err = writer_flush(self);
    }
    if (!err_is(err)) {
        pack_header_encode(&self->header, header);
        err = durable_write_at(self->fd, header, sizeof header, 0);
    }
    if (!err_is(err)) {
        err = durable_rename(self->part, self->path);
    }
    self->finished = !err_is(err);
    return err;
}

void pack_writer_close(struct pack_writer **self)
{
    struct pack_writer *closing = *self;
    if (closing == NULL) {
        return;
    }
    if (closing->fd >= 0) {
        (void)close(closing->fd); /* what counts was synced by its path */
        if (!closing->finished) {
            struct err err = durable_remove_unsynced(closing->part);
            (void)err; /* the next writer of this pack removes it */
        }
    }
    free(closing->buffer);
    free(closing->index);
    free(closing);
    *self = NULL;
}
