/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "oversight/commit_index.h"
#include "oversight/oversight.h"
#include "oversight/past.h"
#include "oversight/wal_removed.h"
#include "oversight/wal_scan.h"
#include "oversight/wal_segment.h"

/* A reader stops at the newest slot of the commit index: what lies behind has not been promised to
 * anybody and may yet be cut. It therefore never sees a half-written group, and everything
 * unreadable before that slot is damage. Without an open segment the scan stands nowhere, and the
 * next entry wanted says where to enter. */

#define MARKS_MAX 1024u
#define MARK_STEP_BYTES 65536u

/* A group of the open segment that a seek can start from. */
struct mark {
    uint64_t first_index;
    uint64_t group_number;
    uint64_t offset;
};

struct wal_reader {
    struct wal_scan scan;
    struct commit_index *index;
    DIR *listing;
    struct wal_slot newest; /* valid with any */
    bool any;
    struct err failure;     /* once damaged, always: the scan may stand anywhere then */
    uint64_t next_index;    /* what wal_reader_next returns */
    struct wal_group group; /* valid with loaded; the scan still stands before it */
    bool loaded;
    struct wal_cursor cursor;
    struct mark marks[MARKS_MAX]; /* of this segment, ascending */
    uint32_t marks_count;
    struct past *past;      /* NULL: of the write-ahead log alone */
    uint64_t removed_below; /* entries before it are read from past */
    char wal_directory[DURABLE_PATH_BYTES];
};

static struct err reader_reach(struct wal_reader *self, uint64_t entry_index);

/* How much of the beginning is gone by now. */
static struct err reader_learn_removed(struct wal_reader *self)
{
    struct wal_removed removed;
    struct err err = wal_removed_read(self->wal_directory, &removed);
    if (!err_is(err)) {
        self->removed_below = removed.first_index;
    }
    return err;
}

