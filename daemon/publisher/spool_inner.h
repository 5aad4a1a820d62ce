/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_INNER_H
#define SPOOL_INNER_H

/* Spool, inner part: what spool.c (appending, releasing), spool_open.c (recovery) and spool_read.c
 * share. */

#include "base/durable.h"
#include "proto/wire.h"
#include "publisher/spool.h"

#define SPOOL_SEGMENT_HEADER_BYTES 32u
#define SPOOL_HEADER_BYTES 128u
#define SPOOL_WINDOW_BYTES \
    2097152u /* holds any header and body; larger reads more ahead, smaller reads more often */
#define SPOOL_NAME_BYTES 32u /* "00000000000000000001.spool" */

struct spool_segment {
    uint64_t first; /* number of its first record; also its name */
    uint64_t bytes; /* of whole records and the header */
};

struct spool {
    char directory[DURABLE_PATH_BYTES - SPOOL_NAME_BYTES];
    char stream[WIRE_STREAM_BYTES_MAX + 1];
    uint64_t bytes_max;
    uint64_t segment_bytes; /* a segment that has grown beyond is closed */
    bool sync;
    int lock_fd;
    int position_fd;
    int append_fd; /* -1 when the next record starts a segment */
    int read_fd;
    uint64_t read_first; /* the segment that read_fd is */
    struct spool_segment *segments;
    uint32_t segments_count;
    uint32_t segments_capacity;
    uint64_t files_bytes;
    uint64_t next;
    uint64_t next_at_open;
    uint64_t released;
    uint64_t released_written; /* as in the position file */
    uint64_t offset;
    uint64_t generation;
    uint8_t *window; /* bytes of one segment */
    uint64_t window_first;
    uint64_t window_offset;
    uint64_t window_bytes;
    uint8_t *scratch; /* header and body of one record */
};

struct spool_header {
    uint64_t number;
    enum record_kind kind;
    uint32_t body_bytes;
    uint32_t images_count;
    uint32_t payload_crc; /* of the body, then the images */
    uint64_t images_bytes[RECORD_IMAGES_MAX];
    uint8_t digest[HASH_BYTES];
};

void spool_header_write(const struct spool_header *header, uint8_t out[SPOOL_HEADER_BYTES]);
/* False when the bytes are no header, or one that breaks a bound. */
bool spool_header_read(const uint8_t in[SPOOL_HEADER_BYTES], struct spool_header *out);
/* Of header, body and images together; the bounds keep it far from overflow. */
uint64_t spool_record_bytes(const struct spool_header *header);

void spool_segment_header_write(uint64_t first, uint8_t out[SPOOL_SEGMENT_HEADER_BYTES]);
bool spool_segment_header_read(const uint8_t in[SPOOL_SEGMENT_HEADER_BYTES], uint64_t *first);
void spool_segment_path(const struct spool *self, uint64_t first, char out[DURABLE_PATH_BYTES]);

/* Write released and offset down. */
MUST_USE struct err spool_position_write(struct spool *self, bool sync);
/* Open or create the position file and read its newer half. */
MUST_USE struct err spool_position_open(struct spool *self);

#endif
