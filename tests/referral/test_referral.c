/* SPDX-License-Identifier: Apache-2.0 */
#include "referral/referral.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void state_every_text_reads_back(void **unused)
{
    (void)unused;
    for (int i = 0; i < REFERRAL_STATE_COUNT; i++) {
        const char *text = referral_state_text((enum referral_state)i);
        assert_non_null(text);
        assert_int_equal(referral_state_parse(text), i);
    }
    assert_int_equal(referral_state_parse("nonsense"), REFERRAL_NONE);
    assert_int_equal(referral_state_parse(NULL), REFERRAL_NONE);
    assert_string_equal(referral_state_text((enum referral_state)99), "none");
}

/* The whole table, written a second time: from, then every state that may follow. */
static void moves_table_matches_design(void **unused)
{
    (void)unused;
    static const struct {
        enum referral_state from;
        const char *to;
    } rows[] = {
        {REFERRAL_NONE, " queued "},
        {REFERRAL_QUEUED, " presented in_exam waived not_presented expired returned transferred "},
        {REFERRAL_PRESENTED, " in_exam waived expired returned transferred "},
        {REFERRAL_IN_EXAM, " outcome waived not_presented returned transferred "},
        {REFERRAL_OUTCOME, " "},
        {REFERRAL_WAIVED, " "},
        {REFERRAL_NOT_PRESENTED, " "},
        {REFERRAL_EXPIRED, " "},
        {REFERRAL_RETURNED, " "},
        {REFERRAL_TRANSFERRED, " "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int to = 0; to < REFERRAL_STATE_COUNT; to++) {
            char word[32] = " ";
            strcat(word, referral_state_text((enum referral_state)to));
            strcat(word, " ");
            bool wanted = strstr(rows[i].to, word) != NULL;
            assert_int_equal(referral_may_go(rows[i].from, (enum referral_state)to), wanted);
        }
    }
    assert_false(referral_may_go((enum referral_state)77, REFERRAL_QUEUED));
    assert_false(referral_may_go(REFERRAL_QUEUED, (enum referral_state)77));
}

static void terminal_state_has_no_way_out(void **unused)
{
    (void)unused;
    int terminal_count = 0;
    for (int from = 0; from < REFERRAL_STATE_COUNT; from++) {
        bool has_way_out = false;
        for (int to = 0; to < REFERRAL_STATE_COUNT; to++) {
            has_way_out |= referral_may_go((enum referral_state)from, (enum referral_state)to);
        }
        assert_int_equal(referral_state_is_terminal((enum referral_state)from), !has_way_out);
        terminal_count += !has_way_out;
    }
    assert_int_equal(terminal_count, 6);
}

static void code_each_is_unique_and_ends_a_queued_referral(void **unused)
{
    (void)unused;
    unsigned count = 0;
    const struct referral_code *codes = referral_codes(&count);
    assert_true(count > 0);
    for (unsigned i = 0; i < count; i++) {
        assert_ptr_equal(referral_code_find(codes[i].code), &codes[i]);
        assert_true(referral_state_is_terminal(codes[i].state));
        assert_true(codes[i].state != REFERRAL_OUTCOME);
        assert_true(referral_may_go(REFERRAL_QUEUED, codes[i].state));
        assert_true(strlen(codes[i].definition) > 10);
    }
    assert_null(referral_code_find("because"));
    assert_null(referral_code_find(NULL));
}

static void outcome_broken_in_one_way_is_refused(void **unused)
{
    (void)unused;
    assert_null(outcome_check("full", "found", "narcotics", 12.5, "kg"));
    assert_null(outcome_check("document", "nothing_found", "", 0.0, ""));
    assert_null(outcome_check("nii", "abandoned", NULL, 0.0, NULL));
    static const struct {
        const char *level, *result, *seizure_class;
        double quantity;
        const char *unit;
        const char *word; /* of the sentence */
    } rows[] = {
        {"deep", "found", "narcotics", 1, "kg", "level"},
        {NULL, "found", "narcotics", 1, "kg", "level"},
        {"full", "clean", "", 0, "", "result"},
        {"full", NULL, "", 0, "", "result"},
        {"full", "found", "", 0, "", "needs a seizure class"},
        {"full", "partial", NULL, 0, "", "needs a seizure class"},
        {"full", "nothing_found", "narcotics", 0, "", "nothing was found"},
        {"full", "nothing_found", "", 3, "kg", "nothing was found"},
        {"full", "found", "narcotics", 3, "", "unit"},
        {"full", "found", "narcotics", -1, "kg", "negative"},
        {"full", "found", "narcotics", (double)NAN, "kg", "not a number"},
        {"full", "found", "narcotics", (double)INFINITY, "kg", "not a number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why = outcome_check(rows[i].level, rows[i].result, rows[i].seizure_class,
                                        rows[i].quantity, rows[i].unit);
        assert_non_null(why);
        assert_non_null(strstr(why, rows[i].word));
    }
}

static void result_only_finds_are_labels_of_a_find(void **unused)
{
    (void)unused;
    assert_true(exam_result_is_find("found"));
    assert_true(exam_result_is_find("partial"));
    assert_false(exam_result_is_find("nothing_found"));
    assert_false(exam_result_is_find("abandoned"));
    assert_false(exam_result_is_find("returned_to_sender"));
    assert_false(exam_result_is_find(NULL));
}

static void outcome_kinds_read_back_and_codes_are_unique(void **unused)
{
    (void)unused;
    for (int i = 0; i < OUTCOME_AGAIN_COUNT; i++) {
        assert_int_equal(outcome_again_parse(outcome_again_text((enum outcome_again)i)), i);
    }
    assert_int_equal(outcome_again_parse(NULL), OUTCOME_FIRST);
    assert_int_equal(outcome_again_parse("third"), OUTCOME_AGAIN_COUNT);
    unsigned count = 0;
    const struct referral_code *codes = correction_codes(&count);
    assert_true(count > 0);
    for (unsigned i = 0; i < count; i++) {
        assert_ptr_equal(correction_code_find(codes[i].code), &codes[i]);
        assert_null(referral_code_find(codes[i].code));
    }
    assert_null(correction_code_find("because"));
    assert_null(correction_code_find(NULL));
}

static void second_exam_does_not_undo_a_find(void **unused)
{
    (void)unused;
    static const char *const by_weight[] = {"abandoned", "nothing_found", "partial"};
    for (int standing = 0; standing < 3; standing++) {
        for (int next = 0; next < 3; next++) {
            assert_int_equal(outcome_says_enough(by_weight[standing], by_weight[next]),
                             next >= standing);
        }
    }
    assert_true(outcome_says_enough("found", "partial"));
    assert_true(outcome_says_enough("abandoned", "returned_to_sender"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_every_text_reads_back),
        cmocka_unit_test(moves_table_matches_design),
        cmocka_unit_test(terminal_state_has_no_way_out),
        cmocka_unit_test(code_each_is_unique_and_ends_a_queued_referral),
        cmocka_unit_test(outcome_broken_in_one_way_is_refused),
        cmocka_unit_test(result_only_finds_are_labels_of_a_find),
        cmocka_unit_test(outcome_kinds_read_back_and_codes_are_unique),
        cmocka_unit_test(second_exam_does_not_undo_a_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
