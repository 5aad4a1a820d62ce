/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "archive/archive_copy.h"
#include "base/durable.h"
#include "faulty.h"
#include "folder.h"

#define BELOW "2026/01/02/x.h5"

struct fixture {
    char directory[64];
    char archive[96];
    char place[96];
    uint8_t bytes[(2 << 20) + 5]; /* three pieces */
    uint8_t sha256[HASH_BYTES];
    struct archive_sealed sealed;
};

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static void write_file(const char *directory, const void *bytes, size_t bytes_count)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/2026/01/02", directory);
    assert_good(durable_directory(path, 0755));
    (void)snprintf(path, sizeof path, "%s/" BELOW, directory);
    assert_good(durable_replace(path, bytes, bytes_count, 0644));
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/triage-copy-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->archive, sizeof fixture->archive, "%s/archive", fixture->directory);
    (void)snprintf(fixture->place, sizeof fixture->place, "%s/place", fixture->directory);
    for (size_t i = 0; i < sizeof fixture->bytes; i++) {
        fixture->bytes[i] = (uint8_t)(i * 13 >> 4);
    }
    sha256_of(fixture->bytes, sizeof fixture->bytes, fixture->sha256);
    fixture->sealed = (struct archive_sealed){BELOW, sizeof fixture->bytes, fixture->sha256};
    write_file(fixture->archive, fixture->bytes, sizeof fixture->bytes);
    assert_int_equal(mkdir(fixture->place, 0755), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    folder_remove(fixture->directory);
    free(fixture);
    return 0;
}

static bool is_there(const struct fixture *fixture, const char *below)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", fixture->place, below);
    return access(path, F_OK) == 0;
}

static void a_copy_is_made_once_and_checked(void **state)
{
    struct fixture *fixture = *state;
    bool made = false;
    assert_int_equal(archive_copy_check(fixture->place, &fixture->sealed, NULL).code,
                     ERR_NOT_FOUND);
    assert_good(archive_copy_make(fixture->archive, fixture->place, &fixture->sealed, NULL, &made));
    assert_true(made && is_there(fixture, BELOW) && !is_there(fixture, BELOW ".part"));
    assert_good(archive_copy_check(fixture->place, &fixture->sealed, NULL));
    assert_good(archive_copy_make(fixture->archive, fixture->place, &fixture->sealed, NULL, &made));
    assert_false(made);
}

static void a_damaged_copy_is_found_and_made_again(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t wrong[(2 << 20) + 5];
    bool made = false;
    memcpy(wrong, fixture->bytes, sizeof wrong);
    wrong[sizeof wrong - 1] ^= 1;
    write_file(fixture->place, wrong, sizeof wrong);
    assert_int_equal(archive_copy_check(fixture->place, &fixture->sealed, NULL).code,
                     ERR_ARCHIVE_DIFFERS);
    write_file(fixture->place, wrong, sizeof wrong - 1);
    assert_int_equal(archive_copy_check(fixture->place, &fixture->sealed, NULL).code,
                     ERR_ARCHIVE_DIFFERS);
    assert_good(archive_copy_make(fixture->archive, fixture->place, &fixture->sealed, NULL, &made));
    assert_true(made);
    assert_good(archive_copy_check(fixture->place, &fixture->sealed, NULL));
}

/* The copy's own name ends with .part here: that is the file of which the disk loses a sector. */
static void a_copy_with_an_unreadable_sector_is_made_again(void **state)
{
    struct fixture *fixture = *state;
    const struct faulty lost = {.call = FAULTY_READ, .way = FAULTY_FAILS, .at = 2};
    static const char name[] = "2026/01/02/x.part";
    char from[256];
    char to[256];
    bool made = false;
    (void)snprintf(from, sizeof from, "%s/" BELOW, fixture->archive);
    (void)snprintf(to, sizeof to, "%s/%s", fixture->archive, name);
    assert_int_equal(rename(from, to), 0);
    fixture->sealed.path = name;
    assert_good(archive_copy_make(fixture->archive, fixture->place, &fixture->sealed, NULL, &made));
    faulty_arm(&lost);
    assert_good(archive_copy_make(fixture->archive, fixture->place, &fixture->sealed, NULL, &made));
    assert_true(faulty_disarm());
    assert_true(made && !is_there(fixture, "2026/01/02/x.part.part"));
    assert_good(archive_copy_check(fixture->place, &fixture->sealed, NULL));
    /* What cannot be read back (the source has three pieces) does not get the name. */
    (void)snprintf(to, sizeof to, "%s/%s", fixture->place, name);
    assert_int_equal(unlink(to), 0);
    faulty_arm(&(struct faulty){.call = FAULTY_READ, .way = FAULTY_FAILS, .at = 5});
    assert_int_equal(
        archive_copy_make(fixture->archive, fixture->place, &fixture->sealed, NULL, &made).code,
        ERR_IO);
    assert_true(faulty_disarm());
    assert_false(made || is_there(fixture, name));
}

