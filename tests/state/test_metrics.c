/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/durable.h"
#include "log_maker.h"

/* The shipped metrics on a small log whose figures were counted by hand. */

struct answer {
    char rows[4096]; /* "a|b|1|2\n" a row */
};

static void take_row(void *arg, uint32_t columns_count, const char *const *names,
                     const char *const *values)
{
    struct answer *answer = arg;
    size_t used = strlen(answer->rows);
    for (uint32_t i = 0; i < columns_count; i++) {
        used += (size_t)snprintf(answer->rows + used, sizeof answer->rows - used, "%s%s",
                                 values[i] ? values[i] : "-", i + 1 == columns_count ? "\n" : "|");
        must(used < sizeof answer->rows);
        must(names[i][0] != '\0');
    }
}

static char *read_metric(const char *file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/config/metrics/%s", SOURCE_DIR, file);
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    assert_false(err_is(durable_read(path, 65536, &bytes, &bytes_count)));
    return (char *)bytes;
}

static struct state *open_store(char directory[32], struct log_maker *log)
{
    strcpy(directory, "/tmp/triage-state-XXXXXX");
    assert_non_null(mkdtemp(directory));
    char path[64];
    snprintf(path, sizeof path, "%s/state.db", directory);
    bool rebuilt;
    memset(log, 0, sizeof *log);
    assert_false(err_is(state_open(path, &log->state, &rebuilt)));
    return log->state;
}

static void remove_store(char directory[32], struct log_maker *log)
{
    char path[64];
    state_close(&log->state);
    snprintf(path, sizeof path, "%s/state.db", directory);
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
}

static void item(struct log_maker *log, unsigned number, enum mode mode, const char *decision,
                 const char *arm)
{
    char key[16];
    snprintf(key, sizeof key, "K%u", number);
    uint64_t record =
        log_received(log, &(struct log_record){RECORD_DECLARATION, mode, "north", key, key, 1});
    log_score(log, number, &record, 1, 0.5);
    log_decision(log, number, &(struct log_verdict){decision, arm, 0.5, 0.5, mode, "north", key});
}

/* 4 trucks and 2 parcels: truck 1 target found, 2 both nothing found, 3 random waived, 4 released;
 * parcel 5 target still open, 6 random abandoned. One refusal. */
static void small_day(struct log_maker *log)
{
    item(log, 1, MODE_TRUCK, "refer", "target");
    item(log, 2, MODE_TRUCK, "refer", "both");
    item(log, 3, MODE_TRUCK, "refer", "random");
    item(log, 4, MODE_TRUCK, "release", "none");
    item(log, 5, MODE_MAIL, "refer", "target");
    item(log, 6, MODE_MAIL, "refer", "random");
    log_refused(log);
    log_action(log, 1, "claim", "", "in_exam", 2, "a");
    log_outcome(log, 1, "found", 3, "b");
    log_outcome(log, 2, "nothing_found", 2, "c");
    log_action(log, 3, "release", "capacity", "waived", 2, "d");
    log_outcome(log, 6, "abandoned", 2, "e");
}

static void metric_on_small_day_gives_counted_figures(void **unused)
{
    (void)unused;
    static const struct {
        const char *file;
        const char *rows;
    } wanted[] = {
        {"funnel.sql", "mail|decided|2|2\nmail|referred|2|2\nmail|claimed|1|2\nmail|examined|1|"
                       "2\nmail|found|0|2\n"
                       "mail|ended without exam|0|2\nmail|open|1|2\n"
                       "truck|decided|4|4\ntruck|referred|3|4\ntruck|claimed|2|4\ntruck|examined|2|"
                       "4\ntruck|found|1|4\n"
                       "truck|ended without exam|1|4\ntruck|open|0|4\n"},
        {"hit_rate_by_arm.sql", "target|1|2\nrandom|0|1\nboth|0|1\ncautious|0|0\nmanual|0|0\n"},
        {"open_ageing.sql", "mail|under 1 h|1|1\nmail|1 to 4 h|0|1\nmail|4 to 24 h|0|1\nmail|1 to "
                            "7 days|0|1\nmail|over 7 days|0|1\n"},
        {"realised_random_rate.sql", "truck|3|6|0.05\n"},
        {"refusals.sql", "gate|image_truncated|1|7\n"},
        {"ended_without_exam.sql", "waived|capacity|1|4\n"},
        {"unscorable.sql", "mail|0|2\ntruck|0|4\n"},
        {"gaps.sql", "north|mail|08-16|0|2\nnorth|truck|08-16|0|3\n"},
        {"decided_in_time.sql", "mail|2|2\ntruck|4|4\n"},
    };
    char directory[32];
    struct log_maker log;
    struct state *state = open_store(directory, &log);
    small_day(&log);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct answer answer = {""};
        char *sql = read_metric(wanted[i].file);
        assert_false(err_is(state_metric(state, sql, take_row, &answer)));
        assert_string_equal(answer.rows, wanted[i].rows);
        free(sql);
    }
    remove_store(directory, &log);
}

