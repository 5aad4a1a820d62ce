/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <hdf5.h>

#include "archive/chunk.h"
#include "perturb.h"

/* Our filters beside those of the HDF5 library: the same bytes in, the same bytes out, both ways.
 * The files are in memory. */

#define BYTES_MAX ((size_t)1 << 20)
#define DEFLATE_HDF5 1u /* level of HDF5's own deflate, for the way back */

struct shape {
    size_t cell_bytes;
    size_t cells;
};

/* Lengths around a vector, a step and a block of fletcher32, cells of every kind of column. */
static const struct shape shapes[] = {
    {1, 1},    {1, 2},     {1, 15},     {1, 31},    {1, 32},     {1, 33},    {1, 63},
    {1, 720},  {1, 11519}, {1, 11520},  {1, 11521}, {1, 11522},  {1, 40000}, {1, 1048576},
    {2, 1},    {2, 2},     {2, 31},     {2, 5761},  {2, 524288}, {3, 1},     {3, 7},
    {3, 9999}, {8, 1},     {8, 131072}, {17, 1},    {17, 333},   {36, 4097},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

enum content { ZEROS, ONES, HIGHEST, SOFT, NOISE, CONTENTS };

static void fill(enum content content, uint8_t *bytes, size_t bytes_count)
{
    uint32_t state = 7;
    for (size_t i = 0; i < bytes_count; i++) {
        state = state * 1664525u + 1013904223u;
        switch (content) {
        case ZEROS:
            bytes[i] = 0;
            break;
        case ONES:
            bytes[i] = 1;
            break;
        case HIGHEST: /* every word is 65535, which is 0 modulo 65535 */
            bytes[i] = 0xff;
            break;
        case SOFT:
            bytes[i] = (uint8_t)((i / 40) + (state >> 30));
            break;
        default:
            bytes[i] = (uint8_t)(state >> 24);
        }
    }
}

struct hdf5 {
    hid_t file;
    hid_t dataset;
};

static hid_t cell_type(size_t cell_bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (cell_bytes == 1) {
        type = H5Tcopy(H5T_STD_U8LE);
    } else if (cell_bytes == 2) {
        type = H5Tcopy(H5T_STD_U16LE);
    } else {
        assert_true(H5Tset_size(type, cell_bytes) >= 0);
    }
    return type;
}

/* One dataset of one chunk; deflate_level 0: no deflate. */
static struct hdf5 hdf5_make(const struct shape *shape, bool shuffle, unsigned deflate_level)
{
    struct hdf5 made = {-1, -1};
    hsize_t dims[1] = {shape->cells};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, dims, NULL);
    hid_t type = cell_type(shape->cell_bytes);
    assert_true(H5Pset_fapl_core(access, BYTES_MAX, 0) >= 0);
    assert_true(H5Pset_chunk(create, 1, dims) >= 0);
    if (shuffle) {
        assert_true(H5Pset_shuffle(create) >= 0);
    }
    if (deflate_level > 0) {
        assert_true(H5Pset_deflate(create, deflate_level) >= 0);
    }
    assert_true(H5Pset_fletcher32(create) >= 0);
    made.file = H5Fcreate("chunk", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    made.dataset = H5Dcreate2(made.file, "d", type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    assert_true(made.dataset >= 0);
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    (void)H5Pclose(create);
    (void)H5Pclose(access);
    return made;
}

static void hdf5_drop(struct hdf5 *made)
{
    (void)H5Dclose(made->dataset);
    (void)H5Fclose(made->file);
}

/* What HDF5's filters make of the bytes. */
static size_t hdf5_stored(const struct shape *shape, bool shuffle, unsigned deflate_level,
                          const uint8_t *bytes, uint8_t *stored)
{
    struct hdf5 made = hdf5_make(shape, shuffle, deflate_level);
    hid_t type = cell_type(shape->cell_bytes);
    hsize_t start[1] = {0};
    hsize_t stored_bytes = 0;
    uint32_t skipped = 0;
    assert_true(H5Dwrite(made.dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0);
    assert_true(H5Fflush(made.file, H5F_SCOPE_LOCAL) >= 0);
    assert_true(H5Dget_chunk_storage_size(made.dataset, start, &stored_bytes) >= 0);
    assert_true(stored_bytes <= chunk_stored_bytes_max(BYTES_MAX));
    assert_true(H5Dread_chunk(made.dataset, H5P_DEFAULT, start, &skipped, stored) >= 0);
    (void)H5Tclose(type);
    hdf5_drop(&made);
    return skipped == 0 ? (size_t)stored_bytes : 0;
}

/* What HDF5 reads out of a stored chunk. */
static bool hdf5_read(const struct shape *shape, unsigned deflate_level, const uint8_t *stored,
                      size_t stored_bytes, uint8_t *bytes)
{
    struct hdf5 made = hdf5_make(shape, deflate_level > 0, deflate_level);
    hid_t type = cell_type(shape->cell_bytes);
    hsize_t start[1] = {0};
    assert_true(H5Dwrite_chunk(made.dataset, H5P_DEFAULT, 0, start, stored_bytes, stored) >= 0);
    bool good = H5Dread(made.dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0;
    (void)H5Tclose(type);
    hdf5_drop(&made);
    return good;
}

struct buffers {
    uint8_t *bytes;
    uint8_t *back;
    uint8_t *ours;
    uint8_t *theirs;
};

static int setup(void **state)
{
    struct buffers *buffers = malloc(sizeof *buffers);
    assert_non_null(buffers);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    *buffers = (struct buffers){malloc(BYTES_MAX), malloc(BYTES_MAX),
                                malloc(chunk_stored_bytes_max(BYTES_MAX)),
                                malloc(chunk_stored_bytes_max(BYTES_MAX))};
    assert_true(buffers->bytes && buffers->back && buffers->ours && buffers->theirs);
    *state = buffers;
    return 0;
}

static int teardown(void **state)
{
    struct buffers *buffers = *state;
    free(buffers->bytes);
    free(buffers->back);
    free(buffers->ours);
    free(buffers->theirs);
    free(buffers);
    return 0;
}

static void filters_give_what_hdf5_gives(void **state)
{
    struct buffers *b = *state;
    struct chunk_coder *coder = NULL;
    assert_false(err_is(chunk_coder_open(BYTES_MAX, 0, &coder)));
    for (size_t i = 0; i < SHAPES; i++) {
        size_t bytes_count = shapes[i].cell_bytes * shapes[i].cells;
        for (int content = 0; content < CONTENTS; content++) {
            size_t ours = 0;
            fill((enum content)content, b->bytes, bytes_count);
            size_t theirs = hdf5_stored(&shapes[i], false, 0, b->bytes, b->theirs);
            assert_false(err_is(
                chunk_encode(coder, b->bytes, bytes_count, shapes[i].cell_bytes, b->ours, &ours)));
            assert_int_equal(ours, theirs);
            assert_memory_equal(b->ours, b->theirs, ours);
            theirs = hdf5_stored(&shapes[i], true, 0, b->bytes, b->theirs);
            chunk_shuffle(b->bytes, bytes_count, shapes[i].cell_bytes, b->ours);
            assert_int_equal(theirs, bytes_count + 4);
            assert_memory_equal(b->ours, b->theirs, bytes_count);
            chunk_unshuffle(b->ours, bytes_count, shapes[i].cell_bytes, b->back);
            assert_memory_equal(b->back, b->bytes, bytes_count);
        }
    }
    chunk_coder_close(&coder);
}

static void hdf5_reads_what_we_store(void **state)
{
    struct buffers *b = *state;
    for (uint32_t level = 0; level <= CHUNK_DEFLATE_LEVEL_MAX; level++) {
        struct chunk_coder *coder = NULL;
        assert_false(err_is(chunk_coder_open(BYTES_MAX, level, &coder)));
        for (size_t i = 0; i < SHAPES * CONTENTS; i++) {
            const struct shape *shape = &shapes[i / CONTENTS];
            size_t bytes_count = shape->cell_bytes * shape->cells;
            size_t stored = 0;
            fill((enum content)(i % CONTENTS), b->bytes, bytes_count);
            assert_false(err_is(
                chunk_encode(coder, b->bytes, bytes_count, shape->cell_bytes, b->ours, &stored)));
            assert_true(stored <= chunk_stored_bytes_max(bytes_count));
            memset(b->back, 0x5a, bytes_count);
            assert_true(hdf5_read(shape, level, b->ours, stored, b->back));
            assert_memory_equal(b->back, b->bytes, bytes_count);
            memset(b->back, 0x5a, bytes_count);
            assert_true(
                chunk_decode(coder, b->ours, stored, shape->cell_bytes, b->back, bytes_count));
            assert_memory_equal(b->back, b->bytes, bytes_count);
        }
        chunk_coder_close(&coder);
    }
}

static void decode_reads_what_hdf5_stores(void **state)
{
    struct buffers *b = *state;
    struct chunk_coder *coder = NULL;
    assert_false(err_is(chunk_coder_open(BYTES_MAX, 1, &coder)));
    for (size_t i = 0; i < SHAPES; i++) {
        size_t bytes_count = shapes[i].cell_bytes * shapes[i].cells;
        fill(SOFT, b->bytes, bytes_count);
        size_t stored = hdf5_stored(&shapes[i], true, DEFLATE_HDF5, b->bytes, b->theirs);
        if (stored == 0) {
            continue; /* too small to be deflated: HDF5 leaves the filter out */
        }
        assert_true(
            chunk_decode(coder, b->theirs, stored, shapes[i].cell_bytes, b->back, bytes_count));
        assert_memory_equal(b->back, b->bytes, bytes_count);
    }
    chunk_coder_close(&coder);
}

/* A byte changed anywhere, a byte less, a byte more, another length: never taken for good. */
static void decode_of_changed_chunk_refuses(void **state)
{
    struct buffers *b = *state;
    const size_t bytes_count = 3000;
    for (uint32_t level = 0; level <= CHUNK_DEFLATE_LEVEL_MAX; level++) {
        struct chunk_coder *coder = NULL;
        size_t stored = 0;
        fill(SOFT, b->bytes, bytes_count);
        assert_false(err_is(chunk_coder_open(BYTES_MAX, level, &coder)));
        assert_false(err_is(chunk_encode(coder, b->bytes, bytes_count, 2, b->ours, &stored)));
        for (size_t i = 0; i < stored; i++) {
            b->ours[i] ^= 0x10;
            assert_false(chunk_decode(coder, b->ours, stored, 2, b->back, bytes_count));
            b->ours[i] ^= 0x10;
        }
        for (size_t cut = 0; cut < stored; cut++) {
            assert_false(chunk_decode(coder, b->ours, cut, 2, b->back, bytes_count));
        }
        assert_false(chunk_decode(coder, b->ours, stored, 2, b->back, bytes_count - 2));
        assert_false(chunk_decode(coder, b->ours, stored, 2, b->back, bytes_count + 2));
        assert_true(chunk_decode(coder, b->ours, stored, 2, b->back, bytes_count));
        chunk_coder_close(&coder);
    }
}

/* The checksum may be right and the stream wrong: bytes behind its end, and a stream that is cut.
 */
static void decode_of_stream_with_right_checksum_still_refuses(void **state)
{
    struct buffers *b = *state;
    struct chunk_coder *coder = NULL;
    const size_t bytes_count = 3000;
    size_t stored = 0;
    fill(SOFT, b->bytes, bytes_count);
    assert_false(err_is(chunk_coder_open(BYTES_MAX, 1, &coder)));
    assert_false(err_is(chunk_encode(coder, b->bytes, bytes_count, 2, b->ours, &stored)));
    for (int change = -1; change <= 1; change++) {
        size_t count = (size_t)((long)stored - 4 + change);
        memcpy(b->theirs, b->ours, stored - 4);
        b->theirs[stored - 4] = 0;
        uint32_t checksum = chunk_fletcher32(b->theirs, count);
        for (size_t i = 0; i < 4; i++) {
            b->theirs[count + i] = (uint8_t)(checksum >> (8 * i));
        }
        assert_int_equal(chunk_decode(coder, b->theirs, count + 4, 2, b->back, bytes_count),
                         change == 0);
    }
    chunk_coder_close(&coder);
}

/* Two coders of different pasts. The same content in other places is what stale tables find. */
static void encode_does_not_depend_on_what_was_encoded_before(void **state)
{
    struct buffers *b = *state;
    for (uint32_t level = 1; level <= CHUNK_DEFLATE_LEVEL_MAX; level++) {
        struct chunk_coder *used = NULL;
        assert_false(err_is(chunk_coder_open(BYTES_MAX, level, &used)));
        for (uint32_t round = 0; round < 400; round++) {
            struct chunk_coder *fresh = NULL;
            size_t bytes_count = round < 300 ? 10 + round * 61 : 1 + round * 2000;
            size_t by_used = 0;
            size_t by_fresh = 0;
            if (round < 100) { /* short and with a period, as columns of few rows are */
                bytes_count = 8 + round % 50;
                for (size_t i = 0; i < bytes_count + 97; i++) {
                    b->bytes[i] = (uint8_t)(i % (1 + round % 7) * 8);
                }
            } else {
                fill(round % 3 == 0 ? NOISE : SOFT, b->bytes, bytes_count + round % 97);
            }
            const uint8_t *bytes = b->bytes + round % 97;
            assert_false(err_is(chunk_coder_open(BYTES_MAX, level, &fresh)));
            assert_false(err_is(chunk_encode(used, bytes, bytes_count, 1, b->ours, &by_used)));
            assert_false(err_is(chunk_encode(fresh, bytes, bytes_count, 1, b->theirs, &by_fresh)));
            assert_int_equal(by_used, by_fresh);
            assert_memory_equal(b->ours, b->theirs, by_used);
            chunk_coder_close(&fresh);
        }
        chunk_coder_close(&used);
    }
}

/* Where memory lies is chance, so chance is given many tries: a coder in other places every time,
 * and inputs whose first bytes take every slot of the smallest tables. */
static void encode_does_not_depend_on_where_memory_lies(void **state)
{
    struct buffers *b = *state;
    enum { TRIES = 400, INPUTS = 24 };
    size_t stored[INPUTS] = {0};
    uint8_t first[INPUTS][512];
    void *held[TRIES] = {NULL};
    for (uint32_t try = 0; try < TRIES; try++) {
        struct chunk_coder *coder = NULL;
        held[try] = malloc(((size_t)1 << 16) * (1 + try * 7 % 64)); /* shifts what comes after */
        assert_non_null(held[try]);
        assert_false(err_is(chunk_coder_open(4096, 1 + try % 2, &coder)));
        for (uint32_t input = try % 2; input < INPUTS; input += 2) {
            size_t bytes_count = 17 + input * 11;
            size_t count = 0;
            for (size_t i = 0; i < bytes_count; i++) {
                b->bytes[i] = (uint8_t)(i % (2 + input % 5) * (8 + input));
            }
            assert_false(err_is(chunk_encode(coder, b->bytes, bytes_count, 1, b->ours, &count)));
            assert_true(count <= sizeof first[input]);
            if (stored[input] == 0) {
                stored[input] = count;
                memcpy(first[input], b->ours, count);
            }
            assert_int_equal(count, stored[input]);
            assert_memory_equal(first[input], b->ours, count);
        }
        chunk_coder_close(&coder);
    }
    for (uint32_t try = 0; try < TRIES; try++) {
        free(held[try]);
    }
}

static void compressor_names_itself_the_same_every_time(void **state)
{
    char first[CHUNK_COMPRESSOR_BYTES];
    char second[CHUNK_COMPRESSOR_BYTES];
    (void)state;
    assert_false(err_is(chunk_compressor(first)));
    perturb(90);
    assert_false(err_is(chunk_compressor(second)));
    assert_string_equal(first, second);
    assert_int_equal(strncmp(first, "isa-l/", 6), 0);
    assert_int_equal(strlen(strchr(first, '+')), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(filters_give_what_hdf5_gives, setup, teardown),
        cmocka_unit_test_setup_teardown(hdf5_reads_what_we_store, setup, teardown),
        cmocka_unit_test_setup_teardown(decode_reads_what_hdf5_stores, setup, teardown),
        cmocka_unit_test_setup_teardown(decode_of_changed_chunk_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(decode_of_stream_with_right_checksum_still_refuses, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(encode_does_not_depend_on_what_was_encoded_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(encode_does_not_depend_on_where_memory_lies, setup,
                                        teardown),
        cmocka_unit_test(compressor_names_itself_the_same_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
