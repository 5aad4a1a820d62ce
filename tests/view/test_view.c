/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "archive/h5_lock.h"
#include "view/view.h"
#include "store.h"

/* Chunks of one row and of many, a padded last one, single rows, columns and pixels. */
static const struct store_shape shapes[] = {{1, 1, 8},       {1, 1, 16},       {7, 5, 8},
                                            {6, 4, 16},      {1, 9, 16},       {9, 1, 8},
                                            {301, 77, 16},   {1201, 1000, 16}, {4001, 799, 8},
                                            {65535, 17, 16}, {17, 65535, 8},   {1024, 513, 16}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], SMALL = 6 };

static struct store store;
static struct image_reader *reader;

static void open_store(void)
{
    store_open(&store, shapes, SHAPES);
    store_good(image_reader_open(store.blobs_path, store.archive_path, &reader));
    (void)alarm(120); /* a reader that waits for a lock waits for ever */
}

static void close_store(void)
{
    image_reader_close(&reader);
    store_close(&store);
    (void)alarm(0);
}

static struct view_request request_of(uint32_t n, const uint32_t region[4], const uint32_t size[2])
{
    struct view_request request = {.wanted = {.image_width = shapes[n].width,
                                              .image_height = shapes[n].height,
                                              .bits = shapes[n].bits,
                                              .x = region[0],
                                              .y = region[1],
                                              .width = region[2],
                                              .height = region[3]},
                                   .width = size[0],
                                   .height = size[1]};
    memcpy(request.wanted.sha256, store.digests[n], HASH_BYTES);
    return request;
}

static uint64_t level_at(uint32_t n, uint32_t x, uint32_t y)
{
    size_t at = (size_t)y * shapes[n].width + x;
    const uint8_t *pixels = store.pixels[n];
    return shapes[n].bits == 8 ? pixels[at] : (uint64_t)(pixels[2 * at] | pixels[2 * at + 1] << 8);
}

/* How much of pixel `at` lies in cell `cell`, when `count` pixels become `cells`: in parts of
 * `cells` of a pixel. */
static uint64_t overlap(uint64_t at, uint64_t cell, uint64_t count, uint64_t cells)
{
    uint64_t from = at * cells > cell * count ? at * cells : cell * count;
    uint64_t until = (at + 1) * cells < (cell + 1) * count ? (at + 1) * cells : (cell + 1) * count;
    return until > from ? until - from : 0;
}

/* The definition, over every pixel that could touch the cell. */
static uint64_t expected_at(uint32_t n, const struct view_request *request, uint32_t i, uint32_t j)
{
    const struct image_wanted *wanted = &request->wanted;
    uint64_t sum = 0;
    for (uint64_t y = (uint64_t)j * wanted->height / request->height; y < wanted->height; y++) {
        uint64_t down = overlap(y, j, wanted->height, request->height);
        if (down == 0) {
            break;
        }
        for (uint64_t x = (uint64_t)i * wanted->width / request->width; x < wanted->width; x++) {
            uint64_t across = overlap(x, i, wanted->width, request->width);
            if (across == 0) {
                break;
            }
            sum += down * across * level_at(n, wanted->x + (uint32_t)x, wanted->y + (uint32_t)y);
        }
    }
    uint64_t all = (uint64_t)wanted->width * wanted->height;
    return (2 * sum + all) / (2 * all);
}

static void assert_view(uint32_t n, const struct view_request *request, const struct view *view)
{
    assert_int_equal(view->width, request->width);
    assert_int_equal(view->height, request->height);
    assert_int_equal(view->bits, shapes[n].bits);
    assert_int_equal(view->pixels_bytes, (uint64_t)view->width * view->height * (view->bits / 8));
    for (uint32_t j = 0; j < view->height; j++) {
        for (uint32_t i = 0; i < view->width; i++) {
            size_t at = (size_t)j * view->width + i;
            uint64_t found = view->bits == 8
                                 ? view->pixels[at]
                                 : (uint64_t)(view->pixels[2 * at] | view->pixels[2 * at + 1] << 8);
            if (found != expected_at(n, request, i, j)) {
                fail_msg("image %u region %u,%u,%u,%u to %ux%u: pixel %u,%u is %llu, not %llu", n,
                         request->wanted.x, request->wanted.y, request->wanted.width,
                         request->wanted.height, request->width, request->height, i, j,
                         (unsigned long long)found,
                         (unsigned long long)expected_at(n, request, i, j));
            }
        }
    }
}

