/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "log_maker.h"

static struct log_maker maker;
static char directory[32];
static char path[64];

static int set_up(void **unused)
{
    (void)unused;
    memset(&maker, 0, sizeof maker);
    strcpy(directory, "/tmp/triage-state-XXXXXX");
    bool rebuilt;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/state.db", directory);
    return err_is(state_open(path, &maker.state, &rebuilt)) ? -1 : 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    state_close(&maker.state);
    unlink(path);
    return rmdir(directory);
}

static struct state_referral referral_of(unsigned number)
{
    uint8_t item[ITEM_ID_BYTES];
    log_item(number, item);
    struct state_referral referral;
    assert_false(err_is(state_referral(maker.state, item, &referral)));
    return referral;
}

static void referral_claimed_and_examined_ends_in_outcome(void **unused)
{
    (void)unused;
    uint64_t decision = log_whole_item(&maker, 10);
    struct state_referral referral = referral_of(10);
    assert_int_equal(referral.state, REFERRAL_QUEUED);
    assert_int_equal(referral.version, 1);
    assert_string_equal(referral.actor, "");
    assert_string_equal(referral.mode, "truck");
    assert_string_equal(referral.site, "north");
    uint8_t id[ENTRY_ID_BYTES];
    log_id(decision, id);
    assert_memory_equal(referral.decision_id, id, sizeof id);
    uint64_t claim = log_action(&maker, 10, "claim", "", "in_exam", 2, "req-a");
    referral = referral_of(10);
    assert_int_equal(referral.state, REFERRAL_IN_EXAM);
    assert_int_equal(referral.version, 2);
    assert_string_equal(referral.actor, "paaaaaaaaaaaaaaaa");
    log_outcome(&maker, 10, "found", 3, "req-b");
    referral = referral_of(10);
    assert_int_equal(referral.state, REFERRAL_OUTCOME);
    assert_int_equal(referral.version, 3);
    struct state_request request;
    uint8_t item[ITEM_ID_BYTES];
    log_item(10, item);
    assert_false(err_is(state_request(maker.state, "req-a", &request)));
    assert_int_equal(request.entry_index, claim);
    assert_string_equal(request.what, "claim");
    assert_string_equal(request.actor, "paaaaaaaaaaaaaaaa");
    assert_memory_equal(request.item, item, sizeof item);
    assert_false(err_is(state_request(maker.state, "req-b", &request)));
    assert_string_equal(request.what, "outcome");
    assert_int_equal(state_request(maker.state, "req-c", &request).code, ERR_NOT_FOUND);
}

static void referral_of_released_item_is_none(void **unused)
{
    (void)unused;
    log_whole_item(&maker, 11);
    assert_int_equal(referral_of(11).state, REFERRAL_NONE);
    uint8_t item[ITEM_ID_BYTES];
    log_item(12, item);
    struct state_referral referral;
    assert_int_equal(state_referral(maker.state, item, &referral).code, ERR_NOT_FOUND);
}

static void release_with_code_leaves_the_open_queue(void **unused)
{
    (void)unused;
    log_whole_item(&maker, 20);
    log_action(&maker, 20, "release", "drove_on", "not_presented", 2, "req");
    struct state_referral referral = referral_of(20);
    assert_int_equal(referral.state, REFERRAL_NOT_PRESENTED);
    struct state_queue_row rows[4];
    uint32_t count = 9;
    struct state_queue_filter filter = {.limit = 4};
    assert_false(err_is(state_queue(maker.state, &filter, rows, &count)));
    assert_int_equal(count, 0);
    filter.all_states = true;
    assert_false(err_is(state_queue(maker.state, &filter, rows, &count)));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].state, "not_presented");
    struct state_counts counts;
    assert_false(err_is(state_counts(maker.state, &counts)));
    assert_int_equal(counts.open_referrals, 0);
    assert_int_equal(counts.referred, 1);
}

static void refer(unsigned number, double priority, enum mode mode, const char *site)
{
    char key[16];
    snprintf(key, sizeof key, "K%u", number);
    uint64_t record =
        log_received(&maker, &(struct log_record){RECORD_DECLARATION, mode, site, key, key, 1});
    log_score(&maker, number, &record, 1, 0.6);
    log_decision(&maker, number,
                 &(struct log_verdict){"refer", "both", 0.6, priority, mode, site, key});
}

