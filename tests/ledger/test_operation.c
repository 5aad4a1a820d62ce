/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/operation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../state/log_maker.h"
#include "../test_folder.h"
#include "base/durable.h"

#define HOUR_NS INT64_C(3600000000000)

static char folder[64];
static struct log_maker maker;

static int open_state(void **unused)
{
    (void)unused;
    char path[96];
    bool rebuilt;
    test_folder_make("triaged-operation", folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/state.db", folder);
    maker = (struct log_maker){0};
    return err_is(state_open(path, &maker.state, &rebuilt));
}

static int close_state(void **unused)
{
    (void)unused;
    char command[96];
    state_close(&maker.state);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static struct entry_operation sound(void)
{
    return (struct entry_operation){.name = "lanes-3-4",
                                    .step = "register",
                                    .mode = MODE_TRUCK,
                                    .site = "north",
                                    .from_ns = 2000 + OPERATION_AHEAD_NS,
                                    .to_ns = 2000 + 28 * 24 * HOUR_NS,
                                    .hypothesis = "more in hidden compartments than by chance",
                                    .metric = "hit_rate",
                                    .comparator = "random",
                                    .stop_rule = "200 exams"};
}

static void registration_broken_in_one_way_is_refused(void **unused)
{
    (void)unused;
    static char long_name[80];
    memset(long_name, 'n', 65);
    struct entry_operation broken[13];
    for (int i = 0; i < 13; i++) {
        broken[i] = sound();
    }
    broken[0].name = "";
    broken[1].name = "Lanes 3";
    broken[2].name = long_name;
    broken[3].from_ns = 1000 + OPERATION_AHEAD_NS; /* not quite a minute ahead */
    broken[4].to_ns = broken[4].from_ns;
    broken[5].to_ns = broken[5].from_ns + 732 * 24 * HOUR_NS;
    broken[6].hypothesis = "";
    broken[7].stop_rule = NULL;
    broken[8].metric = "seizures";
    broken[9].comparator = "nothing";
    broken[10].site = "";
    broken[10].comparator = "others";
    broken[11].site = "";
    broken[11].lane = "3";
    broken[12].to_ns = INT64_MIN;
    struct entry_operation operation = sound();
    assert_null(operation_fault(&operation, 1000));
    operation.from_ns = 1001 + OPERATION_AHEAD_NS;
    assert_null(operation_fault(&operation, 1000));
    for (int i = 0; i < 13; i++) {
        assert_non_null(operation_fault(&broken[i], 1000));
    }
}

static struct ledger_answer ask(const struct entry_operation *operation, int64_t now_ns,
                                struct entry *entry)
{
    static unsigned number;
    static char request_id[32];
    struct ledger_answer answer;
    (void)snprintf(request_id, sizeof request_id, "op-%u", number++);
    struct wire_command command = {.order = ORDER_OPERATION,
                                   .actor = "supervisor",
                                   .request_id = request_id,
                                   .operation = *operation};
    must(
        !err_is(operation_consider(maker.state, &command, "p-supervisor", now_ns, entry, &answer)));
    if (answer.verdict == LEDGER_ENTRY) {
        struct entry stamped = log_entry(&maker, entry->type);
        stamped.actor = entry->actor;
        stamped.body = entry->body;
        answer.entry_index = log_apply(&maker, &stamped, NULL);
    }
    return answer;
}

/* Items one second apart from the 100th second of the log on; the log of the maker counts
 * milliseconds, so decisions are stamped here. */
static int64_t item_time(unsigned item)
{
    return LOG_START_NS + (int64_t)item * 1000000000;
}

static void add_item(unsigned item, enum mode mode, const char *site, const char *arm,
                     const char *result)
{
    struct entry entry = log_entry(&maker, ENTRY_REFERRAL_DECISION);
    entry.t_ns = item_time(item);
    entry.has_item = true;
    log_item(item, entry.item);
    bool refer = strcmp(arm, "none") != 0;
    entry.body.decision = (struct entry_decision){.decision = refer ? "refer" : "release",
                                                  .arm = arm,
                                                  .propensity = 1,
                                                  .mode = mode,
                                                  .site = site,
                                                  .lane = item % 2 == 0 ? "even" : "odd"};
    log_apply(&maker, &entry, NULL);
    if (result != NULL) {
        log_outcome(&maker, item, result, 3, "");
    }
}

static const char *metric_file(char *out, size_t capacity)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    must(!err_is(durable_read(SOURCE_DIR "/config/metrics/operations.sql", 65536, &bytes, &count)));
    must(count < capacity);
    memcpy(out, bytes, count);
    out[count] = '\0';
    free(bytes);
    return out;
}

struct rows {
    char text[16][160];
    unsigned count;
};

static void take_row(void *arg, uint32_t count, const char *const *names, const char *const *values)
{
    struct rows *rows = arg;
    (void)names;
    assert_true(rows->count < 16);
    assert_int_equal(count, 6);
    (void)snprintf(rows->text[rows->count++], sizeof rows->text[0], "%s %s %s %s %s %s", values[0],
                   values[1], values[2], values[3], values[4], values[5]);
}

static void figures_follow_scope_metric_and_comparator(void **unused)
{
    (void)unused;
    static const struct {
        const char *name, *metric, *comparator, *site, *lane;
        const char *rows[2];
    } wanted[] = {
        {"a",
         "hit_rate",
         "before",
         "north",
         "",
         {"a operation before hit_rate 2 4", "a comparator before hit_rate 1 2"}},
        {"b",
         "hit_rate",
         "others",
         "north",
         "",
         {"b operation others hit_rate 2 4", "b comparator others hit_rate 0 1"}},
        {"c",
         "hit_rate",
         "random",
         "north",
         "",
         {"c operation random hit_rate 2 3", "c comparator random hit_rate 1 2"}},
        {"d",
         "find_rate",
         "before",
         "north",
         "",
         {"d operation before find_rate 2 5", "d comparator before find_rate 1 3"}},
        {"e",
         "exam_rate",
         "before",
         "",
         "",
         {"e operation before exam_rate 5 6", "e comparator before exam_rate 3 4"}},
        {"f",
         "find_rate",
         "before",
         "north",
         "even",
         {"f operation before find_rate 1 4", "f comparator before find_rate 1 2"}},
    };
    struct entry entry;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct entry_operation operation = sound();
        operation.name = wanted[i].name;
        operation.metric = wanted[i].metric;
        operation.comparator = wanted[i].comparator;
        operation.site = wanted[i].site;
        operation.lane = wanted[i].lane;
        operation.from_ns = item_time(200);
        operation.to_ns = item_time(205);
        assert_int_equal(ask(&operation, item_time(100), &entry).verdict, LEDGER_ENTRY);
        assert_int_equal(ask(&operation, item_time(100), &entry).fault.code, ERR_CONFLICT);
    }
    add_item(194, MODE_TRUCK, "north", "target", "found"); /* before what is compared with */
    add_item(196, MODE_TRUCK, "north", "target", "found");
    add_item(197, MODE_TRUCK, "north", "random", "nothing_found");
    add_item(198, MODE_TRUCK, "north", "none", NULL);
    add_item(199, MODE_TRUCK, "south", "target", "nothing_found");
    add_item(200, MODE_TRUCK, "north", "target", "found");
    add_item(201, MODE_TRUCK, "north", "both", "found");
    add_item(202, MODE_TRUCK, "north", "target", "nothing_found");
    add_item(203, MODE_TRUCK, "south", "target", "nothing_found");
    add_item(204, MODE_TRUCK, "north", "random", "nothing_found");
    add_item(300, MODE_TRUCK, "north", "none", NULL); /* places 204.0 to 204.9 are one more item */
    struct entry late = log_entry(&maker, ENTRY_REFERRAL_DECISION);
    late.t_ns = item_time(204) + 500000000;
    late.has_item = true;
    log_item(2040, late.item);
    late.body.decision = (struct entry_decision){
        .decision = "release", .arm = "none", .mode = MODE_TRUCK, .site = "north", .lane = "even"};
    log_apply(&maker, &late, NULL);
    add_item(201 + 1000, MODE_RAIL, "north", "target", "found"); /* another mode, after the end */
    static char sql[8192];
    static struct rows rows;
    rows.count = 0;
    assert_false(err_is(state_metric(maker.state, metric_file(sql, sizeof sql), take_row, &rows)));
    assert_int_equal(rows.count, 12);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_string_equal(rows.text[2 * i], wanted[i].rows[0]);
        assert_string_equal(rows.text[2 * i + 1], wanted[i].rows[1]);
        struct state_figures figures;
        char words[2][160];
        assert_false(
            err_is(state_operation_figures(maker.state, wanted[i].name, INT64_MAX, &figures)));
        (void)snprintf(words[0], sizeof words[0], "%s operation %s %s %d %d", wanted[i].name,
                       wanted[i].comparator, wanted[i].metric, (int)figures.numerator,
                       (int)figures.denominator);
        (void)snprintf(words[1], sizeof words[1], "%s comparator %s %s %d %d", wanted[i].name,
                       wanted[i].comparator, wanted[i].metric, (int)figures.comparator_numerator,
                       (int)figures.comparator_denominator);
        assert_string_equal(words[0], wanted[i].rows[0]);
        assert_string_equal(words[1], wanted[i].rows[1]);
    }
    struct entry_operation close = {.name = "a", .step = "close"};
    assert_int_equal(ask(&close, item_time(202), &entry).fault.code, ERR_ARGUMENT);
    close.reason = "200 exams";
    assert_int_equal(ask(&close, item_time(202), &entry).verdict,
                     LEDGER_ENTRY); /* two items of five seconds */
    assert_true(entry.body.operation.numerator == 2 && entry.body.operation.denominator == 2);
    assert_true(entry.body.operation.comparator_denominator ==
                0); /* two seconds before: none concluded */
    assert_int_equal(ask(&close, item_time(202), &entry).fault.code, ERR_ILLEGAL_TRANSITION);
    close.name = "z";
    assert_int_equal(ask(&close, item_time(202), &entry).fault.code, ERR_NOT_FOUND);
    close.step = "pause";
    assert_int_equal(ask(&close, item_time(202), &entry).fault.code, ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registration_broken_in_one_way_is_refused),
        cmocka_unit_test_setup_teardown(figures_follow_scope_metric_and_comparator, open_state,
                                        close_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
