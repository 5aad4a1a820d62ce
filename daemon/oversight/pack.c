/* SPDX-License-Identifier: Apache-2.0 */
#include "oversight/pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oversight/pack_frame.h"
#include "oversight/wal_frame.h"

/* The index is held in memory, the records are read when somebody asks: a reader of the whole log
 * walks through them in the order in which they lie. */

#define PACK_DIGITS 20u

struct pack {
    char path[DURABLE_PATH_BYTES];
    int fd;
    struct stat status; /* of the file when it was opened */
    struct pack_header header;
    uint8_t *index;
    uint8_t *record; /* PACK_RECORD_BYTES_MAX */
};

struct err pack_path(const char *directory, uint64_t first_index, char out[DURABLE_PATH_BYTES])
{
    int path_bytes =
        snprintf(out, DURABLE_PATH_BYTES, "%s/%020" PRIu64 ".pack", directory, first_index);
    bool fits = path_bytes > 0 && path_bytes < (int)DURABLE_PATH_BYTES - 4; /* room for ".tmp" */
    return fits ? err_none : err_make(ERR_ARGUMENT, "path length");
}

static bool pack_name_parse(const char *name, uint64_t *first_index)
{
    if (strlen(name) != PACK_NAME_BYTES - 1 || strcmp(name + PACK_DIGITS, ".pack") != 0 ||
        strspn(name, "0123456789") != PACK_DIGITS) {
        return false;
    }
    errno = 0;
    *first_index = strtoull(name, NULL, 10);
    return errno == 0;
}

struct err pack_find(const char *directory, uint64_t index, uint64_t *first_index, bool *found)
{
    *found = false;
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        return errno == ENOENT ? err_none : err_os(ERR_IO, "list packs");
    }
    for (;;) { /* ends with the listing */
        errno = 0;
        const struct dirent *name = readdir(listing);
        if (name == NULL) {
            break;
        }
        uint64_t first = 0;
        if (pack_name_parse(name->d_name, &first) && first <= index &&
            (!*found || first > *first_index)) {
            *first_index = first;
            *found = true;
        }
    }
    struct err err = errno == 0 ? err_none : err_os(ERR_IO, "list packs");
    (void)closedir(listing);
    return err;
}

static struct err pack_load(struct pack *self)
{
    uint8_t header[PACK_HEADER_BYTES];
    if (fstat(self->fd, &self->status) != 0) {
        return err_os(ERR_IO, "stat pack");
    }
    if (self->status.st_size < (off_t)PACK_HEADER_BYTES) {
        return err_make(ERR_WAL_DAMAGED, "pack is cut short");
    }
    struct err err = durable_read_at(self->fd, header, sizeof header, 0);
    if (err_is(err)) {
        return err;
    }
    if (!pack_header_decode(header, sizeof header, (uint64_t)self->status.st_size, &self->header)) {
        return err_make(ERR_WAL_DAMAGED, "header of a pack");
    }
    size_t index_bytes = (size_t)self->header.count * PACK_ROW_BYTES;
    self->index = malloc(index_bytes + 1);
    self->record = malloc(PACK_RECORD_BYTES_MAX);
    if (self->index == NULL || self->record == NULL) {
        return err_make(ERR_MEMORY, "pack_open");
    }
    if (index_bytes > 0) {
        err = durable_read_at(self->fd, self->index, index_bytes, self->header.index_offset);
    }
    if (!err_is(err) && !pack_index_check(&self->header, self->index)) {
        err = err_make(ERR_WAL_DAMAGED, "index of a pack");
    }
    return err;
}

struct err pack_open(const char *directory, uint64_t first_index, struct pack **out)
{
    struct pack *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "pack_open");
    }
    self->fd = -1;
    struct err err = pack_path(directory, first_index, self->path);
    if (!err_is(err)) {
        self->fd = open(self->path, O_RDONLY | O_CLOEXEC);
        if (self->fd < 0) {
            err = errno == ENOENT ? err_make(ERR_NOT_FOUND, "open pack")
                                  : err_os(ERR_IO, "open pack");
        }
    }
    if (!err_is(err)) {
        err = pack_load(self);
    }
    if (!err_is(err) && self->header.first_index != first_index) {
        err = err_make(ERR_WAL_DAMAGED, "pack of another name");
    }
    if (err_is(err)) {
        pack_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void pack_close(struct pack **self)
{
    if (*self == NULL) {
        return;
    }
    if ((*self)->fd >= 0) {
        (void)close((*self)->fd); /* read only */
    }
    free((*self)->index);
    free((*self)->record);
    free(*self);
    *self = NULL;
}

uint64_t pack_first(const struct pack *self)
{
    return self->header.first_index;
}

uint64_t pack_end(const struct pack *self)
{
    return self->header.end_index;
}

uint64_t pack_count(const struct pack *self)
{
    return self->header.count;
}

uint64_t pack_entry(const struct pack *self, uint64_t place)
{
    must(place < self->header.count);
    return wal_get_u64(self->index + place * PACK_ROW_BYTES);
}

bool pack_is_stale(const struct pack *self)
{
    struct stat now;
    return stat(self->path, &now) != 0 || now.st_ino != self->status.st_ino ||
           now.st_dev != self->status.st_dev || now.st_size != self->status.st_size ||
           now.st_ctim.tv_sec != self->status.st_ctim.tv_sec ||
           now.st_ctim.tv_nsec != self->status.st_ctim.tv_nsec;
}

struct err pack_read(struct pack *self, uint64_t entry_index, const uint8_t **bytes,
                     uint32_t *bytes_count, bool *found)
{
    uint64_t low = 0;
    uint64_t high = self->header.count; /* the row wanted, if any, is in [low, high) */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (pack_entry(self, middle) < entry_index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low < self->header.count && pack_entry(self, low) == entry_index;
    if (!*found) {
        return err_none;
    }
    struct pack_row row;
    pack_row_decode(self->index + low * PACK_ROW_BYTES, &row);
    struct err err = durable_read_at(self->fd, self->record, row.bytes_count, row.offset);
    if (!err_is(err) && wal_crc32c(self->record, row.bytes_count) != row.crc) {
        err = err_make(ERR_WAL_DAMAGED, "record in a pack");
    }
    *bytes = self->record;
    *bytes_count = row.bytes_count;
    return err;
}