/* What an officer refers by hand counts as that: the coin and the model had let it go. */
static void hit_rate_of_referrals_by_hand_stands_apart(void **unused)
{
    (void)unused;
    char directory[32];
    struct log_maker log;
    struct answer answer = {""};
    struct state *state = open_store(directory, &log);
    item(&log, 1, MODE_TRUCK, "release", "none");
    item(&log, 2, MODE_TRUCK, "release", "none");
    item(&log, 3, MODE_TRUCK, "refer", "target");
    for (unsigned i = 1; i <= 2; i++) {
        log_action(&log, i, "refer", "", "queued", 1, i == 1 ? "a" : "b");
        log_action(&log, i, "claim", "", "in_exam", 2, i == 1 ? "c" : "d");
    }
    log_outcome(&log, 1, "found", 3, "e");
    log_outcome(&log, 2, "nothing_found", 3, "f");
    log_outcome(&log, 3, "found", 2, "g");
    char *sql = read_metric("hit_rate_by_arm.sql");
    assert_false(err_is(state_metric(state, sql, take_row, &answer)));
    assert_string_equal(answer.rows,
                        "target|1|1\nrandom|0|0\nboth|0|0\ncautious|0|0\nmanual|1|2\n");
    free(sql);
    remove_store(directory, &log);
}

#define HOUR_NS INT64_C(3600000000000)

static void referred_at(struct log_maker *log, unsigned number, enum mode mode, int hours)
{
    struct entry entry = log_entry(log, ENTRY_REFERRAL_DECISION);
    entry.t_ns = LOG_START_NS + hours * HOUR_NS;
    entry.has_item = true;
    log_item(number, entry.item);
    entry.body.decision = (struct entry_decision){
        .decision = "refer", .arm = "target", .mode = mode, .site = "north"};
    log_apply(log, &entry, NULL);
}

static void moved_at(struct log_maker *log, unsigned number, const char *to_state, int hours)
{
    struct entry entry = log_entry(log, ENTRY_OFFICER_ACTION);
    entry.t_ns = LOG_START_NS + hours * HOUR_NS;
    entry.has_item = true;
    log_item(number, entry.item);
    entry.body.officer_action =
        (struct entry_officer_action){.action = "release", .to_state = to_state, .version = 2};
    log_apply(log, &entry, NULL);
}

/* The log begins at 14:13 UTC. */
static void referrals_over_two_days(struct log_maker *log)
{
    referred_at(log, 1, MODE_TRUCK, 0);
    referred_at(log, 2, MODE_TRUCK, 0);
    referred_at(log, 3, MODE_TRUCK, 4);
    referred_at(log, 4, MODE_TRUCK, 4);
    referred_at(log, 5, MODE_SEA, 4);
    referred_at(log, 6, MODE_TRUCK, 12);
    moved_at(log, 1, "expired", 12);
    moved_at(log, 2, "waived", 12);
    moved_at(log, 3, "not_presented", 12);
    moved_at(log, 4, "in_exam", 12);
    referred_at(log, 7, MODE_TRUCK, 20);
    moved_at(log, 5, "waived", 38);
}