static void look_and_compare(uint32_t n, const struct view_request *request)
{
    struct view view;
    bool whole =
        request->wanted.width == shapes[n].width && request->wanted.height == shapes[n].height;
    store_good(view_read(reader, request, &view));
    assert_view(n, request, &view);
    assert_int_equal(view.is_sealed, request->sealed_count > 0);
    assert_int_equal(view.check, whole                       ? IMAGE_CHECK_SHA256
                                 : request->sealed_count > 0 ? IMAGE_CHECK_FLETCHER32
                                                             : IMAGE_CHECK_LENGTH);
    view_fini(&view);
}

/* Every region of a small image at every size. */
static void compare_all(uint32_t n, const char *sealed)
{
    for (uint32_t box = 0; box < shapes[n].width * shapes[n].height; box++) {
        uint32_t x = box % shapes[n].width;
        uint32_t y = box / shapes[n].width;
        uint32_t ends = (shapes[n].width - x) * (shapes[n].height - y);
        for (uint32_t end = 0; end < ends; end++) {
            const uint32_t region[4] = {x, y, end % (shapes[n].width - x) + 1,
                                        end / (shapes[n].width - x) + 1};
            for (uint32_t out = 0; out < region[2] * region[3]; out++) {
                const uint32_t size[2] = {out % region[2] + 1, out / region[2] + 1};
                struct view_request request = request_of(n, region, size);
                request.sealed[0] = sealed;
                request.sealed_count = sealed == NULL ? 0 : 1;
                look_and_compare(n, &request);
            }
        }
    }
}

static void compare_some(uint32_t n, const char *sealed)
{
    uint32_t state = n + 1;
    for (uint32_t turn = 0; turn < 12; turn++) {
        uint32_t region[4] = {0, 0, shapes[n].width, shapes[n].height};
        if (turn > 2) {
            region[0] = store_random(&state) % shapes[n].width;
            region[1] = store_random(&state) % shapes[n].height;
            region[2] = store_random(&state) % (shapes[n].width - region[0]) + 1;
            region[3] = store_random(&state) % (shapes[n].height - region[1]) + 1;
        }
        uint32_t size[2] = {store_random(&state) % region[2] + 1,
                            store_random(&state) % region[3] + 1};
        if (turn == 0 || turn == 3) { /* as it is */
            size[0] = region[2];
            size[1] = region[3];
        } else if (turn == 1) { /* all of it in one pixel */
            size[0] = size[1] = 1;
        }
        struct view_request request = request_of(n, region, size);
        request.sealed[0] = sealed;
        request.sealed_count = sealed == NULL ? 0 : 1;
        look_and_compare(n, &request);
    }
}

static void views_of_blobs_are_the_exact_average(void **state)
{
    (void)state;
    open_store();
    for (uint32_t n = 0; n < SHAPES; n++) {
        if (n < SMALL) {
            compare_all(n, NULL);
        } else {
            compare_some(n, NULL);
        }
    }
    close_store();
}

static void views_of_sealed_files_are_the_same(void **state)
{
    (void)state;
    open_store();
    for (uint32_t level = 0; level <= 2; level += 2) {
        char sealed[160];
        store_seal(&store, level, sealed);
        for (uint32_t n = 0; n < SHAPES; n++) {
            char path[256];
            store_blob_path(&store, n, path);
            assert_int_equal(unlink(path), 0);
            if (n < SMALL && level == 2) {
                compare_all(n, sealed);
            } else {
                compare_some(n, sealed);
            }
            bool stored = false;
            uint8_t digest[HASH_BYTES]; /* back again, for the next file */
            store_good(blob_put(store.blobs, store.pixels[n], store_bytes(&store, n), NULL, digest,
                                &stored));
            store_good(blob_commit(store.blobs));
        }
    }
    close_store();
}

static const uint32_t whole_7[4] = {0, 0, 1201, 1000};
static const uint32_t part_7[4] = {600, 400, 601, 500};
static const uint32_t small[2] = {33, 21};

static void change_byte(const char *path, uint64_t at)
{
    uint8_t byte = 0;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    assert_int_equal(close(fd), 0);
}

