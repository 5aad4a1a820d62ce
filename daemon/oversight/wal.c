/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/durable.h"
#include "base/random.h"
#include "oversight/commit_index.h"
#include "oversight/wal_copy.h"
#include "oversight/wal_segment.h"

/* A block that holds a promised group is never written again: every group starts on a block of its
 * own. One group is on its way at a time; the group after it forms meanwhile, so nothing is won by
 * more. */

struct wal {
    struct wal_end end;
    uint8_t origin_sha256[HASH_BYTES];
    int segment_fd; /* -1 before the first segment */
    uint64_t segment_number;
    struct wal_spare *spare;
    struct commit_index *index;
    struct wal_copy *copy; /* NULL when there is one copy only */
    uint8_t *group;        /* WAL_GROUP_BYTES_MAX, aligned; header, then payload */
    struct wal_group_header header;
    struct sha256 *sha256;
};

static struct err wal_open_last_segment(struct wal *self, const char *wal_directory)
{
    int directory_fd = open(wal_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    char name[WAL_SEGMENT_NAME_BYTES];
    wal_segment_name(self->end.first_index, name);
    struct err err = wal_open_direct(directory_fd, name, O_RDWR | O_DSYNC, &self->segment_fd, NULL);
    (void)close(directory_fd);
    return err;
}

struct err wal_open(const struct wal_conf *conf, const struct wal_end *end, struct wal **out)
{
    struct wal *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "wal_open");
    }
    self->segment_fd = -1;
    self->end = *end;
    memcpy(self->origin_sha256, conf->origin_sha256, HASH_BYTES);
    self->sha256 = sha256_open();
    self->group = aligned_alloc(WAL_BLOCK_BYTES, WAL_GROUP_BYTES_MAX);
    struct err err = self->group == NULL
                         ? err_make(ERR_MEMORY, "wal_open")
                         : commit_index_open(conf->wal_directory, true, &self->index);
    if (!err_is(err)) {
        memset(self->group, 0,
               WAL_GROUP_BYTES_MAX); /* so that no page is new to the committer later */
        err = wal_spare_open(conf->wal_directory, conf->segment_bytes, &self->spare);
    }
    if (!err_is(err) && end->has_segment) {
        self->segment_number = end->next_segment - 1;
        err = wal_open_last_segment(self, conf->wal_directory);
    }
    if (!err_is(err) && conf->mirror_directory != NULL) {
        err = wal_copy_open(conf->mirror_directory, conf->segment_bytes, end, &self->copy);
    }
    if (err_is(err)) {
        wal_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void wal_close(struct wal **self)
{
    if (*self == NULL) {
        return;
    }
    if ((*self)->segment_fd >= 0) {
        (void)close((*self)->segment_fd); /* every write was O_DSYNC */
    }
    wal_copy_close(&(*self)->copy);
    wal_spare_close(&(*self)->spare);
    commit_index_close(&(*self)->index);
    sha256_close(&(*self)->sha256);
    free((*self)->group);
    free(*self);
    *self = NULL;
}

uint64_t wal_size(const struct wal *self)
{
    return self->end.size;
}

void wal_add(struct wal *self, const uint8_t *stamp, uint32_t stamp_bytes, const uint8_t *rest,
             uint32_t rest_bytes)
{
    uint32_t entry_bytes = stamp_bytes + rest_bytes;
    must(self->header.flags == 0 && self->header.entry_count < WAL_ENTRIES_MAX);
    must(entry_bytes > 0 && entry_bytes <= UINT16_MAX);
    must(2 + entry_bytes <= WAL_PAYLOAD_BYTES_MAX - self->header.payload_bytes);
    uint8_t *at = self->group + WAL_GROUP_HEADER_BYTES + self->header.payload_bytes;
    at[0] = (uint8_t)(entry_bytes >> 8);
    at[1] = (uint8_t)entry_bytes;
    memcpy(at + 2, stamp, stamp_bytes);
    memcpy(at + 2 + stamp_bytes, rest, rest_bytes);
    self->header.payload_bytes += 2 + entry_bytes;
    self->header.entry_count++;
}

void wal_add_private(struct wal *self, uint32_t entry_offset, const uint8_t sha256[HASH_BYTES],
                     const struct wal_run *runs, uint32_t runs_count)
{
    uint32_t bytes_count = 0;
    for (uint32_t i = 0; i < runs_count; i++) {
        must(runs[i].bytes_count <= WAL_PRIVATE_BYTES_MAX - bytes_count);
        bytes_count += runs[i].bytes_count;
    }
    must(entry_offset < self->header.entry_count);
    must(WAL_PRIVATE_HEADER_BYTES + bytes_count <=
         WAL_PAYLOAD_BYTES_MAX - self->header.payload_bytes);
    uint8_t *at = self->group + WAL_GROUP_HEADER_BYTES + self->header.payload_bytes;
    wal_put_u32(at, entry_offset);
    wal_put_u32(at + 4, bytes_count);
    memcpy(at + 8, sha256, HASH_BYTES);
    at += WAL_PRIVATE_HEADER_BYTES;
    for (uint32_t i = 0; i < runs_count; i++) {
        if (runs[i].bytes_count > 0) {
            memcpy(at, runs[i].bytes, runs[i].bytes_count);
            at += runs[i].bytes_count;
        }
    }
    self->header.payload_bytes += WAL_PRIVATE_HEADER_BYTES + bytes_count;
    self->header.flags |= WAL_FLAG_PRIVATE;
}

/* Both copies have done the same, the first one with err: one without the other is no promise, and
 * going on with one alone would be a decision that nobody took. */
static struct err wal_join(struct wal *self, struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (self->copy == NULL) {
        return err;
    }
    struct err second = wal_copy_wait(self->copy);
    if (err_is(err)) {
        diag_err(mirror, "copy=first reason=\"%s\"", err_text(err, text));
    }
    if (err_is(second)) {
        diag_err(mirror, "copy=second reason=\"%s\"", err_text(second, text));
    }
    return err_is(err) ? err : second;
}

/* The group does not fit any more: go on in a new segment. The old one keeps its zeros at the end.
 */
static struct err wal_change_segment(struct wal *self)
{
    struct wal_segment_header header = {
        .segment_number = self->end.next_segment,
        .first_index = self->end.size,
        .created_ns = clock_utc_ns(),
    };
    memcpy(header.origin_sha256, self->origin_sha256, HASH_BYTES);
    merkle_range_root(&self->end.range, header.root);
    random_bytes(header.salt, sizeof header.salt);
    int fd = -1;
    if (self->copy != NULL) {
        wal_copy_take(self->copy, &header);
    }
    struct err err = wal_join(self, wal_spare_take(self->spare, &header, &fd));
    if (err_is(err)) {
        if (fd >= 0) {
            (void)close(fd); /* nothing but the header was written */
        }
        return err;
    }
    off_t segment_bytes = lseek(fd, 0, SEEK_END);
    if (segment_bytes < (off_t)(WAL_BLOCK_BYTES + WAL_GROUP_BYTES_MAX)) {
        err = segment_bytes < 0 ? err_os(ERR_IO, "measure segment")
                                : err_make(ERR_WAL_WRITE, "segment is shorter than it was made");
        (void)close(fd);
        return err;
    }
    if (self->segment_fd >= 0) {
        (void)close(self->segment_fd);
    }
    self->segment_fd = fd;
    self->segment_number = header.segment_number;
    self->end.next_segment++;
    self->end.has_segment = true;
    self->end.first_index = header.first_index;
    self->end.offset = WAL_BLOCK_BYTES;
    self->end.segment_bytes = (uint64_t)segment_bytes;
    memcpy(self->end.salt, header.salt, WAL_SALT_BYTES);
    return err_none;
}

void wal_roll(struct wal *self)
{
    struct wal_end *end = &self->end;
    if (end->has_segment && end->offset > WAL_BLOCK_BYTES) {
        end->offset = end->segment_bytes + WAL_BLOCK_BYTES; /* no group fits */
    }
}

struct err wal_commit(struct wal *self, uint64_t *span_bytes)
{
    struct wal_end *end = &self->end;
    struct wal_group_header *header = &self->header;
    uint64_t span = wal_group_span(header->payload_bytes);
    if (!end->has_segment || end->offset > end->segment_bytes ||
        span > end->segment_bytes - end->offset) {
        struct err err = wal_change_segment(self);
        if (err_is(err)) {
            return err;
        }
    }
    header->group_number = end->next_group;
    header->first_index = end->size;
    memcpy(header->salt, end->salt, WAL_GROUP_SALT_BYTES);
    memcpy(header->previous, end->previous, WAL_CHAIN_BYTES);
    must(wal_group_seal(header, self->group) == span);
    sha256_reset(self->sha256);
    sha256_add(self->sha256, self->group, WAL_GROUP_HEADER_BYTES + (size_t)header->payload_bytes);
    struct wal_slot slot = {
        end->next_group, self->segment_number, end->offset, end->size + header->entry_count, {0}};
    sha256_finish(self->sha256, slot.hash);

    if (self->copy != NULL) {
        wal_copy_group(self->copy, self->group, (size_t)span, end->offset);
    }
    struct err err =
        wal_join(self, durable_write_at(self->segment_fd, self->group, (size_t)span, end->offset));
    /* If the machine stops here, the group may be whole, torn or absent, and nobody was told of it:
     * recovery keeps it when it is whole and cuts it when it is not. */
    if (!err_is(err) && self->copy != NULL) { /* a slot in one copy: the group is in both */
        wal_copy_slot(self->copy, &slot);
    }
    if (!err_is(err)) {
        err = wal_join(self, commit_index_write(self->index, &slot));
    }
    if (err_is(err)) {
        err.code = err.code == ERR_IO ? ERR_WAL_WRITE : err.code; /* a full disk keeps its name */
        return err;
    }
    end->next_group++;
    end->offset += span;
    end->size = slot.next_index;
    memcpy(end->previous, slot.hash, HASH_BYTES);
    *span_bytes = span;
    return err_none;
}

void wal_settle(struct wal *self)
{
    const struct wal_group_header *header = &self->header;
    struct wal_cursor cursor;
    struct wal_piece piece;
    must(wal_cursor_open(self->group + WAL_GROUP_HEADER_BYTES, header->payload_bytes,
                         header->entry_count, header->flags, &cursor) == WAL_GOOD);
    while (wal_cursor_next(&cursor, &piece)) {
        uint8_t leaf[HASH_BYTES];
        merkle_leaf(piece.bytes, piece.bytes_count, leaf);
        merkle_range_append(&self->end.range, leaf);
    }
    must(self->end.range.size == self->end.size - self->end.first_n);
    self->header = (struct wal_group_header){0};
}
