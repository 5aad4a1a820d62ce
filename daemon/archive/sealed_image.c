/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/sealed_image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/sealed_block.h"
#include "proto/record.h"

/* The dataset's header has its shape, type, filters, and the root of a version 1 B-tree over its
 * chunks. That tree has no checksums: a chunk's own place stands in its key and is compared, its
 * bytes carry fletcher32. */

enum {
    MESSAGE_SPACE = 0x01,
    MESSAGE_TYPE = 0x03,
    MESSAGE_LAYOUT = 0x08,
    MESSAGE_FILTERS = 0x0B,
    RANK = 2,
    FILTER_DEFLATE = 1,
    FILTER_SHUFFLE = 2,
    FILTER_FLETCHER32 = 3,
    FILTERS_MAX = 3,
    NODE_HEAD_BYTES = 24,
    NODE_KEY_BYTES = 8 + 8 * (RANK + 1),
    NODE_ENTRY_BYTES = NODE_KEY_BYTES + 8,
    NODE_ENTRIES_MAX = 4096,
    NODE_LEVELS_MAX = 6
};

#define CHUNK_BYTES_MAX (UINT64_C(1) << 24) /* ours have at most 1 MiB */

struct dataset {
    struct sealed_file file;
    struct sealed_image *image;
    uint64_t tree;
    uint64_t found_count; /* chunks whose place is known */
    uint32_t nodes_left;
};

static struct err dataset_space(const struct sealed_object *object, struct sealed_image *image)
{
    struct sealed_walk walk = {0, 0};
    const uint8_t *body = NULL;
    size_t bytes = 0;
    if (!sealed_object_next(object, MESSAGE_SPACE, &walk, &body, &bytes) || bytes < 4 + 8 * RANK ||
        body[0] != 2 || body[1] != RANK || body[3] != 1) {
        return sealed_differs("dimensions of an image");
    }
    uint64_t height = sealed_number(body + 4, 8);
    uint64_t width = sealed_number(body + 12, 8);
    if (height == 0 || width == 0 || height > IMAGE_SIDE_MAX || width > IMAGE_SIDE_MAX) {
        return sealed_differs("dimensions of an image");
    }
    image->height = (uint32_t)height;
    image->width = (uint32_t)width;
    return err_none;
}

/* Fixed point, little-endian, unsigned, all of its bits used. */
static struct err dataset_type(const struct sealed_object *object, struct sealed_image *image)
{
    struct sealed_walk walk = {0, 0};
    const uint8_t *body = NULL;
    size_t bytes = 0;
    if (!sealed_object_next(object, MESSAGE_TYPE, &walk, &body, &bytes) || bytes < 12 ||
        (body[0] & 0x0f) != 0 || (body[1] & 0x09) != 0) {
        return sealed_differs("type of an image");
    }
    uint64_t cell_bytes = sealed_number(body + 4, 4);
    uint64_t first_bit = sealed_number(body + 8, 2);
    uint64_t bits = sealed_number(body + 10, 2);
    if ((cell_bytes != 1 && cell_bytes != 2) || first_bit != 0 || bits != 8 * cell_bytes) {
        return sealed_differs("type of an image");
    }
    image->bits = (uint32_t)bits;
    return err_none;
}

static struct err dataset_layout(const struct sealed_object *object, struct dataset *out)
{
    struct sealed_walk walk = {0, 0};
    const uint8_t *body = NULL;
    size_t bytes = 0;
    struct sealed_image *image = out->image;
    if (!sealed_object_next(object, MESSAGE_LAYOUT, &walk, &body, &bytes) ||
        bytes < 11 + 4 * (RANK + 1) || body[0] != 3 || body[1] != 2 || body[2] != RANK + 1) {
        return sealed_differs("layout of an image");
    }
    uint64_t rows = sealed_number(body + 11, 4);
    uint64_t columns = sealed_number(body + 15, 4);
    uint64_t cell_bytes = sealed_number(body + 19, 4);
    if (rows == 0 || rows > IMAGE_SIDE_MAX || columns != image->width ||
        cell_bytes != image->bits / 8 || rows * columns * cell_bytes > CHUNK_BYTES_MAX) {
        return sealed_differs("chunks of an image");
    }
    out->tree = sealed_number(body + 3, 8);
    image->chunk_rows = (uint32_t)rows;
    image->chunks_count = (image->height + image->chunk_rows - 1) / image->chunk_rows;
    return err_none;
}

static struct err dataset_filters(const struct sealed_object *object, struct sealed_image *image)
{
    static const unsigned deflated[FILTERS_MAX] = {FILTER_SHUFFLE, FILTER_DEFLATE,
                                                   FILTER_FLETCHER32};
    struct sealed_walk walk = {0, 0};
    const uint8_t *body = NULL;
    size_t bytes = 0;
    if (!sealed_object_next(object, MESSAGE_FILTERS, &walk, &body, &bytes) || bytes < 2 ||
        body[0] != 2 || (body[1] != 1 && body[1] != FILTERS_MAX)) {
        return sealed_differs("filters of an image");
    }
    const unsigned *wanted = body[1] == FILTERS_MAX ? deflated : &deflated[2];
    size_t at = 2;
    for (unsigned i = 0; i < body[1]; i++) { /* id, flags, number of values, values */
        if (bytes - at < 6 || sealed_number(body + at, 2) != wanted[i] ||
            4 * sealed_number(body + at + 4, 2) > bytes - at - 6) {
            return sealed_differs("filters of an image");
        }
        at += 6 + 4 * (size_t)sealed_number(body + at + 4, 2);
    }
    image->deflated = body[1] == FILTERS_MAX;
    return err_none;
}

