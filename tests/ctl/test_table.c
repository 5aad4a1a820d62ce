/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct table_column columns[] = {
    {"#", TABLE_RIGHT, 0}, {"NAME", TABLE_LEFT, 0}, {"WORDS", TABLE_LEFT, 0}};

static char *print(struct table *table, uint32_t width)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    assert_non_null(to);
    assert_true(table_print(table, to, width));
    fclose(to);
    return text;
}

static struct table *make(const char *words)
{
    struct table *table = table_open(columns, 3);
    table_cell(table, "1");
    table_cell(table, "anchor");
    table_cell(table, words);
    table_cell(table, "10");
    table_cell(table, "b");
    table_cell(table, "");
    return table;
}

static void expect_table(const char *words, uint32_t width, const char *wanted)
{
    struct table *table = make(words);
    char *text = print(table, width);
    assert_string_equal(text, wanted);
    free(text);
    table_close(&table);
    assert_null(table);
}

static void table_without_width_is_not_wrapped(void **unused)
{
    (void)unused;
    expect_table("one two three", 0, " #  NAME    WORDS\n 1  anchor  one two three\n10  b\n");
}

static void table_last_column_is_wrapped_at_words(void **unused)
{
    (void)unused;
    expect_table(
        "one two three four five six seven", 39,
        " #  NAME    WORDS\n 1  anchor  one two three four five six\n            seven\n10  b\n");
}

static void table_on_narrow_terminal_puts_last_column_below(void **unused)
{
    (void)unused;
    expect_table("one two three four five", 20,
                 " #  NAME\n 1  anchor\n    one two three\n      four five\n10  b\n");
}

static void cell_with_several_lines_keeps_its_column(void **unused)
{
    (void)unused;
    expect_table("one\ntwo", 0, " #  NAME    WORDS\n 1  anchor  one\n            two\n10  b\n");
}

/* Labels come from outside: an escape sequence in one must not reach the terminal. */
static void cell_with_control_characters_cannot_speak_to_terminal(void **unused)
{
    (void)unused;
    expect_table("a\033[2Jb\rc\177d\302\233e", 0,
                 " #  NAME    WORDS\n 1  anchor  a?[2Jb?c?d?e\n10  b\n");
}

static void width_counts_characters_not_bytes(void **unused)
{
    (void)unused;
    static const struct table_column two[] = {{"A", TABLE_LEFT, 0}, {"B", TABLE_LEFT, 0}};
    struct table *table = table_open(two, 2);
    table_cell(table, "\303\244\303\266");
    table_cell(table, "x");
    table_cell(table, "ab");
    table_cell(table, "y");
    char *text = print(table, 0);
    assert_string_equal(text, "A   B\n\303\244\303\266  x\nab  y\n");
    free(text);
    table_close(&table);
}

static void columns_that_can_be_spared_are_left_out_when_narrow(void **unused)
{
    (void)unused;
    static const struct table_column five[] = {{"KEPT", TABLE_LEFT, 0},
                                               {"SECOND", TABLE_LEFT, 1},
                                               {"FIRST", TABLE_LEFT, 2},
                                               {"TOO", TABLE_LEFT, 0},
                                               {"WHY", TABLE_LEFT, 0}};
    static const struct {
        uint32_t width;
        const char *wanted;
    } rows[] = {{0, "KEPT  SECOND  FIRST  TOO  WHY\nk     s       f      t    w\n"},
                {24, "KEPT  SECOND  FIRST  TOO\nk     s       f      t\n    w\n"},
                {21, "KEPT  SECOND  TOO\nk     s       t\n    w\n"},
                {13, "KEPT  TOO\nk     t\n    w\n"},
                {3, "KEPT  TOO\nk     t\n    w\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct table *table = table_open(five, 5);
        static const char *const cells[] = {"k", "s", "f", "t", "w"};
        for (size_t c = 0; c < 5; c++) {
            table_cell(table, cells[c]);
        }
        char *text = print(table, rows[i].width);
        assert_string_equal(text, rows[i].wanted);
        free(text);
        table_close(&table);
    }
}

static void word_longer_than_the_line_is_broken(void **unused)
{
    (void)unused;
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    text_print(to, "abcdefghijklmnop q", 12, 2);
    fclose(to);
    assert_string_equal(text, "abcdefghij\n  klmnop q\n");
    free(text);
}

static void formats_choose_their_unit(void **unused)
{
    (void)unused;
    static const struct {
        int64_t ns;
        const char *text;
    } ages[] = {{-5, "0 s"},
                {INT64_C(59000000000), "59 s"},
                {INT64_C(600000000000), "10 min"},
                {INT64_C(36000000000000), "10.0 h"},
                {INT64_C(864000000000000), "10 d"}};
    char cell[TABLE_CELL_BYTES];
    for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++) {
        format_age(ages[i].ns, cell);
        assert_string_equal(cell, ages[i].text);
    }
    format_bytes(1023, cell);
    assert_string_equal(cell, "1023 B");
    format_bytes(1536, cell);
    assert_string_equal(cell, "1.5 KiB");
    format_bytes(UINT64_MAX, cell);
    assert_string_equal(cell, "16777216.0 TiB");
    format_share(0.05, cell);
    assert_string_equal(cell, "5.00%");
    format_share(0.5, cell);
    assert_string_equal(cell, "50.0%");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_without_width_is_not_wrapped),
        cmocka_unit_test(table_last_column_is_wrapped_at_words),
        cmocka_unit_test(table_on_narrow_terminal_puts_last_column_below),
        cmocka_unit_test(cell_with_several_lines_keeps_its_column),
        cmocka_unit_test(cell_with_control_characters_cannot_speak_to_terminal),
        cmocka_unit_test(width_counts_characters_not_bytes),
        cmocka_unit_test(columns_that_can_be_spared_are_left_out_when_narrow),
        cmocka_unit_test(word_longer_than_the_line_is_broken),
        cmocka_unit_test(formats_choose_their_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
