/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/h5.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/h5_lock.h"

/* Two files of our own making, object by object in the order of names: attributes, shape, and every
 * chunk as it is stored; only where stored bytes differ are they decoded, to tell whether the
 * values do. Groups lie two deep in our files; deeper ones are somebody else's. */

#define COMPARE_DEPTH_MAX 4u
#define COMPARE_ATTRIBUTE_BYTES_MAX 4096u
#define COMPARE_CHUNK_BYTES_MAX (UINT64_C(4) << 20)
#define COMPARE_NAMES_MAX (UINT64_C(1) << 24)

struct compare {
    char *out; /* H5_DIFFERENCE_BYTES */
    bool differs;
};

static void compare_tell(struct compare *self, const char *path, const char *what, const char *name)
{
    if (!self->differs) {
        (void)snprintf(self->out, H5_DIFFERENCE_BYTES, "%.100s: %.60s%.60s",
                       path[0] == '\0' ? "/" : path, what, name);
        self->differs = true;
    }
}

/* Value of an attribute as it lies in the file; 0 when it cannot be had. */
static size_t compare_read_attribute(hid_t object, const char *name, uint8_t *out)
{
    size_t bytes = 0;
    hid_t attribute = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
    if (type >= 0 && H5Tis_variable_str(type) <= 0 &&
        H5Aget_storage_size(attribute) <= COMPARE_ATTRIBUTE_BYTES_MAX &&
        H5Aread(attribute, type, out) >= 0) {
        bytes = (size_t)H5Aget_storage_size(attribute);
    }
    if (type >= 0) {
        (void)H5Tclose(type);
    }
    if (attribute >= 0) {
        (void)H5Aclose(attribute);
    }
    return bytes;
}

/* The lists of dimension scales are addresses in their own file: where they point is the same when
 * everything else is. */
static bool compare_is_address(const char *name)
{
    return strcmp(name, "DIMENSION_LIST") == 0 || strcmp(name, "REFERENCE_LIST") == 0;
}

static void compare_attributes(struct compare *self, const char *path, hid_t a, hid_t b)
{
    static uint8_t left[COMPARE_ATTRIBUTE_BYTES_MAX]; /* under the lock */
    static uint8_t right[COMPARE_ATTRIBUTE_BYTES_MAX];
    int count = H5Aget_num_attrs(a);
    if (count != H5Aget_num_attrs(b)) {
        compare_tell(self, path, "number of attributes", "");
    }
    for (int i = 0; i < count && !self->differs; i++) {
        char name[H5_NAME_BYTES] = "";
        (void)H5Aget_name_by_idx(a, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, name, sizeof name,
                                 H5P_DEFAULT);
        if (compare_is_address(name)) {
            if (H5Aexists(b, name) <= 0) {
                compare_tell(self, path, "attribute ", name);
            }
            continue;
        }
        size_t bytes = compare_read_attribute(a, name, left);
        if (bytes == 0 || bytes != compare_read_attribute(b, name, right) ||
            memcmp(left, right, bytes) != 0) {
            compare_tell(self, path, "attribute ", name);
        }
    }
}

/* The chunk at this place, decoded, in both; true when the values are equal. */
static bool compare_values(hid_t a, hid_t b, const hsize_t *start, const hsize_t *count, int rank)
{
    hid_t datasets[2] = {a, b};
    uint8_t *values[2] = {NULL, NULL};
    bool good = true;
    size_t bytes = 1;
    hid_t type = H5Dget_type(a);
    for (int i = 0; i < rank; i++) {
        bytes *= (size_t)count[i];
    }
    bytes *= type < 0 ? 0 : H5Tget_size(type);
    good = bytes > 0 && bytes <= COMPARE_CHUNK_BYTES_MAX;
    for (int i = 0; i < 2 && good; i++) {
        hid_t space = H5Dget_space(datasets[i]);
        hid_t memory = H5Screate_simple(rank, count, NULL);
        values[i] = malloc(bytes);
        good = space >= 0 && memory >= 0 && values[i] != NULL &&
               H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
               H5Dread(datasets[i], type, memory, space, H5P_DEFAULT, values[i]) >= 0;
        if (memory >= 0) {
            (void)H5Sclose(memory);
        }
        if (space >= 0) {
            (void)H5Sclose(space);
        }
    }
    good = good && memcmp(values[0], values[1], bytes) == 0;
    free(values[0]);
    free(values[1]);
    if (type >= 0) {
        (void)H5Tclose(type);
    }
    return good;
}

static size_t compare_read_chunk(hid_t dataset, const hsize_t *start, uint8_t *out)
{
    hsize_t bytes = 0;
    uint32_t skipped = 0;
    bool good = H5Dget_chunk_storage_size(dataset, start, &bytes) >= 0 && bytes > 0 &&
                bytes <= COMPARE_CHUNK_BYTES_MAX &&
                H5Dread_chunk(dataset, H5P_DEFAULT, start, &skipped, out) >= 0;
    return good && skipped == 0 ? (size_t)bytes : 0;
}

struct shape {
    int rank;
    hsize_t dims[H5_RANK_MAX];
    hsize_t chunk[H5_RANK_MAX];
    bool chunked;
};

static bool compare_shape(hid_t dataset, struct shape *out)
{
    memset(out, 0, sizeof *out);
    hid_t space = H5Dget_space(dataset);
    hid_t list = H5Dget_create_plist(dataset);
    out->rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    bool good = list >= 0 && out->rank >= 1 && out->rank <= (int)H5_RANK_MAX &&
                H5Sget_simple_extent_dims(space, out->dims, NULL) == out->rank;
    if (good && H5Pget_layout(list) == H5D_CHUNKED) {
        out->chunked = H5Pget_chunk(list, (int)H5_RANK_MAX, out->chunk) == out->rank;
    }
    if (list >= 0) {
        (void)H5Pclose(list);
    }
    if (space >= 0) {
        (void)H5Sclose(space);
    }
    return good;
}

