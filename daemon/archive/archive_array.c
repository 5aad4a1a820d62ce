/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_array.h"

#include <stdlib.h>
#include <string.h>

struct h5_storage archive_storage(uint32_t deflate_level)
{
    return (struct h5_storage){.chunk_bytes = ARCHIVE_CHUNK_BYTES, .deflate_level = deflate_level};
}

/* The shape of chunks does not depend on the level. */
static const struct h5_storage chunked = {.chunk_bytes = ARCHIVE_CHUNK_BYTES};

uint64_t archive_array_chunks(const struct h5_array *array)
{
    uint64_t rows = h5_chunk_rows(array, &chunked);
    return (array->dims[0] + rows - 1) / rows;
}

void archive_array_put(struct chunk_pool *pool, const struct h5_array *array, uint64_t chunk,
                       const uint8_t *bytes, const uint8_t *blob)
{
    uint64_t whole = 0;
    uint64_t chunk_bytes = h5_chunk_bytes(array, &chunked);
    must(h5_array_bytes(array, &whole));
    uint64_t offset = chunk * chunk_bytes;
    uint64_t left = whole - offset;
    const struct chunk_source source = {
        .bytes = blob == NULL ? bytes + offset : NULL,
        .digest = blob,
        .blob_bytes = whole,
        .blob_offset = offset,
        .bytes_count = (size_t)(left < chunk_bytes ? left : chunk_bytes),
        .chunk_bytes = (size_t)chunk_bytes,
        .cell_bytes = (size_t)h5_cell_bytes(array),
    };
    chunk_pool_put(pool, &source);
}

struct err archive_array_take(struct chunk_pool *pool, int64_t dataset,
                              const struct h5_array *array, uint64_t chunk)
{
    const uint8_t *stored = NULL;
    size_t stored_bytes = 0;
    struct err err = chunk_pool_take(pool, &stored, &stored_bytes);
    if (err_is(err)) {
        return err;
    }
    return h5_chunk_write(dataset, array, chunk * h5_chunk_rows(array, &chunked), stored,
                          stored_bytes);
}

void archive_array_drop(struct chunk_pool *pool)
{
    while (!chunk_pool_is_empty(pool)) {
        const uint8_t *stored = NULL;
        size_t stored_bytes = 0;
        struct err err = chunk_pool_take(pool, &stored, &stored_bytes);
        (void)err; /* another error is being told */
    }
}

struct err archive_array_write(struct chunk_pool *pool, int64_t group, const char *name,
                               const struct h5_array *array, const void *values, int64_t *out)
{
    struct h5_storage storage = archive_storage(chunk_pool_deflate_level(pool));
    uint64_t bytes = 0;
    int64_t dataset = 0;
    must(chunk_pool_is_empty(pool) && h5_array_bytes(array, &bytes));
    if (bytes == 0) {
        return h5_array_write(group, name, array, &storage, values, out);
    }
    struct err err = h5_array_create(group, name, array, &storage, &dataset);
    uint64_t chunks_count = archive_array_chunks(array);
    uint64_t put = 0;
    for (uint64_t chunk = 0; chunk < chunks_count && !err_is(err); chunk++) {
        while (put < chunks_count && chunk_pool_has_room(pool)) {
            archive_array_put(pool, array, put, values, NULL);
            put++;
        }
        err = archive_array_take(pool, dataset, array, chunk);
    }
    if (err_is(err)) {
        archive_array_drop(pool);
        struct err closed = h5_object_close(&dataset);
        (void)closed; /* the first error is the one to tell */
        return err;
    }
    *out = dataset;
    return err_none;
}

/* A window of whole rows at a time. */
static struct err array_compare(int64_t dataset, const struct h5_array *array,
                                const uint8_t *values)
{
    if (array->dims[0] == 0) {
        return err_none;
    }
    uint64_t rows = h5_chunk_rows(array, &chunked);
    uint64_t chunk_bytes = h5_chunk_bytes(array, &chunked);
    uint8_t *window = malloc((size_t)chunk_bytes);
    struct err err = window == NULL ? err_make(ERR_MEMORY, "archive_array_check") : err_none;
    for (uint64_t row = 0; row < array->dims[0] && !err_is(err); row += rows) {
        uint64_t left = array->dims[0] - row;
        uint64_t count = left < rows ? left : rows;
        err = h5_array_read(dataset, array, row, count, window);
        if (!err_is(err) && memcmp(window, values + row / rows * chunk_bytes,
                                   (size_t)(count * (chunk_bytes / rows))) != 0) {
            err = err_make(ERR_ARCHIVE_DIFFERS, "dataset read back");
        }
    }
    free(window);
    return err;
}

struct err archive_array_check(int64_t group, const char *name, const struct h5_array *array,
                               const void *values)
{
    struct h5_array found;
    int64_t dataset = 0;
    struct err err = h5_array_open(group, name, &found, &dataset);
    if (err_is(err)) {
        return err;
    }
    if (found.type != array->type || found.rank != array->rank ||
        (array->type == H5_TEXT && found.text_bytes != array->text_bytes) ||
        memcmp(found.dims, array->dims, array->rank * sizeof *array->dims) != 0) {
        err = err_make(ERR_ARCHIVE_DIFFERS, "dataset read back in another shape");
    } else {
        err = array_compare(dataset, array, values);
    }
    struct err closed = h5_object_close(&dataset);
    return err_is(err) ? err : closed;
}
