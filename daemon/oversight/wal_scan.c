/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/wal_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable.h"
#include "oversight/wal_segment.h"

/* Reads go in runs of up to BUFFER_BYTES, so that a scan costs one system call a megabyte, but
 * never past extent_end plus a little: a reader at the live end must not drag two megabytes of
 * zeros with every poll. */

#define BUFFER_BYTES 2097152u
#define READ_BYTES_MIN 16384u

struct err wal_scan_open(const char *wal_directory, struct wal_scan *out)
{
    struct wal_scan self = {.directory_fd = -1, .segment_fd = -1};
    self.directory_fd = open(wal_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self.directory_fd < 0) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    self.buffer = aligned_alloc(WAL_BLOCK_BYTES, BUFFER_BYTES);
    if (self.buffer == NULL) {
        (void)close(self.directory_fd);
        return err_make(ERR_MEMORY, "wal_scan_open");
    }
    self.sha256 = sha256_open();
    *out = self;
    return err_none;
}

void wal_scan_close(struct wal_scan *self)
{
    if (self->segment_fd >= 0) {
        (void)close(self->segment_fd); /* read only, as the directory */
    }
    if (self->directory_fd >= 0) {
        (void)close(self->directory_fd);
    }
    free(self->buffer);
    if (self->sha256 != NULL) {
        sha256_close(&self->sha256);
    }
    *self = (struct wal_scan){.directory_fd = -1, .segment_fd = -1};
}

void wal_scan_leave(struct wal_scan *self)
{
    if (self->segment_fd >= 0) {
        (void)close(self->segment_fd); /* read only */
        self->segment_fd = -1;
    }
    wal_scan_forget(self);
    wal_scan_drop(self);
}

void wal_scan_forget(struct wal_scan *self)
{
    self->group_known = false;
    self->chain_known = false;
}

void wal_scan_drop(struct wal_scan *self)
{
    self->buffer_bytes = 0;
}

void wal_scan_move(struct wal_scan *self, uint64_t offset, uint64_t group_number,
                   uint64_t first_index)
{
    must(self->segment_fd >= 0 && offset % WAL_BLOCK_BYTES == 0 && offset >= WAL_BLOCK_BYTES);
    self->offset = offset;
    self->next_group = group_number;
    self->next_index = first_index;
    self->group_known = true;
    self->chain_known = false;
}

/* Header of a segment file just opened, through the scan's buffer (which is dropped). */
static struct err scan_read_header(struct wal_scan *self, int fd, uint64_t first_index,
                                   struct wal_segment_header *out, uint64_t *segment_bytes)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return err_os(ERR_IO, "stat segment");
    }
    if (!S_ISREG(status.st_mode) || status.st_size < (off_t)WAL_BLOCK_BYTES) {
        return err_make(ERR_WAL_DAMAGED, "segment is cut short");
    }
    wal_scan_drop(self);
    struct err err = durable_read_at(fd, self->buffer, WAL_BLOCK_BYTES, 0);
    if (err_is(err)) {
        return err;
    }
    struct wal_segment_header header;
    if (wal_segment_header_decode(self->buffer, WAL_BLOCK_BYTES, &header) != WAL_GOOD ||
        header.first_index != first_index) {
        return err_make(ERR_WAL_DAMAGED, "segment header");
    }
    *out = header;
    *segment_bytes = (uint64_t)status.st_size / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    return err_none;
}

struct err wal_scan_enter(struct wal_scan *self, uint64_t first_index)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    wal_segment_name(first_index, name);
    int fd = -1;
    struct err err = wal_open_direct(self->directory_fd, name, O_RDONLY, &fd, NULL);
    if (err_is(err)) {
        return err.os_errno == ENOENT ? err_make(ERR_NOT_FOUND, "open segment") : err;
    }
    struct wal_segment_header header;
    uint64_t segment_bytes = 0;
    err = scan_read_header(self, fd, first_index, &header, &segment_bytes);
    bool follows = self->segment_fd >= 0 && self->group_known;
    if (!err_is(err) && follows && header.segment_number != self->segment.segment_number + 1) {
        err = err_make(ERR_WAL_DAMAGED, "segment number");
    }
    if (err_is(err)) {
        (void)close(fd);
        return err;
    }
    if (self->segment_fd >= 0) {
        (void)close(self->segment_fd);
    }
    self->segment_fd = fd;
    self->segment = header;
    self->segment_bytes = segment_bytes;
    self->offset = WAL_BLOCK_BYTES;
    self->next_index = first_index;
    self->extent_end = segment_bytes;
    if (first_index == 0) { /* the one group whose number and predecessor are known beforehand */
        self->next_group = 0;
        self->group_known = true;
        self->chain_known = true;
        memset(self->previous, 0, HASH_BYTES);
    }
    return err_none;
}