static bool compare_same_type(hid_t a, hid_t b)
{
    hid_t left = H5Dget_type(a);
    hid_t right = H5Dget_type(b);
    bool same = left >= 0 && right >= 0 && H5Tequal(left, right) > 0;
    if (left >= 0) {
        (void)H5Tclose(left);
    }
    if (right >= 0) {
        (void)H5Tclose(right);
    }
    return same;
}

static void compare_datasets(struct compare *self, const char *path, hid_t a, hid_t b)
{
    struct shape left;
    struct shape right;
    if (!compare_shape(a, &left) || !compare_shape(b, &right) || !compare_same_type(a, b) ||
        memcmp(left.dims, right.dims, sizeof left.dims) != 0) {
        compare_tell(self, path, "type or shape", "");
        return;
    }
    if (memcmp(left.chunk, right.chunk, sizeof left.chunk) != 0) {
        compare_tell(self, path, "chunks", "");
        return;
    }
    uint8_t *stored[2] = {malloc(COMPARE_CHUNK_BYTES_MAX), malloc(COMPARE_CHUNK_BYTES_MAX)};
    must(stored[0] != NULL && stored[1] != NULL); /* 8 MiB in a tool */
    hsize_t start[H5_RANK_MAX] = {0};
    for (hsize_t row = 0; left.chunked && row < left.dims[0] && !self->differs;
         row += left.chunk[0]) {
        hsize_t count[H5_RANK_MAX];
        memcpy(count, left.dims, sizeof count);
        start[0] = row;
        count[0] = left.dims[0] - row < left.chunk[0] ? left.dims[0] - row : left.chunk[0];
        size_t bytes = compare_read_chunk(a, start, stored[0]);
        if (bytes == 0 || bytes != compare_read_chunk(b, start, stored[1]) ||
            memcmp(stored[0], stored[1], bytes) != 0) {
            char from[32];
            (void)snprintf(from, sizeof from, "%llu", (unsigned long long)row);
            compare_tell(self, path,
                         compare_values(a, b, start, count, left.rank)
                             ? "equal values, compressed otherwise, from row "
                             : "values from row ",
                         from);
        }
    }
    free(stored[0]);
    free(stored[1]);
}

static void compare_groups(struct compare *self, const char *path, const hid_t pair[2],
                           uint32_t depth);

static void compare_objects(struct compare *self, const char *path, const hid_t parents[2],
                            const char *name, uint32_t depth)
{
    char below[H5_DIFFERENCE_BYTES];
    (void)snprintf(below, sizeof below, "%.100s/%.90s", path, name);
    if (H5Lexists(parents[1], name, H5P_DEFAULT) <= 0) {
        compare_tell(self, below, "is missing", "");
        return;
    }
    hid_t pair[2] = {H5Oopen(parents[0], name, H5P_DEFAULT),
                     H5Oopen(parents[1], name, H5P_DEFAULT)};
    if (pair[0] < 0 || pair[1] < 0 || H5Iget_type(pair[0]) != H5Iget_type(pair[1])) {
        compare_tell(self, below, "kind of object", "");
    } else if (H5Iget_type(pair[0]) == H5I_GROUP) {
        compare_groups(self, below, pair, depth + 1);
    } else {
        compare_attributes(self, below, pair[0], pair[1]);
        if (!self->differs) {
            compare_datasets(self, below, pair[0], pair[1]);
        }
    }
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            (void)H5Oclose(pair[i]);
        }
    }
}

static void compare_groups(struct compare *self, const char *path, const hid_t pair[2],
                           uint32_t depth)
{
    H5G_info_t links[2];
    compare_attributes(self, path, pair[0], pair[1]);
    if (depth > COMPARE_DEPTH_MAX || H5Gget_info(pair[0], &links[0]) < 0 ||
        H5Gget_info(pair[1], &links[1]) < 0 || links[0].nlinks > COMPARE_NAMES_MAX) {
        compare_tell(self, path, "links", "");
        return;
    }
    for (hsize_t i = 0; i < links[0].nlinks && !self->differs; i++) {
        char name[H5_NAME_BYTES] = "";
        (void)H5Lget_name_by_idx(pair[0], ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                                 H5P_DEFAULT);
        compare_objects(self, path, pair, name, depth);
    }
    if (links[0].nlinks != links[1].nlinks) {
        compare_tell(self, path, "has more objects in one of them", "");
    }
}

struct err h5_first_difference(const char *path, const char *other_path,
                               char out[H5_DIFFERENCE_BYTES], bool *differs)
{
    struct compare compare = {.out = out};
    int64_t files[2] = {0, 0};
    out[0] = '\0';
    struct err err = h5_file_open(path, &files[0]);
    if (!err_is(err)) {
        err = h5_file_open(other_path, &files[1]);
    }
    if (!err_is(err)) {
        h5_lock();
        hid_t pair[2] = {H5Gopen2(files[0], "/", H5P_DEFAULT),
                         H5Gopen2(files[1], "/", H5P_DEFAULT)};
        if (pair[0] < 0 || pair[1] < 0) {
            err = h5_read_err("open root");
        } else {
            compare_groups(&compare, "", pair, 0);
        }
        for (int i = 0; i < 2; i++) {
            if (pair[i] >= 0) {
                (void)H5Gclose(pair[i]);
            }
        }
        h5_unlock();
        *differs = compare.differs;
    }
    for (int i = 0; i < 2; i++) {
        struct err closed = h5_file_close(&files[i]);
        (void)closed; /* read only */
    }
    return err;
}
