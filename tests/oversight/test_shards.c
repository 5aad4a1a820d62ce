/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "oversight/shards.h"

static struct shards list; /* too large for a stack */

static bool parses(const char *text)
{
    return shards_parse(text, strlen(text), &list);
}

static void list_of_three_shards_tells_the_shard_of_every_entry(void **state)
{
    (void)state;
    assert_true(parses("0 oversight.o/p/2026 2026\n"
                       "700 oversight.o/p/2026-2 2026-2\n"
                       "18446744073709551615 oversight.o/p/2027 2027\n"));
    assert_int_equal(list.count, 3);
    static const struct {
        uint64_t n;
        uint32_t at;
    } rows[] = {{0, 0}, {699, 0}, {700, 1}, {UINT64_MAX - 1, 1}, {UINT64_MAX, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ptr_equal(shards_find(&list, rows[i].n), &list.list[rows[i].at]);
    }
    assert_int_equal(shards_end(&list, &list.list[0]), 700);
    assert_int_equal(shards_end(&list, &list.list[2]), UINT64_MAX);
    assert_string_equal(shards_of_origin(&list, "oversight.o/p/2026-2")->directory, "2026-2");
    assert_null(shards_of_origin(&list, "oversight.o/p/2025"));
}

static void malformed_list_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "0 o/2026 2026",                  /* no newline */
        "0 o/2026\n",                     /* no directory */
        "0  o/2026 2026\n",               /* two spaces */
        "0 o/2026 2026 \n",               /* a space at the end */
        "00 o/2026 2026\n",               /* two spellings of a number */
        "-0 o/2026 2026\n",               /* the same */
        "1 o/2026 2026\n",                /* does not begin with the log */
        "0 o/2026 ../2026\n",             /* out of log/ */
        "0 o/2026 .\n",                   /* log/ itself */
        "0 o/2026 a/b\n",                 /* two levels */
        "0 o+x/2026 2026\n",              /* no origin */
        "0 o/2026 2026\n0 o/2027 2027\n", /* not ascending */
        "0 o/2026 2026\n9 o/2026 2027\n", /* an origin twice */
        "0 o/2026 2026\n9 o/2027 2026\n", /* a directory twice */
        "0 o/2026 2026\n18446744073709551616 o/2027 2027\n",
        ("0 o/2026 "
         "0123456789012345678901234567890123456789012345678901234567890123456789\n"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parses(bad[i])) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_false(shards_parse("0 o/2026 20\0006\n", 14, &list));
}

static void full_list_takes_no_more(void **state)
{
    (void)state;
    char origin[32];
    memset(&list, 0, sizeof list);
    for (uint32_t i = 0; i <= SHARDS_MAX; i++) {
        (void)snprintf(origin, sizeof origin, "o/%u", 2000 + i);
        assert_int_equal(shards_add(&list, 10 * i, origin), i < SHARDS_MAX);
    }
}

static void next_origin_has_the_year_and_counts_on_within_it(void **state)
{
    (void)state;
    char origin[NOTE_ORIGIN_BYTES_MAX + 1];
    assert_true(parses("0 a.b/c/2026 2026\n"));
    assert_true(shards_next_origin(&list, 2027, origin));
    assert_string_equal(origin, "a.b/c/2027");
    assert_true(shards_next_origin(&list, 2026, origin));
    assert_string_equal(origin, "a.b/c/2026-2");
    assert_true(shards_next_origin(&list, 1970, origin)); /* a clock that stands */
    assert_string_equal(origin, "a.b/c/2026-2");
    assert_true(shards_add(&list, 5, origin));
    assert_true(shards_next_origin(&list, 2026, origin));
    assert_string_equal(origin, "a.b/c/2026-3");
    assert_int_equal(shard_year("a/2026-12"), 2026);
    assert_int_equal(shard_year("a/2026x"), -1);
    assert_int_equal(shard_year("a/"), -1);
    assert_int_equal(shard_year("2026"), -1);
}

static void marker_of_an_old_store_is_read_and_replaced(void **state)
{
    (void)state;
    char root[] = "/tmp/oversight-XXXXXX";
    assert_non_null(mkdtemp(root));
    assert_string_equal(err_name(shards_read(root, &list).code), err_name(ERR_NOT_FOUND));
    fixture_run("printf 'oversight.o/p/2025' > '%s/origin'", root);
    assert_false(err_is(shards_read(root, &list)));
    assert_int_equal(list.count, 1);
    assert_string_equal(list.list[0].directory, "2025");
    assert_false(err_is(shards_write(root, &list)));
    fixture_run("test ! -e '%s/origin' && test \"$(cat '%s/shards')\" = "
                "'0 oversight.o/p/2025 2025'",
                root, root);
    assert_true(shards_add(&list, 77, "oversight.o/p/2026"));
    assert_false(err_is(shards_write(root, &list)));
    static struct shards again;
    assert_false(err_is(shards_read(root, &again)));
    assert_int_equal(again.count, 2);
    assert_int_equal(again.list[1].first_n, 77);
    fixture_run("echo x >> '%s/shards'", root);
    assert_string_equal(err_name(shards_read(root, &list).code), err_name(ERR_TILE_DIFFERS));
    fixture_run("rm -rf '%s'", root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_of_three_shards_tells_the_shard_of_every_entry),
        cmocka_unit_test(malformed_list_is_refused),
        cmocka_unit_test(full_list_takes_no_more),
        cmocka_unit_test(next_origin_has_the_year_and_counts_on_within_it),
        cmocka_unit_test(marker_of_an_old_store_is_read_and_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