static void queue_is_ranked_by_priority_then_age(void **unused)
{
    (void)unused;
    refer(1, 0.5, MODE_TRUCK, "north");
    refer(2, 0.9, MODE_MAIL, "hub");
    refer(3, 0.5, MODE_TRUCK, "south");
    refer(4, 0.7, MODE_TRUCK, "north");
    struct state_queue_row rows[8];
    uint32_t count = 0;
    struct state_queue_filter filter = {.limit = 8};
    assert_false(err_is(state_queue(maker.state, &filter, rows, &count)));
    assert_int_equal(count, 4);
    assert_string_equal(rows[0].label, "K2");
    assert_string_equal(rows[1].label, "K4");
    assert_string_equal(rows[2].label, "K1");
    assert_string_equal(rows[3].label, "K3");
    assert_string_equal(rows[0].arm, "both");
    assert_string_equal(rows[0].lane, "lane1");
    assert_true(rows[0].propensity == 0.25 && rows[0].priority == 0.9 && rows[0].cutoff == 0.5);
    assert_int_equal(rows[0].reasons_count, 2);
    assert_string_equal(rows[0].reasons[1], "history: importer was found twice");
    filter.mode = "truck";
    filter.offset = 1;
    assert_false(err_is(state_queue(maker.state, &filter, rows, &count)));
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].label, "K1");
    filter.site = "south";
    filter.offset = 0;
    assert_false(err_is(state_queue(maker.state, &filter, rows, &count)));
    assert_int_equal(count, 1);
    filter.limit = 0;
    assert_false(err_is(state_queue(maker.state, &filter, rows, &count)));
    assert_int_equal(count, 0);
}

static void count_rows(void *arg, uint32_t columns_count, const char *const *names,
                       const char *const *values)
{
    (void)columns_count, (void)names, (void)values;
    ++*(unsigned *)arg;
}

static void metric_that_is_not_one_select_is_refused(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "DELETE FROM records",
        "ATTACH 'x.db' AS other",
        "PRAGMA journal_mode = DELETE",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE records",
        "",
        "-- only a comment\n",
        "SELECT nothing FROM nowhere",
        "UPDATE meta SET value = 0 RETURNING value",
        "VACUUM INTO 'copy.db'",
        "CREATE TABLE x(y)",
    };
    unsigned rows = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = state_metric(maker.state, bad[i], count_rows, &rows);
        assert_int_equal(err.code, ERR_ARGUMENT);
    }
    assert_int_equal(rows, 0);
    static const char *const good[] = {
        "SELECT 1", "-- name: x\nSELECT 1;\n-- end\n",
        "WITH a(b) AS (SELECT 1) SELECT b FROM a WHERE :from_ns IS NULL;"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_false(err_is(state_metric(maker.state, good[i], count_rows, &rows)));
    }
    assert_int_equal(rows, 3);
}

static void take_first(void *arg, uint32_t columns_count, const char *const *names,
                       const char *const *values)
{
    (void)columns_count, (void)names;
    snprintf(arg, 64, "%s", values[0] == NULL ? "(null)" : values[0]);
}

static void query_binds_text_and_blob(void **unused)
{
    (void)unused;
    log_whole_item(&maker, 7);
    uint8_t item[ITEM_ID_BYTES];
    char hex[2 * ITEM_ID_BYTES + 1];
    char text[64] = "";
    log_item(7, item);
    hex_encode(item, sizeof item, hex);
    assert_false(err_is(state_query(maker.state, "SELECT label FROM items WHERE item = ?1", item,
                                    sizeof item, false, take_first, text)));
    assert_string_equal(text, "KEY0000007");
    assert_false(err_is(state_query(maker.state, "SELECT item FROM items WHERE label = ?1",
                                    "KEY0000007xx", 10, true, take_first, text)));
    assert_string_equal(text, hex);
    assert_int_equal(state_query(maker.state, "SELECT 1", "", 0, true, take_first, text).code,
                     ERR_ARGUMENT);
}

static void reader_sees_what_the_writer_committed(void **unused)
{
    (void)unused;
    struct state *reader = NULL;
    assert_false(err_is(state_open_readonly(path, &reader)));
    assert_int_equal(state_applied(reader), 0);
    assert_false(err_is(state_begin(maker.state)));
    log_whole_item(&maker, 10);
    assert_int_equal(state_applied(reader), 0);
    assert_false(err_is(state_commit(maker.state)));
    assert_int_equal(state_applied(reader), 3);
    struct state_counts counts;
    assert_false(err_is(state_counts(reader, &counts)));
    assert_int_equal(counts.referred, 1);
    unsigned rows = 0;
    assert_false(err_is(state_metric(reader, "SELECT * FROM decisions", count_rows, &rows)));
    assert_int_equal(rows, 1);
    state_close(&reader);
    assert_true(err_is(state_open_readonly("/nonexistent/state.db", &reader)));
}

