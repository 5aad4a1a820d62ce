/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VERIFY_STORY_H
#define TESTS_VERIFY_STORY_H

/* Story: a log whose bytes, hashes and signatures are all in order, but whose entries a test
 * changes or adds; and what triage-verify says of it. One a test program. Aborts on any failure. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "folder.h"
#include "log_maker.h"
#include "verify/verify.h"

#define ORIGIN "oversight.example/rotterdam/2026"
#define NOW_NS INT64_C(1790000000000000000)

static struct range range;
static struct log_maker maker;
static struct verify_report report;
static uint8_t items[2][ITEM_ID_BYTES];

static inline void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

/* A referred item, closed by an outcome, and a second one. */
static inline void fill_before_reveal(void)
{
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    assert_true(range_add_item(&range, items[0], 1, NULL));
    (void)range_add_item(&range, items[1], 1, NULL);
    range_add_action(&range, items[0], "in_exam", 2);
    range_add_outcome(&range, items[0], 3);
}

static inline void check(void)
{
    char directory[64] = "/tmp/triage-story-XXXXXX";
    const struct verify_conf conf = {.directory = directory, .now_ns = NOW_NS};
    assert_non_null(mkdtemp(directory));
    log_maker_init(&maker, directory, ORIGIN, 1);
    log_maker_publish(&maker, &range, range.count);
    verify_report_fini(&report);
    assert_good(verify_report_init(&report));
    assert_good(verify_run(&conf, &report));
    range_fini(&range);
    folder_remove(directory);
}

static inline void expect_line(const struct verify_lines *lines, const char *what,
                               enum verify_step step, const char *words)
{
    for (uint64_t i = 0; i < lines->count && i < lines->kept_max; i++) {
        if (strstr(lines->lines[i].text, words) != NULL) {
            assert_string_equal(verify_step_name(lines->lines[i].step), verify_step_name(step));
            return;
        }
    }
    fail_msg("no %s says '%s' (%llu, the first: %s)", what, words, (unsigned long long)lines->count,
             lines->count > 0 ? lines->lines[0].text : "-");
}

/* The log so far is verified; one problem, found by this step, has these words. */
static inline void expect_problem(enum verify_step step, const char *words)
{
    check();
    expect_line(&report.problems, "problem", step, words);
}

/* The same with a warning, and nothing is a problem. */
static inline void expect_warning(enum verify_step step, const char *words)
{
    check();
    if (report.problems.count > 0) {
        fail_msg("a problem: %s", report.problems.lines[0].text);
    }
    expect_line(&report.warnings, "warning", step, words);
}

/* Encode entry `at` again after `change` was made to it. */
static inline void change_entry(uint32_t at, void (*change)(struct entry *))
{
    static uint8_t memory[ENTRY_ARENA_BYTES];
    uint8_t bytes[ENTRY_BYTES_MAX];
    struct arena arena;
    struct entry entry;
    struct range_entry *kept = &range.entries[at];
    arena_init(&arena, memory, sizeof memory);
    assert_int_equal(entry_decode(kept->bytes, kept->bytes_count, &arena, &entry), ENTRY_GOOD);
    change(&entry);
    size_t stamp = entry_encode_stamp(entry.n, entry.t_ns, bytes, sizeof bytes);
    size_t rest = entry_encode_rest(&entry, bytes + stamp, sizeof bytes - stamp);
    assert_true(stamp > 0 && rest > 0);
    free(kept->bytes);
    kept->bytes = malloc(stamp + rest);
    assert_non_null(kept->bytes);
    memcpy(kept->bytes, bytes, stamp + rest);
    kept->bytes_count = (uint32_t)(stamp + rest);
}

#endif
