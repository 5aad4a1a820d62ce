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
#include "folder.h"

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

static void images_of_many_chunks_read_back_and_rebuild(void **state)
{
    static const uint8_t pseudonym_key[HASH_BYTES] = {1};
    static struct source source;
    char directory[64] = "/tmp/triage-images-XXXXXX";
    char blobs_path[96];
    struct blob_store *blobs = NULL;
    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(blobs_path, sizeof blobs_path, "%s/blobs", directory);
    assert_good(blob_store_open(blobs_path, 0, &blobs));
    for (uint32_t n = 0; n < IMAGES; n++) {
        make_image(&source, blobs, n);
    }
    assert_good(blob_commit(blobs));
    for (uint32_t level = 0; level <= 2; level++) {
        uint8_t first[HASH_BYTES] = {0};
        for (uint32_t threads = 1; threads <= 3; threads += 2) {
            char archive[96];
            char path[320];
            struct archive_result result;
            (void)snprintf(archive, sizeof archive, "%s/archive-%u-%u", directory, level, threads);
            const struct archive_conf conf = {.directory = archive,
                                              .origin = "test",
                                              .deflate_level = level,
                                              .threads = threads,
                                              .pseudonym_key = pseudonym_key};
            source.next = 0;
            /* padding is zeros, not what memory held */
            assert_int_equal(setenv("MALLOC_PERTURB_", threads == 1 ? "85" : "170", 1), 0);
            assert_good(archive_build(&conf, blobs, source_next, &source, &result));
            (void)snprintf(path, sizeof path, "%s/%s", archive, result.path);
            check_images(path, &source);
            if (threads == 1) {
                memcpy(first, result.sha256, HASH_BYTES);
            }
            assert_memory_equal(first, result.sha256, HASH_BYTES);
        }
    }
    blob_store_close(&blobs);
    for (uint32_t n = 0; n < IMAGES; n++) {
        free(source.pixels[n]);
    }
    folder_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_many_chunks_read_back_and_rebuild),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
