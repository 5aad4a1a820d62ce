/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "archive/archive.h"
#include "proto/record.h"
#include "faulty.h"
#include "folder.h"
#include "perturb.h"

/* Images of more than one chunk, and more chunks than the pool has room for: heights that leave the
 * last chunk padded, a single row, a single column, 8 and 16 bits. */

static const struct {
    uint32_t width;
    uint32_t height;
    uint32_t bits;
} shapes[] = {{1201, 1000, 16}, {1, 65535, 16},  {65535, 1, 8},   {3000, 2000, 16},
              {7, 3, 8},        {4001, 799, 8},  {65535, 17, 16}, {2135, 491, 8},
              {2135, 492, 8},   {1024, 512, 16}, {1024, 513, 16}, {5000, 3001, 8}};
enum { IMAGES = sizeof shapes / sizeof shapes[0] };

struct source {
    uint8_t entries[IMAGES][ENTRY_BYTES_MAX];
    uint32_t entry_bytes[IMAGES];
    uint8_t digests[IMAGES][HASH_BYTES];
    uint8_t *pixels[IMAGES];
    uint32_t next;
};

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static uint64_t pixels_bytes(uint32_t n)
{
    return (uint64_t)shapes[n].width * shapes[n].height * (shapes[n].bits / 8);
}

static void make_image(struct source *source, struct blob_store *blobs, uint32_t n)
{
    uint64_t bytes_count = pixels_bytes(n);
    uint32_t state = n + 1;
    bool stored = false;
    source->pixels[n] = malloc(bytes_count);
    assert_non_null(source->pixels[n]);
    for (uint64_t i = 0; i < bytes_count; i++) {
        state = state * 1664525u + 1013904223u;
        source->pixels[n][i] = (uint8_t)(1 + i / 900 % 200 + (state >> 30));
    }
    assert_good(blob_put(blobs, source->pixels[n], bytes_count, NULL, source->digests[n], &stored));
    struct entry entry = {.type = ENTRY_SCAN_RECEIVED, .actor = "daemon"};
    struct entry_received *received = &entry.body.received;
    received->publisher = received->stream = received->site = received->lane = "a";
    received->record_id = "S";
    received->item_key = "";
    received->scanner = received->scanner_type = "portal";
    received->mode = MODE_TRUCK;
    received->images_count = 1;
    received->images[0] = (struct entry_image){.width = shapes[n].width,
                                               .height = shapes[n].height,
                                               .bits = shapes[n].bits,
                                               .meaning = PIXEL_TRANSMISSION,
                                               .energy = ENERGY_SINGLE,
                                               .payload_bytes = bytes_count};
    memcpy(received->images[0].sha256, source->digests[n], HASH_BYTES);
    entry.id[0] = (uint8_t)n;
    size_t stamp = entry_encode_stamp(n, INT64_C(1789982400000000000) + n, source->entries[n],
                                      ENTRY_BYTES_MAX);
    size_t rest = entry_encode_rest(&entry, source->entries[n] + stamp, ENTRY_BYTES_MAX - stamp);
    assert_true(stamp > 0 && rest > 0);
    source->entry_bytes[n] = (uint32_t)(stamp + rest);
}

static bool source_next(void *opaque, struct archive_entry *out, struct err *err)
{
    struct source *source = opaque;
    *err = err_none;
    if (source->next == IMAGES) {
        return false;
    }
    *out = (struct archive_entry){.entry_index = source->next,
                                  .bytes = source->entries[source->next],
                                  .bytes_count = source->entry_bytes[source->next]};
    source->next++;
    return true;
}

/* Through HDF5's own filters: archive_file_image reads as readers outside do. */
static void check_images(const char *path, const struct source *source)
{
    struct archive_file *file = NULL;
    assert_good(archive_file_open(path, &file));
    for (uint32_t n = 0; n < IMAGES; n++) {
        uint8_t *back = NULL;
        uint64_t back_bytes = 0;
        assert_good(archive_file_image(file, source->digests[n], &back, &back_bytes));
        assert_int_equal(back_bytes, pixels_bytes(n));
        assert_memory_equal(back, source->pixels[n], back_bytes);
        free(back);
    }
    archive_file_close(&file);
}

