/* SPDX-License-Identifier: Apache-2.0 */
#include "small_log.h"

#include "verify/verify_print.h"

/* What people and programs read, and that the page about it knows every check and every name. */

static char page[1 << 17];

static char *printed(bool as_json, bool quiet)
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    assert_non_null(out);
    if (as_json) {
        assert_true(verify_report_print_json(&report, 1.5, out));
    } else {
        const struct verify_print_conf conf = {.quiet = quiet, .seconds = 1.5};
        verify_report_print(&report, &conf, out);
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static void expect_order(const char *text, const char *const *words, size_t words_count)
{
    const char *at = text;
    for (size_t i = 0; i < words_count; i++) {
        const char *found = strstr(at, words[i]);
        if (found == NULL) {
            fail_msg("'%s' is not where it should be in:\n%s", words[i], text);
        }
        at = found;
    }
}

static int make(void **state)
{
    (void)state;
    make_small_log();
    FILE *file = fopen(SOURCE_DIR "/daemon/verify/VERIFY.md", "rb");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    remove_small_log();
    return 0;
}

static void good_log_reads_from_verdict_to_limits(void **state)
{
    static const char *const words[] = {"good: every entry and every archive file checks\n",
                                        ORIGIN " in /tmp/",
                                        "  key          ",
                                        "the one that lies beside the log",
                                        "  tree         603 entries, root ",
                                        "  checkpoints  4 signed",
                                        "  files        ",
                                        "  entries      ",
                                        "150 score",
                                        "  records      300 received",
                                        "  items        150 decided",
                                        "  referrals    0 ended",
                                        "  draws        1 days committed, 1 revealed: 150 draws",
                                        "  settings     ",
                                        "  time         2026-",
                                        "what this cannot tell",
                                        "--vkey",
                                        "--against",
                                        "checked in 1.50 s, 402 entries a second"};
    (void)state;
    verify_with(NULL, 0);
    char *text = printed(false, false);
    assert_int_equal(strncmp(text, "good: ", 6), 0);
    expect_order(text, words, sizeof words / sizeof words[0]);
    free(text);
    text = printed(false, true);
    assert_string_equal(text, "good: every entry and every archive file checks\n");
    free(text);
}

static void problems_say_where_what_and_what_to_do(void **state)
{
    char path[256];
    char away[80];
    (void)state;
    path_of("tile/0/000", path);
    (void)snprintf(away, sizeof away, "%s/away", directory);
    assert_int_equal(rename(path, away), 0);
    verify_with(NULL, 0);
    const char *const words[] = {
        "bad: 1 problem\n",      "problem: ", path,
        "missing or unreadable", "  do: ",    verify_step_advice(STEP_tree),
        "what this cannot tell"};
    char *text = printed(false, false);
    expect_order(text, words, sizeof words / sizeof words[0]);
    free(text);
    text = printed(false, true);
    assert_int_equal(strncmp(text, "bad: 1 problem\nproblem: ", 24), 0);
    assert_null(strstr(text, "  do: "));
    free(text);
    char where[300];
    (void)snprintf(where, sizeof where, "\"where\": \"%s\"", path);
    const char *const json[] = {"\"format\": 1", "\"good\": false",     "\"problems_count\": 1",
                                "\"logs\"",      "\"problems\": [",     "\"check\": \"tree\"",
                                where,           "\"what\": \"missing", "\"do\": \""};
    text = printed(true, false);
    expect_order(text, json, sizeof json / sizeof json[0]);
    free(text);
    assert_int_equal(rename(away, path), 0);
}

static void lines_beyond_the_bound_are_counted(void **state)
{
    (void)state;
    verify_report_fini(&report);
    assert_false(err_is(verify_report_init(&report)));
    for (uint32_t i = 0; i < VERIFY_LINES_KEPT + 5; i++) {
        verify_problem(&report, "entry %u: x", i);
    }
    char *text = printed(false, true);
    assert_non_null(strstr(text, "bad: 1005 problems\n"));
    assert_non_null(strstr(text, "problem: and 5 more\n"));
    free(text);
}

static void page_knows_every_check_and_every_name(void **state)
{
    (void)state;
    for (int step = 0; step < STEP_COUNT; step++) {
        char heading[64];
        (void)snprintf(heading, sizeof heading,
                       "\n### %s: ", verify_step_name((enum verify_step)step));
        if (strstr(page, heading) == NULL) {
            fail_msg("VERIFY.md lacks the section%s", heading);
        }
    }
    verify_with(NULL, 0);
    char *text = printed(true, false);
    for (const char *at = strchr(text, '"'); at != NULL; at = strchr(at, '"')) {
        const char *end = strchr(at + 1, '"');
        assert_non_null(end);
        char name[128];
        bool is_name = end[1] == ':' && memchr(at, '.', (size_t)(end - at)) == NULL;
        (void)snprintf(name, sizeof name, "`%.*s`", (int)(end - at - 1), at + 1);
        if (is_name && strstr(page, name) == NULL) {
            fail_msg("VERIFY.md does not tell what %s is", name);
        }
        at = end + 1;
    }
    free(text);
}

/* A thread's lines of which only the first were kept are followed by another's. */
static void lines_taken_leave_no_hole(void **state)
{
    (void)state;
    static struct verify_report whole;
    struct verify_lines lines;
    assert_false(err_is(verify_report_init(&whole)));
    assert_false(err_is(verify_lines_init(&lines, 2)));
    for (int i = 0; i < 5; i++) {
        verify_lines_add(&lines, STEP_tree, "first %d", i);
    }
    verify_report_take(&whole, &lines);
    verify_lines_add(&lines, STEP_tree, "second");
    verify_report_take(&whole, &lines);
    assert_int_equal(whole.problems.count, 6);
    assert_int_equal(whole.problems.kept, 3);
    assert_string_equal(whole.problems.lines[1].text, "first 1");
    assert_string_equal(whole.problems.lines[2].text, "second");
    verify_lines_fini(&lines);
    verify_report_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_taken_leave_no_hole),
        cmocka_unit_test(good_log_reads_from_verdict_to_limits),
        cmocka_unit_test(problems_say_where_what_and_what_to_do),
        cmocka_unit_test(lines_beyond_the_bound_are_counted),
        cmocka_unit_test(page_knows_every_check_and_every_name),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
