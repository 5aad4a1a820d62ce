/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "archive/archive_array.h"
#include "archive/archive_images.h"
#include "archive/h5.h"
#include "archive/reread.h"

/* One pass over the file as it lies on the disk: this thread hashes the file for its seal, the
 * pool's threads decode the images in the very same bytes and hash their pixels. HDF5 tells where
 * the chunks lie, and reads none of them: its one lock would make it one thread's work. */

#define CHECK_STEP_BYTES ((uint64_t)1 << 20) /* a divisor of a piece: never across two */
#define CHECK_HOLDER 0u

_Static_assert(REREAD_PIECE_BYTES % CHECK_STEP_BYTES == 0, "steps do not cross pieces");

struct check {
    const struct archive_images *images;
    struct chunk_pool *pool;
    int64_t file;
    struct reread *bytes;
    uint64_t put;
    uint64_t taken;
    struct chunk_place *places[CHUNK_POOL_SLOTS]; /* of the images with the pool */
    struct sha256 *hash;
    uint64_t hashed;
    uint64_t put_end; /* behind all chunks of the images put */
    uint64_t file_bytes;
};

/* Where the chunks of an image lie, after a look at its shape. */
static struct err check_find_chunks(struct check *self, const struct image *image,
                                    const struct h5_array *array, struct chunk_place **out)
{
    struct h5_storage storage = archive_storage(chunk_pool_deflate_level(self->pool));
    char hex[HASH_HEX_BYTES];
    char path[HASH_HEX_BYTES + 16];
    struct h5_array found;
    int64_t dataset = 0;
    hex_encode(image->sha256, HASH_BYTES, hex);
    (void)snprintf(path, sizeof path, "images/%s/pixels", hex);
    struct err err = h5_array_open(self->file, path, &found, &dataset);
    if (err_is(err)) {
        return err;
    }
    uint64_t chunks_count = archive_array_chunks(array);
    struct chunk_place *places = calloc((size_t)chunks_count, sizeof *places);
    if (places == NULL) {
        err = err_make(ERR_MEMORY, "archive_images_check");
    } else if (found.type != array->type || found.rank != 2 || found.dims[0] != array->dims[0] ||
               found.dims[1] != array->dims[1]) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "image read back in another shape");
    }
    for (uint64_t i = 0; i < chunks_count && !err_is(err); i++) {
        err = h5_chunk_find(dataset, array, &storage, i * h5_chunk_rows(array, &storage),
                            &places[i].offset, &places[i].stored_bytes);
    }
    struct err closed = h5_object_close(&dataset);
    err = err_is(err) ? err : closed;
    if (err_is(err)) {
        free(places);
        return err;
    }
    *out = places;
    return err_none;
}

static struct err check_put(struct check *self)
{
    const struct image *image = &self->images->images[self->put]->image;
    const struct h5_array array = {.type = image->bits == 16 ? H5_U16 : H5_U8,
                                   .rank = 2,
                                   .dims = {image->height, image->width}};
    const struct h5_storage storage = archive_storage(0);
    struct chunk_place *places = NULL;
    struct err err = check_find_chunks(self, image, &array, &places);
    if (err_is(err)) {
        return err;
    }
    const struct chunk_image job = {.file = self->bytes,
                                    .places = places,
                                    .places_count = archive_array_chunks(&array),
                                    .chunk_bytes = (size_t)h5_chunk_bytes(&array, &storage),
                                    .cell_bytes = (size_t)h5_cell_bytes(&array),
                                    .bytes_count = image->payload_bytes,
                                    .digest = image->sha256};
    self->places[self->put % CHUNK_POOL_SLOTS] = places;
    for (uint64_t i = 0; i < job.places_count; i++) {
        uint64_t end = places[i].offset + places[i].stored_bytes;
        self->put_end = self->put_end > end ? self->put_end : end;
    }
    chunk_pool_put_image(self->pool, &job);
    self->put++;
    return err_none;
}