static void a_damaged_blob_is_not_shown_whole(void **state)
{
    char path[256];
    struct view view;
    (void)state;
    open_store();
    struct view_request request = request_of(7, whole_7, small);
    store_seal(&store, 2, store.sealed);
    store_blob_path(&store, 7, path);
    change_byte(path, store_bytes(&store, 7) - 1);
    assert_int_equal(view_read(reader, &request, &view).code, ERR_BLOB_MISSING);
    request.sealed[0] = "2026/09/21/not-there.h5"; /* what is missing does not hide the damage */
    request.sealed[1] = store.sealed;
    request.sealed_count = 1;
    assert_int_equal(view_read(reader, &request, &view).code, ERR_BLOB_MISSING);
    request.sealed_count = 2; /* the sealed file has it still */
    look_and_compare(7, &request);
    assert_int_equal(truncate(path, 1000), 0); /* and a part, when the length tells */
    request = request_of(7, part_7, small);
    request.sealed[0] = store.sealed;
    request.sealed_count = 1;
    look_and_compare(7, &request);
    close_store();
}

static uint64_t find_bytes(const char *path, const uint8_t *bytes, size_t bytes_count)
{
    uint8_t *all = NULL;
    size_t all_bytes = 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    all_bytes = (size_t)ftell(file);
    rewind(file);
    all = malloc(all_bytes);
    assert_non_null(all);
    assert_int_equal(fread(all, 1, all_bytes, file), all_bytes);
    assert_int_equal(fclose(file), 0);
    uint8_t *found = memmem(all, all_bytes, bytes, bytes_count);
    assert_non_null(found);
    uint64_t at = (uint64_t)(found - all);
    free(all);
    return at;
}

static void a_damaged_chunk_is_not_shown(void **state)
{
    char path[320];
    struct view view;
    static const uint32_t above[4] = {0, 0, 1201, 100};
    (void)state;
    open_store();
    store_seal(&store, 0, store.sealed);
    store_blob_path(&store, 7, path);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/%s", store.archive_path, store.sealed);
    assert_int_equal(chmod(path, 0600), 0);
    uint64_t at = find_bytes(path, store.pixels[7] + 700 * 1201 * 2, 64);
    change_byte(path, at);
    struct view_request request = request_of(7, part_7, small);
    request.sealed[0] = store.sealed;
    request.sealed_count = 1;
    assert_int_equal(view_read(reader, &request, &view).code, ERR_ARCHIVE_DIFFERS);
    request.wanted.height = 2000; /* below the image */
    assert_int_equal(view_read(reader, &request, &view).code, ERR_ARGUMENT);
    request = request_of(7, above, small);
    request.sealed[0] = store.sealed;
    request.sealed_count = 1;
    look_and_compare(7, &request); /* other chunks are as they were */
    close_store();
}

/* Damaged in the archive, whole in a copy: the copy is shown. */
static void copies_stand_in_for_the_archive(void **state)
{
    char command[512];
    char path[320];
    (void)state;
    open_store();
    store_seal(&store, 0, store.sealed);
    store_blob_path(&store, 7, path);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(command, sizeof command, "cp -r '%s' '%s/copy'", store.archive_path,
                   store.directory);
    assert_int_equal(system(command), 0);
    (void)snprintf(path, sizeof path, "%s/%s", store.archive_path, store.sealed);
    assert_int_equal(chmod(path, 0600), 0);
    change_byte(path, find_bytes(path, store.pixels[7] + 700 * 1201 * 2, 64));
    struct view view;
    struct view_request request = request_of(7, whole_7, small);
    request.sealed[0] = store.sealed;
    request.sealed_count = 1;
    assert_int_equal(view_read(reader, &request, &view).code, ERR_ARCHIVE_DIFFERS);
    (void)snprintf(command, sizeof command, "%s/nothing", store.directory);
    store_good(image_reader_add_place(reader, command));
    (void)snprintf(command, sizeof command, "%s/copy", store.directory);
    store_good(image_reader_add_place(reader, command));
    assert_int_equal(image_reader_places(reader), 3);
    look_and_compare(7, &request);
    assert_int_equal(unlink(path), 0);
    look_and_compare(7, &request);
    close_store();
}

