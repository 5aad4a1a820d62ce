/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "log_maker.h"

static void add_seal(struct log_maker *log, uint64_t first, uint64_t last, const char *path)
{
    struct entry entry = log_entry(log, ENTRY_ARCHIVE_SEAL);
    entry.body.archive_seal = (struct entry_archive_seal){.path = path,
                                                          .file_bytes = 5,
                                                          .first_index = first,
                                                          .last_index = last,
                                                          .hdf5_version = "1.10.8",
                                                          .filters = "shuffle"};
    log_apply(log, &entry, NULL);
}

static void image_tells_its_scans_and_sealed_files(void **unused)
{
    char directory[32] = "/tmp/triage-state-XXXXXX";
    char path[64];
    struct log_maker log = {.next = 0};
    struct state_image image;
    uint8_t digest[HASH_BYTES];
    bool rebuilt = false;
    (void)unused;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/state.db", directory);
    assert_false(err_is(state_open(path, &log.state, &rebuilt)));
    memset(digest, 50, HASH_BYTES);
    assert_int_equal(state_image(log.state, digest, &image).code, ERR_NOT_FOUND);
    for (unsigned i = 0; i < 3; i++) { /* entries 0..2: the same pixels in 0 and 2 */
        char key[] = "KEY0";
        key[3] = (char)('0' + i);
        log_received(&log, &(struct log_record){RECORD_SCAN, MODE_TRUCK, "north", key, key,
                                                i == 1 ? 90 : 50});
    }
    assert_false(err_is(state_image(log.state, digest, &image)));
    assert_int_equal(image.width, 640);
    assert_int_equal(image.height, 480);
    assert_int_equal(image.bits, 16);
    assert_int_equal(image.entries_count, 2);
    assert_int_equal(image.entries[0], 0);
    assert_int_equal(image.entries[1], 2);
    assert_int_equal(image.seals_count, 0);
    add_seal(&log, 0, 1, "a.h5"); /* entry 2 is in no file yet */
    assert_false(err_is(state_image(log.state, digest, &image)));
    assert_int_equal(image.seals_count, 1);
    assert_string_equal(image.seals[0], "a.h5");
    add_seal(&log, 2, 3, "b.h5");
    assert_false(err_is(state_image(log.state, digest, &image)));
    assert_int_equal(image.seals_count, 2);
    assert_string_equal(image.seals[1], "b.h5");
    memset(digest, 91, HASH_BYTES); /* the second image of entry 1 */
    assert_false(err_is(state_image(log.state, digest, &image)));
    assert_int_equal(image.entries_count, 1);
    assert_int_equal(image.entries[0], 1);
    assert_int_equal(image.seals_count, 1);
    assert_string_equal(image.seals[0], "a.h5");
    for (unsigned i = 0; i < 30; i++) { /* shared by more scans than are told */
        char key[] = "S00";
        key[1] = (char)('0' + i / 10);
        key[2] = (char)('0' + i % 10);
        log_received(&log, &(struct log_record){RECORD_SCAN, MODE_MAIL, "north", key, key, 50});
    }
    memset(digest, 50, HASH_BYTES);
    assert_false(err_is(state_image(log.state, digest, &image)));
    assert_int_equal(image.entries_count, STATE_IMAGE_ENTRIES_MAX);
    log_received(&log, &(struct log_record){RECORD_SCAN, MODE_MAIL, "north", "LAST", "LAST", 7});
    memset(digest, 7, HASH_BYTES); /* later than what any seal covers */
    assert_false(err_is(state_image(log.state, digest, &image)));
    assert_int_equal(image.entries_count, 1);
    assert_int_equal(image.seals_count, 0);
    state_close(&log.state);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_tells_its_scans_and_sealed_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
