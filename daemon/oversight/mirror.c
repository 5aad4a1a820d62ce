/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/mirror_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/durable.h"
#include "oversight/wal_segment.h"

/* Both copies are walked side by side up to the newest group that was promised: once to see that
 * everything is whole in at least one of them and that they do not contradict each other, and only
 * then, if anything is missing, once more to write it. So a case that stops has changed nothing.
 * Each copy may be damaged in other places. */

static struct err mirror_open_file(const struct mirror *self, int copy, const char *name, int flags,
                                   int *fd)
{
    return wal_open_direct(self->scan[copy].directory_fd, name, flags, fd, NULL);
}

/* Something that the copy lacks; written in the second walk. */
static struct err mirror_write(struct mirror *self, int copy, const uint8_t *bytes,
                               size_t bytes_count, uint64_t offset)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    int fd = -1;
    self->missing++;
    if (!self->repairs) {
        return err_none;
    }
    wal_segment_name(self->scan[copy].segment.first_index, name);
    if (!self->quiet) {
        diag_warn(mirror, "repaired=%s segment=%s offset=%" PRIu64 " bytes=%zu",
                  MIRROR_COPY_NAME(copy), name, offset, bytes_count);
    }
    struct err err = mirror_open_file(self, copy, name, O_RDWR | O_DSYNC, &fd);
    if (!err_is(err)) {
        err = durable_write_at(fd, bytes, bytes_count, offset);
        err = err_is(err) ? err : durable_sync(fd);
        (void)close(fd); /* synced */
    }
    wal_scan_drop(&self->scan[copy]);
    return err;
}

struct mirror_file {
    int fd; /* -1: none */
    uint64_t bytes_count;
    bool good; /* the header */
    struct wal_segment_header header;
    uint8_t *block;
};

static struct err mirror_look(const struct mirror *self, int copy, uint64_t first_index,
                              struct mirror_file *out)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    struct stat status;
    wal_segment_name(first_index, name);
    out->fd = -1;
    out->bytes_count = 0;
    out->good = false;
    struct err err = mirror_open_file(self, copy, name, O_RDONLY, &out->fd);
    if (err_is(err)) {
        return err.os_errno == ENOENT ? err_none : err;
    }
    if (fstat(out->fd, &status) != 0) {
        return err_os(ERR_IO, "stat segment");
    }
    out->bytes_count = (uint64_t)status.st_size / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    if (out->bytes_count == 0) {
        return err_none;
    }
    err = durable_read_at(out->fd, out->block, WAL_BLOCK_BYTES, 0);
    out->good = !err_is(err) &&
                wal_segment_header_decode(out->block, WAL_BLOCK_BYTES, &out->header) == WAL_GOOD &&
                out->header.first_index == first_index;
    return err;
}

/* Stand before the first group, whatever this copy's own header says. Takes the descriptor. */
static void mirror_stand(struct wal_scan *scan, struct mirror_file *file,
                         const struct wal_segment_header *header)
{
    if (scan->segment_fd >= 0) {
        (void)close(scan->segment_fd); /* read only */
    }
    scan->segment_fd = file->fd;
    file->fd = -1;
    scan->segment = *header;
    scan->segment_bytes = file->bytes_count;
    scan->offset = WAL_BLOCK_BYTES;
    scan->next_index = header->first_index;
    scan->extent_end = file->bytes_count;
    wal_scan_drop(scan);
    if (header->first_index == 0) {
        scan->next_group = 0;
        scan->group_known = true;
        scan->chain_known = true;
        memset(scan->previous, 0, HASH_BYTES);
    }
}

static struct err mirror_take_whole(struct mirror *self, int copy, uint64_t first_index,
                                    struct mirror_file *file)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    wal_segment_name(first_index, name);
    self->missing++;
    if (!self->repairs) {
        return err_none;
    }
    if (!self->quiet) {
        diag_warn(mirror, "repaired=%s segment=%s file=whole", MIRROR_COPY_NAME(copy), name);
    }
    if (file->fd >= 0) {
        (void)close(file->fd); /* read only */
    }
    struct err err = mirror_copy_file(self->directory[1 - copy], self->directory[copy], name);
    return err_is(err) ? err : mirror_look(self, copy, first_index, file);
}

