/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/retire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "oversight/pack.h"
#include "oversight/past.h"
#include "oversight/wal_removed.h"
#include "oversight/wal_segment.h"

/* A segment is only removed after everything it held was read back from where it lies now. */

/* ---- which segment ---- */

/* The smallest first index >= least. */
static struct err retire_find(DIR *listing, uint64_t least, uint64_t *first_index, bool *found)
{
    *found = false;
    rewinddir(listing);
    for (;;) { /* ends with the listing */
        errno = 0;
        const struct dirent *name = readdir(listing);
        if (name == NULL) {
            return errno == 0 ? err_none : err_os(ERR_IO, "list write-ahead log");
        }
        uint64_t first = 0;
        if (wal_segment_name_parse(name->d_name, &first) && first >= least &&
            (!*found || first < *first_index)) {
            *first_index = first;
            *found = true;
        }
    }
}

/* When the segment behind began. Through the page cache: a header never changes. */
static struct err retire_read_header(const char *wal_directory, struct retire_segment *out)
{
    uint8_t block[WAL_BLOCK_BYTES];
    char name[WAL_SEGMENT_NAME_BYTES];
    char path[DURABLE_PATH_BYTES];
    struct wal_segment_header header;
    wal_segment_name(out->end_index, name);
    struct err err = wal_path(wal_directory, name, path);
    if (err_is(err)) {
        return err;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_os(ERR_IO, "open segment");
    }
    err = durable_read_at(fd, block, sizeof block, 0);
    (void)close(fd); /* read only */
    if (!err_is(err) && (wal_segment_header_decode(block, sizeof block, &header) != WAL_GOOD ||
                         header.first_index != out->end_index)) {
        err = err_make(ERR_WAL_DAMAGED, "segment header");
    }
    if (!err_is(err)) {
        out->next_number = header.segment_number;
        out->ended_ns = header.created_ns;
    }
    return err;
}

struct err retire_oldest(const char *wal_directory, struct retire_segment *out, bool *found)
{
    DIR *listing = opendir(wal_directory);
    if (listing == NULL) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    struct retire_segment oldest = {.end_index = UINT64_MAX};
    bool has_next = false;
    struct err err = retire_find(listing, 0, &oldest.first_index, found);
    if (!err_is(err) && *found) {
        err = retire_find(listing, oldest.first_index + 1, &oldest.end_index, &has_next);
    }
    (void)closedir(listing);
    if (!err_is(err) && has_next) {
        err = retire_read_header(wal_directory, &oldest);
    }
    if (!err_is(err)) {
        *out = oldest;
    }
    return err;
}

struct err retire_boundary(const char *wal_directory, uint64_t least, uint64_t *first_index,
                           bool *found)
{
    DIR *listing = opendir(wal_directory);
    if (listing == NULL) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    struct err err = retire_find(listing, least, first_index, found);
    (void)closedir(listing);
    return err;
}

/* ---- from segment to pack ---- */

struct retirement {
    const struct wal_places *places;
    retire_keep keep;
    void *arg;
    struct past *past;
    struct wal_reader *reader;
    struct pack_writer *writer;
    uint8_t *kept; /* PACK_RECORD_BYTES_MAX */
};

static void retirement_close(struct retirement *self)
{
    pack_writer_close(&self->writer);
    wal_reader_close(&self->reader);
    past_close(&self->past);
    free(self->kept);
}

static struct err retirement_open(struct retirement *self)
{
    self->kept = malloc(PACK_RECORD_BYTES_MAX);
    return self->kept == NULL
               ? err_make(ERR_MEMORY, "retire")
               : past_open(self->places->log_directory, self->places->packs_directory, &self->past);
}

static struct err retirement_pack_one(struct retirement *self, const struct wal_entry *entry)
{
    uint32_t kept_bytes = 0;
    if (entry->private_bytes == NULL) {
        return err_none;
    }
    struct err err = self->keep(self->arg, entry, self->kept, &kept_bytes);
    return err_is(err) || kept_bytes == 0
               ? err
               : pack_writer_add(self->writer, entry->entry_index, self->kept, kept_bytes);
}

static struct err retirement_pack(struct retirement *self, const struct retire_segment *segment)
{
    struct err err = wal_reader_open(self->places->wal_directory, &self->reader);
    if (!err_is(err)) {
        err = wal_reader_seek(self->reader, segment->first_index);
    }
    if (!err_is(err)) {
        err = pack_writer_open(self->places->packs_directory, segment->first_index,
                               segment->end_index, &self->writer);
    }
    for (uint64_t n = segment->first_index; !err_is(err) && n < segment->end_index; n++) {
        struct wal_entry entry;
        struct wal_entry published;
        bool got = false;
        err = wal_reader_next(self->reader, &entry, &got);
        if (!err_is(err) && !got) {
            err = err_make(ERR_WAL_DAMAGED, "durable entry does not read back");
        }
        if (!err_is(err)) {
            err = past_read_public(self->past, n, &published);
        }
        if (!err_is(err) && (published.bytes_count != entry.bytes_count ||
                             memcmp(published.bytes, entry.bytes, entry.bytes_count) != 0)) {
            err = err_make(ERR_TILE_DIFFERS, "bundle holds another entry than the segment");
        }
        if (!err_is(err)) {
            err = retirement_pack_one(self, &entry);
        }
    }
    return err_is(err) ? err : pack_writer_finish(self->writer);
}

/* Every record of the new pack, from the disk. */
static struct err retirement_check(const struct retirement *self, uint64_t first_index)
{
    struct pack *pack = NULL;
    struct err err = pack_open(self->places->packs_directory, first_index, &pack);
    for (uint64_t i = 0; !err_is(err) && i < pack_count(pack); i++) {
        const uint8_t *bytes;
        uint32_t bytes_count;
        bool found = false;
        err = pack_read(pack, pack_entry(pack, i), &bytes, &bytes_count, &found);
        must(err_is(err) || found);
    }
    pack_close(&pack);
    return err;
}

