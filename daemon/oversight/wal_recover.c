/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable.h"
#include "oversight/commit_index.h"
#include "oversight/wal.h"
#include "oversight/wal_removed.h"
#include "oversight/wal_scan.h"
#include "oversight/wal_segment.h"

/* What was promised is never repaired: a promised group that does not read back, a hole, or a log
 * that lacks what was signed stops the start, and a person decides. Only a tail behind the last
 * promised group is cut, because nobody was told that it exists. The table of cases is in
 * FORMAT.md, section 5. */

struct recovery {
    const struct wal_recover_conf *conf;
    const struct shard *shard;          /* whose tree range is */
    const struct checkpoint *is_signed; /* of that tree */
    struct wal_scan scan;
    struct commit_index *index;
    struct wal_slot newest; /* valid with any */
    bool any;
    bool newest_seen;
    bool signed_seen;
    uint64_t groups_behind; /* whole groups found behind the newest slot */
    struct wal_slot last;   /* describes the last whole group; valid with has_last */
    bool has_last;
    struct merkle_range range;
};

/* n of the entry whose leaf the tree takes next. */
static uint64_t recovery_next(const struct recovery *self)
{
    return self->shard->first_n + self->range.size;
}

static struct err recovery_check_signed(struct recovery *self)
{
    const struct checkpoint *is_signed = self->is_signed;
    if (is_signed == NULL || self->range.size != is_signed->size) {
        return err_none;
    }
    uint8_t root[HASH_BYTES];
    merkle_range_root(&self->range, root);
    if (!hash_equal(root, is_signed->root)) {
        return err_make(ERR_LOG_ROLLED_BACK, "root of the signed size differs");
    }
    self->signed_seen = true;
    return err_none;
}

/* Take the leaves of a group that the tree does not have yet. */
static struct err recovery_take_leaves(struct recovery *self, const struct wal_group *group)
{
    struct wal_cursor cursor;
    struct wal_piece piece;
    const struct wal_group_header *header = &group->header;
    must(wal_cursor_open(group->payload, header->payload_bytes, header->entry_count, header->flags,
                         &cursor) == WAL_GOOD);
    while (wal_cursor_next(&cursor, &piece)) {
        if (header->first_index + cursor.entry_offset - 1 < recovery_next(self)) {
            continue;
        }
        uint8_t leaf[HASH_BYTES];
        merkle_leaf(piece.bytes, piece.bytes_count, leaf);
        merkle_range_append(&self->range, leaf);
        struct err err = recovery_check_signed(self);
        if (err_is(err)) {
            return err;
        }
    }
    return err_none;
}

static struct err recovery_take_group(struct recovery *self, const struct wal_group *group)
{
    struct wal_slot found = {
        .group_number = group->header.group_number,
        .segment_number = self->scan.segment.segment_number,
        .offset = self->scan.offset,
        .next_index = group->header.first_index + group->header.entry_count,
    };
    memcpy(found.hash, group->hash, HASH_BYTES);
    const struct shards *shards = self->conf->shards;
    if (found.next_index >
        shards_end(shards, shards_find(shards, self->scan.segment.first_index))) {
        return err_make(ERR_WAL_DAMAGED, "a closed shard goes on");
    }
    if (self->any && found.group_number == self->newest.group_number) {
        if (found.segment_number != self->newest.segment_number ||
            found.offset != self->newest.offset || found.next_index != self->newest.next_index ||
            !hash_equal(found.hash, self->newest.hash)) {
            return err_make(ERR_WAL_DAMAGED, "group differs from its commit slot");
        }
        self->newest_seen = true;
    }
    if (!self->any || found.group_number > self->newest.group_number) {
        self->groups_behind++;
    }
    self->last = found;
    self->has_last = true;
    return recovery_take_leaves(self, group);
}

