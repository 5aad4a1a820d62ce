/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/image_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/blob.h"
#include "archive/chunk.h"
#include "archive/sealed_image.h"
#include "base/durable.h"
#include "proto/record.h"

/* A descriptor is opened once a read and kept: what happens to the name meanwhile does not matter.
 * Nothing is cached between reads but memory: finding an image in a sealed file costs about ten
 * small reads. */

#define READER_BAND_BYTES ((size_t)1 << 20)      /* of a blob at a time */
#define READER_CHUNK_BYTES_MAX ((size_t)4 << 20) /* ours have at most 1 MiB */
#define READER_STRIP_SHARE 2u /* a narrower region than half of the rows is read row by row */

struct image_reader {
    char blobs[DURABLE_PATH_BYTES];
    char places[IMAGE_READER_PLACES_MAX][DURABLE_PATH_BYTES]; /* the archive, then its copies */
    uint32_t places_count;
    int fd;
    bool whole;
    struct image_wanted wanted;
    uint32_t row;               /* next one to give, of the image */
    struct sealed_image sealed; /* chunks NULL: a blob */
    struct chunk_coder
        *coders[2]; /* fletcher32 alone, and with deflate; opened when first needed */
    struct sha256 *hash;
    uint8_t *stored;
    uint8_t *pixels;
    size_t pixels_capacity;
};

const char *image_check_text(enum image_check check)
{
    switch (check) {
    case IMAGE_CHECK_LENGTH:
        return "length";
    case IMAGE_CHECK_FLETCHER32:
        return "fletcher32";
    case IMAGE_CHECK_SHA256:
        return "sha256";
    }
    must(false);
    return "";
}