struct err wal_reader_open(const char *wal_directory, struct wal_reader **out)
{
    if (strlen(wal_directory) >= DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "wal_reader_open");
    }
    struct wal_reader *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "wal_reader_open");
    }
    strcpy(self->wal_directory, wal_directory);
    self->scan = (struct wal_scan){.directory_fd = -1, .segment_fd = -1};
    struct err err = wal_scan_open(wal_directory, &self->scan);
    if (!err_is(err)) {
        err = commit_index_open(wal_directory, false, &self->index);
    }
    if (!err_is(err)) {
        self->listing = opendir(wal_directory);
        if (self->listing == NULL) {
            err = err_os(ERR_IO, "open write-ahead log");
        }
    }
    if (!err_is(err)) {
        err = reader_learn_removed(self);
    }
    if (err_is(err)) {
        wal_reader_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

struct err wal_reader_open_store(const struct wal_places *places, struct wal_reader **out)
{
    struct wal_reader *self = NULL;
    struct err err = wal_reader_open(places->wal_directory, &self);
    if (!err_is(err)) {
        err = past_open(places->log_directory, places->packs_directory, &self->past);
    }
    if (err_is(err)) {
        wal_reader_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void wal_reader_close(struct wal_reader **self)
{
    if (*self == NULL) {
        return;
    }
    if ((*self)->listing != NULL) {
        (void)closedir((*self)->listing);
    }
    commit_index_close(&(*self)->index);
    wal_scan_close(&(*self)->scan);
    past_close(&(*self)->past);
    free(*self);
    *self = NULL;
}

/* Where reading ahead may go in this segment. */
static void reader_set_extent(struct wal_reader *self)
{
    bool in_newest = self->scan.segment_fd >= 0 &&
                     self->scan.segment.segment_number == self->newest.segment_number;
    self->scan.extent_end =
        in_newest ? self->newest.offset + WAL_BLOCK_BYTES : self->scan.segment_bytes;
}

/* Has more been promised? Called only when everything promised so far was read or skipped. */
static struct err reader_poll(struct wal_reader *self)
{
    if (self->any) {
        bool moved = false;
        struct err err = commit_index_moved(self->index, self->newest.group_number, &moved);
        if (err_is(err) || !moved) {
            return err;
        }
    }
    struct err err = commit_index_newest(self->index, &self->newest, &self->any);
    wal_scan_drop(&self->scan);
    reader_set_extent(self);
    return err;
}

static bool reader_has_promised(const struct wal_reader *self)
{
    return self->any && self->newest.next_index > self->scan.next_index;
}

static void reader_mark(struct wal_reader *self, const struct wal_group_header *header)
{
    bool first = self->marks_count == 0;
    if (first ||
        (self->marks_count < MARKS_MAX &&
         self->scan.offset >= self->marks[self->marks_count - 1].offset + MARK_STEP_BYTES)) {
        self->marks[self->marks_count++] =
            (struct mark){header->first_index, header->group_number, self->scan.offset};
    }
}

static struct err reader_enter(struct wal_reader *self, uint64_t first_index)
{
    struct err err = wal_scan_enter(&self->scan, first_index);
    if (!err_is(err)) {
        self->marks_count = 0;
        reader_set_extent(self);
    }
    return err;
}

/* Stand nowhere; the next load enters where next_index lies. */
static void reader_leave(struct wal_reader *self)
{
    wal_scan_leave(&self->scan);
    self->scan.next_index = self->next_index;
    self->marks_count = 0;
    self->loaded = false;
}

/* The segment wanted is not there: taken away on purpose since we last looked, or lost. */
static struct err reader_miss(struct wal_reader *self, const char *where)
{
    struct err err = reader_learn_removed(self);
    if (err_is(err)) {
        return err;
    }
    if (self->past == NULL || self->next_index >= self->removed_below) {
        return err_make(ERR_WAL_DAMAGED, where);
    }
    reader_leave(self);
    return err_none;
}

void wal_reader_rest(struct wal_reader *self)
{
    reader_leave(self);
    if (self->past != NULL) {
        past_rest(self->past);
    }
}

/* The scan found no group where a promised one must follow: it is in the next segment, or it is
 * lost. */
static struct err reader_next_segment(struct wal_reader *self, enum wal_fault fault)
{
    bool fresh = self->scan.offset == WAL_BLOCK_BYTES;
    if (fault != WAL_BLANK || fresh) {
        return err_make(ERR_WAL_DAMAGED, "read group");
    }
    struct err err = reader_enter(self, self->scan.next_index);
    return err.code == ERR_NOT_FOUND ? reader_miss(self, "next segment is missing") : err;
}

/* The slot of the newest group must describe that very group. */
static bool reader_slot_agrees(const struct wal_reader *self, const struct wal_group *group)
{
    const struct wal_slot *slot = &self->newest;
    if (group->header.group_number != slot->group_number) {
        return group->header.group_number < slot->group_number;
    }
    return slot->segment_number == self->scan.segment.segment_number &&
           slot->offset == self->scan.offset &&
           slot->next_index == group->header.first_index + group->header.entry_count &&
           hash_equal(slot->hash, group->hash);
}

/* Load the promised group at the scan, crossing into the next segment when this one is done.
 * Nothing is loaded when the entry turns out to be of the past. */
static struct err reader_load(struct wal_reader *self)
{
    struct err err = self->scan.segment_fd < 0 ? reader_reach(self, self->next_index) : err_none;
    if (err_is(err) || self->scan.segment_fd < 0) {
        return err;
    }
    enum wal_fault fault = WAL_BLANK;
    err = wal_scan_load(&self->scan, &self->group, &fault);
    if (!err_is(err) && fault != WAL_GOOD) {
        err = reader_next_segment(self, fault);
        if (!err_is(err) && self->scan.segment_fd < 0) {
            return err_none;
        }
        if (!err_is(err)) {
            err = wal_scan_load(&self->scan, &self->group, &fault);
        }
    }
    if (err_is(err)) {
        return err;
    }
    if (fault != WAL_GOOD || !reader_slot_agrees(self, &self->group)) {
        return err_make(ERR_WAL_DAMAGED, "read group");
    }
    const struct wal_group_header *header = &self->group.header;
    fault = wal_cursor_open(self->group.payload, header->payload_bytes, header->entry_count,
                            header->flags, &self->cursor);
    must(fault == WAL_GOOD); /* the scan checked it */
    reader_mark(self, header);
    self->loaded = true;
    return err_none;
}

static void reader_give(const struct wal_piece *piece, uint64_t entry_index, struct wal_entry *out)
{
    out->entry_index = entry_index;
    out->bytes = piece->bytes;
    out->bytes_count = piece->bytes_count;
    out->private_bytes = piece->private_bytes;
    out->private_count = piece->private_count;
    if (piece->private_bytes != NULL) {
        memcpy(out->private_sha256, piece->private_sha256, HASH_BYTES);
    } else {
        memset(out->private_sha256, 0, HASH_BYTES);
    }
}

static struct err reader_step_past(struct wal_reader *self, struct wal_entry *out, bool *got)
{
    struct err err = past_read(self->past, self->next_index, out);
    if (!err_is(err)) {
        self->next_index++;
        self->scan.next_index = self->next_index; /* the scan stands nowhere: see reader_leave */
        *got = true;
    }
    return err;
}

static struct err reader_step(struct wal_reader *self, struct wal_entry *out, bool *got)
{
    for (;;) { /* a round loads a group or gives an entry of it; groups hold at least one */
        struct wal_piece piece;
        if (self->past != NULL && self->next_index < self->removed_below) {
            return reader_step_past(self, out, got);
        }
        while (self->loaded && wal_cursor_next(&self->cursor, &piece)) {
            uint64_t entry_index = self->group.header.first_index + self->cursor.entry_offset - 1;
            if (entry_index == self->next_index) {
                reader_give(&piece, entry_index, out);
                self->next_index++;
                *got = true;
                return err_none;
            }
            must(entry_index < self->next_index); /* skipped by a seek into the group */
        }
        if (self->loaded) {
            wal_scan_advance(&self->scan, &self->group);
            self->loaded = false;
        }
        if (!reader_has_promised(self)) {
            struct err err = reader_poll(self);
            if (err_is(err)) {
                return err;
            }
            if (!reader_has_promised(self)) {
                *got = false;
                return err_none;
            }
        }
        struct err err = reader_load(self);
        if (err_is(err)) {
            return err;
        }
    }
}

struct err wal_reader_next(struct wal_reader *self, struct wal_entry *out, bool *got)
{
    if (!err_is(self->failure)) {
        struct err err = reader_step(self, out, got);
        if (err.code == ERR_PRUNED) {
            return err; /* no damage: others can be read */
        }
        self->failure = err;
    }
    return self->failure;
}

/* Bring the scan to a group at or before entry_index, in the segment that holds it. */
static struct err reader_approach(struct wal_reader *self, uint64_t entry_index)
{
    uint64_t first_index = 0;
    bool found = false;
    struct err err = wal_segment_find(self->listing, entry_index, &first_index, &found);
    if (err_is(err)) {
        return err;
    }
    if (!found) {
        return err_make(ERR_NOT_FOUND, "segment is missing");
    }
    bool here = self->scan.segment_fd >= 0 && self->scan.segment.first_index == first_index;
    if (!here) {
        wal_scan_forget(&self->scan);
        return reader_enter(self, first_index);
    }
    if (entry_index >= self->scan.next_index) {
        return err_none; /* forwards from here */
    }
    uint32_t i = self->marks_count;
    while (i > 0 && self->marks[i - 1].first_index > entry_index) {
        i--;
    }
    must(i > 0); /* the first group read in a segment is marked, and it is the segment's first */
    wal_scan_move(&self->scan, self->marks[i - 1].offset, self->marks[i - 1].group_number,
                  self->marks[i - 1].first_index);
    return err_none;
}

/* Step over whole groups by their headers until the next one holds entry_index, or nothing promised
 * is left. */
static struct err reader_walk(struct wal_reader *self, uint64_t entry_index)
{
    while (self->scan.next_index < entry_index && reader_has_promised(self)) {
        struct wal_group_header header;
        enum wal_fault fault = WAL_BLANK;
        struct err err = wal_scan_peek(&self->scan, &header, &fault);
        if (err_is(err)) {
            return err;
        }
        if (fault != WAL_GOOD) {
            return err_make(ERR_WAL_DAMAGED, "walk groups");
        }
        reader_mark(self, &header);
        if (header.first_index + header.entry_count > entry_index) {
            return err_none;
        }
        wal_scan_skip(&self->scan, &header);
    }
    return err_none;
}

/* Stand before the group that holds entry_index, or nowhere when it is of the past. */
static struct err reader_reach(struct wal_reader *self, uint64_t entry_index)
{
    struct err err = reader_approach(self, entry_index);
    if (err.code == ERR_NOT_FOUND) {
        return reader_miss(self, "segment is missing");
    }
    return err_is(err) ? err : reader_walk(self, entry_index);
}

struct err wal_reader_seek(struct wal_reader *self, uint64_t entry_index)
{
    if (err_is(self->failure) || entry_index == self->next_index) {
        return self->failure;
    }
    if (!self->any || entry_index > self->newest.next_index) {
        struct err err = reader_poll(self);
        if (err_is(err)) {
            return err;
        }
    }
    if (!self->any || entry_index > self->newest.next_index) {
        return err_make(ERR_NOT_FOUND, "wal_reader_seek");
    }
    self->loaded = false; /* the scan still stands before that group */
    self->next_index = entry_index;
    if (self->past != NULL && entry_index < self->removed_below) {
        reader_leave(self);
        return err_none;
    }
    self->failure = reader_reach(self, entry_index);
    return self->failure;
}
