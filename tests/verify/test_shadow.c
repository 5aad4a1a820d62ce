/* SPDX-License-Identifier: Apache-2.0 */
#include "story.h"

/* Models in shadow: what triage-verify says of logs in which one of the rules is broken. Entries:
 * 0 log.open, 1 draw.commit, 2 the model goes into shadow, 3 and 4 records, 5 score, 6 decision,
 * 7 score in shadow, 8 the shadow ends. */

enum { SHADOW_MODEL = 0xcd };

static void add_change(const char *name, bool removed, bool promoted, uint8_t model)
{
    struct entry entry = {.type = ENTRY_MODEL_CHANGE};
    entry.body.model_change.name = name;
    entry.body.model_change.removed = removed;
    entry.body.model_change.promoted = promoted;
    entry.body.model_change.reason = "because";
    memset(entry.body.model_change.sha256, model, HASH_BYTES);
    (void)range_add(&range, &entry, NULL, 0);
}

static void add_shadow_score(const uint8_t item[ITEM_ID_BYTES], uint64_t record)
{
    struct entry entry = {.type = ENTRY_SHADOW_SCORE, .has_item = true, .causes_count = 2};
    struct entry_shadow_score *shadow = &entry.body.shadow_score;
    memcpy(entry.item, item, ITEM_ID_BYTES);
    range_id(record, entry.causes[0]);
    range_id(record + 1, entry.causes[1]);
    shadow->place = "history";
    memset(shadow->sha256, SHADOW_MODEL, HASH_BYTES);
    shadow->score.contributions[0] = (struct entry_contribution){"history", -1.5, ""};
    shadow->score.contributions_count = 1;
    shadow->score.logit = -1.5;
    shadow->score.probability = 0.18242552380635635;
    shadow->score.models[0].name = "history";
    memset(shadow->score.models[0].sha256, SHADOW_MODEL, HASH_BYTES);
    shadow->score.models_count = 1;
    (void)range_add(&range, &entry, NULL, 0);
}

static void fill(void)
{
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    add_change("shadow/history", false, false, SHADOW_MODEL);
    (void)range_add_item(&range, items[0], 1, NULL);
    add_shadow_score(items[0], 3);
}

static void assert_no_problem(void)
{
    check();
    if (report.problems.count > 0) {
        fail_msg("%s", report.problems.lines[0].text);
    }
}

static void a_shadow_that_was_promoted_or_removed_is_in_order(void **state)
{
    (void)state;
    fill();
    add_change("history", false, true, SHADOW_MODEL);
    assert_no_problem();
    fill();
    add_change("shadow/history", true, false, SHADOW_MODEL);
    add_change("shadow/history", false, false, 0x11);
    assert_no_problem();
    fill(); /* the next one in its place */
    add_change("shadow/history", false, false, 0x11);
    assert_no_problem();
}

static void say_another_place(struct entry *entry)
{
    entry->body.shadow_score.place = "fusion";
    entry->body.shadow_score.score.models[0].name = "elsewhere";
}

static void say_another_model(struct entry *entry)
{
    entry->body.shadow_score.sha256[0] ^= 1;
    memcpy(entry->body.shadow_score.score.models[0].sha256, entry->body.shadow_score.sha256,
           HASH_BYTES);
}

static void use_another_model(struct entry *entry)
{
    entry->body.shadow_score.score.models[0].sha256[0] ^= 1;
}

static void change_logit(struct entry *entry)
{
    entry->body.shadow_score.score.logit = -1;
}

static void change_probability(struct entry *entry)
{
    entry->body.shadow_score.score.probability = 0.5;
}

static void forget_records(struct entry *entry)
{
    entry->causes_count = 0;
}

static void a_score_in_shadow_that_breaks_a_rule_is_a_problem(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct entry *);
        enum verify_step step;
        const char *words;
    } rows[] = {
        {say_another_place, STEP_settings, "that was not in shadow when entry 6 decided the item"},
        {say_another_model, STEP_settings, "that was not in shadow when entry 6 decided the item"},
        {use_another_model, STEP_settings, "entry 7: scored in shadow by a model 'history' other"},
        {change_logit, STEP_settings, "entry 7: contributions sum to -1.5, the logit is -1"},
        {change_probability, STEP_settings, "entry 7: probability 0.5 is not the sigmoid"},
        {forget_records, STEP_settings, "entry 7: score of nothing that was received"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fill();
        change_entry(7, rows[i].change);
        expect_problem(rows[i].step, rows[i].words);
    }
    fill();
    add_shadow_score(items[0], 3);
    expect_problem(STEP_settings, "entry 8: second score in shadow of an item");
}

static void a_score_in_shadow_before_the_decision_is_a_problem(void **state)
{
    (void)state;
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    add_change("shadow/history", false, false, SHADOW_MODEL);
    uint8_t undecided[ITEM_ID_BYTES] = {9};
    (void)range_add_item(&range, items[0], 1, NULL);
    add_shadow_score(undecided, 3);
    expect_problem(STEP_settings, "entry 7: scored in shadow before the item was decided");
}

static void a_shadow_of_later_or_before_speaks_of_nothing(void **state)
{
    (void)state;
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    (void)range_add_item(&range, items[0], 1, NULL);
    add_change("shadow/history", false, false, SHADOW_MODEL);
    add_shadow_score(items[0], 2);
    expect_problem(STEP_settings, "that was not in shadow when entry 5 decided the item");
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    add_change("shadow/history", false, false, SHADOW_MODEL);
    add_change("shadow/history", true, false, SHADOW_MODEL);
    (void)range_add_item(&range, items[0], 1, NULL);
    add_shadow_score(items[0], 4);
    expect_problem(STEP_settings, "that was not in shadow when entry 7 decided the item");
}

static void without_reason(struct entry *entry)
{
    entry->body.model_change.reason = "";
}

static void a_shadow_ends_as_itself_and_with_a_reason(void **state)
{
    (void)state;
    fill();
    add_change("history", false, true, 0x11);
    expect_problem(STEP_settings, "entry 8: promotes a model 'history' that was not in shadow");
    fill();
    add_change("fusion", false, true, SHADOW_MODEL);
    expect_problem(STEP_settings, "entry 8: promotes a model 'fusion' that was not in shadow");
    fill();
    add_change("shadow/history", true, false, SHADOW_MODEL);
    add_change("shadow/history", true, false, SHADOW_MODEL);
    expect_problem(STEP_settings, "entry 9: takes away a model 'history' that was not in shadow");
    fill();
    add_change("history", false, true, SHADOW_MODEL);
    change_entry(8, without_reason);
    expect_problem(STEP_settings, "entry 8: promotes a model in shadow without a reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shadow_that_was_promoted_or_removed_is_in_order),
        cmocka_unit_test(a_score_in_shadow_that_breaks_a_rule_is_a_problem),
        cmocka_unit_test(a_score_in_shadow_before_the_decision_is_a_problem),
        cmocka_unit_test(a_shadow_of_later_or_before_speaks_of_nothing),
        cmocka_unit_test(a_shadow_ends_as_itself_and_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
