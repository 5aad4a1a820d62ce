/* SPDX-License-Identifier: Apache-2.0 */
#include "small_log.h"

#include <fcntl.h>

/* What does not belong into a log's directory, and what is no plain file. Nothing of it may make
 * the verifier wait: the test's own time limit would tell. */

static int make(void **state)
{
    (void)state;
    make_small_log();
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    remove_small_log();
    return 0;
}

static void expect_clean(void)
{
    verify_with(NULL, 0);
    if (report.problems.count + report.warnings.count > 0) {
        fail_msg("%s", report.problems.count > 0 ? report.problems.lines[0].text
                                                 : report.warnings.lines[0].text);
    }
}

static void plain_files_of_the_format_are_known(void **state)
{
    char path[256];
    (void)state;
    expect_clean();
    assert_true(report.shards[0].files >= 14);
    path_of("tile/0/002.tmp", path); /* being written while it was copied */
    write_text(path, "x", 1);
    expect_clean();
    assert_int_equal(unlink(path), 0);
    path_of("tile/0/007", path); /* beyond the checkpoint */
    write_text(path, "x", 1);
    expect_clean();
    assert_int_equal(unlink(path), 0);
}

static void unknown_names_are_told_and_not_read(void **state)
{
    static const char *const names[] = {
        "README",         "vkey.old",        "checkpoints/0300", "checkpoints/x",
        "tile/0/0",       "tile/0/x00",      "tile/0/00a",       "tile/9/000",
        "tile/00/000",    "tile/0/000.q",    "tile/entries2",    "tile/0/1000",
        "checkpoints/-1", "tile/entries/00", "a: b\x1b[2J",      "tile/0/x000",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        char parent[256];
        path_of(names[i], path);
        strcpy(parent, path);
        *strrchr(parent, '/') = '\0';
        (void)mkdir(parent, 0700);
        write_text(path, "x", 1);
        verify_with(NULL, 0);
        if (report.problems.count > 0 || report.warnings.count != 1) {
            fail_msg("%s: %llu problems, %llu warnings", names[i],
                     (unsigned long long)report.problems.count,
                     (unsigned long long)report.warnings.count);
        }
        expect_line(&report.warnings, STEP_files, "does not belong here");
        assert_null(strchr(report.warnings.lines[0].text, '\x1b')); /* steers no terminal */
        assert_int_equal(report.shards[0].files_unknown, 1);
        assert_int_equal(unlink(path), 0);
        (void)rmdir(parent); /* goes only when it was made here */
    }
    expect_clean();
}

static void many_unknown_files_are_bounded_lines(void **state)
{
    char path[256];
    char name[32];
    (void)state;
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "junk-%d", i);
        path_of(name, path);
        write_text(path, "x", 1);
    }
    verify_with(NULL, 0);
    assert_int_equal(report.shards[0].files_unknown, 300);
    assert_int_equal(report.warnings.count, 21);
    expect_line(&report.warnings, STEP_files,
                "300 files do not belong here; the first 20 are told");
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "junk-%d", i);
        path_of(name, path);
        assert_int_equal(unlink(path), 0);
    }
}

/* In the place of each kind of file: a link to it, a pipe, a directory. */
static void links_and_pipes_are_problems_and_not_followed(void **state)
{
    static const char *const names[] = {"vkey", "checkpoint", "checkpoints/300", "tile/0/000",
                                        "tile/entries/001"};
    char away[96];
    (void)state;
    (void)snprintf(away, sizeof away, "%s/away", directory);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        path_of(names[i], path);
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(symlink(away, path), 0);
        verify_with(NULL, 0);
        expect_line(&report.problems, STEP_files, "is a symbolic link");
        assert_true(report.problems.count >= 2); /* and the file itself is not there */
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        verify_with(NULL, 0);
        expect_line(&report.problems, STEP_files, "is a pipe, socket or device");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        verify_with(NULL, 0);
        assert_true(report.problems.count >= 1);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(rename(away, path), 0);
    }
    /* Files that need not be there. */
    static const char *const more[] = {"checkpoint.cosigned", "checkpoints/300.cosigned"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        char path[256];
        path_of(more[i], path);
        assert_int_equal(mkfifo(path, 0600), 0);
        verify_with(NULL, 0);
        expect_line(&report.problems, STEP_files, "is a pipe, socket or device");
        assert_int_equal(unlink(path), 0);
    }
    expect_clean();
}

static void file_larger_than_its_format_is_not_read(void **state)
{
    static const struct {
        const char *name;
        long bytes;
    } rows[] = {{"vkey", 1L << 20},
                {"checkpoint", 1L << 30},
                {"checkpoints/300", 1L << 30},
                {"tile/0/000", 1L << 33},
                {"tile/entries/000", 1L << 33}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[256];
        struct stat status;
        path_of(rows[i].name, path);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(truncate(path, rows[i].bytes), 0); /* a hole: takes no disk */
        verify_with(NULL, 0);
        assert_true(report.problems.count >= 1);
        if (i > 0) {
            bool told = false;
            for (uint64_t p = 0; p < report.problems.count; p++) {
                told |= strstr(report.problems.lines[p].text, "larger than its format") != NULL;
            }
            assert_true(told);
        }
        assert_int_equal(truncate(path, status.st_size), 0);
    }
    expect_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_files_of_the_format_are_known),
        cmocka_unit_test(unknown_names_are_told_and_not_read),
        cmocka_unit_test(many_unknown_files_are_bounded_lines),
        cmocka_unit_test(links_and_pipes_are_problems_and_not_followed),
        cmocka_unit_test(file_larger_than_its_format_is_not_read),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
