/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "publisher/spool_inner.h"

/* Reading goes forward through a window of one segment, so that a backlog of small records costs
 * one read a few thousand of them and no index in memory. */

/* Below this many bytes ahead the window moves on: a batch is at most 256 KiB. */
#define SPOOL_AHEAD_BYTES 393216u

/* The last segment whose first number is not above this one, or NULL. */
static const struct spool_segment *segment_of(const struct spool *self, uint64_t number)
{
    uint32_t low = 0;
    uint32_t high = self->segments_count;
    while (low <
           high) { /* segments below low begin at or below number, those from high on above it */
        uint32_t middle = low + (high - low) / 2;
        if (self->segments[middle].first <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? NULL : &self->segments[low - 1];
}

/* The segment that holds this place, or NULL. A place behind a segment's last record belongs to the
 * next one. */
static const struct spool_segment *place_settle(const struct spool *self, struct spool_place *place)
{
    const struct spool_segment *segment = segment_of(self, place->number);
    if (segment != NULL && segment->first == place->number) {
        *place = (struct spool_place){segment->first, SPOOL_SEGMENT_HEADER_BYTES, place->number};
    }
    return segment != NULL && segment->first == place->segment_first ? segment : NULL;
}

struct err spool_seek(struct spool *self, uint64_t number, struct spool_place *place)
{
    must(number >= self->released && number <= self->next);
    const struct spool_segment *segment = segment_of(self, number);
    struct spool_place at = {0, 0, number};
    if (segment != NULL) {
        at = (struct spool_place){segment->first, SPOOL_SEGMENT_HEADER_BYTES, segment->first};
    }
    while (at.number < number) {
        struct spool_record passed;
        bool got = false;
        struct err err = spool_read(self, &at, true, &passed, &got);
        if (err_is(err)) {
            return err;
        }
        if (!got) { /* behind a cut tail: the next append starts a segment with this number */
            at = (struct spool_place){0, 0, number};
        }
    }
    *place = at;
    return err_none;
}

/* Makes the window begin at the place. */
static struct err window_fill(struct spool *self, const struct spool_segment *segment,
                              uint64_t offset)
{
    if (self->read_fd < 0 || self->read_first != segment->first) {
        char path[DURABLE_PATH_BYTES];
        spool_segment_path(self, segment->first, path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return err_os(ERR_IO, "open spool segment");
        }
        if (self->read_fd >= 0) {
            (void)close(self->read_fd);
        }
        self->read_fd = fd;
        self->read_first = segment->first;
    }
    uint64_t left = segment->bytes - offset;
    size_t wanted = left < SPOOL_WINDOW_BYTES ? (size_t)left : SPOOL_WINDOW_BYTES;
    self->window_bytes = 0;
    struct err err = durable_read_at(self->read_fd, self->window, wanted, offset);
    if (!err_is(err)) {
        self->window_first = segment->first;
        self->window_offset = offset;
        self->window_bytes = wanted;
    }
    return err;
}

/* Bytes of the window from this offset on; 0 when it lies outside. */
static uint64_t window_ahead(const struct spool *self, const struct spool_segment *segment,
                             uint64_t offset)
{
    if (self->window_first != segment->first || offset < self->window_offset ||
        offset - self->window_offset >= self->window_bytes) {
        return 0;
    }
    return self->window_bytes - (offset - self->window_offset);
}

struct err spool_read(struct spool *self, struct spool_place *place, bool fresh,
                      struct spool_record *out, bool *got)
{
    *got = false;
    struct spool_place at = *place;
    const struct spool_segment *segment = at.number < self->next ? place_settle(self, &at) : NULL;
    if (segment == NULL || segment->bytes - at.offset < SPOOL_HEADER_BYTES) {
        return err_none;
    }
    uint64_t ahead = window_ahead(self, segment, at.offset);
    if (fresh && ahead < SPOOL_AHEAD_BYTES && ahead < segment->bytes - at.offset) {
        struct err err = window_fill(self, segment, at.offset);
        if (err_is(err)) {
            return err;
        }
        ahead = window_ahead(self, segment, at.offset);
    }
    if (ahead < SPOOL_HEADER_BYTES) {
        return err_none;
    }
    const uint8_t *bytes = self->window + (at.offset - self->window_offset);
    struct spool_header header;
    if (!spool_header_read(bytes, &header) || header.number != at.number ||
        spool_record_bytes(&header) > segment->bytes - at.offset) {
        return err_make(ERR_IO, "spool: record is damaged");
    }
    if (ahead - SPOOL_HEADER_BYTES < header.body_bytes) {
        if (!fresh) {
            return err_none;
        }
        struct err err =
            window_fill(self, segment, at.offset); /* the window holds any header and body */
        if (err_is(err)) {
            return err;
        }
        bytes = self->window;
    }
    *out = (struct spool_record){.number = header.number,
                                 .kind = header.kind,
                                 .body = bytes + SPOOL_HEADER_BYTES,
                                 .body_bytes = header.body_bytes,
                                 .images_count = header.images_count};
    memcpy(out->digest, header.digest, HASH_BYTES);
    memcpy(out->images_bytes, header.images_bytes, sizeof out->images_bytes);
    at.offset += spool_record_bytes(&header);
    at.number++;
    *place = at;
    *got = true;
    return err_none;
}

struct err spool_read_image(struct spool *self, const struct spool_place *place,
                            const struct spool_record *record, uint32_t image_index, void *out)
{
    must(image_index < record->images_count && place->number == record->number);
    struct spool_place settled = *place;
    const struct spool_segment *segment = place_settle(self, &settled);
    must(segment != NULL && self->read_fd >= 0 && self->read_first == segment->first);
    uint64_t at = settled.offset + SPOOL_HEADER_BYTES + record->body_bytes;
    for (uint32_t i = 0; i < image_index; i++) {
        at += record->images_bytes[i];
    }
    return durable_read_at(self->read_fd, out, (size_t)record->images_bytes[image_index], at);
}
