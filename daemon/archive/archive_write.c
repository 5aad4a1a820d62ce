/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_write.h"

#include <stdlib.h>
#include <string.h>

#include "archive/h5.h"

/* The order of calls is the order of bytes in the file, so it depends on the entries alone. Tables
 * come first: readers who want no pixels then find everything near the beginning. */

static struct err archive_write_root(const struct archive_conf *conf,
                                     const struct archive_rows *rows, int64_t file)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"format_version", ARCHIVE_FORMAT_VERSION},
        {"first_index", rows->first_index},
        {"last_index", rows->first_index + rows->entries_count - 1},
        {"items_count", rows->items.count},
    };
    struct err err = h5_attribute_text(file, "format", ARCHIVE_FORMAT);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !err_is(err); i++) {
        err = h5_attribute_u64(file, numbers[i].name, numbers[i].value);
    }
    if (!err_is(err)) {
        err = h5_attribute_text(file, "origin", conf->origin);
    }
    if (!err_is(err)) {
        err = h5_attribute_text(file, "creator", "triaged");
    }
    return err_is(err) ? err : h5_attribute_text(file, "NX_class", "NXroot");
}

static struct err archive_write_array(int64_t group, const char *name, const char *words,
                                      const struct h5_array *array, uint32_t deflate_level,
                                      const void *values)
{
    struct h5_storage storage = archive_storage(deflate_level);
    int64_t dataset = 0;
    struct err err = h5_array_write(group, name, array, &storage, values, &dataset);
    if (err_is(err)) {
        return err;
    }
    err = h5_attribute_text(dataset, "long_name", words);
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

/* Beside the columns of the table: the raw bytes, where each entry starts in them, and the leaf
 * hashes. */
static struct err archive_write_entries(const struct archive_rows *rows, uint32_t deflate_level,
                                        int64_t file)
{
    const struct h5_array bytes = {.type = H5_U8, .rank = 1, .dims = {rows->bytes_count}};
    const struct h5_array offsets = {.type = H5_U64, .rank = 1, .dims = {rows->entries_count + 1}};
    const struct h5_array leaves = {
        .type = H5_U8, .rank = 2, .dims = {rows->entries_count, HASH_BYTES}};
    int64_t group = 0;
    struct err err = h5_group_open(file, "entries", &group);
    if (err_is(err)) {
        return err;
    }
    err = archive_write_array(group, "bytes", "the entries' bytes, one behind the other", &bytes,
                              deflate_level, rows->bytes);
    if (!err_is(err)) {
        err = archive_write_array(group, "offset", "entry i is bytes[offset[i]:offset[i+1]]",
                                  &offsets, deflate_level, rows->offsets);
    }
    if (!err_is(err)) {
        err = archive_write_array(group, "leaf",
                                  "SHA-256(0x00 || bytes of the entry): its leaf in the log's tree",
                                  &leaves, deflate_level, rows->leaves);
    }
    struct err closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

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

static struct err archive_write_pixels(int64_t group, const struct archive_image *image,
                                       uint32_t deflate_level, const void *pixels)
{
    const struct h5_array array = {.type = image->image.bits == 16 ? H5_U16 : H5_U8,
                                   .rank = 2,
                                   .dims = {image->image.height, image->image.width}};
    struct h5_storage storage = archive_storage(deflate_level);
    int64_t dataset = 0;
    struct err err = h5_array_write(group, "pixels", &array, &storage, pixels, &dataset);
    if (err_is(err)) {
        return err;
    }
    err = archive_write_pixel_attributes(dataset, image);
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}

/* One image in memory at a time. */
static struct err archive_write_image(int64_t images, const struct archive_image *image,
                                      uint32_t deflate_level, struct blob_store *blobs)
{
    const struct image *shape = &image->image;
    char name[HASH_HEX_BYTES];
    int64_t group = 0;
    hex_encode(shape->sha256, HASH_BYTES, name);
    uint64_t bytes_count = (uint64_t)shape->width * shape->height * (shape->bits / 8);
    if ((shape->bits != 8 && shape->bits != 16) || shape->width == 0 || shape->height == 0 ||
        shape->width > IMAGE_SIDE_MAX || shape->height > IMAGE_SIDE_MAX ||
        shape->payload_bytes != bytes_count) {
        return err_make(ERR_ARCHIVE_DIFFERS, "image shape in entry");
    }
    uint8_t *pixels = malloc((size_t)bytes_count);
    if (pixels == NULL) {
        return err_make(ERR_MEMORY, "archive_write_image");
    }
    struct err err = blob_read(blobs, shape->sha256, pixels, bytes_count);
    if (!err_is(err)) {
        err = h5_group_create(images, name, &group);
    }
    if (!err_is(err)) {
        err = h5_attribute_text(group, "NX_class", "NXdata");
    }
    if (!err_is(err)) {
        err = h5_attribute_text(group, "signal", "pixels");
    }
    if (!err_is(err)) {
        err = archive_write_pixels(group, image, deflate_level, pixels);
    }
    free(pixels);
    struct err closed = h5_object_close(&group);
    return err_is(err) ? err : closed;
}

static struct err archive_write_images(const struct archive_rows *rows, uint32_t deflate_level,
                                       struct blob_store *blobs, int64_t file,
                                       uint64_t *images_count)
{
    int64_t images = 0;
    *images_count = 0;
    struct err err = h5_group_create(file, "images", &images);
    if (err_is(err)) {
        return err;
    }
    err = h5_attribute_text(images, "NX_class", "NXcollection");
    for (uint64_t i = 0; i < rows->images_count && !err_is(err); i++) {
        char name[HASH_HEX_BYTES];
        hex_encode(rows->images[i].image.sha256, HASH_BYTES, name);
        if (h5_exists(images, name)) {
            continue; /* the same pixels twice in the range are stored once */
        }
        err = archive_write_image(images, &rows->images[i], deflate_level, blobs);
        *images_count += 1;
    }
    struct err closed = h5_object_close(&images);
    return err_is(err) ? err : closed;
}

struct err archive_write(const struct archive_conf *conf, const struct archive_rows *rows,
                         struct blob_store *blobs, const char *path, uint64_t *images_count)
{
    int64_t file = 0;
    struct err err = h5_file_create(path, &file);
    if (err_is(err)) {
        return err;
    }
    err = archive_write_root(conf, rows, file);
    for (uint32_t i = 0; i < TABLE_COUNT && !err_is(err); i++) {
        err = archive_table_write(&rows->tables[i], file, conf->deflate_level);
    }
    if (!err_is(err)) {
        err = archive_write_entries(rows, conf->deflate_level, file);
    }
    if (!err_is(err)) {
        err = archive_write_images(rows, conf->deflate_level, blobs, file, images_count);
    }
    struct err closed = h5_file_close(&file);
    return err_is(err) ? err : closed;
}