/* Every whole group of this segment, until the first place that holds none. */
static struct err recovery_walk_segment(struct recovery *self, enum wal_fault *fault)
{
    for (;;) { /* each round moves at least a block on in a file of known length */
        struct wal_group group;
        struct err err = wal_scan_load(&self->scan, &group, fault);
        if (err_is(err) || *fault != WAL_GOOD) {
            return err;
        }
        err = recovery_take_group(self, &group);
        if (err_is(err)) {
            return err;
        }
        wal_scan_advance(&self->scan, &group);
    }
}

/* A segment of the shard behind the one at hand: that one must be whole and its final checkpoint
 * the newest signed one, because the list of shards names a successor only after both. */
static struct err recovery_turn(struct recovery *self, const struct shard *next)
{
    if (next != self->shard + 1 || recovery_next(self) != next->first_n) {
        return err_make(ERR_WAL_DAMAGED, "shard ends before the next one begins");
    }
    if (self->is_signed == NULL || self->is_signed->size != self->range.size) {
        return err_make(ERR_LOG_ROLLED_BACK, "end of a closed shard was never signed");
    }
    must(self->signed_seen); /* or the root would have differed */
    self->shard = next;
    self->is_signed = NULL;
    merkle_range_init(&self->range);
    return err_none;
}

static struct err recovery_enter(struct recovery *self, uint64_t first_index)
{
    struct err err = wal_scan_enter(&self->scan, first_index);
    if (err_is(err)) {
        return err;
    }
    uint8_t origin_sha256[HASH_BYTES];
    const struct shard *shard = shards_find(self->conf->shards, first_index);
    sha256_of(shard->origin, strlen(shard->origin), origin_sha256);
    if (!hash_equal(self->scan.segment.origin_sha256, origin_sha256)) {
        return err_make(ERR_WAL_DAMAGED, "segment of another log");
    }
    if (shard > self->shard) {
        err = recovery_turn(self, shard);
    }
    if (!err_is(err) && first_index == recovery_next(self)) {
        uint8_t root[HASH_BYTES];
        merkle_range_root(&self->range, root);
        if (!hash_equal(root, self->scan.segment.root)) {
            return err_make(ERR_WAL_DAMAGED, "root in segment header differs");
        }
    }
    return err;
}

/* The log begins with the first segment, or where wal/removed says that it begins. */
static struct err recovery_check_first(const struct recovery *self, DIR *listing)
{
    struct wal_removed removed;
    uint64_t first_index = 0;
    bool found = false;
    struct err err = wal_removed_read(self->conf->wal_directory, &removed);
    if (!err_is(err)) {
        err = wal_segment_find(listing, removed.first_index, &first_index, &found);
    }
    return err_is(err) || (found && first_index == removed.first_index)
               ? err
               : err_make(ERR_WAL_DAMAGED, "first segment is missing");
}

/* From the segment that holds the first leaf wanted to the end of the last segment. */
static struct err recovery_walk(struct recovery *self, DIR *listing, enum wal_fault *fault)
{
    uint64_t first_index = 0;
    uint64_t last_index = 0;
    bool found = false;
    struct err err = recovery_check_first(self, listing);
    if (!err_is(err)) {
        err = wal_segment_find(listing, UINT64_MAX, &last_index, &found);
    }
    if (!err_is(err) && found) {
        /* One entry earlier than the first leaf wanted: the last segment may still be empty, and
         * the group before it is needed for its number and hash. */
        uint64_t next = recovery_next(self);
        uint64_t wanted = next > 0 ? next - 1 : 0;
        err = wal_segment_find(listing, wanted, &first_index, &found);
    }
    if (!err_is(err) && !found) {
        err = err_make(ERR_WAL_DAMAGED, "first segment is missing");
    }
    if (!err_is(err)) {
        err = recovery_enter(self, first_index);
    }
    while (!err_is(err)) { /* each round enters a segment with a higher first_index */
        err = recovery_walk_segment(self, fault);
        if (err_is(err) || self->scan.segment.first_index == last_index) {
            return err;
        }
        if (*fault != WAL_BLANK || self->scan.next_index == self->scan.segment.first_index) {
            return err_make(ERR_WAL_DAMAGED, "segment ends before the next one begins");
        }
        err = recovery_enter(self, self->scan.next_index);
        if (err.code == ERR_NOT_FOUND) {
            err = err_make(ERR_WAL_DAMAGED, "hole between segments");
        }
    }
    return err;
}

