/* SPDX-License-Identifier: Apache-2.0 */
#include "story.h"

/* Items, draws, seals and the form of entries: a table of rows "break one thing -> the problem that
 * names it". */

enum {
    FIRST_DECISION = 5,
    FIRST_SCORE = 4
}; /* log.open, draw.commit, declaration, scan, score, decision */

static void honest_story_has_no_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range_add_draw_reveal(&range);
    check();
    assert_int_equal(report.problems.count, 0);
    assert_int_equal(report.shards[0].referrals_closed, 1);
    assert_int_equal(report.shards[0].draws_checked, 2);
}

static void change_n(struct entry *entry)
{
    entry->n += 1;
}

static void change_id(struct entry *entry)
{
    range_id(1, entry->id);
}

static void change_score_cause(struct entry *entry)
{
    range_id(77777, entry->causes[0]);
}

static void change_score_causes_to_commit(struct entry *entry)
{
    range_id(1, entry->causes[0]);
    entry->causes_count = 1;
}

static void change_contribution(struct entry *entry)
{
    entry->body.score.contributions[0].logit += 0.01;
}

static void change_score_probability(struct entry *entry)
{
    entry->body.score.probability = 0.9;
}

static void change_score_item(struct entry *entry)
{
    entry->item[3] ^= 1;
}

static void change_decision_cause(struct entry *entry)
{
    range_id(2, entry->causes[0]);
}

static void change_decision_probability(struct entry *entry)
{
    entry->body.decision.probability += 1e-12;
}

static void change_decision_word(struct entry *entry)
{
    entry->body.decision.decision = "release";
}

static void change_propensity(struct entry *entry)
{
    entry->body.decision.propensity = 0.1;
}

static void change_rate(struct entry *entry)
{
    entry->body.decision.random_rate = 0.2;
}

static void change_draw(struct entry *entry)
{
    entry->body.decision.draw[31] ^= 1;
}

static void change_draw_day(struct entry *entry)
{
    entry->body.decision.draw_day = "2026-09-20";
}

static void change_arm(struct entry *entry)
{
    bool drawn = strcmp(entry->body.decision.arm, "both") == 0 ||
                 strcmp(entry->body.decision.arm, "random") == 0;
    entry->body.decision.arm = drawn ? "target" : "both";
}

static void change_item_of_action(struct entry *entry)
{
    entry->item[5] ^= 1;
}

static void change_version(struct entry *entry)
{
    entry->body.outcome.version = 2;
}

static void change_score_causes_to_other_item(struct entry *entry)
{
    range_id(2, entry->causes[0]);
    entry->causes_count = 1;
}

static void change_score_item_to_first(struct entry *entry)
{
    memcpy(entry->item, items[0], ITEM_ID_BYTES);
}

static void change_cause_to_score(struct entry *entry)
{
    range_id(4, entry->causes[0]);
}

static void change_item_to_second(struct entry *entry)
{
    memcpy(entry->item, items[1], ITEM_ID_BYTES);
}

static void change_action_state(struct entry *entry)
{
    entry->body.officer_action.to_state = "presented";
}

static void change_action_end(struct entry *entry)
{
    entry->body.officer_action.to_state = "expired";
}

static struct entry_outcome again_now;

static void change_again(struct entry *entry)
{
    entry->body.outcome.again = again_now.again;
    entry->body.outcome.result = again_now.result;
    entry->body.outcome.corrects = again_now.corrects;
    entry->body.outcome.aside = again_now.aside;
    entry->body.outcome.code = again_now.corrects != 0 ? "typing" : "";
}

static void change_version_gap(struct entry *entry)
{
    entry->body.outcome.version = 5;
}

static void change_floor(struct entry *entry)
{
    entry->body.draw_commit.rates[0].adapts = true;
    entry->body.draw_commit.rates[0].floor = entry->body.draw_commit.rates[0].rate * 2;
    entry->body.draw_commit.rates[0].reason = "drift";
}

