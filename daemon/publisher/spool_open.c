/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher/spool_inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publisher/crc32c.h"

/* Opening a spool: lock, position, segments, and the tail that a crash may have torn. Only the last
 * segment can be torn, since a segment is left only after its last record is whole; so only the
 * last one is read with its checksums. */

#define SPOOL_SEGMENT_BYTES                                                                      \
    UINT64_C(16777216) /* larger keeps answered records longer, smaller removes files more often \
                        */
#define SPOOL_SEGMENT_BYTES_MIN UINT64_C(65536)
#define SPOOL_BYTES_MIN UINT64_C(262144)

static struct err spool_lock(struct spool *self);
static struct err segments_find(struct spool *self);
static struct err segments_check(struct spool *self);
static struct err tail_recover(struct spool *self);

struct err spool_open(const struct spool_conf *conf, struct spool **out)
{
    if (strlen(conf->directory) >= sizeof(*out)->directory ||
        strlen(conf->stream) > WIRE_STREAM_BYTES_MAX || conf->bytes_max < SPOOL_BYTES_MIN) {
        return err_make(ERR_ARGUMENT, "spool: path, stream or room");
    }
    struct spool *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "spool_open");
    }
    memcpy(self->directory, conf->directory, strlen(conf->directory) + 1);
    memcpy(self->stream, conf->stream, strlen(conf->stream) + 1);
    self->bytes_max = conf->bytes_max;
    self->sync = conf->sync;
    self->segment_bytes =
        conf->bytes_max / 8 < SPOOL_SEGMENT_BYTES ? conf->bytes_max / 8 : SPOOL_SEGMENT_BYTES;
    if (self->segment_bytes < SPOOL_SEGMENT_BYTES_MIN) {
        self->segment_bytes = SPOOL_SEGMENT_BYTES_MIN;
    }
    self->lock_fd = self->position_fd = self->append_fd = self->read_fd = -1;
    self->window = malloc(SPOOL_WINDOW_BYTES);
    self->scratch = malloc(SPOOL_HEADER_BYTES + SPOOL_BODY_BYTES_MAX);
    struct err err = err_none;
    if (self->window == NULL || self->scratch == NULL) {
        err = err_make(ERR_MEMORY, "spool_open");
    }
    err = err_is(err) ? err : durable_directory(self->directory, 0700);
    err = err_is(err) ? err : spool_lock(self);
    err = err_is(err) ? err : spool_position_open(self);
    err = err_is(err) ? err : segments_find(self);
    err = err_is(err) ? err : segments_check(self);
    err = err_is(err) ? err : tail_recover(self);
    if (err_is(err)) {
        spool_close(&self);
        return err;
    }
    self->next_at_open = self->next;
    *out = self;
    return err_none;
}

static void fd_close(int fd)
{
    if (fd >= 0) {
        (void)close(fd); /* every write before was checked on its own */
    }
}

void spool_close(struct spool **self)
{
    struct spool *spool = *self;
    if (spool == NULL) {
        return;
    }
    /* next_at_open is 0 while opening: what was not read whole must not be written back. */
    if (spool->next_at_open > 0 && spool->released != spool->released_written) {
        struct err ignored = spool_position_write(spool, spool->sync);
        (void)ignored; /* an older position only means that the daemon is asked once more */
    }
    fd_close(spool->append_fd);
    fd_close(spool->read_fd);
    fd_close(spool->position_fd);
    fd_close(spool->lock_fd);
    free(spool->segments);
    free(spool->window);
    free(spool->scratch);
    free(spool);
    *self = NULL;
}

static struct err spool_lock(struct spool *self)
{
    char path[DURABLE_PATH_BYTES];
    int path_bytes = snprintf(path, sizeof path, "%s/lock", self->directory);
    must(path_bytes > 0 && (size_t)path_bytes < sizeof path);
    self->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock_fd < 0) {
        return err_os(ERR_IO, "open spool lock");
    }
    if (flock(self->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? err_make(ERR_LOCKED, "spool") : err_os(ERR_IO, "lock spool");
    }
    return err_none;
}

/* "00000000000000000001.spool" and nothing else. */
static bool segment_name_parse(const char *name, uint64_t *first)
{
    if (strlen(name) != 26 || strcmp(name + 20, ".spool") != 0 ||
        strspn(name, "0123456789") != 20) {
        return false;
    }
    errno = 0;
    *first = strtoull(name, NULL, 10);
    return errno == 0 && *first > 0;
}

static int segment_compare(const void *a, const void *b)
{
    const struct spool_segment *left = a;
    const struct spool_segment *right = b;
    return left->first < right->first ? -1 : left->first > right->first ? 1 : 0;
}