/* What lies behind the last whole group: *torn_bytes up to the last byte written, rounded to
 * blocks; 0 when nothing. */
static struct err recovery_measure_tail(struct recovery *self, uint64_t *torn_bytes)
{
    uint64_t end = 0;
    for (uint64_t offset = self->scan.offset; offset < self->scan.segment_bytes;
         offset += WAL_BLOCK_BYTES) {
        const uint8_t *block = NULL;
        struct err err = wal_scan_bytes(&self->scan, offset, WAL_BLOCK_BYTES, &block);
        if (err_is(err)) {
            return err;
        }
        must(block != NULL);
        struct wal_group_header header;
        if (offset > self->scan.offset &&
            wal_group_header_decode(block, WAL_BLOCK_BYTES, &header) == WAL_GOOD &&
            memcmp(header.salt, self->scan.segment.salt, WAL_GROUP_SALT_BYTES) == 0) {
            return err_make(ERR_WAL_DAMAGED, "hole before a later group");
        }
        bool blank = block[0] == 0 && memcmp(block, block + 1, WAL_BLOCK_BYTES - 1) == 0;
        end = blank ? end : offset + WAL_BLOCK_BYTES;
    }
    *torn_bytes = end > self->scan.offset ? end - self->scan.offset : 0;
    /* One group is on its way at a time: more than one group's worth was not left by a crash. */
    return *torn_bytes > WAL_GROUP_BYTES_MAX
               ? err_make(ERR_WAL_DAMAGED, "more than one group is torn")
               : err_none;
}

/* Save the torn bytes, then zero their place. The name ends in ".pending" until a wal.recovered
 * entry tells of it. */
static struct err recovery_cut_tail(struct recovery *self, uint64_t torn_bytes, int segment_fd)
{
    char name[64];
    char path[DURABLE_PATH_BYTES];
    const uint8_t *torn = NULL;
    (void)snprintf(name, sizeof name, "torn-%020" PRId64 ".pending", clock_utc_ns());
    struct err err = wal_path(self->conf->wal_directory, name, path);
    if (!err_is(err)) {
        err = wal_scan_bytes(&self->scan, self->scan.offset, torn_bytes, &torn);
    }
    if (!err_is(err)) {
        err = durable_replace(path, torn, (size_t)torn_bytes, 0600);
    }
    if (err_is(err)) {
        return err;
    }
    uint8_t *zeros = aligned_alloc(WAL_BLOCK_BYTES, (size_t)torn_bytes);
    if (zeros == NULL) {
        return err_make(ERR_MEMORY, "wal_recover");
    }
    memset(zeros, 0, (size_t)torn_bytes);
    err = durable_write_at(segment_fd, zeros, (size_t)torn_bytes, self->scan.offset);
    free(zeros);
    return err;
}

/* The end is known. Cut what is torn, and make durable what a crash may have left in the disk's
 * cache only: the last whole group when its slot is missing was read, but never waited for. */
static struct err recovery_settle(struct recovery *self, uint64_t torn_bytes)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    wal_segment_name(self->scan.segment.first_index, name);
    int fd = -1;
    struct err err = wal_open_direct(self->scan.directory_fd, name, O_RDWR | O_DSYNC, &fd, NULL);
    if (err_is(err)) {
        return err;
    }
    if (torn_bytes > 0) {
        err = recovery_cut_tail(self, torn_bytes, fd);
    }
    if (!err_is(err)) {
        err = durable_sync(fd);
    }
    if (!err_is(err)) { /* the name of a segment whose maker was killed before it could */
        err = durable_sync_directory(self->conf->wal_directory);
    }
    if (!err_is(err)) { /* its newest slot, likewise: without it the next group would be the second
                           one behind what is promised */
        err = commit_index_sync(self->index);
    }
    if (close(fd) != 0 && !err_is(err)) {
        err = err_os(ERR_IO, "close segment");
    }
    if (!err_is(err) && self->groups_behind == 1) {
        err = commit_index_write(self->index, &self->last);
    }
    return err;
}

