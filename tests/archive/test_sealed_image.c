/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "archive/h5.h"
#include "archive/archive_array.h"
#include "archive/sealed_block.h"
#include "archive/sealed_image.h"
#include "../view/store.h"

/* Held against HDF5's own library: the same chunks at the same places. 60 images make a group whose
 * links lie in a heap of several blocks and a tree of two levels; 3 lie in the header. */

static struct store store;

static void open_store(uint32_t images_count)
{
    struct store_shape shapes[STORE_IMAGES_MAX];
    for (uint32_t n = 0; n < images_count; n++) {
        shapes[n] = (struct store_shape){n + 1, 2 * n + 1, n % 3 == 0 ? 8 : 16};
    }
    shapes[0] = (struct store_shape){1201, 4000, 16}; /* ten chunks */
    store_open(&store, shapes, images_count);
}

static int open_sealed(void)
{
    char path[320];
    (void)snprintf(path, sizeof path, "%s/%s", store.archive_path, store.sealed);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    return fd;
}

static void compare_with_library(int64_t file, int fd, uint32_t n, uint32_t level)
{
    const struct h5_storage storage = archive_storage(level);
    struct sealed_image image;
    struct h5_array array;
    char hex[HASH_HEX_BYTES];
    char path[128];
    int64_t dataset = 0;
    hex_encode(store.digests[n], HASH_BYTES, hex);
    (void)snprintf(path, sizeof path, "images/%s/pixels", hex);
    store_good(sealed_image_find(fd, store.digests[n], &image));
    store_good(h5_array_open(file, path, &array, &dataset));
    assert_int_equal(image.height, array.dims[0]);
    assert_int_equal(image.width, array.dims[1]);
    assert_int_equal(image.bits, 8 * h5_cell_bytes(&array));
    assert_int_equal(image.deflated, level > 0);
    assert_int_equal(image.chunk_rows, h5_chunk_rows(&array, &storage));
    for (uint32_t i = 0; i < image.chunks_count; i++) {
        uint64_t offset = 0;
        uint64_t stored_bytes = 0;
        store_good(h5_chunk_find(dataset, &array, &storage, (uint64_t)i * image.chunk_rows, &offset,
                                 &stored_bytes));
        assert_int_equal(image.chunks[i].offset, offset);
        assert_int_equal(image.chunks[i].stored_bytes, stored_bytes);
    }
    store_good(h5_object_close(&dataset));
    sealed_image_fini(&image);
}

static void chunks_lie_where_the_library_says(void **state)
{
    static const uint32_t counts[] = {3, 9, 60};
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        open_store(counts[i]);
        for (uint32_t level = 0; level <= 1; level++) {
            int64_t file = 0;
            char path[320];
            struct sealed_image image;
            store_seal(&store, level, store.sealed);
            (void)snprintf(path, sizeof path, "%s/%s", store.archive_path, store.sealed);
            int fd = open_sealed();
            store_good(h5_file_open(path, &file));
            for (uint32_t n = 0; n < store.count; n++) {
                compare_with_library(file, fd, n, level);
            }
            store_good(h5_file_close(&file));
            store.digests[0][5] ^= 1;
            assert_int_equal(sealed_image_find(fd, store.digests[0], &image).code, ERR_NOT_FOUND);
            store.digests[0][5] ^= 1;
            (void)close(fd);
        }
        store_close(&store);
    }
}

/* A file of the same bytes in memory, so that single ones can be changed. */
static int copy_to_memory(int from, uint64_t *bytes_count)
{
    static uint8_t piece[65536];
    int to = memfd_create("sealed", MFD_CLOEXEC);
    ssize_t got = 0;
    *bytes_count = 0;
    assert_true(to >= 0);
    while ((got = read(from, piece, sizeof piece)) > 0) {
        assert_int_equal(write(to, piece, (size_t)got), got);
        *bytes_count += (uint64_t)got;
    }
    return to;
}

static void assert_finds_nothing_wrong(int fd, const struct sealed_image *wanted)
{
    struct sealed_image image;
    struct err err = sealed_image_find(fd, store.digests[1], &image);
    if (err_is(err)) {
        assert_true(err.code == ERR_ARCHIVE_DIFFERS || err.code == ERR_NOT_FOUND);
        return;
    }
    assert_true(image.width == wanted->width && image.height == wanted->height &&
                image.bits == wanted->bits && image.chunks_count == wanted->chunks_count);
    sealed_image_fini(&image);
}

/* Any byte changed, and cut off at any place: an answer or an error, and never another shape. */
static void damaged_files_are_refused_or_read_right(void **state)
{
    struct sealed_image wanted;
    uint64_t bytes_count = 0;
    uint32_t random = 3;
    (void)state;
    open_store(60);
    store_seal(&store, 0, store.sealed);
    int sealed = open_sealed();
    int fd = copy_to_memory(sealed, &bytes_count);
    store_good(sealed_image_find(fd, store.digests[1], &wanted));
    for (uint32_t turn = 0; turn < 4000; turn++) {
        uint64_t at = turn < 600 ? turn : (uint64_t)store_random(&random) % bytes_count;
        uint8_t byte = 0;
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        uint8_t other = byte ^ (uint8_t)(1u << (turn % 8));
        assert_int_equal(pwrite(fd, &other, 1, (off_t)at), 1);
        assert_finds_nothing_wrong(fd, &wanted);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    }
    for (uint64_t left = bytes_count - 1; left > 1; left -= left / 3 + 1) {
        struct sealed_image image;
        assert_int_equal(ftruncate(fd, (off_t)left), 0);
        assert_int_equal(sealed_image_find(fd, store.digests[1], &image).code, ERR_ARCHIVE_DIFFERS);
    }
    sealed_image_fini(&wanted);
    (void)close(fd);
    (void)close(sealed);
    store_close(&store);
}

/* The published example of the hash. */
static void checksums_are_lookup3(void **state)
{
    static const char text[] = "Four score and seven years ago";
    (void)state;
    assert_int_equal(sealed_checksum((const uint8_t *)"", 0), 0xdeadbeef);
    assert_int_equal(sealed_checksum((const uint8_t *)text, 30), 0x17770551);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_lie_where_the_library_says),
        cmocka_unit_test(damaged_files_are_refused_or_read_right),
        cmocka_unit_test(checksums_are_lookup3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