static struct err mirror_match(struct mirror *self, uint64_t first_index,
                               struct mirror_file files[2])
{
    uint64_t most =
        files[0].bytes_count > files[1].bytes_count ? files[0].bytes_count : files[1].bytes_count;
    if (most < (uint64_t)2 * WAL_BLOCK_BYTES || !(files[0].good || files[1].good)) {
        return err_make(ERR_WAL_DAMAGED, "segment is missing or damaged in both copies");
    }
    if (files[0].good && files[1].good &&
        memcmp(files[0].block, files[1].block, WAL_SEGMENT_HEADER_BYTES) != 0) {
        return err_make(ERR_WAL_DAMAGED, "segments of the two copies differ");
    }
    const struct wal_segment_header header = files[files[0].good ? 0 : 1].header;
    struct err err = err_none;
    for (int copy = 0; !err_is(err) && copy < 2; copy++) {
        if (files[copy].bytes_count < most) {
            err = mirror_take_whole(self, copy, first_index, &files[copy]);
        }
        self->there[copy] = files[copy].bytes_count == most;
        mirror_stand(&self->scan[copy], &files[copy], &header);
    }
    for (int copy = 0; !err_is(err) && copy < 2; copy++) {
        if (self->there[copy] && !files[copy].good) {
            err = mirror_write(self, copy, files[1 - copy].block, WAL_BLOCK_BYTES, 0);
        }
    }
    return err;
}

static struct err mirror_enter(struct mirror *self, uint64_t first_index)
{
    struct mirror_file files[2] = {{.fd = -1}, {.fd = -1}};
    struct err err = err_none;
    for (int copy = 0; !err_is(err) && copy < 2; copy++) {
        files[copy].block = aligned_alloc(WAL_BLOCK_BYTES, WAL_BLOCK_BYTES);
        err = files[copy].block == NULL ? err_make(ERR_MEMORY, "second copy")
                                        : mirror_look(self, copy, first_index, &files[copy]);
    }
    if (!err_is(err)) {
        err = mirror_match(self, first_index, files);
    }
    for (int copy = 0; copy < 2; copy++) {
        if (files[copy].fd >= 0) {
            (void)close(files[copy].fd); /* read only */
        }
        free(files[copy].block);
    }
    return err;
}

static bool mirror_zero(const uint8_t *bytes, uint64_t bytes_count)
{
    return bytes_count == 0 ||
           (bytes[0] == 0 && memcmp(bytes, bytes + 1, (size_t)bytes_count - 1) == 0);
}

/* Behind the last group of a segment that ended: zeros, at least in one copy. */
static struct err mirror_check_rest(struct mirror *self)
{
    struct err err = err_none;
    for (uint64_t at = self->scan[0].offset;
         self->there[0] && self->there[1] && at < self->scan[0].segment_bytes && !err_is(err);
         at += WAL_BLOCK_BYTES) {
        const uint8_t *blocks[2] = {NULL, NULL};
        err = wal_scan_bytes(&self->scan[0], at, WAL_BLOCK_BYTES, &blocks[0]);
        if (!err_is(err)) {
            err = wal_scan_bytes(&self->scan[1], at, WAL_BLOCK_BYTES, &blocks[1]);
        }
        if (err_is(err) || memcmp(blocks[0], blocks[1], WAL_BLOCK_BYTES) == 0) {
            continue;
        }
        int zero = mirror_zero(blocks[0], WAL_BLOCK_BYTES) ? 0 : 1;
        err = mirror_zero(blocks[zero], WAL_BLOCK_BYTES)
                  ? mirror_write(self, 1 - zero, blocks[zero], WAL_BLOCK_BYTES, at)
                  : err_make(ERR_WAL_DAMAGED, "end of a segment differs in the two copies");
    }
    return err;
}

/* A group that is whole in both: the padding behind it is under no checksum. */
static struct err mirror_check_padding(struct mirror *self, const struct wal_group groups[2])
{
    uint32_t used = groups[0].header.payload_bytes;
    uint64_t span = wal_group_span(used);
    const uint8_t *starts[2] = {groups[0].payload - WAL_GROUP_HEADER_BYTES,
                                groups[1].payload - WAL_GROUP_HEADER_BYTES};
    uint64_t padding = span - WAL_GROUP_HEADER_BYTES - used;
    for (int copy = 0; copy < 2; copy++) {
        if (!mirror_zero(groups[copy].payload + used, padding) &&
            mirror_zero(groups[1 - copy].payload + used, padding)) {
            return mirror_write(self, copy, starts[1 - copy], (size_t)span,
                                self->scan[copy].offset);
        }
    }
    return err_none;
}