/* One entry of a leaf: the chunk that begins at the row of its key. */
static struct err dataset_take_chunk(struct dataset *self, const uint8_t *key, uint64_t offset)
{
    struct sealed_image *image = self->image;
    uint64_t stored_bytes = sealed_number(key, 4);
    uint64_t skipped = sealed_number(key + 4, 4);
    uint64_t row = sealed_number(key + 8, 8);
    uint64_t column = sealed_number(key + 16, 8);
    if (skipped != 0 || column != 0 || row >= image->height || row % image->chunk_rows != 0 ||
        stored_bytes == 0 || offset > self->file.file_bytes ||
        stored_bytes > self->file.file_bytes - offset || stored_bytes > 2 * CHUNK_BYTES_MAX) {
        return sealed_differs("place of a chunk");
    }
    struct sealed_chunk *chunk = &image->chunks[row / image->chunk_rows];
    if (chunk->stored_bytes != 0) {
        return sealed_differs("chunk that is there twice");
    }
    *chunk = (struct sealed_chunk){offset, stored_bytes};
    self->found_count++;
    return err_none;
}

/* Depth is bounded by NODE_LEVELS_MAX, for a child must be one level lower. */
static struct err dataset_walk_tree(struct dataset *self, uint64_t address, unsigned level)
{
    uint8_t head[NODE_HEAD_BYTES];
    struct err err = sealed_read_block(&self->file, address, "TREE", head, sizeof head);
    if (err_is(err)) {
        return err;
    }
    size_t entries = (size_t)sealed_number(head + 6, 2);
    if (head[4] != 1 || head[5] != level || entries == 0 || entries > NODE_ENTRIES_MAX ||
        self->nodes_left == 0) {
        return sealed_differs("tree of chunks");
    }
    self->nodes_left--;
    uint8_t *bytes = malloc(entries * NODE_ENTRY_BYTES);
    if (bytes == NULL) {
        return err_make(ERR_MEMORY, "tree of chunks");
    }
    err = sealed_read(&self->file, address + NODE_HEAD_BYTES, bytes, entries * NODE_ENTRY_BYTES);
    for (size_t i = 0; i < entries && !err_is(err); i++) {
        const uint8_t *key = bytes + i * NODE_ENTRY_BYTES;
        uint64_t child = sealed_number(key + NODE_KEY_BYTES, 8);
        err = level == 0 ? dataset_take_chunk(self, key, child)
                         : dataset_walk_tree(self, child, level - 1);
    }
    free(bytes);
    return err;
}

static struct err dataset_chunks(struct dataset *self)
{
    struct sealed_image *image = self->image;
    uint8_t head[NODE_HEAD_BYTES];
    image->chunks = calloc(image->chunks_count, sizeof *image->chunks);
    if (image->chunks == NULL) {
        return err_make(ERR_MEMORY, "chunks of an image");
    }
    self->nodes_left = 2 * image->chunks_count + NODE_LEVELS_MAX;
    struct err err = sealed_read_block(&self->file, self->tree, "TREE", head, sizeof head);
    if (!err_is(err) && head[5] > NODE_LEVELS_MAX) {
        err = sealed_differs("tree of chunks");
    }
    if (!err_is(err)) {
        err = dataset_walk_tree(self, self->tree, head[5]);
    }
    if (!err_is(err) && self->found_count != image->chunks_count) {
        err = sealed_differs("chunk that is missing");
    }
    return err;
}

static struct err dataset_find(const struct sealed_file *file, const uint8_t digest[HASH_BYTES],
                               uint64_t *address)
{
    char hex[HASH_HEX_BYTES];
    hex_encode(digest, HASH_BYTES, hex);
    const char *const names[] = {"images", hex, "pixels"};
    struct err err = sealed_root(file, address);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !err_is(err); i++) {
        err = sealed_group_find(file, *address, names[i], address);
    }
    return err;
}

struct err sealed_image_find(int fd, const uint8_t digest[HASH_BYTES], struct sealed_image *out)
{
    struct stat status;
    struct sealed_image image = {.chunks = NULL};
    struct dataset dataset = {.image = &image};
    struct sealed_object object;
    uint64_t address = 0;
    if (fstat(fd, &status) != 0 || status.st_size < 0) {
        return err_os(ERR_ARCHIVE_DIFFERS, "stat sealed file");
    }
    dataset.file = (struct sealed_file){fd, (uint64_t)status.st_size};
    struct err err = dataset_find(&dataset.file, digest, &address);
    if (!err_is(err)) {
        err = sealed_object_read(&dataset.file, address, &object);
    }
    if (!err_is(err)) {
        err = dataset_space(&object, &image);
    }
    if (!err_is(err)) {
        err = dataset_type(&object, &image);
    }
    if (!err_is(err)) {
        err = dataset_layout(&object, &dataset);
    }
    if (!err_is(err)) {
        err = dataset_filters(&object, &image);
    }
    if (!err_is(err)) {
        err = dataset_chunks(&dataset);
    }
    if (err_is(err)) {
        sealed_image_fini(&image);
        return err;
    }
    *out = image;
    return err_none;
}

void sealed_image_fini(struct sealed_image *self)
{
    free(self->chunks);
    self->chunks = NULL;
    self->chunks_count = 0;
}
