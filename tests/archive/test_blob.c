/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>

#include "archive/blob.h"
#include "archive/quarantine.h"
#include "base/durable.h"
#include "folder.h"

struct fixture {
    char directory[64];
    struct blob_store *store;
};

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/triage-blob-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    assert_good(blob_store_open(fixture->directory, 1000, &fixture->store));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    blob_store_close(&fixture->store);
    folder_remove(fixture->directory);
    free(fixture);
    return 0;
}

static unsigned files_in(const struct fixture *fixture, const char *below)
{
    char path[256];
    unsigned count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", fixture->directory, below);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *name = readdir(directory); name != NULL; name = readdir(directory)) {
        count += name->d_name[0] != '.';
    }
    (void)closedir(directory);
    return count;
}

static void file_path(const struct fixture *fixture, const uint8_t digest[HASH_BYTES],
                      char out[256])
{
    char below[128];
    blob_path(digest, below);
    (void)snprintf(out, 256, "%s/%s", fixture->directory, below);
}

static void put_then_commit_reads_back(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[(3 << 20) + 17]; /* more than three pieces */
    static uint8_t back[sizeof bytes];
    uint8_t digest[HASH_BYTES];
    uint8_t expected[HASH_BYTES];
    bool stored = false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 31 >> 3);
    }
    sha256_of(bytes, sizeof bytes, expected);
    assert_good(blob_put(fixture->store, bytes, sizeof bytes, expected, digest, &stored));
    assert_true(stored);
    assert_memory_equal(digest, expected, HASH_BYTES);
    assert_false(blob_exists(fixture->store, digest)); /* no name before the commit */
    assert_good(blob_commit(fixture->store));
    assert_true(blob_exists(fixture->store, digest));
    assert_int_equal(files_in(fixture, "incoming"), 0);
    assert_good(blob_read(fixture->store, digest, back, sizeof back));
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_int_equal(blob_read(fixture->store, digest, back, sizeof back - 1).code,
                     ERR_BLOB_MISSING);
}

static void put_text(struct fixture *fixture, const char *text, uint8_t digest[HASH_BYTES])
{
    bool stored = false;
    sha256_of(text, strlen(text), digest);
    assert_good(blob_put(fixture->store, text, strlen(text), digest, digest, &stored));
    assert_true(stored);
}

static void leaving_takes_what_is_marked_and_not_put_again(void **state)
{
    struct fixture *fixture = *state;
    uint8_t digests[3][HASH_BYTES];
    uint8_t other[HASH_BYTES];
    bool gone = true;
    put_text(fixture, "stays away", digests[0]);
    put_text(fixture, "comes again", digests[1]);
    put_text(fixture, "not marked", other);
    assert_good(blob_commit(fixture->store));
    sha256_of("never there", 11, digests[2]);
    blob_leave_begin(fixture->store, (const uint8_t(*)[HASH_BYTES])digests, 3);
    put_text(fixture, "comes again", digests[1]); /* known and there: nothing is written for it */
    assert_good(blob_commit(fixture->store));
    assert_good(blob_leave(fixture->store, digests[1], &gone));
    assert_false(gone);
    assert_good(blob_leave(fixture->store, other, &gone));
    assert_false(gone);
    assert_good(blob_leave(fixture->store, digests[0], &gone));
    assert_true(gone);
    assert_good(blob_leave(fixture->store, digests[2], &gone)); /* as a restored store has it */
    assert_true(gone);
    put_text(fixture, "stays away", digests[0]); /* gone a moment ago: written anew */
    assert_good(blob_leave(fixture->store, digests[0], &gone));
    assert_false(gone);
    assert_good(blob_leave_end(fixture->store));
    assert_false(blob_exists(fixture->store, digests[0])); /* no name before the commit */
    assert_good(blob_commit(fixture->store));
    assert_true(blob_exists(fixture->store, digests[0]));
    assert_true(blob_exists(fixture->store, digests[1]) && blob_exists(fixture->store, other));
    blob_leave_begin(fixture->store, (const uint8_t(*)[HASH_BYTES])digests, 1);
    assert_good(blob_leave_end(fixture->store)); /* marks without a removal */
    assert_true(blob_exists(fixture->store, digests[0]));
}

static void put_wrong_digest_stores_nothing(void **state)
{
    struct fixture *fixture = *state;
    uint8_t wanted[HASH_BYTES] = {1};
    uint8_t digest[HASH_BYTES];
    uint8_t expected[HASH_BYTES];
    bool stored = true;
    sha256_of("abc", 3, expected);
    assert_good(blob_put(fixture->store, "abc", 3, wanted, digest, &stored));
    assert_false(stored);
    assert_memory_equal(digest, expected, HASH_BYTES);
    assert_int_equal(files_in(fixture, "incoming"), 0);
    assert_good(blob_commit(fixture->store));
    assert_false(blob_exists(fixture->store, expected));
    assert_false(blob_exists(fixture->store, wanted));
}