/* The next group. *ended: there is none in either copy; *last: it was the newest promised one. */
static struct err mirror_step(struct mirror *self, bool *ended, bool *last)
{
    struct wal_group groups[2];
    enum wal_fault faults[2] = {WAL_CUT, WAL_CUT};
    struct err err = err_none;
    for (int copy = 0; !err_is(err) && copy < 2; copy++) {
        if (self->there[copy]) {
            err = wal_scan_load(&self->scan[copy], &groups[copy], &faults[copy]);
        }
    }
    int good = faults[0] == WAL_GOOD ? 0 : 1;
    *ended = faults[good] != WAL_GOOD;
    if (err_is(err) || *ended) {
        return err;
    }
    const struct wal_group group = groups[good];
    *last = group.header.group_number == self->newest.group_number;
    bool both = faults[1 - good] == WAL_GOOD;
    if ((both && !hash_equal(groups[0].hash, groups[1].hash)) ||
        (*last && !hash_equal(group.hash, self->newest.hash))) {
        return err_make(ERR_WAL_DAMAGED, "group differs in the two copies or from its slot");
    }
    if (both) {
        err = mirror_check_padding(self, groups);
    } else if (self->there[1 - good]) {
        err = mirror_write(self, 1 - good, group.payload - WAL_GROUP_HEADER_BYTES,
                           (size_t)wal_group_span(group.header.payload_bytes),
                           self->scan[good].offset);
    }
    wal_scan_advance(&self->scan[0], &group);
    wal_scan_advance(&self->scan[1], &group);
    return err;
}

static struct err mirror_walk(struct mirror *self)
{
    struct err err = err_none;
    bool last = !self->any;
    for (int copy = 0; copy < 2; copy++) {
        wal_scan_leave(&self->scan[copy]);
    }
    if (!err_is(err) && !last) {
        err = mirror_enter(self, self->removed.first_index);
    }
    while (!err_is(err) && !last) { /* each round is a group or a segment further on */
        bool ended = false;
        err = mirror_step(self, &ended, &last);
        if (err_is(err) || !ended) {
            continue;
        }
        uint64_t next = self->scan[0].next_index;
        if (next == self->scan[0].segment.first_index) {
            return err_make(ERR_WAL_DAMAGED, "group is damaged in both copies");
        }
        err = mirror_check_rest(self);
        err = err_is(err) ? err : mirror_enter(self, next);
    }
    return err;
}

static struct err mirror_run(struct mirror *self)
{
    struct err err = err_none;
    for (int copy = 0; !err_is(err) && copy < 2; copy++) {
        err = mirror_load_index(self, copy);
        err = err_is(err) ? err : wal_scan_open(self->directory[copy], &self->scan[copy]);
    }
    if (!err_is(err)) {
        err = mirror_merge_slots(self);
    }
    if (err_is(err) || (self->index[0] == NULL && self->index[1] == NULL)) {
        return err; /* recovery says what it thinks of segments without an index */
    }
    err = mirror_load_removed(self);
    if (!err_is(err)) {
        err = mirror_walk(self);
    }
    if (!err_is(err) && self->missing > 0) {
        self->repairs = true;
        err = mirror_walk(self);
    }
    if (!err_is(err) && self->removed_lost) {
        diag_warn(mirror, "repaired=first file=removed");
        err = wal_removed_write(self->directory[0], &self->removed);
    }
    for (int copy = 0; !err_is(err) && copy < 2; copy++) { /* after the groups they speak of */
        err = mirror_write_slots(self, copy);
    }
    return err;
}

struct err mirror_repair(const char *wal_directory, const char *mirror_directory)
{
    bool empty[2] = {false, false};
    struct err err = mirror_is_empty(wal_directory, &empty[0]);
    if (!err_is(err)) {
        err = mirror_is_empty(mirror_directory, &empty[1]);
    }
    if (!err_is(err) && empty[0] && !empty[1]) { /* another log's, perhaps: a person decides */
        err = err_make(ERR_WAL_DAMAGED, "write-ahead log is empty beside its second copy");
    }
    if (err_is(err) || empty[0]) {
        return err;
    }
    struct mirror *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "second copy");
    }
    self->directory[0] = wal_directory;
    self->directory[1] = mirror_directory;
    self->quiet = empty[1];
    for (int copy = 0; copy < 2; copy++) {
        self->scan[copy] = (struct wal_scan){.directory_fd = -1, .segment_fd = -1};
    }
    err = mirror_run(self);
    if (!err_is(err) && self->quiet) {
        diag_info(mirror, "filled=second");
    }
    for (int copy = 0; copy < 2; copy++) {
        wal_scan_close(&self->scan[copy]);
        free(self->index[copy]);
    }
    free(self);
    return err;
}
