/* SPDX-License-Identifier: Apache-2.0 */
#include "base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char test_directory[64];

static int open_directory(void **state)
{
    (void)state;
    strcpy(test_directory, "/tmp/triaged-durable-XXXXXX");
    return mkdtemp(test_directory) == NULL ? -1 : chdir(test_directory);
}

static void replace_shows_new_bytes_and_leaves_no_temporary(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    assert_int_equal(durable_replace("file", "old", 3, 0600).code, ERR_NONE);
    assert_int_equal(durable_replace("file", "newer", 5, 0600).code, ERR_NONE);
    assert_int_equal(durable_read("file", 100, &bytes, &bytes_count).code, ERR_NONE);
    assert_int_equal(bytes_count, 5);
    assert_string_equal((const char *)bytes, "newer");
    free(bytes);
    assert_int_equal(access("file.tmp", F_OK), -1);
}

static void create_keeps_what_is_there_and_tells_a_difference(void **state)
{
    (void)state;
    bool differs = true;
    assert_int_equal(durable_create("once", "same", 4, 0444, &differs).code, ERR_NONE);
    assert_false(differs);
    assert_int_equal(durable_create("once", "same", 4, 0444, &differs).code, ERR_NONE);
    assert_false(differs);
    assert_int_equal(durable_create("once", "other", 5, 0444, &differs).code, ERR_NONE);
    assert_true(differs);
    assert_int_equal(durable_create("once", "sam", 3, 0444, &differs).code, ERR_NONE);
    assert_true(differs);
}

static void directories_are_made_with_their_parents(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(durable_directory("a/b/c", 0755).code, ERR_NONE);
    assert_int_equal(durable_directory("a/b/c", 0755).code, ERR_NONE);
    assert_int_equal(stat("a/b/c", &status), 0);
    assert_int_equal(durable_replace("plain", "", 0, 0600).code, ERR_NONE);
    struct err err = durable_directory("plain/x", 0755);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(err.os_errno, ENOTDIR);
}

static void read_refuses_what_is_too_large_or_no_file(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    assert_int_equal(durable_replace("ten", "0123456789", 10, 0600).code, ERR_NONE);
    assert_int_equal(durable_read("ten", 10, &bytes, &bytes_count).code, ERR_NONE);
    free(bytes);
    bytes = NULL;
    assert_int_equal(durable_read("ten", 9, &bytes, &bytes_count).code, ERR_IO);
    assert_int_equal(durable_read(".", 100, &bytes, &bytes_count).code, ERR_IO);
    assert_int_equal(mkfifo("pipe", 0600), 0); /* nobody writes: must not wait */
    assert_int_equal(durable_read("pipe", 100, &bytes, &bytes_count).code, ERR_IO);
    assert_int_equal(unlink("pipe"), 0);
    assert_int_equal(durable_read("absent", 100, &bytes, &bytes_count).os_errno, ENOENT);
    assert_null(bytes);
}

static void full_disk_is_told_apart(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0) {
        skip();
    }
    struct err err = durable_write_at(fd, "x", 1, 0);
    assert_int_equal(err.code, ERR_DISK_FULL);
    assert_int_equal(err_class_of(err), ERR_CLASS_HALT);
    (void)close(fd);
}

static void rename_and_remove_are_seen(void **state)
{
    (void)state;
    assert_int_equal(durable_replace("from", "x", 1, 0600).code, ERR_NONE);
    assert_int_equal(durable_directory("d", 0755).code, ERR_NONE);
    assert_int_equal(durable_rename("from", "d/to").code, ERR_NONE);
    assert_int_equal(access("from", F_OK), -1);
    assert_int_equal(access("d/to", F_OK), 0);
    assert_int_equal(durable_remove("d/to").code, ERR_NONE);
    assert_int_equal(durable_remove("d/to").code, ERR_NONE);
    assert_int_equal(durable_rename("absent", "d/to").code, ERR_IO);
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const files[] = {"file", "once", "plain", "ten"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)unlink(files[i]);
    }
    (void)rmdir("a/b/c");
    (void)rmdir("a/b");
    (void)rmdir("a");
    (void)rmdir("d");
    return chdir("/") + rmdir(test_directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace_shows_new_bytes_and_leaves_no_temporary),
        cmocka_unit_test(create_keeps_what_is_there_and_tells_a_difference),
        cmocka_unit_test(directories_are_made_with_their_parents),
        cmocka_unit_test(read_refuses_what_is_too_large_or_no_file),
        cmocka_unit_test(full_disk_is_told_apart),
        cmocka_unit_test(rename_and_remove_are_seen),
    };
    return cmocka_run_group_tests(tests, open_directory, remove_directory);
}
