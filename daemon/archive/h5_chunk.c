/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/h5.h"

#include <hdf5.h>
#include <string.h>

#include "archive/h5_lock.h"

/* Chunks as they lie in the file: written and found, never decoded here. The library then neither
 * copies nor filters them, and its lock is held for no longer than the write. */

/* Whole rows of the first dimension: as few chunks as chunk_bytes allows, of equal height, so that
 * the last one, which is stored whole, is not padded with half a chunk of zeros. */
uint64_t h5_chunk_rows(const struct h5_array *array, const struct h5_storage *storage)
{
    uint64_t row_bytes = h5_cell_bytes(array);
    for (uint32_t i = 1; i < array->rank; i++) {
        row_bytes *= array->dims[i]; /* the product of all dimensions fits: who makes it looked */
    }
    uint64_t rows_max = storage->chunk_bytes / row_bytes;
    rows_max = rows_max < 1 ? 1 : rows_max;
    uint64_t chunks_count = (array->dims[0] + rows_max - 1) / rows_max;
    return (array->dims[0] + chunks_count - 1) / chunks_count;
}

uint64_t h5_chunk_bytes(const struct h5_array *array, const struct h5_storage *storage)
{
    uint64_t bytes = h5_chunk_rows(array, storage) * h5_cell_bytes(array);
    for (uint32_t i = 1; i < array->rank; i++) {
        bytes *= array->dims[i];
    }
    return bytes;
}

static void h5_chunk_shape(const struct h5_array *array, const struct h5_storage *storage,
                           hsize_t chunk[H5_RANK_MAX])
{
    chunk[0] = h5_chunk_rows(array, storage);
    for (uint32_t i = 1; i < array->rank; i++) {
        chunk[i] = array->dims[i];
    }
}

struct err h5_chunk_write(int64_t dataset, const struct h5_array *array, uint64_t first_row,
                          const void *stored, size_t stored_bytes)
{
    hsize_t start[H5_RANK_MAX] = {first_row};
    must(first_row < array->dims[0]);
    h5_lock();
    struct err err = err_none;
    if (H5Dwrite_chunk(dataset, H5P_DEFAULT, 0, start, stored_bytes, stored) < 0) {
        err = h5_write_err("write chunk");
    }
    h5_unlock();
    return err;
}

/* Its chunks are ours in shape and filters: deflate's level may be any, the stream tells nothing of
 * it. */
static bool h5_chunks_are(hid_t list, const struct h5_array *array,
                          const struct h5_storage *storage)
{
    static const H5Z_filter_t filters[] = {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE,
                                           H5Z_FILTER_FLETCHER32};
    hsize_t chunk[H5_RANK_MAX] = {0};
    hsize_t wanted[H5_RANK_MAX] = {0};
    unsigned first = storage->deflate_level > 0 ? 0 : 2;
    h5_chunk_shape(array, storage, wanted);
    bool good = H5Pget_layout(list) == H5D_CHUNKED &&
                H5Pget_chunk(list, H5_RANK_MAX, chunk) == (int)array->rank &&
                memcmp(chunk, wanted, array->rank * sizeof *chunk) == 0 &&
                H5Pget_nfilters(list) == (int)(3 - first);
    for (unsigned i = first; i < 3 && good; i++) {
        unsigned flags = 0;
        size_t values_count = 0;
        good = H5Pget_filter2(list, i - first, &flags, &values_count, NULL, 0, NULL, NULL) ==
               filters[i];
    }
    return good;
}

struct err h5_chunk_find(int64_t dataset, const struct h5_array *array,
                         const struct h5_storage *storage, uint64_t first_row, uint64_t *offset,
                         uint64_t *stored_bytes)
{
    hsize_t start[H5_RANK_MAX] = {first_row};
    unsigned skipped = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t bytes = 0;
    h5_lock();
    struct err err = err_none;
    hid_t list = first_row == 0 ? H5Dget_create_plist(dataset) : -1;
    if (first_row == 0 && (list < 0 || !h5_chunks_are(list, array, storage))) {
        err = h5_read_err("dataset of other chunks or filters");
    } else if (H5Dget_chunk_info_by_coord(dataset, start, &skipped, &address, &bytes) < 0 ||
               address == HADDR_UNDEF || skipped != 0) {
        err = h5_read_err("find chunk");
    }
    if (list >= 0) {
        (void)H5Pclose(list);
    }
    h5_unlock();
    if (!err_is(err)) {
        *offset = address;
        *stored_bytes = bytes;
    }
    return err;
}