/* Waits for the oldest image. A damaged blob gives a damaged image; which of both it is, matters to
 * whoever has to mend it. */
static struct err check_take(struct check *self, struct blob_store *blobs)
{
    const struct image *image = &self->images->images[self->taken]->image;
    bool good = chunk_pool_take_image(self->pool);
    free(self->places[self->taken % CHUNK_POOL_SLOTS]);
    self->taken++;
    if (good || blobs == NULL) {
        return err_none;
    }
    uint8_t *pixels = malloc((size_t)image->payload_bytes);
    if (pixels == NULL) {
        return err_make(ERR_MEMORY, "archive_images_check");
    }
    struct err err = blob_read(blobs, image->sha256, pixels, image->payload_bytes);
    free(pixels);
    return err_is(err) ? err : err_make(ERR_ARCHIVE_DIFFERS, "image read back");
}

static struct err check_hash_step(struct check *self)
{
    const uint8_t *bytes = NULL;
    uint64_t left = self->file_bytes - self->hashed;
    size_t count = (size_t)(left < CHECK_STEP_BYTES ? left : CHECK_STEP_BYTES);
    struct err err = reread_get(self->bytes, self->hashed, count, NULL, &bytes);
    if (!err_is(err)) {
        sha256_add(self->hash, bytes, count);
        self->hashed += count;
        reread_hold(self->bytes, CHECK_HOLDER,
                    self->hashed == self->file_bytes ? REREAD_NOTHING : self->hashed);
    }
    return err;
}

/* The file is not hashed beyond the images that the pool knows of: they would find their bytes
 * gone, and have to read them once more. */
static bool check_may_hash(const struct check *self)
{
    return self->hashed < self->file_bytes &&
           (self->put == self->images->count || self->hashed < self->put_end);
}

/* Nobody waits while there is something to do: images go in while there is room, and come out when
 * they are done, or when only they are left to wait for. */
static struct err check_run(struct check *self, struct blob_store *blobs)
{
    struct err err = err_none;
    while (!err_is(err) && (self->taken < self->images->count || self->hashed < self->file_bytes)) {
        while (!err_is(err) && self->put < self->images->count && chunk_pool_has_room(self->pool)) {
            err = check_put(self);
        }
        if (!err_is(err) && check_may_hash(self)) {
            err = check_hash_step(self);
        }
        while (!err_is(err) && self->taken < self->put &&
               (!check_may_hash(self) || chunk_pool_is_ready(self->pool))) {
            err = check_take(self, blobs);
        }
    }
    reread_hold(self->bytes, CHECK_HOLDER, REREAD_NOTHING); /* others may wait for this one */
    while (self->taken < self->put) {
        struct err dropped = check_take(self, NULL);
        (void)dropped; /* the first error is the one to tell */
    }
    return err;
}

static struct err check_open(struct check *self, const char *path)
{
    struct err err = reread_open(path, &self->bytes);
    if (!err_is(err)) {
        self->file_bytes = reread_bytes(self->bytes);
        err = h5_file_open(path, &self->file);
    }
    return err;
}

struct err archive_images_check(const struct archive_images *images, struct chunk_pool *pool,
                                struct blob_store *blobs, const char *path,
                                uint8_t sha256[HASH_BYTES], uint64_t *file_bytes)
{
    struct check self = {.images = images, .pool = pool, .hash = sha256_open()};
    must(chunk_pool_is_empty(pool));
    struct err err = check_open(&self, path);
    if (!err_is(err)) {
        err = check_run(&self, blobs);
    }
    struct err closed = h5_file_close(&self.file);
    err = err_is(err) ? err : closed;
    if (!err_is(err)) {
        sha256_finish(self.hash, sha256);
        *file_bytes = self.file_bytes;
    }
    sha256_close(&self.hash);
    reread_close(&self.bytes);
    return err;
}