static void put_same_content_keeps_one_file(void **state)
{
    struct fixture *fixture = *state;
    uint8_t digest[HASH_BYTES];
    char path[256];
    struct stat first;
    struct stat second;
    bool stored = false;
    assert_good(blob_put(fixture->store, "abc", 3, NULL, digest, &stored));
    assert_good(blob_put(fixture->store, "abc", 3, NULL, digest, &stored)); /* twice in one batch */
    assert_true(stored);
    assert_int_equal(files_in(fixture, "incoming"), 1);
    assert_good(blob_commit(fixture->store));
    file_path(fixture, digest, path);
    assert_int_equal(stat(path, &first), 0);
    assert_good(blob_put(fixture->store, "abc", 3, digest, digest, &stored));
    assert_true(stored);
    assert_int_equal(files_in(fixture, "incoming"), 0);
    assert_good(blob_commit(fixture->store));
    assert_int_equal(stat(path, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
}

static void put_over_unknown_file_rewrites_it(void **state)
{
    struct fixture *fixture = *state;
    uint8_t digest[HASH_BYTES];
    uint8_t back[3];
    char path[256];
    bool stored = false;
    assert_good(blob_put(fixture->store, "abc", 3, NULL, digest, &stored));
    assert_good(blob_commit(fixture->store));
    blob_store_close(&fixture->store);
    file_path(fixture, digest, path);
    FILE *file = fopen(path, "wb"); /* same length, other content: a page that was lost */
    assert_non_null(file);
    assert_int_equal(fwrite("a\0\0", 1, 3, file), 3);
    assert_int_equal(fclose(file), 0);
    assert_good(blob_store_open(fixture->directory, 1000, &fixture->store));
    assert_int_equal(blob_read(fixture->store, digest, back, 3).code, ERR_BLOB_MISSING);
    assert_good(blob_put(fixture->store, "abc", 3, digest, digest, &stored));
    assert_good(blob_commit(fixture->store));
    assert_good(blob_read(fixture->store, digest, back, 3));
    assert_int_equal(truncate(path, 1), 0); /* behind our back, in this process */
    assert_good(blob_put(fixture->store, "abc", 3, digest, digest, &stored));
    assert_good(blob_commit(fixture->store));
    assert_good(blob_read(fixture->store, digest, back, 3));
}

static void open_sweeps_incoming(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/incoming/0", fixture->directory);
    blob_store_close(&fixture->store);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    assert_good(blob_store_open(fixture->directory, 1000, &fixture->store));
    assert_int_equal(files_in(fixture, "incoming"), 0);
}

static void batch_of_the_bound_commits(void **state)
{
    struct fixture *fixture = *state;
    uint8_t digests[BLOB_BATCH_MAX][HASH_BYTES];
    bool stored = false;
    for (uint32_t i = 0; i < BLOB_BATCH_MAX; i++) {
        assert_good(blob_put(fixture->store, &i, sizeof i, NULL, digests[i], &stored));
    }
    assert_good(blob_commit(fixture->store));
    for (uint32_t i = 0; i < BLOB_BATCH_MAX; i++) {
        uint32_t back = 0;
        assert_good(blob_read(fixture->store, digests[i], &back, sizeof back));
        assert_int_equal(back, i);
    }
}

static void put_beyond_file_limit_is_blob_write(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t bytes[1 << 16];
    uint8_t digest[HASH_BYTES];
    bool stored = false;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct err err = blob_put(fixture->store, bytes, sizeof bytes, NULL, digest, &stored);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err.code, ERR_BLOB_WRITE);
    assert_int_equal(files_in(fixture, "incoming"), 0);
}

static bool quarantined(const struct fixture *fixture, const char *text)
{
    char hex[HASH_HEX_BYTES];
    uint8_t digest[HASH_BYTES];
    sha256_of(text, strlen(text), digest);
    hex_encode(digest, HASH_BYTES, hex);
    return folder_count(fixture->directory, hex) == 1;
}

static void put_in_quarantine(struct fixture *fixture, const char *text, size_t padding,
                              bool expect_kept)
{
    static char bytes[4096];
    uint8_t digest[HASH_BYTES];
    bool kept = !expect_kept;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, text, strlen(text));
    sha256_of(text, strlen(text), digest);
    assert_good(blob_quarantine(fixture->store, bytes, strlen(text) + padding, digest, &kept));
    assert_int_equal(kept, expect_kept);
}

/* The bound is 1000 bytes. */
static void quarantine_when_full_drops_the_oldest(void **state)
{
    struct fixture *fixture = *state;
    put_in_quarantine(fixture, "first", 395, true);
    put_in_quarantine(fixture, "second", 394, true);
    put_in_quarantine(fixture, "second", 394, true); /* known already */
    assert_int_equal(files_in(fixture, "quarantine"), 2);
    put_in_quarantine(fixture, "third", 395, true);
    assert_false(quarantined(fixture, "first"));
    assert_true(quarantined(fixture, "second"));
    assert_true(quarantined(fixture, "third"));
    put_in_quarantine(fixture, "too large", 992, false);
    assert_int_equal(files_in(fixture, "quarantine"), 2);
}

static void quarantine_after_restart_still_drops_the_oldest(void **state)
{
    struct fixture *fixture = *state;
    put_in_quarantine(fixture, "first", 395, true);
    put_in_quarantine(fixture, "second", 394, true);
    blob_store_close(&fixture->store);
    assert_good(blob_store_open(fixture->directory, 1000, &fixture->store));
    put_in_quarantine(fixture, "third", 395, true);
    assert_false(quarantined(fixture, "first"));
    assert_true(quarantined(fixture, "second"));
    blob_store_close(&fixture->store);
    assert_good(
        blob_store_open(fixture->directory, 500, &fixture->store)); /* the bound has shrunk */
    assert_false(quarantined(fixture, "second"));
    assert_true(quarantined(fixture, "third"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(put_then_commit_reads_back, setup, teardown),
        cmocka_unit_test_setup_teardown(put_wrong_digest_stores_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(put_same_content_keeps_one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(put_over_unknown_file_rewrites_it, setup, teardown),
        cmocka_unit_test_setup_teardown(open_sweeps_incoming, setup, teardown),
        cmocka_unit_test_setup_teardown(batch_of_the_bound_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(leaving_takes_what_is_marked_and_not_put_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(put_beyond_file_limit_is_blob_write, setup, teardown),
        cmocka_unit_test_setup_teardown(quarantine_when_full_drops_the_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(quarantine_after_restart_still_drops_the_oldest, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