/* Lists the segments; takes memory for as many more as bytes_max can ever ask for. */
static struct err segments_find(struct spool *self)
{
    uint64_t capacity = self->bytes_max / self->segment_bytes + 4;
    if (capacity > UINT32_MAX / 4) {
        return err_make(ERR_ARGUMENT, "spool: room");
    }
    DIR *directory = opendir(self->directory);
    if (directory == NULL) {
        return err_os(ERR_IO, "list spool");
    }
    struct err err = err_none;
    const struct dirent *name;
    while (!err_is(err) && (name = readdir(directory)) != NULL) {
        uint64_t first;
        if (!segment_name_parse(name->d_name, &first)) {
            continue;
        }
        if (self->segments_count == self->segments_capacity) {
            uint32_t wanted = self->segments_capacity + (uint32_t)capacity;
            struct spool_segment *more = realloc(self->segments, (size_t)wanted * sizeof *more);
            if (more == NULL) {
                err = err_make(ERR_MEMORY, "spool segments");
                break;
            }
            self->segments = more;
            self->segments_capacity = wanted;
        }
        self->segments[self->segments_count++] = (struct spool_segment){.first = first};
    }
    (void)closedir(directory);
    struct spool_segment *room =
        err_is(err)
            ? NULL
            : realloc(self->segments, (self->segments_count + (size_t)capacity) * sizeof *room);
    if (room == NULL) {
        return err_is(err) ? err : err_make(ERR_MEMORY, "spool segments");
    }
    self->segments = room;
    self->segments_capacity = self->segments_count + (uint32_t)capacity;
    qsort(self->segments, self->segments_count, sizeof *self->segments, segment_compare);
    return err_none;
}

/* Lengths and headers of every segment. A last one that is too short for its header is one that was
 * just being made. */
static struct err segments_check(struct spool *self)
{
    for (uint32_t i = 0; i < self->segments_count; i++) {
        char path[DURABLE_PATH_BYTES];
        spool_segment_path(self, self->segments[i].first, path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat status;
        if (fd < 0 || fstat(fd, &status) != 0) {
            struct err err = err_os(ERR_IO, "open spool segment");
            fd_close(fd);
            return err;
        }
        uint8_t bytes[SPOOL_SEGMENT_HEADER_BYTES];
        uint64_t first = 0;
        struct err err = err_none;
        bool whole = status.st_size >= (off_t)sizeof bytes;
        if (whole) {
            err = durable_read_at(fd, bytes, sizeof bytes, 0);
        }
        fd_close(fd);
        if (err_is(err)) {
            return err;
        }
        whole =
            whole && spool_segment_header_read(bytes, &first) && first == self->segments[i].first;
        if (!whole && i + 1 == self->segments_count) {
            self->segments_count--;
            err = durable_remove(path);
            return err;
        }
        if (!whole) {
            return err_make(ERR_IO, "spool: segment header is damaged");
        }
        self->segments[i].bytes = (uint64_t)status.st_size;
        self->files_bytes += self->segments[i].bytes;
    }
    return err_none;
}

/* Checks a record's body and images against their checksum, through the window. */
static struct err payload_check(struct spool *self, uint64_t at, const struct spool_header *header,
                                bool *good)
{
    uint64_t left = spool_record_bytes(header) - SPOOL_HEADER_BYTES;
    uint32_t crc = 0;
    at += SPOOL_HEADER_BYTES;
    while (left > 0) {
        size_t piece_bytes = left < SPOOL_WINDOW_BYTES ? (size_t)left : SPOOL_WINDOW_BYTES;
        struct err err = durable_read_at(self->append_fd, self->window, piece_bytes, at);
        if (err_is(err)) {
            return err;
        }
        crc = crc32c_add(crc, self->window, piece_bytes);
        at += piece_bytes;
        left -= piece_bytes;
    }
    *good = crc == header->payload_crc;
    return err_none;
}

/* Walks the last segment and cuts it behind its last whole record. Afterwards next is known. */
static struct err tail_recover(struct spool *self)
{
    self->next = self->released;
    if (self->segments_count == 0) {
        return err_none;
    }
    struct spool_segment *last = &self->segments[self->segments_count - 1];
    char path[DURABLE_PATH_BYTES];
    spool_segment_path(self, last->first, path);
    self->append_fd = open(path, O_RDWR | O_CLOEXEC);
    if (self->append_fd < 0) {
        return err_os(ERR_IO, "open spool segment");
    }
    uint64_t at = SPOOL_SEGMENT_HEADER_BYTES;
    uint64_t number = last->first;
    while (last->bytes - at >= SPOOL_HEADER_BYTES) {
        uint8_t bytes[SPOOL_HEADER_BYTES];
        struct spool_header header;
        bool good = false;
        struct err err = durable_read_at(self->append_fd, bytes, sizeof bytes, at);
        if (!err_is(err) && spool_header_read(bytes, &header) && header.number == number &&
            spool_record_bytes(&header) <= last->bytes - at) {
            err = payload_check(self, at, &header, &good);
        }
        if (err_is(err)) {
            return err;
        }
        if (!good) {
            break;
        }
        at += spool_record_bytes(&header);
        number++;
    }
    if (at < last->bytes && ftruncate(self->append_fd, (off_t)at) != 0) {
        return err_os(ERR_IO, "cut torn spool record");
    }
    self->files_bytes -= last->bytes - at;
    last->bytes = at;
    self->window_bytes = 0;
    if (self->released < self->segments[0].first) {
        self->released =
            self->segments[0]
                .first; /* the position was written less often than files were removed */
    }
    if (number >= self->released) {
        self->next = number;
        return err_none;
    }
    /* A power cut took records that were answered already: go on behind them, in a segment of its
     * own. */
    self->next = self->released;
    fd_close(self->append_fd);
    self->append_fd = -1;
    return err_none;
}
