/* SPDX-License-Identifier: Apache-2.0 */
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

/* Logs whose bytes, hashes and signatures are all in order, but whose entries tell a story that
 * cannot be: a table of rows "break one thing -> the problem that names it". */

#define ORIGIN "oversight.example/rotterdam/2026"
#define NOW_NS INT64_C(1790000000000000000)

enum {
    FIRST_DECISION = 5,
    FIRST_SCORE = 4
}; /* log.open, draw.commit, declaration, scan, score, decision */

static struct range range;
static struct log_maker maker;
static struct verify_report report;
static uint8_t items[2][ITEM_ID_BYTES];

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

/* A referred item, closed by an outcome, and a second one. */
static void fill_before_reveal(void)
{
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    range_add_draw_commit(&range);
    assert_true(range_add_item(&range, items[0], 1, NULL));
    (void)range_add_item(&range, items[1], 1, NULL);
    range_add_action(&range, items[0], "in_exam", 2);
    range_add_outcome(&range, items[0], 3);
}

static void check(void)
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

static void expect_problem(const char *words)
{
    check();
    for (uint64_t i = 0; i < report.problems.count; i++) {
        if (strstr(report.problems.lines[i].text, words) != NULL) {
            return;
        }
    }
    fail_msg("no problem says '%s' (%llu problems, the first: %s)", words,
             (unsigned long long)report.problems.count,
             report.problems.count > 0 ? report.problems.lines[0].text : "-");
}

/* Encode entry `at` again after `change` was made to it. */
static void change_entry(uint32_t at, void (*change)(struct entry *))
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

static void broken_entry_is_named(void **state)
{
    static const struct {
        uint32_t at;
        void (*change)(struct entry *);
        const char *words;
    } rows[] = {
        {3, change_n, "entry 3: says that it is entry 4"},
        {3, change_id, "entry 3: its id was used before"},
        {FIRST_SCORE, change_score_cause, "entry 4: cause"},
        {FIRST_SCORE, change_score_causes_to_commit, "entry 4: score of nothing that was received"},
        {FIRST_SCORE, change_contribution, "entry 4: contributions sum to"},
        {FIRST_SCORE, change_score_probability, "entry 4: probability 0.9 is not the sigmoid"},
        {FIRST_SCORE, change_score_item, "entry 5: decision by the score of another item"},
        {FIRST_DECISION, change_decision_cause, "entry 5: decision without a score"},
        {FIRST_DECISION, change_decision_probability, "entry 5: decision by probability"},
        {FIRST_DECISION, change_decision_word, "entry 5: release by arm"},
        {FIRST_DECISION, change_propensity, "entry 5: propensity 0.1"},
        {FIRST_DECISION, change_rate, "entry 5: random rate 0.2, but 0.25 was committed"},
        {FIRST_DECISION, change_draw, "entry 5: draw is not what the revealed key gives"},
        {FIRST_DECISION, change_draw_day, "entry 5: decision drawn before a key was committed"},
        {FIRST_DECISION, change_arm, "entry 5: u ="},
        {10, change_item_of_action, "entry 10: officer.action on an item that was never decided"},
        {11, change_version, "entry 11: outcome makes version 2 after version 2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fill_before_reveal();
        range_add_draw_reveal(&range);
        change_entry(rows[i].at, rows[i].change);
        expect_problem(rows[i].words);
    }
}

static void second_end_of_a_referral_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range_add_action(&range, items[0], "waived", 4);
    expect_problem("officer.action on a referral that had ended");
}

static void second_decision_on_an_item_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range.item_seed = 0;
    (void)range_add_item(&range, items[0], 1, NULL);
    expect_problem("second decision on an item that entry 5 decided");
}

static void second_key_for_a_day_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range.draw_key[0] ^= 1;
    range_add_draw_commit(&range);
    expect_problem("second commitment for day 2026-09-21");
}

static void key_other_than_committed_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range.draw_key[0] ^= 1;
    range_add_draw_reveal(&range);
    expect_problem("revealed key of 2026-09-21 is not the one committed in entry 1");
}

static void draw_after_the_reveal_is_a_problem(void **state)
{
    (void)state;
    fill_before_reveal();
    range_add_draw_reveal(&range);
    (void)range_add_item(&range, items[0], 1, NULL);
    expect_problem("after it was revealed");
}

static void log_without_opening_is_a_problem(void **state)
{
    (void)state;
    range_init(&range, 0);
    range_add_refusal(&range);
    expect_problem("entry 0: not a log.open entry");
}

static void seal_of_what_is_sealed_or_to_come_is_a_problem(void **state)
{
    struct archive_result result = {.path = "2026/09/21/a.h5", .first_index = 0, .last_index = 3};
    (void)state;
    fill_before_reveal();
    range_add_seal(&range, &result);
    range_add_seal(&range, &result);
    expect_problem("entry 13: seal of entries 0..3, the next one to seal is 4");
    fill_before_reveal();
    result.last_index = 12;
    range_add_seal(&range, &result);
    expect_problem("entry 12: seal of entries 0..12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_story_has_no_problem),
        cmocka_unit_test(broken_entry_is_named),
        cmocka_unit_test(second_end_of_a_referral_is_a_problem),
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