static struct err recovery_judge(struct recovery *self, enum wal_fault fault, uint64_t *torn_bytes)
{
    if (self->any && !self->newest_seen) {
        return err_make(ERR_WAL_DAMAGED, "promised group is unreadable");
    }
    struct err err = recovery_measure_tail(self, torn_bytes);
    if (err_is(err)) {
        return err;
    }
    must(fault != WAL_GOOD);
    if (self->groups_behind > 1) {
        return err_make(ERR_WAL_DAMAGED, "commit index is behind the groups");
    }
    if (self->is_signed != NULL && !self->signed_seen) {
        return err_make(ERR_LOG_ROLLED_BACK, "log is shorter than what was signed");
    }
    uint64_t end = shards_end(self->conf->shards, self->shard);
    if (end != UINT64_MAX && recovery_next(self) != end) {
        return err_make(ERR_LOG_ROLLED_BACK, "log is shorter than the list of shards says");
    }
    return err_none;
}

static void recovery_tell(const struct recovery *self, uint64_t torn_bytes, struct wal_end *out)
{
    const struct wal_scan *scan = &self->scan;
    *out = (struct wal_end){
        .size = recovery_next(self),
        .shard_index = (uint32_t)(self->shard - self->conf->shards->list),
        .first_n = self->shard->first_n,
        .next_group = self->has_last ? self->last.group_number + 1 : 0,
        .next_segment = scan->segment.segment_number + 1,
        .range = self->range,
        .has_segment = true,
        .first_index = scan->segment.first_index,
        .offset = scan->offset,
        .segment_bytes = scan->segment_bytes,
        .torn_bytes = torn_bytes,
    };
    memcpy(out->salt, scan->segment.salt, WAL_SALT_BYTES);
    if (self->has_last) {
        memcpy(out->previous, self->last.hash, HASH_BYTES);
    }
}

static struct err recovery_run(struct recovery *self, DIR *listing, struct wal_end *out)
{
    if (self->conf->known != NULL) {
        self->range = *self->conf->known;
    } else {
        merkle_range_init(&self->range);
    }
    struct err err = commit_index_newest(self->index, &self->newest, &self->any);
    if (!err_is(err)) {
        err = recovery_check_signed(self);
    }
    enum wal_fault fault = WAL_BLANK;
    uint64_t torn_bytes = 0;
    if (!err_is(err)) {
        err = recovery_walk(self, listing, &fault);
    }
    if (!err_is(err)) {
        err = recovery_judge(self, fault, &torn_bytes);
    }
    if (!err_is(err)) {
        err = recovery_settle(self, torn_bytes);
    }
    if (!err_is(err)) {
        recovery_tell(self, torn_bytes, out);
    }
    return err;
}

struct err wal_recover(const struct wal_recover_conf *conf, struct wal_end *out)
{
    struct recovery *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "wal_recover");
    }
    self->conf = conf;
    must(conf->shard_index < conf->shards->count && conf->shards->count - conf->shard_index <= 2);
    self->shard = &conf->shards->list[conf->shard_index];
    self->is_signed = conf->is_signed;
    DIR *listing = opendir(conf->wal_directory);
    struct err err = listing == NULL ? err_os(ERR_IO, "open write-ahead log") : err_none;
    if (!err_is(err)) {
        self->scan = (struct wal_scan){.directory_fd = -1, .segment_fd = -1};
        err = wal_scan_open(conf->wal_directory, &self->scan);
        if (!err_is(err)) {
            err = commit_index_open(conf->wal_directory, true, &self->index);
        }
        if (!err_is(err)) {
            err = recovery_run(self, listing, out);
        }
        commit_index_close(&self->index);
        wal_scan_close(&self->scan);
        (void)closedir(listing);
    }
    free(self);
    return err;
}
