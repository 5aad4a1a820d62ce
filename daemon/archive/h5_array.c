/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/h5.h"

#include <hdf5.h>
#include <string.h>

#include "archive/h5_lock.h"

/* Filters are those that every reader has: shuffle, deflate, fletcher32 (h5py, MATLAB, JavaScript
 * readers). fletcher32 comes last, so that the checksum is of the bytes as they lie in the file. */

#define H5_TEXT_BYTES_MAX 65535u

uint64_t h5_cell_bytes(const struct h5_array *array)
{
    switch (array->type) {
    case H5_U8:
        return 1;
    case H5_U16:
        return 2;
    case H5_U32:
    case H5_F32:
        return 4;
    case H5_U64:
    case H5_I64:
    case H5_F64:
        return 8;
    case H5_TEXT:
        return array->text_bytes;
    }
    must(false);
    return 0;
}

bool h5_array_bytes(const struct h5_array *array, uint64_t *out)
{
    uint64_t bytes = h5_cell_bytes(array);
    for (uint32_t i = 0; i < array->rank; i++) {
        if (__builtin_mul_overflow(bytes, array->dims[i], &bytes) || bytes > INT64_MAX) {
            return false;
        }
    }
    *out = bytes;
    return true;
}

/* Text types are made for the call and closed by h5_type_drop. */
static hid_t h5_type_text(uint32_t text_bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, text_bytes) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0 ||
                      H5Tset_strpad(type, H5T_STR_NULLPAD) < 0)) {
        (void)H5Tclose(type);
        type = -1;
    }
    return type;
}

static hid_t h5_type_make(const struct h5_array *array, bool in_memory)
{
    switch (array->type) {
    case H5_U8:
        return H5T_STD_U8LE;
    case H5_U16:
        return H5T_STD_U16LE; /* pixels: their canonical bytes are little-endian */
    case H5_U32:
        return in_memory ? H5T_NATIVE_UINT32 : H5T_STD_U32LE;
    case H5_U64:
        return in_memory ? H5T_NATIVE_UINT64 : H5T_STD_U64LE;
    case H5_I64:
        return in_memory ? H5T_NATIVE_INT64 : H5T_STD_I64LE;
    case H5_F32:
        return in_memory ? H5T_NATIVE_FLOAT : H5T_IEEE_F32LE;
    case H5_F64:
        return in_memory ? H5T_NATIVE_DOUBLE : H5T_IEEE_F64LE;
    case H5_TEXT:
        return h5_type_text(array->text_bytes);
    }
    must(false);
    return -1;
}

static void h5_type_drop(const struct h5_array *array, hid_t type)
{
    if (array->type == H5_TEXT && type >= 0) {
        (void)H5Tclose(type);
    }
}

static bool h5_set_chunk(hid_t list, const struct h5_array *array, const struct h5_storage *storage)
{
    hsize_t chunk[H5_RANK_MAX] = {h5_chunk_rows(array, storage)};
    for (uint32_t i = 1; i < array->rank; i++) {
        chunk[i] = array->dims[i];
    }
    if (H5Pset_chunk(list, (int)array->rank, chunk) < 0) {
        return false;
    }
    if (storage->deflate_level > 0 &&
        (H5Pset_shuffle(list) < 0 || H5Pset_deflate(list, storage->deflate_level) < 0)) {
        return false;
    }
    return H5Pset_fletcher32(list) >= 0;
}

static hid_t h5_array_list(const struct h5_array *array, const struct h5_storage *storage,
                           uint64_t bytes)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (list < 0) {
        return -1;
    }
    bool good = H5Pset_obj_track_times(list, 0) >= 0 &&
                H5Pset_attr_phase_change(list, H5_ATTRIBUTES_COMPACT, 0) >= 0 &&
                H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) >= 0;
    if (good && storage->chunk_bytes > 0 && bytes > 0) {
        good = h5_set_chunk(list, array, storage);
    }
    if (!good) {
        (void)H5Pclose(list);
        return -1;
    }
    return list;
}