static struct err retire_remove(const char *wal_directory, uint64_t first_index)
{
    char name[WAL_SEGMENT_NAME_BYTES];
    char path[DURABLE_PATH_BYTES];
    wal_segment_name(first_index, name);
    struct err err = wal_path(wal_directory, name, path);
    return err_is(err) ? err : durable_remove(path);
}

struct err retire_segment(const struct wal_places *places, const struct retire_segment *segment,
                          retire_keep keep, void *arg)
{
    must(segment->end_index != UINT64_MAX);
    struct retirement self = {.places = places, .keep = keep, .arg = arg};
    struct err err = retirement_open(&self);
    if (!err_is(err)) {
        err = retirement_pack(&self, segment);
    }
    if (!err_is(err)) {
        err = retirement_check(&self, segment->first_index);
    }
    retirement_close(&self);
    if (err_is(err)) {
        return err;
    }
    /* If the machine stops before the next line, the segment is packed once more; behind it, the
     * segment is a leftover, and readers look into the pack already. */
    struct wal_removed removed = {segment->end_index, segment->next_number, clock_utc_ns()};
    err = wal_removed_write(places->wal_directory, &removed);
    return err_is(err) ? err : retire_remove(places->wal_directory, segment->first_index);
}

struct err retire_leftovers(const char *wal_directory)
{
    struct wal_removed removed;
    struct err err = wal_removed_read(wal_directory, &removed);
    DIR *listing = err_is(err) ? NULL : opendir(wal_directory);
    if (!err_is(err) && listing == NULL) {
        err = err_os(ERR_IO, "open write-ahead log");
    }
    bool found = true;
    while (!err_is(err) && found) { /* each round removes one or is the last */
        uint64_t first_index = 0;
        err = retire_find(listing, 0, &first_index, &found);
        found = found && first_index < removed.first_index;
        if (!err_is(err) && found) {
            err = retire_remove(wal_directory, first_index);
        }
    }
    if (listing != NULL) {
        (void)closedir(listing);
    }
    return err;
}

struct err retire_torn(const char *wal_directory, int64_t before_ns)
{
    DIR *listing = opendir(wal_directory);
    if (listing == NULL) {
        return err_os(ERR_IO, "open write-ahead log");
    }
    struct err err = err_none;
    while (!err_is(err)) { /* ends with the listing */
        errno = 0;
        const struct dirent *name = readdir(listing);
        if (name == NULL) {
            err = errno == 0 ? err_none : err_os(ERR_IO, "list write-ahead log");
            break;
        }
        int64_t torn_ns = 0;
        int end = 0;
        char path[DURABLE_PATH_BYTES];
        bool told = sscanf(name->d_name, "torn-%20" SCNd64 "%n", &torn_ns, &end) == 1 &&
                    name->d_name[end] == '\0'; /* a pending one has more behind the digits */
        if (told && torn_ns < before_ns) {
            err = wal_path(wal_directory, name->d_name, path);
            err = err_is(err) ? err : durable_remove(path);
        }
    }
    (void)closedir(listing);
    return err;
}

/* ---- a pack with less in it ---- */

/* What keep leaves of the record that the pack holds for this entry. */
static struct err retirement_weigh(struct retirement *self, uint64_t n, struct wal_entry *entry,
                                   uint32_t *kept_bytes)
{
    *kept_bytes = 0;
    struct err err = past_read(self->past, n, entry);
    err = err.code == ERR_PRUNED ? err_none : err; /* its private record may be kept all the same */
    return err_is(err) || entry->private_bytes == NULL
               ? err
               : self->keep(self->arg, entry, self->kept, kept_bytes);
}

static struct err retirement_renew(struct retirement *self, uint64_t first_index)
{
    struct pack *pack = NULL; /* the pack as it was: tells which entries to ask for */
    struct err err = pack_open(self->places->packs_directory, first_index, &pack);
    if (!err_is(err)) {
        err = pack_writer_open(self->places->packs_directory, first_index, pack_end(pack),
                               &self->writer);
    }
    for (uint64_t i = 0; !err_is(err) && i < pack_count(pack); i++) {
        struct wal_entry entry;
        uint32_t kept_bytes = 0;
        err = retirement_weigh(self, pack_entry(pack, i), &entry, &kept_bytes);
        if (!err_is(err) && kept_bytes > 0) {
            err = pack_writer_add(self->writer, entry.entry_index, self->kept, kept_bytes);
        }
    }
    if (!err_is(err)) {
        err = pack_writer_finish(self->writer);
    }
    pack_close(&pack);
    return err_is(err) ? err : retirement_check(self, first_index);
}

struct err retire_redact(const struct wal_places *places, uint64_t entry_index, retire_keep keep,
                         void *arg, bool *changed)
{
    struct retirement self = {.places = places, .keep = keep, .arg = arg};
    uint64_t first_index = 0;
    bool found = false;
    *changed = false;
    struct err err = pack_find(places->packs_directory, entry_index, &first_index, &found);
    if (err_is(err) || !found) {
        return err;
    }
    struct wal_entry entry;
    uint32_t kept_bytes = 0;
    err = retirement_open(&self);
    if (!err_is(err)) {
        err = retirement_weigh(&self, entry_index, &entry, &kept_bytes);
    }
    if (!err_is(err) && entry.private_bytes != NULL && kept_bytes != entry.private_count) {
        err = retirement_renew(&self, first_index);
        *changed = !err_is(err);
    }
    retirement_close(&self);
    return err;
}
