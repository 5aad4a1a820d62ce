/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "publisher/crc32c.h"
#include "publisher/spool_inner.h"

/* A record is one write: it is in the kernel's hands when spool_append returns, so the end of this
 * process cannot take it. Appending to a buffer of ours would save a microsecond a record and lose
 * that promise. */

#define SPOOL_POSITION_EVERY \
    1024u /* released records between two writes of the position: only saves one question */

static struct err segment_start(struct spool *self);
static struct err record_write(struct spool *self, struct spool_segment *segment,
                               const struct spool_record *record, uint64_t *record_bytes);

struct err spool_append(struct spool *self, const struct spool_record *record)
{
    must(record->body_bytes <= SPOOL_BODY_BYTES_MAX && record->images_count <= RECORD_IMAGES_MAX);
    uint64_t bytes = SPOOL_HEADER_BYTES + (uint64_t)record->body_bytes + SPOOL_SEGMENT_HEADER_BYTES;
    for (uint32_t i = 0; i < record->images_count; i++) {
        if (record->images_bytes[i] > self->bytes_max) {
            return err_make(ERR_QUEUE_FULL, "spool");
        }
        bytes += record->images_bytes[i];
    }
    if (self->files_bytes + bytes > self->bytes_max) {
        return err_make(ERR_QUEUE_FULL, "spool");
    }
    bool full = self->segments_count > 0 &&
                self->segments[self->segments_count - 1].bytes >= self->segment_bytes;
    if (self->append_fd < 0 || full) {
        struct err err = segment_start(self);
        if (err_is(err)) {
            return err;
        }
    }
    struct spool_segment *segment = &self->segments[self->segments_count - 1];
    uint64_t record_bytes = 0;
    struct err err = record_write(self, segment, record, &record_bytes);
    if (!err_is(err) && self->sync) {
        err = durable_sync(self->append_fd);
    }
    if (err_is(err)) {
        /* Half a record would be cut at the next open anyway; cutting now gives its room back. */
        int ignored = ftruncate(self->append_fd, (off_t)segment->bytes);
        (void)ignored;
        return err;
    }
    segment->bytes += record_bytes;
    self->files_bytes += record_bytes;
    self->next++;
    return err_none;
}

static struct err segment_start(struct spool *self)
{
    if (self->segments_count == self->segments_capacity) {
        return err_make(ERR_QUEUE_FULL, "spool");
    }
    char path[DURABLE_PATH_BYTES];
    spool_segment_path(self, self->next, path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_os(ERR_IO, "make spool segment");
    }
    uint8_t bytes[SPOOL_SEGMENT_HEADER_BYTES];
    spool_segment_header_write(self->next, bytes);
    struct err err = durable_write_at(fd, bytes, sizeof bytes, 0);
    if (!err_is(err) && self->sync) {
        err = durable_sync_directory(self->directory);
    }
    if (err_is(err)) {
        (void)close(fd);
        struct err ignored =
            durable_remove(path); /* an empty segment would be removed at the next open */
        (void)ignored;
        return err;
    }
    if (self->append_fd >= 0) {
        (void)close(self->append_fd);
    }
    self->append_fd = fd;
    self->segments[self->segments_count++] =
        (struct spool_segment){.first = self->next, .bytes = sizeof bytes};
    self->files_bytes += sizeof bytes;
    return err_none;
}

static struct err record_write(struct spool *self, struct spool_segment *segment,
                               const struct spool_record *record, uint64_t *record_bytes)
{
    struct spool_header header = {.number = self->next,
                                  .kind = record->kind,
                                  .body_bytes = record->body_bytes,
                                  .images_count = record->images_count,
                                  .payload_crc = crc32c_add(0, record->body, record->body_bytes)};
    memcpy(header.digest, record->digest, HASH_BYTES);
    for (uint32_t i = 0; i < record->images_count; i++) {
        header.images_bytes[i] = record->images_bytes[i];
        header.payload_crc =
            crc32c_add(header.payload_crc, record->images[i], (size_t)record->images_bytes[i]);
    }
    spool_header_write(&header, self->scratch);
    if (record->body_bytes > 0) {
        memcpy(self->scratch + SPOOL_HEADER_BYTES, record->body, record->body_bytes);
    }
    size_t head_bytes = SPOOL_HEADER_BYTES + (size_t)record->body_bytes;
    struct err err = durable_write_at(self->append_fd, self->scratch, head_bytes, segment->bytes);
    uint64_t at = segment->bytes + head_bytes;
    for (uint32_t i = 0; i < record->images_count && !err_is(err); i++) {
        err = durable_write_at(self->append_fd, record->images[i], (size_t)record->images_bytes[i],
                               at);
        at += record->images_bytes[i];
    }
    *record_bytes = spool_record_bytes(&header);
    return err;
}

uint64_t spool_next(const struct spool *self)
{
    return self->next;
}

uint64_t spool_next_at_open(const struct spool *self)
{
    return self->next_at_open;
}

uint64_t spool_released(const struct spool *self)
{
    return self->released;
}

uint64_t spool_offset(const struct spool *self)
{
    return self->offset;
}

struct err spool_set_offset(struct spool *self, uint64_t offset)
{
    uint64_t before = self->offset;
    self->offset = offset;
    struct err err = spool_position_write(self, true);
    if (err_is(err)) {
        self->offset = before;
    }
    return err;
}

/* Closes what is open of a segment and removes its file. */
static struct err segment_remove(struct spool *self, uint32_t index)
{
    struct spool_segment segment = self->segments[index];
    if (self->read_fd >= 0 && self->read_first == segment.first) {
        (void)close(self->read_fd);
        self->read_fd = -1;
    }
    if (self->window_first == segment.first) {
        self->window_bytes = 0;
    }
    if (index + 1 == self->segments_count && self->append_fd >= 0) {
        (void)close(self->append_fd);
        self->append_fd = -1;
    }
    char path[DURABLE_PATH_BYTES];
    spool_segment_path(self, segment.first, path);
    struct err err = durable_remove(path);
    if (err_is(err)) {
        return err;
    }
    self->files_bytes -= segment.bytes;
    self->segments_count--;
    memmove(&self->segments[index], &self->segments[index + 1],
            (self->segments_count - index) * sizeof *self->segments);
    return err_none;
}

struct err spool_release(struct spool *self, uint64_t number)
{
    must(number >= self->released && number <= self->next);
    self->released = number;
    uint32_t dead = 0;
    while (dead + 1 < self->segments_count && self->segments[dead + 1].first <= number) {
        dead++;
    }
    /* When nothing waits, a segment that has grown gives its room back instead of waiting for its
     * successor. */
    bool all = number == self->next && self->segments_count > 0 &&
               self->segments[self->segments_count - 1].bytes > self->segment_bytes / 2;
    if (all) {
        dead = self->segments_count;
    }
    struct err err = err_none;
    /* The position goes first: without any segment it is the only place that knows the next number.
     */
    if (dead > 0 || number - self->released_written >= SPOOL_POSITION_EVERY) {
        err = spool_position_write(self, self->sync);
    }
    while (dead > 0 && !err_is(err)) {
        err = segment_remove(self, 0);
        dead--;
    }
    return err;
}