static void what_is_not_the_sealed_file_is_not_copied(void **state)
{
    struct fixture *fixture = *state;
    bool made = false;
    fixture->bytes[7] ^= 1;
    write_file(fixture->archive, fixture->bytes, sizeof fixture->bytes);
    assert_int_equal(
        archive_copy_make(fixture->archive, fixture->place, &fixture->sealed, NULL, &made).code,
        ERR_ARCHIVE_DIFFERS);
    assert_false(made || is_there(fixture, BELOW) || is_there(fixture, BELOW ".part"));
    struct archive_sealed out = fixture->sealed;
    out.path = "../archive/" BELOW; /* climbs out */
    assert_int_equal(archive_copy_make(fixture->archive, fixture->place, &out, NULL, &made).code,
                     ERR_ARGUMENT);
}

static void a_stop_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    _Atomic bool stop = true;
    bool made = false;
    assert_int_equal(
        archive_copy_make(fixture->archive, fixture->place, &fixture->sealed, &stop, &made).code,
        ERR_CLOSED);
    assert_false(made || is_there(fixture, BELOW) || is_there(fixture, BELOW ".part"));
}

static void a_place_must_exist_be_elsewhere_and_be_the_one_of_before(void **state)
{
    struct fixture *fixture = *state;
    char missing[128];
    bool same = false;
    const struct archive_place_rule fresh = {.known = false, .may_share = true};
    const struct archive_place_rule known = {.known = true, .may_share = true};
    const struct archive_place_rule alone = {.known = false, .may_share = false};
    (void)snprintf(missing, sizeof missing, "%s/missing", fixture->directory);
    assert_int_equal(archive_place_check(fixture->archive, missing, fresh, &same).code,
                     ERR_NOT_FOUND);
    assert_int_equal(access(missing, F_OK), -1);
    assert_int_equal(archive_place_check(fixture->archive, fixture->archive, fresh, &same).code,
                     ERR_ARGUMENT);
    /* Above it, inside it; a name that only starts alike is elsewhere. */
    assert_int_equal(archive_place_check(fixture->archive, fixture->directory, fresh, &same).code,
                     ERR_ARGUMENT);
    (void)snprintf(missing, sizeof missing, "%s/2026/../2026", fixture->archive);
    assert_int_equal(archive_place_check(fixture->archive, missing, fresh, &same).code,
                     ERR_ARGUMENT);
    (void)snprintf(missing, sizeof missing, "%s2", fixture->archive);
    assert_int_equal(mkdir(missing, 0755), 0);
    assert_good(archive_place_check(fixture->archive, missing, fresh, &same));
    assert_int_equal(archive_place_check(fixture->archive, fixture->place, known, &same).code,
                     ERR_NOT_FOUND);
    assert_int_equal(archive_place_check(fixture->archive, fixture->place, alone, &same).code,
                     ERR_ARGUMENT);
    assert_false(is_there(fixture, ARCHIVE_PLACE_MARK));
    assert_good(archive_place_check(fixture->archive, fixture->place, fresh, &same));
    assert_true(same && is_there(fixture, ARCHIVE_PLACE_MARK));
    assert_good(archive_place_check(fixture->archive, fixture->place, known, &same));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_is_made_once_and_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_copy_is_found_and_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_with_an_unreadable_sector_is_made_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_the_sealed_file_is_not_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_place_must_exist_be_elsewhere_and_be_the_one_of_before,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