/* HDF5 1.10.8 does not free some of what a file that failed has used. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

static const uint8_t pseudonym_key[HASH_BYTES] = {1};
static struct source source;

struct fixture {
    char directory[64];
    char archive[96];
    struct blob_store *blobs;
};

static int setup(void **state)
{
    static struct fixture fixture;
    char blobs_path[96];
    strcpy(fixture.directory, "/tmp/triage-images-XXXXXX");
    assert_non_null(mkdtemp(fixture.directory));
    (void)snprintf(blobs_path, sizeof blobs_path, "%s/blobs", fixture.directory);
    assert_good(blob_store_open(blobs_path, 0, &fixture.blobs));
    for (uint32_t n = 0; n < IMAGES; n++) {
        make_image(&source, fixture.blobs, n);
    }
    assert_good(blob_commit(fixture.blobs));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    blob_store_close(&fixture->blobs);
    for (uint32_t n = 0; n < IMAGES; n++) {
        free(source.pixels[n]);
    }
    folder_remove(fixture->directory);
    return 0;
}

static struct err build(struct fixture *fixture, uint32_t level, uint32_t threads,
                        struct archive_result *result)
{
    (void)snprintf(fixture->archive, sizeof fixture->archive, "%s/archive-%u-%u",
                   fixture->directory, level, threads);
    const struct archive_conf conf = {.directory = fixture->archive,
                                      .origin = "test",
                                      .deflate_level = level,
                                      .threads = threads,
                                      .pseudonym_key = pseudonym_key};
    source.next = 0;
    return archive_build(&conf, fixture->blobs, source_next, &source, result);
}

static void images_of_many_chunks_read_back_and_rebuild(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t level = 0; level <= 2; level++) {
        uint8_t first[HASH_BYTES] = {0};
        for (uint32_t threads = 1; threads <= 3; threads += 2) {
            char path[320];
            struct archive_result result;
            /* padding is zeros, not what memory held */
            perturb(threads == 1 ? 85 : 170);
            assert_good(build(fixture, level, threads, &result));
            assert_true(result.write_ns > 0 && result.seal_ns > result.write_ns);
            (void)snprintf(path, sizeof path, "%s/%s", fixture->archive, result.path);
            check_images(path, &source);
            if (threads == 1) {
                memcpy(first, result.sha256, HASH_BYTES);
            }
            assert_memory_equal(first, result.sha256, HASH_BYTES);
        }
    }
}

static void assert_nothing_sealed(const struct fixture *fixture)
{
    assert_int_equal(folder_count(fixture->archive, ".h5"), 0);
}

/* Whatever bit the disk keeps otherwise, wherever: the file is not sealed. */
static void flipped_bit_on_the_disk_is_never_sealed(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t level = 0; level <= 2; level += 2) {
        struct archive_result result;
        struct faulty fault = {.call = FAULTY_WRITE};
        char sealed[320];
        faulty_arm(&fault);
        assert_good(build(fixture, level, 2, &result));
        (void)faulty_disarm();
        (void)snprintf(sealed, sizeof sealed, "%s/%s", fixture->archive, result.path);
        assert_int_equal(unlink(sealed), 0);
        unsigned writes = faulty_count(FAULTY_WRITE);
        unsigned refused = 0;
        uint8_t good[HASH_BYTES];
        memcpy(good, result.sha256, HASH_BYTES);
        for (unsigned i = 0; i < 8; i++) {
            fault = (struct faulty){FAULTY_WRITE, FAULTY_FLIPS, 1 + i % writes, i * 1234577u};
            faulty_arm(&fault);
            struct err err = build(fixture, level, 2, &result);
            assert_true(faulty_disarm());
            if (err_is(err)) {
                refused++;
                assert_int_equal(err.code, ERR_ARCHIVE_DIFFERS);
                assert_nothing_sealed(fixture);
            } else { /* written again afterwards, or cut off */
                assert_memory_equal(result.sha256, good, HASH_BYTES);
                assert_int_equal(unlink(sealed), 0);
            }
        }
        assert_true(refused >= 4);
    }
}

/* The disk fails, fills up, or does not give all of the file back. */
static void failing_disk_is_never_sealed(void **state)
{
    struct fixture *fixture = *state;
    struct archive_result result;
    struct faulty fault = {.call = FAULTY_WRITE};
    unsigned counts[FAULTY_CALLS];
    char sealed[320];
    faulty_arm(&fault);
    assert_good(build(fixture, 1, 2, &result));
    (void)faulty_disarm();
    (void)snprintf(sealed, sizeof sealed, "%s/%s", fixture->archive, result.path);
    assert_int_equal(unlink(sealed), 0);
    for (int call = 0; call < FAULTY_CALLS; call++) {
        counts[call] = faulty_count((enum faulty_call)call);
    }
    for (int call = 0; call < FAULTY_CALLS; call++) {
        unsigned step = counts[call] / 3 + 1;
        for (unsigned at = 1; at <= counts[call]; at += step) {
            bool reads = call == FAULTY_READ;
            fault = (struct faulty){.call = (enum faulty_call)call, .at = at};
            fault.way = reads && at % 2 == 0 ? FAULTY_ENDS : FAULTY_FAILS;
            faulty_arm(&fault);
            struct err err = build(fixture, 1, 2, &result);
            if (faulty_disarm()) {
                assert_true(err.code == ERR_ARCHIVE_WRITE ||
                            (reads && err.code == ERR_ARCHIVE_DIFFERS));
                assert_nothing_sealed(fixture);
            } else { /* how often a thread reads is not always the same */
                assert_good(err);
                assert_int_equal(unlink(sealed), 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_many_chunks_read_back_and_rebuild),
        cmocka_unit_test(flipped_bit_on_the_disk_is_never_sealed),
        cmocka_unit_test(failing_disk_is_never_sealed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
