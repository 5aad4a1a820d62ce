/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_images.h"

#include <stdlib.h>
#include <string.h>

#include "archive/archive_array.h"
#include "archive/h5.h"

/* Chunks run ahead of the file: while one is being written, those behind it are already with the
 * pool, across the borders of images. What reaches the library is the order of one image after the
 * other, so that the bytes do not depend on who was faster. */

static struct h5_array image_array(const struct image *image)
{
    return (struct h5_array){.type = image->bits == 16 ? H5_U16 : H5_U8,
                             .rank = 2,
                             .dims = {image->height, image->width}};
}

static bool image_is_sound(const struct image *image)
{
    uint64_t bytes_count = (uint64_t)image->width * image->height * (image->bits / 8);
    return (image->bits == 8 || image->bits == 16) && image->width > 0 && image->height > 0 &&
           image->width <= IMAGE_SIDE_MAX && image->height <= IMAGE_SIDE_MAX &&
           image->payload_bytes == bytes_count;
}

static int image_compare(const void *a, const void *b)
{
    const struct archive_image *left = *(const struct archive_image *const *)a;
    const struct archive_image *right = *(const struct archive_image *const *)b;
    int order = memcmp(left->image.sha256, right->image.sha256, HASH_BYTES);
    return order != 0 ? order : (left > right) - (left < right);
}

static int image_compare_place(const void *a, const void *b)
{
    const struct archive_image *left = *(const struct archive_image *const *)a;
    const struct archive_image *right = *(const struct archive_image *const *)b;
    return (left > right) - (left < right);
}

struct err archive_images_init(struct archive_images *self, const struct archive_rows *rows)
{
    self->count = 0;
    self->images = calloc((size_t)rows->images_count + 1, sizeof(const struct archive_image *));
    if (self->images == NULL) {
        return err_make(ERR_MEMORY, "archive_images_init");
    }
    for (uint64_t i = 0; i < rows->images_count; i++) {
        if (!image_is_sound(&rows->images[i].image)) {
            archive_images_fini(self);
            return err_make(ERR_ARCHIVE_DIFFERS, "image shape in entry");
        }
        self->images[i] = &rows->images[i];
    }
    qsort(self->images, (size_t)rows->images_count, sizeof(const struct archive_image *),
          image_compare);
    for (uint64_t i = 0; i < rows->images_count; i++) { /* the first of each digest stays */
        if (i == 0 || !hash_equal(self->images[i]->image.sha256,
                                  self->images[self->count - 1]->image.sha256)) {
            self->images[self->count] = self->images[i];
            self->count++;
        }
    }
    qsort(self->images, (size_t)self->count, sizeof(const struct archive_image *),
          image_compare_place);
    return err_none;
}

void archive_images_fini(struct archive_images *self)
{
    free(self->images);
    self->images = NULL;
    self->count = 0;
}

/* ---- writing */

static struct err archive_write_pixel_attributes(int64_t dataset, const struct archive_image *image)
{
    char hex[HASH_HEX_BYTES];
    hex_encode(image->image.sha256, HASH_BYTES, hex);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"width", image->image.width},         {"height", image->image.height},
        {"bits", image->image.bits},           {"view", image->image.view},
        {"air_level", image->image.air_level}, {"dark_level", image->image.dark_level},
        {"entry_index", image->entry_index},
    };
    const struct {
        const char *name;
        const char *text;
    } texts[] = {
        {"sha256", hex},
        {"meaning", pixel_meaning_text(image->image.meaning)},
        {"energy", energy_text(image->image.energy)},
        {"interpretation", "image"},
        {"long_name", "rows from the top; SHA-256 is of these bytes, little-endian"},
    };
    struct err err = h5_attribute_f64(dataset, "pixel_pitch_mm", image->image.pixel_pitch_mm);
    if (!err_is(err)) {
        err = h5_attribute_f64(dataset, "energy_kev", image->image.energy_kev);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !err_is(err); i++) {
        err = h5_attribute_u64(dataset, numbers[i].name, numbers[i].value);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !err_is(err); i++) {
        err = h5_attribute_text(dataset, texts[i].name, texts[i].text);
    }
    return err;
}