/* Without the lock. */
static struct err h5_array_make(int64_t parent, const char *name, const struct h5_array *array,
                                const struct h5_storage *storage, hid_t *out)
{
    uint64_t bytes = 0;
    must(array->rank >= 1 && array->rank <= H5_RANK_MAX);
    must(array->type != H5_TEXT ||
         (array->text_bytes >= 1 && array->text_bytes <= H5_TEXT_BYTES_MAX));
    must(h5_array_bytes(array, &bytes));
    hsize_t dims[H5_RANK_MAX];
    for (uint32_t i = 0; i < array->rank; i++) {
        dims[i] = array->dims[i];
    }
    hid_t dataset = -1;
    hid_t type = h5_type_make(array, false);
    hid_t space = H5Screate_simple((int)array->rank, dims, NULL);
    hid_t list = h5_array_list(array, storage, bytes);
    if (type >= 0 && space >= 0 && list >= 0) {
        dataset = H5Dcreate2(parent, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    }
    struct err err = dataset < 0 ? h5_write_err("create dataset") : err_none;
    if (list >= 0) {
        (void)H5Pclose(list);
    }
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    h5_type_drop(array, type);
    *out = dataset;
    return err;
}

struct err h5_array_create(int64_t parent, const char *name, const struct h5_array *array,
                           const struct h5_storage *storage, int64_t *out)
{
    hid_t dataset = -1;
    h5_lock();
    struct err err = h5_array_make(parent, name, array, storage, &dataset);
    h5_unlock();
    if (!err_is(err)) {
        *out = dataset;
    }
    return err;
}

struct err h5_array_write(int64_t parent, const char *name, const struct h5_array *array,
                          const struct h5_storage *storage, const void *values, int64_t *out)
{
    uint64_t bytes = 0;
    hid_t dataset = -1;
    must(h5_array_bytes(array, &bytes));
    h5_lock();
    hid_t type = h5_type_make(array, true);
    struct err err = type < 0 ? h5_write_err("make type") : err_none;
    if (!err_is(err)) {
        err = h5_array_make(parent, name, array, storage, &dataset);
    }
    if (!err_is(err) && bytes > 0 &&
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        err = h5_write_err("write dataset");
        (void)H5Dclose(dataset);
    }
    h5_type_drop(array, type);
    h5_unlock();
    if (!err_is(err)) {
        *out = dataset;
    }
    return err;
}

/* The type of ours that is exactly this type of the file; false when there is none. */
static bool h5_type_tell(hid_t type, struct h5_array *array)
{
    if (H5Tget_class(type) == H5T_STRING) {
        size_t text_bytes = H5Tget_size(type);
        array->type = H5_TEXT;
        array->text_bytes = (uint32_t)text_bytes;
        return H5Tis_variable_str(type) == 0 && text_bytes >= 1 && text_bytes <= H5_TEXT_BYTES_MAX;
    }
    for (int known = H5_U8; known < H5_TEXT; known++) {
        array->type = (enum h5_type)known;
        if (H5Tequal(type, h5_type_make(array, false)) > 0) {
            return true;
        }
    }
    return false;
}

static bool h5_array_tell(hid_t dataset, struct h5_array *array)
{
    hid_t type = H5Dget_type(dataset);
    hid_t space = H5Dget_space(dataset);
    hsize_t dims[H5_RANK_MAX] = {0};
    bool good = false;
    if (type >= 0 && space >= 0 && h5_type_tell(type, array)) {
        int rank = H5Sget_simple_extent_ndims(space);
        good = rank >= 1 && rank <= (int)H5_RANK_MAX &&
               H5Sget_simple_extent_dims(space, dims, NULL) == rank;
        array->rank = good ? (uint32_t)rank : 0;
    }
    for (uint32_t i = 0; good && i < array->rank; i++) {
        array->dims[i] = dims[i];
    }
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    if (type >= 0) {
        (void)H5Tclose(type);
    }
    uint64_t bytes = 0;
    return good && h5_array_bytes(array, &bytes);
}

struct err h5_array_open(int64_t parent, const char *name, struct h5_array *array, int64_t *out)
{
    struct h5_array told = {.text_bytes = 0};
    h5_lock();
    hid_t dataset = H5Dopen2(parent, name, H5P_DEFAULT);
    struct err err = dataset < 0 ? h5_read_err("open dataset") : err_none;
    if (!err_is(err) && !h5_array_tell(dataset, &told)) {
        err = h5_read_err("dataset of a type or shape that is not ours");
        (void)H5Dclose(dataset);
    }
    h5_unlock();
    if (!err_is(err)) {
        *array = told;
        *out = dataset;
    }
    return err;
}

bool h5_array_is_contiguous(int64_t dataset, const struct h5_array *array)
{
    uint64_t bytes = 0;
    h5_lock();
    hid_t list = H5Dget_create_plist(dataset);
    bool contiguous = list >= 0 && H5Pget_layout(list) == H5D_CONTIGUOUS &&
                      H5Pget_nfilters(list) == 0 && H5Pget_external_count(list) == 0 &&
                      h5_array_bytes(array, &bytes) && H5Dget_storage_size(dataset) == bytes;
    if (list >= 0) {
        (void)H5Pclose(list);
    }
    h5_unlock();
    return contiguous;
}

struct err h5_array_read(int64_t dataset, const struct h5_array *array, uint64_t first_row,
                         uint64_t rows_count, void *out)
{
    must(first_row <= array->dims[0] && rows_count <= array->dims[0] - first_row);
    if (rows_count == 0) {
        return err_none;
    }
    hsize_t start[H5_RANK_MAX] = {first_row};
    hsize_t count[H5_RANK_MAX] = {rows_count};
    for (uint32_t i = 1; i < array->rank; i++) {
        count[i] = array->dims[i];
    }
    h5_lock();
    hid_t type = h5_type_make(array, true);
    hid_t file_space = H5Dget_space(dataset);
    hid_t memory_space = H5Screate_simple((int)array->rank, count, NULL);
    struct err err = err_none;
    if (type < 0 || file_space < 0 || memory_space < 0 ||
        H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(dataset, type, memory_space, file_space, H5P_DEFAULT, out) < 0) {
        err = h5_read_err("read dataset");
    }
    if (memory_space >= 0) {
        (void)H5Sclose(memory_space);
    }
    if (file_space >= 0) {
        (void)H5Sclose(file_space);
    }
    h5_type_drop(array, type);
    h5_unlock();
    return err;
}