struct err wal_scan_bytes(struct wal_scan *self, uint64_t offset, uint64_t bytes_count,
                          const uint8_t **out)
{
    must(offset % WAL_BLOCK_BYTES == 0 && bytes_count > 0 && bytes_count <= WAL_GROUP_BYTES_MAX);
    if (offset > self->segment_bytes || bytes_count > self->segment_bytes - offset) {
        *out = NULL;
        return err_none;
    }
    bool inside = offset >= self->buffer_offset &&
                  offset - self->buffer_offset <= self->buffer_bytes &&
                  bytes_count <= self->buffer_bytes - (offset - self->buffer_offset);
    if (!inside) {
        uint64_t ahead = self->extent_end > offset ? self->extent_end - offset : 0;
        uint64_t run = ahead > bytes_count ? ahead : bytes_count;
        run = run < READ_BYTES_MIN ? READ_BYTES_MIN : run;
        run = run > BUFFER_BYTES ? BUFFER_BYTES : run;
        run = run > self->segment_bytes - offset ? self->segment_bytes - offset : run;
        run = (run + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
        self->buffer_bytes = 0;
        struct err err = durable_read_at(self->segment_fd, self->buffer, (size_t)run, offset);
        if (err_is(err)) {
            return err;
        }
        self->buffer_offset = offset;
        self->buffer_bytes = run;
    }
    *out = self->buffer + (offset - self->buffer_offset);
    return err_none;
}

struct err wal_scan_peek(struct wal_scan *self, struct wal_group_header *out, enum wal_fault *fault)
{
    const uint8_t *bytes = NULL;
    struct err err = wal_scan_bytes(self, self->offset, WAL_BLOCK_BYTES, &bytes);
    if (err_is(err)) {
        return err;
    }
    if (bytes == NULL) {
        *fault = WAL_BLANK; /* the segment is full */
        return err_none;
    }
    struct wal_group_header header;
    enum wal_fault found = wal_group_header_decode(bytes, WAL_BLOCK_BYTES, &header);
    if (found == WAL_GOOD &&
        (memcmp(header.salt, self->segment.salt, WAL_GROUP_SALT_BYTES) != 0 ||
         (self->group_known && header.group_number != self->next_group) ||
         header.first_index != self->next_index ||
         (self->chain_known && memcmp(header.previous, self->previous, WAL_CHAIN_BYTES) != 0))) {
        found = WAL_BROKEN;
    }
    if (found == WAL_GOOD &&
        wal_group_span(header.payload_bytes) > self->segment_bytes - self->offset) {
        found = WAL_CUT;
    }
    if (found == WAL_GOOD) {
        *out = header;
    }
    *fault = found;
    return err_none;
}

struct err wal_scan_load(struct wal_scan *self, struct wal_group *out, enum wal_fault *fault)
{
    struct wal_group group;
    struct err err = wal_scan_peek(self, &group.header, fault);
    if (err_is(err) || *fault != WAL_GOOD) {
        return err;
    }
    const uint8_t *bytes = NULL;
    err = wal_scan_bytes(self, self->offset, wal_group_span(group.header.payload_bytes), &bytes);
    if (err_is(err)) {
        return err;
    }
    must(bytes != NULL); /* peek compared the span with the segment */
    group.payload = bytes + WAL_GROUP_HEADER_BYTES;
    struct wal_cursor cursor;
    if (wal_crc32c(group.payload, group.header.payload_bytes) != group.header.payload_crc) {
        *fault = WAL_BROKEN;
        return err_none;
    }
    *fault = wal_cursor_open(group.payload, group.header.payload_bytes, group.header.entry_count,
                             group.header.flags, &cursor);
    if (*fault != WAL_GOOD) {
        return err_none;
    }
    sha256_reset(self->sha256);
    sha256_add(self->sha256, bytes, WAL_GROUP_HEADER_BYTES + (size_t)group.header.payload_bytes);
    sha256_finish(self->sha256, group.hash);
    *out = group;
    return err_none;
}

void wal_scan_skip(struct wal_scan *self, const struct wal_group_header *header)
{
    self->offset += wal_group_span(header->payload_bytes);
    self->next_index = header->first_index + header->entry_count;
    self->next_group = header->group_number + 1;
    self->group_known = true;
    self->chain_known = false;
}

void wal_scan_advance(struct wal_scan *self, const struct wal_group *group)
{
    wal_scan_skip(self, &group->header);
    memcpy(self->previous, group->hash, HASH_BYTES);
    self->chain_known = true;
}