/* Where a hand stands: chunk `chunk` of image `image`. */
struct image_cursor {
    uint64_t image;
    uint64_t chunk;
};

static void cursor_step(const struct archive_images *self, struct image_cursor *at)
{
    struct h5_array array = image_array(&self->images[at->image]->image);
    at->chunk++;
    if (at->chunk == archive_array_chunks(&array)) {
        at->chunk = 0;
        at->image++;
    }
}

struct image_objects {
    int64_t images;
    int64_t group;
    int64_t dataset;
};

static struct err image_begin(struct image_objects *open, const struct archive_image *image,
                              uint32_t deflate_level)
{
    struct h5_array array = image_array(&image->image);
    struct h5_storage storage = archive_storage(deflate_level);
    char name[HASH_HEX_BYTES];
    hex_encode(image->image.sha256, HASH_BYTES, name);
    struct err err = h5_group_create(open->images, name, &open->group);
    if (!err_is(err)) {
        err = h5_attribute_text(open->group, "NX_class", "NXdata");
    }
    if (!err_is(err)) {
        err = h5_attribute_text(open->group, "signal", "pixels");
    }
    if (!err_is(err)) {
        err = h5_array_create(open->group, "pixels", &array, &storage, &open->dataset);
    }
    return err;
}

static struct err image_end(struct image_objects *open, const struct archive_image *image)
{
    struct err err = archive_write_pixel_attributes(open->dataset, image);
    struct err closed = h5_object_close(&open->dataset);
    err = err_is(err) ? err : closed;
    closed = h5_object_close(&open->group);
    return err_is(err) ? err : closed;
}

/* The next chunk out of the pool and into the file. */
static struct err image_write_chunk(const struct archive_images *self, struct chunk_pool *pool,
                                    struct image_objects *open, struct image_cursor *at)
{
    const struct archive_image *image = self->images[at->image];
    struct h5_array array = image_array(&image->image);
    struct err err = err_none;
    if (at->chunk == 0) {
        err = image_begin(open, image, chunk_pool_deflate_level(pool));
    }
    if (!err_is(err)) {
        err = archive_array_take(pool, open->dataset, &array, at->chunk);
    }
    if (!err_is(err) && at->chunk + 1 == archive_array_chunks(&array)) {
        err = image_end(open, image);
    }
    cursor_step(self, at);
    return err;
}

static struct err images_write_all(const struct archive_images *self, struct chunk_pool *pool,
                                   struct image_objects *open)
{
    struct image_cursor put = {0, 0};
    struct image_cursor written = {0, 0};
    struct err err = err_none;
    while (written.image < self->count && !err_is(err)) {
        while (put.image < self->count && chunk_pool_has_room(pool)) {
            const struct image *image = &self->images[put.image]->image;
            struct h5_array array = image_array(image);
            archive_array_put(pool, &array, put.chunk, NULL, image->sha256);
            cursor_step(self, &put);
        }
        err = image_write_chunk(self, pool, open, &written);
    }
    archive_array_drop(pool);
    return err;
}

struct err archive_images_write(const struct archive_images *self, struct chunk_pool *pool,
                                int64_t file)
{
    struct image_objects open = {0, 0, 0};
    struct err err = h5_group_create(file, "images", &open.images);
    if (err_is(err)) {
        return err;
    }
    err = h5_attribute_text(open.images, "NX_class", "NXcollection");
    if (!err_is(err)) {
        err = images_write_all(self, pool, &open);
    }
    int64_t *const objects[] = {&open.dataset, &open.group, &open.images};
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        struct err closed = h5_object_close(objects[i]);
        err = err_is(err) ? err : closed;
    }
    return err;
}