struct err image_reader_open(const char *blobs_directory, const char *archive_directory,
                             struct image_reader **out)
{
    if (strlen(blobs_directory) >= DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "path of the store is too long");
    }
    struct image_reader *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "image_reader_open");
    }
    (void)snprintf(self->blobs, sizeof self->blobs, "%s", blobs_directory);
    self->fd = -1;
    self->hash = sha256_open();
    self->pixels_capacity = READER_CHUNK_BYTES_MAX;
    self->pixels = malloc(self->pixels_capacity);
    struct err err = self->pixels == NULL ? err_make(ERR_MEMORY, "image_reader_open")
                                          : image_reader_add_place(self, archive_directory);
    if (err_is(err)) {
        image_reader_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

struct err image_reader_add_place(struct image_reader *self, const char *directory)
{
    if (self->places_count == IMAGE_READER_PLACES_MAX || strlen(directory) >= DURABLE_PATH_BYTES) {
        return err_make(ERR_ARGUMENT, "place of sealed files");
    }
    char *place = self->places[self->places_count++];
    (void)snprintf(place, DURABLE_PATH_BYTES, "%s", directory);
    return err_none;
}

uint32_t image_reader_places(const struct image_reader *self)
{
    return self->places_count;
}

void image_reader_stop(struct image_reader *self)
{
    if (self->fd >= 0) {
        (void)close(self->fd); /* read only: nothing can be lost here */
    }
    self->fd = -1;
    sealed_image_fini(&self->sealed);
}

void image_reader_close(struct image_reader **self)
{
    if (*self == NULL) {
        return;
    }
    image_reader_stop(*self);
    chunk_coder_close(&(*self)->coders[0]);
    chunk_coder_close(&(*self)->coders[1]);
    sha256_close(&(*self)->hash);
    free((*self)->stored);
    free((*self)->pixels);
    free(*self);
    *self = NULL;
}

static struct err reader_begin(struct image_reader *self, const struct image_wanted *wanted)
{
    image_reader_stop(self);
    if ((wanted->bits != 8 && wanted->bits != 16) || wanted->image_width == 0 ||
        wanted->image_height == 0 || wanted->image_width > IMAGE_SIDE_MAX ||
        wanted->image_height > IMAGE_SIDE_MAX || wanted->width == 0 || wanted->height == 0 ||
        wanted->x >= wanted->image_width || wanted->width > wanted->image_width - wanted->x ||
        wanted->y >= wanted->image_height || wanted->height > wanted->image_height - wanted->y) {
        return err_make(ERR_ARGUMENT, "region outside of the image");
    }
    self->wanted = *wanted;
    self->row = wanted->y;
    self->whole = wanted->width == wanted->image_width && wanted->height == wanted->image_height;
    sha256_reset(self->hash);
    return err_none;
}

static size_t pixel_bytes(const struct image_reader *self)
{
    return self->wanted.bits / 8;
}

static size_t row_bytes(const struct image_reader *self)
{
    return (size_t)self->wanted.image_width * pixel_bytes(self);
}

enum image_check image_reader_check(const struct image_reader *self)
{
    if (self->whole) {
        return IMAGE_CHECK_SHA256;
    }
    return self->sealed.chunks != NULL ? IMAGE_CHECK_FLETCHER32 : IMAGE_CHECK_LENGTH;
}

bool image_reader_is_sealed(const struct image_reader *self)
{
    return self->sealed.chunks != NULL;
}

/* Nothing of this name is not the same as what could not be looked at. */
static struct err reader_open_file(struct image_reader *self, const char *path, const char *where)
{
    self->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (self->fd >= 0) {
        return err_none;
    }
    return err_os(errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, where);
}

struct err image_reader_start_blob(struct image_reader *self, const struct image_wanted *wanted)
{
    char below[128];
    char path[DURABLE_PATH_BYTES + sizeof below];
    struct stat status;
    struct err err = reader_begin(self, wanted);
    if (err_is(err)) {
        return err;
    }
    blob_path(wanted->sha256, below);
    (void)snprintf(path, sizeof path, "%s/%s", self->blobs, below);
    err = reader_open_file(self, path, "open blob");
    if (err_is(err)) {
        return err;
    }
    if (fstat(self->fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        (uint64_t)status.st_size != row_bytes(self) * (uint64_t)wanted->image_height) {
        image_reader_stop(self);
        return err_make(ERR_BLOB_MISSING, "blob has another length");
    }
    (void)posix_fadvise(self->fd, (off_t)(row_bytes(self) * wanted->y),
                        (off_t)(row_bytes(self) * wanted->height), POSIX_FADV_WILLNEED);
    return err_none;
}

/* A path that a seal states never leaves the archive; one that does is not looked at. */
static struct err reader_open_sealed(struct image_reader *self, uint32_t place, const char *path)
{
    char full[2 * DURABLE_PATH_BYTES];
    if (path[0] == '/' || strstr(path, "..") != NULL ||
        snprintf(full, sizeof full, "%s/%s", self->places[place], path) >= (int)sizeof full) {
        return err_make(ERR_NOT_FOUND, "path of a sealed file");
    }
    return reader_open_file(self, full, "open sealed file");
}

static struct err reader_prepare_chunks(struct image_reader *self)
{
    const struct sealed_image *sealed = &self->sealed;
    struct chunk_coder **coder = &self->coders[sealed->deflated ? 1 : 0];
    if (sealed->width != self->wanted.image_width || sealed->height != self->wanted.image_height ||
        sealed->bits != self->wanted.bits) {
        return err_make(ERR_ARCHIVE_DIFFERS, "image of another shape in a sealed file");
    }
    size_t chunk_bytes = sealed->chunk_rows * row_bytes(self);
    if (chunk_bytes > READER_CHUNK_BYTES_MAX) {
        return err_make(ERR_ARCHIVE_DIFFERS, "chunk that is larger than ours");
    }
    for (uint32_t i = 0; i < sealed->chunks_count; i++) {
        if (sealed->chunks[i].stored_bytes > chunk_stored_bytes_max(READER_CHUNK_BYTES_MAX)) {
            return err_make(ERR_ARCHIVE_DIFFERS, "chunk that is larger than ours");
        }
    }
    if (self->stored == NULL) {
        self->stored = malloc(chunk_stored_bytes_max(READER_CHUNK_BYTES_MAX));
    }
    if (self->stored == NULL) {
        return err_make(ERR_MEMORY, "image_reader_start_sealed");
    }
    return *coder != NULL
               ? err_none
               : chunk_coder_open(READER_CHUNK_BYTES_MAX, sealed->deflated ? 1 : 0, coder);
}

struct err image_reader_start_sealed(struct image_reader *self, const struct image_wanted *wanted,
                                     uint32_t place, const char *path)
{
    must(place < self->places_count);
    struct err err = reader_begin(self, wanted);
    if (!err_is(err)) {
        err = reader_open_sealed(self, place, path);
    }
    if (!err_is(err)) {
        err = sealed_image_find(self->fd, wanted->sha256, &self->sealed);
    }
    if (!err_is(err)) {
        err = reader_prepare_chunks(self);
    }
    if (err_is(err)) {
        image_reader_stop(self);
        return err;
    }
    const struct sealed_chunk *first = &self->sealed.chunks[wanted->y / self->sealed.chunk_rows];
    (void)posix_fadvise(self->fd, (off_t)first->offset, (off_t)READER_CHUNK_BYTES_MAX,
                        POSIX_FADV_WILLNEED);
    return err_none;
}

/* A part of each row is read by itself where that saves more than half of the bytes. */
static struct err reader_next_blob(struct image_reader *self, uint32_t rows_left,
                                   struct image_rows *out)
{
    size_t part_bytes = self->wanted.width * pixel_bytes(self);
    bool strips = part_bytes < row_bytes(self) / READER_STRIP_SHARE;
    size_t stride = strips ? part_bytes : row_bytes(self);
    size_t skipped = self->wanted.x * pixel_bytes(self);
    size_t rows = READER_BAND_BYTES / stride; /* a row has at most 128 KiB */
    rows = rows > rows_left ? rows_left : rows;
    uint64_t at = (uint64_t)self->row * row_bytes(self);
    struct err err = err_none;
    if (!strips) {
        err = durable_read_at(self->fd, self->pixels, rows * stride, at);
    }
    for (size_t i = 0; strips && i < rows && !err_is(err); i++) {
        err = durable_read_at(self->fd, self->pixels + i * stride, stride,
                              at + i * row_bytes(self) + skipped);
    }
    if (err_is(err)) {
        err.code = ERR_BLOB_MISSING;
        return err;
    }
    *out = (struct image_rows){self->pixels + (strips ? 0 : skipped), stride, (uint32_t)rows};
    return err_none;
}

static struct err reader_next_sealed(struct image_reader *self, uint32_t rows_left,
                                     struct image_rows *out)
{
    const struct sealed_image *sealed = &self->sealed;
    uint32_t number = self->row / sealed->chunk_rows;
    uint32_t inside = self->row % sealed->chunk_rows;
    uint32_t rows = sealed->chunk_rows - inside;
    const struct sealed_chunk *chunk = &sealed->chunks[number];
    must(number < sealed->chunks_count);
    if (number + 1 < sealed->chunks_count) {
        const struct sealed_chunk *next = &sealed->chunks[number + 1];
        (void)posix_fadvise(self->fd, (off_t)next->offset, (off_t)next->stored_bytes,
                            POSIX_FADV_WILLNEED);
    }
    struct err err =
        durable_read_at(self->fd, self->stored, (size_t)chunk->stored_bytes, chunk->offset);
    if (err_is(err) || !chunk_decode(self->coders[sealed->deflated ? 1 : 0], self->stored,
                                     (size_t)chunk->stored_bytes, pixel_bytes(self), self->pixels,
                                     sealed->chunk_rows * row_bytes(self))) {
        return err_make(ERR_ARCHIVE_DIFFERS, "chunk of a sealed file");
    }
    *out = (struct image_rows){self->pixels + inside * row_bytes(self) +
                                   self->wanted.x * pixel_bytes(self),
                               row_bytes(self), rows < rows_left ? rows : rows_left};
    return err_none;
}

static struct err reader_finish(struct image_reader *self)
{
    uint8_t found[HASH_BYTES];
    if (!self->whole) {
        return err_none;
    }
    sha256_finish(self->hash, found);
    return hash_equal(found, self->wanted.sha256)
               ? err_none
               : err_make(image_reader_is_sealed(self) ? ERR_ARCHIVE_DIFFERS : ERR_BLOB_MISSING,
                          "image has another digest");
}

struct err image_reader_next(struct image_reader *self, struct image_rows *out)
{
    must(self->fd >= 0);
    uint32_t rows_left = self->wanted.y + self->wanted.height - self->row;
    if (rows_left == 0) {
        *out = (struct image_rows){NULL, 0, 0};
        return reader_finish(self);
    }
    struct err err = image_reader_is_sealed(self) ? reader_next_sealed(self, rows_left, out)
                                                  : reader_next_blob(self, rows_left, out);
    if (err_is(err)) {
        return err;
    }
    must(out->rows_count > 0 && out->rows_count <= rows_left);
    if (self->whole) { /* whole rows, one behind the other */
        sha256_add(self->hash, out->pixels, out->rows_count * out->stride_bytes);
    }
    self->row += out->rows_count;
    return err_none;
}