static void broken_entry_is_named(void **state)
{
    static const struct {
        uint32_t at;
        void (*change)(struct entry *);
        enum verify_step step;
        const char *words;
    } rows[] = {
        {3, change_n, STEP_entries, "entry 3: says that it is entry 4"},
        {3, change_id, STEP_entries, "entry 3: its id was used before"},
        {FIRST_SCORE, change_score_cause, STEP_items, "entry 4: cause"},
        {FIRST_SCORE, change_score_causes_to_commit, STEP_items,
         "entry 4: score of nothing that was received"},
        {FIRST_SCORE, change_contribution, STEP_items, "entry 4: contributions sum to"},
        {FIRST_SCORE, change_score_probability, STEP_items,
         "entry 4: probability 0.9 is not the sigmoid"},
        {FIRST_SCORE, change_score_item, STEP_items,
         "entry 5: decision by the score of another item"},
        {FIRST_DECISION, change_decision_cause, STEP_items, "entry 5: decision without a score"},
        {FIRST_DECISION, change_decision_probability, STEP_items,
         "entry 5: decision by probability"},
        {FIRST_DECISION, change_decision_word, STEP_items, "entry 5: release by arm"},
        {FIRST_DECISION, change_propensity, STEP_items, "entry 5: propensity 0.1"},
        {FIRST_DECISION, change_rate, STEP_draws,
         "entry 5: random rate 0.2, but 0.25 was committed"},
        {1, change_floor, STEP_draws, "is below its floor"},
        {FIRST_DECISION, change_draw, STEP_draws,
         "entry 5: draw is not what the revealed key gives"},
        {FIRST_DECISION, change_draw_day, STEP_draws,
         "entry 5: decision drawn before a key was committed"},
        {FIRST_DECISION, change_arm, STEP_draws, "entry 5: u ="},
        {10, change_item_of_action, STEP_items,
         "entry 10: officer.action on an item that was never decided"},
        {11, change_version, STEP_items, "entry 11: outcome makes version 2 after version 2"},
        {11, change_version_gap, STEP_items, "entry 11: outcome makes version 5 after version 2"},
        {8, change_score_causes_to_other_item, STEP_items,
         "entry 8: score of the record in entry 2, which belongs to another item"},
        {8, change_score_item_to_first, STEP_items,
         "entry 8: score of an item that entry 5 had decided"},
        {10, change_cause_to_score, STEP_items,
         "entry 10: officer.action does not name the decision in entry 5 as its cause"},
        {10, change_item_to_second, STEP_items,
         "entry 10: officer.action on an item that was never referred"},
        {10, change_action_state, STEP_items,
         "entry 11: outcome moves a referral from 'presented' to 'outcome'"},
        {10, change_action_end, STEP_items,
         "entry 11: outcome on a referral that had ended as 'expired'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fill_before_reveal();
        range_add_draw_reveal(&range);
        change_entry(rows[i].at, rows[i].change);
        expect_problem(rows[i].step, rows[i].words);
    }
}

/* The story's outcome is entry 11, a find; these become entry 12 or 13. */
static void add_again(const char *again, const char *result, uint64_t corrects, bool aside)
{
    range_add_outcome(&range, items[0], range.count - 8);
    again_now = (struct entry_outcome){
        .again = again, .result = result, .corrects = corrects, .aside = aside};
    change_entry(range.count - 1, change_again);
}

static void outcomes_after_the_first_follow_their_rules(void **state)
{
    (void)state;
    fill_before_reveal();
    add_again("second_exam", "nothing_found", 0, true);
    add_again("correction", "nothing_found", 11, false);
    add_again("second_exam", "found", 0, false);
    range_add_draw_reveal(&range);
    check();
    assert_int_equal(report.problems.count, 0);
}

static void outcomes_after_the_first_that_break_them_are_named(void **state)
{
    static const struct {
        const char *again, *result;
        uint64_t corrects;
        bool aside;
        const char *words;
    } rows[] = {
        {"correction", "nothing_found", 5, false,
         "entry 12: correction of entry 5, but the outcome that stands is entry 11"},
        {"second_exam", "nothing_found", 0, false,
         "entry 12: second_exam takes the place of what says more"},
        {"second_exam", "found", 0, true, "entry 12: second_exam is put aside without cause"},
        {"correction", "found", 11, true, "entry 12: correction is put aside without cause"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fill_before_reveal();
        add_again(rows[i].again, rows[i].result, rows[i].corrects, rows[i].aside);
        expect_problem(STEP_items, rows[i].words);
    }
    fill_before_reveal();
    (void)range_add_item(&range, items[0], 1, NULL);
    range_add_action(&range, items[0], "in_exam", 2);
    range_add_outcome(&range, items[0], 3);
    again_now = (struct entry_outcome){.again = "second_exam", .result = "found"};
    change_entry(range.count - 1, change_again);
    expect_problem(STEP_items, "second_exam of a referral that is 'in_exam'");
}

static void second_end_of_a_referral_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range_add_action(&range, items[0], "waived", 4);
    expect_problem(STEP_items, "officer.action on a referral that had ended as 'outcome'");
}

static void state_of_a_later_version_is_a_warning(void **state)
{
    (void)state;
    fill_before_reveal();
    (void)range_add_item(&range, items[0], 1, NULL);
    range_add_action(&range, items[0], "asleep", 2);
    expect_warning(STEP_items, "officer.action to the state 'asleep', unknown here");
}

static void change_time_two_hours(struct entry *entry)
{
    entry->t_ns += INT64_C(2) * 3600 * 1000000000;
}

/* An open referral is told with its age, a record without a score with a count. */
static void what_is_open_is_listed_with_its_age(void **state)
{
    (void)state;
    fill_before_reveal();
    (void)range_add_item(&range, items[0], 1, NULL);
    uint64_t decision = range.count - 1;
    struct entry entry = {.type = ENTRY_DECLARATION_RECEIVED};
    entry.body.received = (struct entry_received){.mode = MODE_TRUCK, .record_id = "p1"};
    (void)range_add(&range, &entry, NULL, 0);
    range_add_refusal(&range);
    change_entry(range.count - 1, change_time_two_hours);
    expect_warning(STEP_times, "silence before it");
    const struct verify_shard *seen = &report.shards[0];
    assert_int_equal(seen->referrals_open, 1);
    assert_int_equal(seen->open[0].decision_index, decision);
    assert_in_range(seen->open[0].age_ns / 1000000000, 7199, 7201);
    assert_int_equal(seen->open_by_age[0], 0);
    assert_int_equal(seen->open_by_age[1], 1);
    assert_int_equal(seen->records, 7);
    assert_int_equal(seen->records_unscored, 1);
    assert_int_equal(seen->items_undecided, 0);
}

static void item_scored_and_never_decided_is_a_warning(void **state)
{
    (void)state;
    fill_before_reveal();
    (void)range_add_item(&range, items[0], 1, NULL);
    free(range.entries[--range.count].bytes); /* its decision */
    range_add_refusal(&range);
    change_entry(range.count - 1, change_time_two_hours);
    expect_warning(STEP_items, "entry 14: the item was scored and never decided (first of 1");
    assert_int_equal(report.shards[0].items_undecided, 1);
}

static void seals_with_a_hole_between_them_are_a_problem(void **state)
{
    struct archive_result result = {.path = "2026/09/21/a.h5", .first_index = 0, .last_index = 3};
    (void)state;
    fill_before_reveal();
    range_add_seal(&range, &result);
    result.first_index = 6;
    result.last_index = 9;
    range_add_seal(&range, &result);
    expect_problem(STEP_archive, "entry 13: entries 4..5 are in no sealed file");
}

static void second_decision_on_an_item_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range.item_seed = 0;
    (void)range_add_item(&range, items[0], 1, NULL);
    expect_problem(STEP_items, "second decision on an item that entry 5 decided");
}

