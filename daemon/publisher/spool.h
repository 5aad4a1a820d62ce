/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_H
#define SPOOL_H

/* Spool: records on disk until the daemon holds them.
 *
 * Records are numbered from 1 in the order of spool_append; the sequence on the wire is the number
 * plus an offset, which is 0 unless this spool took over a stream from one that was lost. Appended
 * records survive the end of the process at once, and a power cut when sync is set. What a crash
 * tore at the end is cut at open.
 * Threads: one owner. Blocks on the disk. Memory: taken in spool_open.
 * Bytes on disk: FORMAT.md beside this file. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/record.h"

#define SPOOL_BODY_BYTES_MAX 1044480u /* fits into one message with room for its frame */

struct spool;

struct spool_conf {
    const char *directory; /* made when missing */
    const char *stream;    /* a spool belongs to one stream */
    uint64_t bytes_max;    /* of all files */
    bool sync;
};

/* What spool_append writes; borrowed for the call. */
struct spool_record {
    uint64_t number; /* set by spool_read, ignored by spool_append */
    enum record_kind kind;
    const uint8_t *body;
    uint32_t body_bytes;
    uint8_t digest[HASH_BYTES];
    const void *images[RECORD_IMAGES_MAX]; /* NULL when read: see spool_read_image */
    uint64_t images_bytes[RECORD_IMAGES_MAX];
    uint32_t images_count;
};

/* Where a record begins. */
struct spool_place {
    uint64_t segment_first; /* number of the segment's first record */
    uint64_t offset;
    uint64_t number;
};

/* Errors: LOCKED, CONFLICT (the spool of another stream), IO (also when damaged), DISK_FULL,
 * MEMORY. */
MUST_USE struct err spool_open(const struct spool_conf *conf, struct spool **out);
/* Writes the position down, keeps the records. Nulls *self; accepts NULL. */
void spool_close(struct spool **self);

/* ERR_QUEUE_FULL when bytes_max would be exceeded. On any error nothing was appended. */
MUST_USE struct err spool_append(struct spool *self, const struct spool_record *record);
/* The number that the next appended record gets. */
uint64_t spool_next(const struct spool *self);
/* The same at the time of opening: lower numbers were found on disk. */
uint64_t spool_next_at_open(const struct spool *self);
/* The first number that is not released. */
uint64_t spool_released(const struct spool *self);
uint64_t spool_offset(const struct spool *self);

/* The place of a number from spool_released to spool_next. */
MUST_USE struct err spool_seek(struct spool *self, uint64_t number, struct spool_place *place);
/* Read the record at *place and move past it. A body lives until the next call with fresh set;
 * without fresh only what is in memory is read. *got is false at the end of the spool, or (without
 * fresh) of what is in memory. */
MUST_USE struct err spool_read(struct spool *self, struct spool_place *place, bool fresh,
                               struct spool_record *out, bool *got);
/* The pixels of one image of the record that begins at this place. */
MUST_USE struct err spool_read_image(struct spool *self, const struct spool_place *place,
                                     const struct spool_record *record, uint32_t image_index,
                                     void *out);
/* Numbers below are held by the daemon: forget them. */
MUST_USE struct err spool_release(struct spool *self, uint64_t number);
/* From now on the sequence is the number plus this. On disk before it returns. */
MUST_USE struct err spool_set_offset(struct spool *self, uint64_t offset);

#endif