static void gaps_are_told_by_shift(void **unused)
{
    (void)unused;
    char directory[32];
    struct log_maker log;
    struct state *state = open_store(directory, &log);
    struct answer answer = {""};
    char *sql = read_metric("gaps.sql");
    referrals_over_two_days(&log);
    assert_false(err_is(state_metric(state, sql, take_row, &answer)));
    assert_string_equal(answer.rows, "north|sea|16-24|0|1\n"
                                     "north|truck|00-08|1|1\n"
                                     "north|truck|08-16|1|3\n"
                                     "north|truck|16-24|2|2\n");
    free(sql);
    remove_store(directory, &log);
}

static void waiting_referrals_are_found_by_age(void **unused)
{
    (void)unused;
    char directory[32];
    struct log_maker log;
    struct state *state = open_store(directory, &log);
    struct state_before before = {{0}};
    struct state_overdue places[2];
    uint8_t items[4][ITEM_ID_BYTES];
    uint8_t wanted[ITEM_ID_BYTES];
    uint32_t count = 9;
    uint64_t total = 9;
    referrals_over_two_days(&log); /* open: trucks 4 (claimed), 6, 7 */
    referred_at(&log, 8, MODE_MAIL, 2);
    assert_false(err_is(state_overdue(state, &before, places, 2, &count, &total)));
    assert_int_equal(count + total, 0);
    before.opened_ns[MODE_TRUCK] = LOG_START_NS + 20 * HOUR_NS;
    assert_false(err_is(state_unclaimed(state, &before, items, 4, &count)));
    assert_int_equal(count, 1);
    log_item(6, wanted);
    assert_memory_equal(items[0], wanted, ITEM_ID_BYTES);
    assert_false(err_is(state_overdue(state, &before, places, 2, &count, &total)));
    assert_int_equal(count, 1);
    assert_int_equal(total, 2);
    assert_int_equal(places[0].count, 2);
    assert_int_equal(places[0].mode, MODE_TRUCK);
    assert_string_equal(places[0].site, "north");
    assert_true(places[0].oldest_ns == LOG_START_NS + 4 * HOUR_NS);
    before.opened_ns[MODE_MAIL] = LOG_START_NS + 3 * HOUR_NS;
    assert_false(err_is(state_overdue(state, &before, places, 1, &count, &total)));
    assert_int_equal(count, 1);
    assert_int_equal(total, 3); /* those beyond the list are counted */
    assert_int_equal(places[0].mode, MODE_MAIL);
    assert_false(err_is(state_unclaimed(state, &before, items, 1, &count)));
    assert_int_equal(count, 1);
    log_item(8, wanted);
    assert_memory_equal(items[0], wanted, ITEM_ID_BYTES);
    remove_store(directory, &log);
}

/* Whoever adds a metric must say what it is, and it must run on an empty store. */
static void metric_every_file_has_a_header_and_runs(void **unused)
{
    (void)unused;
    char directory[32];
    struct log_maker log;
    struct state *state = open_store(directory, &log);
    DIR *folder = opendir(SOURCE_DIR "/config/metrics");
    assert_non_null(folder);
    unsigned files_count = 0;
    for (struct dirent *found; (found = readdir(folder)) != NULL;) {
        if (strstr(found->d_name, ".sql") == NULL) {
            continue;
        }
        char *sql = read_metric(found->d_name);
        char name[300];
        snprintf(name, sizeof name, "-- name: %.*s\n", (int)strlen(found->d_name) - 4,
                 found->d_name);
        assert_non_null(strstr(sql, name));
        static const char *const lines[] = {
            "-- version: ", "-- definition: ", "-- numerator: ", "-- denominator: "};
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
            assert_non_null(strstr(sql, lines[i]));
        }
        struct answer answer = {""};
        assert_false(err_is(state_metric(state, sql, take_row, &answer)));
        free(sql);
        files_count++;
    }
    closedir(folder);
    assert_int_equal(files_count, 10);
    remove_store(directory, &log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metric_on_small_day_gives_counted_figures),
        cmocka_unit_test(hit_rate_of_referrals_by_hand_stands_apart),
        cmocka_unit_test(gaps_are_told_by_shift),
        cmocka_unit_test(waiting_referrals_are_found_by_age),
        cmocka_unit_test(metric_every_file_has_a_header_and_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