static void second_key_for_a_day_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range.draw_key[0] ^= 1;
    range_add_draw_commit(&range);
    expect_problem(STEP_draws, "second commitment for day 2026-09-21");
}

static void key_other_than_committed_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range.draw_key[0] ^= 1;
    range_add_draw_reveal(&range);
    expect_problem(STEP_draws, "revealed key of 2026-09-21 is not the one committed in entry 1");
}

static void draw_after_the_reveal_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range_add_draw_reveal(&range);
    (void)range_add_item(&range, items[0], 1, NULL);
    expect_problem(STEP_draws, "after it was revealed");
}

static void log_without_opening_is_a_problem(void **state)
{
    (void)state;
    range_init(&range, 0);
    range_add_refusal(&range);
    expect_problem(STEP_entries, "entry 0: not a log.open entry");
}

static void seal_of_what_is_sealed_or_to_come_is_a_problem(void **state)
{
    struct archive_result result = {.path = "2026/09/21/a.h5", .first_index = 0, .last_index = 3};
    (void)state;
    fill_before_reveal();
    range_add_seal(&range, &result);
    range_add_seal(&range, &result);
    expect_problem(STEP_archive, "entry 13: seal of entries 0..3, the next one to seal is 4");
    fill_before_reveal();
    result.last_index = 12;
    range_add_seal(&range, &result);
    expect_problem(STEP_archive, "entry 12: seal of entries 0..12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_story_has_no_problem),
        cmocka_unit_test(broken_entry_is_named),
        cmocka_unit_test(outcomes_after_the_first_follow_their_rules),
        cmocka_unit_test(outcomes_after_the_first_that_break_them_are_named),
        cmocka_unit_test(second_end_of_a_referral_is_a_problem),
        cmocka_unit_test(state_of_a_later_version_is_a_warning),
        cmocka_unit_test(what_is_open_is_listed_with_its_age),
        cmocka_unit_test(item_scored_and_never_decided_is_a_warning),
        cmocka_unit_test(seals_with_a_hole_between_them_are_a_problem),
        cmocka_unit_test(second_decision_on_an_item_is_a_problem),
        cmocka_unit_test(second_key_for_a_day_is_a_problem),
        cmocka_unit_test(key_other_than_committed_is_a_problem),
        cmocka_unit_test(draw_after_the_reveal_is_a_problem),
        cmocka_unit_test(log_without_opening_is_a_problem),
        cmocka_unit_test(seal_of_what_is_sealed_or_to_come_is_a_problem),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    verify_report_fini(&report);
    return failed;
}