static void requests_out_of_bounds_are_refused(void **state)
{
    (void)state;
    open_store();
    static const uint32_t region[4] = {0, 0, 7, 5};
    static const uint32_t size[2] = {7, 5};
    const struct view_request good = request_of(2, region, size);
    struct view_request bad[12];
    for (uint32_t i = 0; i < 12; i++) {
        bad[i] = good;
    }
    bad[0].wanted.x = 7;
    bad[1].wanted.y = 5;
    bad[2].wanted.x = 1;
    bad[3].wanted.y = 1;
    bad[4].wanted.width = 0;
    bad[5].wanted.height = 0;
    bad[6].width = 0;
    bad[7].height = 6;
    bad[8].width = 8;
    bad[9].wanted.bits = 12;
    bad[10].wanted.x = UINT32_MAX;
    bad[11].wanted.width = UINT32_MAX;
    for (uint32_t i = 0; i < 12; i++) {
        struct view view;
        assert_int_equal(view_read(reader, &bad[i], &view).code, ERR_ARGUMENT);
    }
    struct view view;
    struct view_request other = good; /* another shape than the blob has */
    other.wanted.image_height = 6;
    assert_int_equal(view_read(reader, &other, &view).code, ERR_BLOB_MISSING);
    other = good;
    other.wanted.sha256[0] ^= 1;
    other.sealed[0] = "../../etc/passwd";
    other.sealed_count = 1;
    assert_int_equal(view_read(reader, &other, &view).code, ERR_NOT_FOUND);
    const uint32_t wide[4] = {0, 0, 65535, 17}; /* 1.1 million pixels are allowed as they are */
    const uint32_t wide_size[2] = {65535, 17};
    other = request_of(9, wide, wide_size);
    store_good(view_read(reader, &other, &view));
    view_fini(&view);
    _Atomic bool stop = true;
    other.stop = &stop;
    assert_int_equal(view_read(reader, &other, &view).code, ERR_CLOSED);
    close_store();
}

/* Without a descriptor left nobody can tell whether the image is there. */
static void what_cannot_be_opened_is_not_absent(void **state)
{
    (void)state;
    open_store();
    store_seal(&store, 2, store.sealed);
    const struct view_request request = request_of(7, whole_7, small);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct err blob = image_reader_start_blob(reader, &request.wanted);
    struct err sealed = image_reader_start_sealed(reader, &request.wanted, 0, store.sealed);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(blob.code, ERR_IO);
    assert_int_equal(sealed.code, ERR_IO);
    assert_int_equal(blob.os_errno, EMFILE);
    assert_int_equal(image_reader_start_sealed(reader, &request.wanted, 0, "2026/no.h5").code,
                     ERR_NOT_FOUND);
    close_store();
}

/* Whoever holds the lock of HDF5's library is the archiver: a view goes past it. */
static void views_do_not_wait_for_the_archiver(void **state)
{
    (void)state;
    open_store();
    char path[256];
    store_seal(&store, 2, store.sealed);
    store_blob_path(&store, 7, path);
    assert_int_equal(unlink(path), 0);
    struct view_request request = request_of(7, whole_7, small);
    request.sealed[0] = store.sealed;
    request.sealed_count = 1;
    h5_lock();
    look_and_compare(7, &request);
    h5_unlock();
    close_store();
}

/* A reader that was left in the middle holds nothing that sealing wants, and goes on afterwards;
 * neither does it mind that the blob is discarded meanwhile. */
static void sealing_does_not_wait_for_a_reader(void **state)
{
    (void)state;
    open_store();
    store_seal(&store, 2, store.sealed);
    struct image_reader *other = NULL;
    store_good(image_reader_open(store.blobs_path, store.archive_path, &other));
    struct view_request request = request_of(7, whole_7, small);
    struct image_rows rows;
    struct image_rows other_rows;
    char path[256];
    char second[160];
    store_good(image_reader_start_sealed(reader, &request.wanted, 0, store.sealed));
    store_good(image_reader_next(reader, &rows));
    store_good(image_reader_start_blob(other, &request.wanted));
    store_good(image_reader_next(other, &other_rows));
    assert_true(rows.rows_count < 1000 && other_rows.rows_count < 1000);
    store_seal(&store, 1, second);
    store_blob_path(&store, 7, path);
    assert_int_equal(unlink(path), 0);
    for (struct image_reader *at = reader; at != NULL; at = at == reader ? other : NULL) {
        do {
            store_good(image_reader_next(at, &rows));
        } while (rows.rows_count > 0);
        assert_int_equal(image_reader_check(at), IMAGE_CHECK_SHA256);
    }
    image_reader_close(&other);
    close_store();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_of_blobs_are_the_exact_average),
        cmocka_unit_test(views_of_sealed_files_are_the_same),
        cmocka_unit_test(a_damaged_blob_is_not_shown_whole),
        cmocka_unit_test(a_damaged_chunk_is_not_shown),
        cmocka_unit_test(copies_stand_in_for_the_archive),
        cmocka_unit_test(requests_out_of_bounds_are_refused),
        cmocka_unit_test(what_cannot_be_opened_is_not_absent),
        cmocka_unit_test(views_do_not_wait_for_the_archiver),
        cmocka_unit_test(sealing_does_not_wait_for_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