static void start_questions_answer_from_the_newest_entries(void **unused)
{
    (void)unused;
    char day[11] = "x";
    bool revealed = true;
    uint64_t sealed = 7;
    struct state_config config;
    assert_false(err_is(state_last_draw(maker.state, day, &revealed)));
    assert_string_equal(day, "");
    assert_false(err_is(state_sealed_until(maker.state, &sealed)));
    assert_int_equal(sealed, 0);
    assert_false(err_is(state_config(maker.state, &config)));
    assert_int_equal(config.config[0], 0);
    assert_string_equal(config.computing, "");
    log_housekeeping(&maker);
    assert_false(err_is(state_last_draw(maker.state, day, &revealed)));
    assert_string_equal(day, "2026-09-21");
    assert_false(revealed);
    struct entry entry = log_entry(&maker, ENTRY_DRAW_REVEAL);
    entry.body.draw_reveal.day = "2026-09-21";
    log_apply(&maker, &entry, NULL);
    assert_false(err_is(state_last_draw(maker.state, day, &revealed)));
    assert_true(revealed);
    entry = log_entry(&maker, ENTRY_ARCHIVE_SEAL);
    entry.body.archive_seal =
        (struct entry_archive_seal){.path = "a.h5", .first_index = 0, .last_index = 4};
    log_apply(&maker, &entry, NULL);
    assert_false(err_is(state_sealed_until(maker.state, &sealed)));
    assert_int_equal(sealed, 5);
    assert_false(err_is(state_config(maker.state, &config)));
    assert_int_equal(config.config[31], 0xc0);
    assert_int_equal(config.policy[0], 0xd0);
    assert_string_equal(config.computing, "triaged test\nOpenBLAS 1 Plain\n\nplain");
    entry = log_entry(&maker, ENTRY_MODEL_CHANGE);
    entry.body.model_change.name = "history";
    entry.body.model_change.sha256[0] = 0x11;
    log_apply(&maker, &entry, NULL);
    struct state_model models[4];
    uint32_t count = 0;
    assert_false(err_is(state_models(maker.state, models, 4, &count)));
    assert_int_equal(count, 1);
    assert_string_equal(models[0].name, "history");
    assert_int_equal(models[0].sha256[0], 0x11);
}

static void recent_decisions_are_the_newest_oldest_first(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 25; i++) {
        log_whole_item(&maker, i);
    }
    struct state_decided decided[6];
    uint32_t count = 0;
    assert_false(err_is(state_recent_decisions(maker.state, decided, 6, &count)));
    assert_int_equal(count, 6);
    assert_string_equal(decided[0].key, "KEY0000019");
    assert_string_equal(decided[5].key, "KEY0000024");
    assert_true(decided[1].referred);
    assert_false(decided[2].referred);
    assert_true(decided[1].scorable);
    assert_int_equal(decided[0].mode, MODE_TRUCK);
    assert_true(decided[0].entry_index < decided[5].entry_index);
    uint8_t item[ITEM_ID_BYTES];
    log_item(19, item);
    assert_memory_equal(decided[0].item, item, sizeof item);
}

static void outcome_carries_declarations_that_came_before_it(void **unused)
{
    (void)unused;
    log_whole_item(&maker, 10);
    uint64_t outcome = log_outcome(&maker, 10, "found", 2, "r1");
    log_received(&maker, &(struct log_record){RECORD_DECLARATION, MODE_TRUCK, "north", "KEY0000010",
                                              "late", 3});
    log_whole_item(&maker, 20);
    log_outcome(&maker, 20, "nothing_found", 2, "r2");
    log_whole_item(&maker, 30);
    log_outcome(&maker, 30, "abandoned", 2, "r3"); /* says nothing about what was inside */
    struct state_outcome outcomes[4];
    uint32_t count = 0;
    assert_false(err_is(state_outcomes(maker.state, 0, outcomes, 4, &count)));
    assert_int_equal(count, 2);
    assert_true(outcomes[0].found);
    assert_int_equal(outcomes[0].entry_index, outcome);
    assert_int_equal(outcomes[0].declarations_count, 1);
    assert_int_equal(outcomes[0].declaration_entries[0], 0);
    assert_false(outcomes[1].found);
    assert_false(err_is(state_outcomes(maker.state, outcome + 1, outcomes, 4, &count)));
    assert_int_equal(count, 1);
    uint8_t item[ITEM_ID_BYTES];
    uint64_t declarations[8];
    log_item(10, item);
    assert_false(err_is(state_item_declarations(maker.state, item, declarations, &count)));
    assert_int_equal(count, 2);
}

/* What ended, however urgent it was and however long ago, stands below what is open. */
static void list_of_all_begins_with_what_is_open(void **unused)
{
    (void)unused;
    refer(21, 9.0, MODE_TRUCK, "north");
    log_action(&maker, 21, "release", "drove_on", "not_presented", 2, "req-21");
    refer(22, 1.0, MODE_TRUCK, "north");
    struct state_queue_row rows[4];
    uint32_t count = 0;
    struct state_queue_filter filter = {.limit = 4, .all_states = true};
    assert_false(err_is(state_queue(maker.state, &filter, rows, &count)));
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].state, "queued");
    assert_string_equal(rows[1].state, "not_presented");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(referral_claimed_and_examined_ends_in_outcome),
        TEST(referral_of_released_item_is_none),
        TEST(list_of_all_begins_with_what_is_open),
        TEST(release_with_code_leaves_the_open_queue),
        TEST(queue_is_ranked_by_priority_then_age),
        TEST(metric_that_is_not_one_select_is_refused),
        TEST(query_binds_text_and_blob),
        TEST(reader_sees_what_the_writer_committed),
        TEST(start_questions_answer_from_the_newest_entries),
        TEST(recent_decisions_are_the_newest_oldest_first),
        TEST(outcome_carries_declarations_that_came_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
