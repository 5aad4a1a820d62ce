/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_extract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/archive_array.h"
#include "archive/chunk_pool.h"
#include "archive/h5.h"
#include "base/durable.h"
#include "proto/record.h"

static struct err copy_find_image(const struct archive_extract *self,
                                  const uint8_t digest[HASH_BYTES], struct image *shape,
                                  uint8_t **pixels)
{
    uint64_t bytes_count = 0;
    struct err err = err_make(ERR_NOT_FOUND, "image in the archive files");
    for (uint32_t i = 0; i < self->files_count && err.code == ERR_NOT_FOUND; i++) {
        err = archive_file_image(self->files[i], digest, pixels, &bytes_count);
        if (!err_is(err)) {
            err = archive_file_image_shape(self->files[i], digest, shape);
        }
    }
    return err;
}

static struct err copy_image(const struct archive_extract *self, uint64_t index, int64_t images,
                             struct chunk_pool *pool)
{
    char hex[HASH_HEX_BYTES];
    struct image shape;
    uint8_t *pixels = NULL;
    int64_t group = 0;
    int64_t dataset = 0;
    hex_encode(self->images[index], HASH_BYTES, hex);
    struct err err = copy_find_image(self, self->images[index], &shape, &pixels);
    if (!err_is(err)) {
        err = h5_group_create(images, hex, &group);
    }
    if (!err_is(err)) {
        err = h5_attribute_text(group, "NX_class", "NXdata");
    }
    if (!err_is(err)) {
        err = h5_attribute_text(group, "signal", "pixels");
    }
    if (!err_is(err)) {
        struct h5_array array = {.type = shape.bits == 16 ? H5_U16 : H5_U8,
                                 .rank = 2,
                                 .dims = {shape.height, shape.width}};
        err = archive_array_write(pool, group, "pixels", &array, pixels, &dataset);
    }
    free(pixels);
    struct err closed = h5_object_close(&dataset);
    err = err_is(err) ? err : closed;
    closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

static struct err copy_images(const struct archive_extract *self, int64_t file,
                              struct chunk_pool *pool)
{
    int64_t images = 0;
    if (self->images_count == 0) {
        return err_none;
    }
    struct err err = h5_group_create(file, "images", &images);
    if (!err_is(err)) {
        err = h5_attribute_text(images, "NX_class", "NXcollection");
    }
    for (uint64_t i = 0; i < self->images_count && !err_is(err); i++) {
        err = copy_image(self, i, images, pool);
    }
    struct err closed = h5_object_close(&images);
    return err_is(err) ? err : closed;
}

static struct err copy_fill(const struct archive_extract *self, const char *part,
                            struct chunk_pool *pool)
{
    int64_t file = 0;
    struct err err = h5_file_create(part, &file);
    for (uint32_t i = 0; i < self->texts_count && !err_is(err); i++) {
        err = h5_attribute_text(file, self->texts[i].name, self->texts[i].text);
    }
    for (uint32_t i = 0; i < self->tables_count && !err_is(err); i++) {
        err = archive_table_write(self->tables[i], file, pool);
    }
    if (!err_is(err)) {
        err = copy_images(self, file, pool);
    }
    struct err closed = h5_file_close(&file);
    return err_is(err) ? err : closed;
}

struct err archive_extract_write(const struct archive_extract *self, const char *path)
{
    char part[DURABLE_PATH_BYTES];
    struct chunk_pool *pool = NULL;
    const struct chunk_pool_conf conf = {.threads = self->threads == 0 ? 1 : self->threads,
                                         .chunk_bytes_max = ARCHIVE_CHUNK_BYTES,
                                         .deflate_level = self->deflate_level,
                                         .blobs = NULL};
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part) {
        return err_make(ERR_ARGUMENT, "path of the copy");
    }
    struct err err = chunk_pool_open(&conf, &pool);
    if (err_is(err)) {
        return err;
    }
    err = copy_fill(self, part, pool);
    chunk_pool_close(&pool);
    if (!err_is(err)) {
        return durable_rename(part, path);
    }
    struct err removed = durable_remove_unsynced(part);
    (void)removed; /* the first error is the one to tell */
    return err;
}
