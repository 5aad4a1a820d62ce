/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "log_maker.h"

/* What a score leaves in the days of its scanner. */

#define DAY_NS INT64_C(86400000000000)

struct rows {
    char text[2048]; /* "scanner day figure value images\n" */
    const char *scanner;
};

static void take(void *arg, const struct state_quality *row)
{
    struct rows *rows = arg;
    size_t used = strlen(rows->text);
    (void)snprintf(rows->text + used, sizeof rows->text - used, "%s %lld %s %g %llu\n",
                   rows->scanner, (long long)(row->day - LOG_START_NS / DAY_NS),
                   state_figure_text(row->figure), row->value, (unsigned long long)row->images);
}

static struct rows all_rows(struct state *state)
{
    struct rows rows = {.text = ""};
    char scanner[65] = "";
    bool found = true;
    while (found) {
        char next[65];
        assert_false(err_is(state_quality_scanner(state, scanner, next, &found)));
        if (found) {
            memcpy(scanner, next, sizeof scanner);
            rows.scanner = scanner;
            assert_false(err_is(state_quality(state, scanner, 0, INT32_MAX, take, &rows)));
        }
    }
    return rows;
}

static uint64_t scan(struct log_maker *log, const char *scanner, int64_t acquired_ns)
{
    struct entry entry = log_entry(log, ENTRY_SCAN_RECEIVED);
    struct entry_received *received = &entry.body.received;
    char key[32];
    snprintf(key, sizeof key, "K%llu", (unsigned long long)log->next);
    *received = (struct entry_received){.publisher = "gate",
                                        .stream = "main",
                                        .sequence = log->sequence++,
                                        .mode = MODE_TRUCK,
                                        .site = "north",
                                        .lane = "lane1",
                                        .record_id = key,
                                        .item_key = key,
                                        .scanner = scanner,
                                        .scanner_type = "portal",
                                        .acquired_ns = acquired_ns};
    return log_apply(log, &entry, &(struct state_hint){.label = key});
}

struct measured {
    const char *model;
    float values[28];
    uint32_t values_count;
};

static void score(struct log_maker *log, unsigned item, const uint64_t *records, uint32_t count,
                  const struct measured *measured)
{
    struct entry entry = log_entry(log, ENTRY_SCORE);
    entry.has_item = true;
    log_item(item, entry.item);
    entry.causes_count = count;
    for (uint32_t i = 0; i < count; i++) {
        log_id(records[i], entry.causes[i]);
    }
    entry.body.score.models_count = 1;
    entry.body.score.models[0].name = measured->model;
    entry.body.score.inputs_count = 1;
    entry.body.score.inputs[0] = (struct entry_inputs){0, measured->values, measured->values_count};
    log_apply(log, &entry, NULL);
}

static const struct measured good = {
    "builtin/fusion", {[23] = 0.123456F, 87.6543F, 0.001F, 2, 3}, 28};

static void quality_of_scores_stands_by_scanner_and_day(void **unused)
{
    (void)unused;
    char directory[] = "/tmp/triage-quality-XXXXXX";
    char path[64];
    bool rebuilt;
    struct log_maker log = {0};
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/state.db", directory);
    assert_false(err_is(state_open(path, &log.state, &rebuilt)));

    /* Two images of one day, another of the day before; a time of the future and none: the log's.
     */
    uint64_t one = scan(&log, "a", LOG_START_NS);
    score(&log, 1, &one, 1, &good);
    one = scan(&log, "a", LOG_START_NS + 400 * DAY_NS);
    struct measured other = good;
    other.values[23] = 0.5F;
    score(&log, 2, &one, 1, &other);
    one = scan(&log, "a", LOG_START_NS - DAY_NS);
    score(&log, 3, &one, 1, &good);
    one = scan(&log, "b", 0);
    score(&log, 4, &one, 1, &good);
    /* Two scans of one scanner are one score; of two scanners nobody knows whose it is. */
    uint64_t both[2] = {scan(&log, "b", LOG_START_NS), scan(&log, "b", LOG_START_NS - DAY_NS)};
    score(&log, 5, both, 2, &good);
    both[1] = scan(&log, "c", LOG_START_NS);
    both[0] = scan(&log, "b", LOG_START_NS);
    score(&log, 6, both, 2, &good);
    /* Nothing measured, too few inputs, another model, no inputs, no scan. */
    one = scan(&log, "d", LOG_START_NS);
    struct measured none = good;
    none.values[23] = NAN;
    score(&log, 7, &one, 1, &none);
    none = good;
    none.values_count = 27;
    score(&log, 8, &one, 1, &none);
    none = good;
    none.model = "history";
    score(&log, 9, &one, 1, &none);
    score(&log, 10, NULL, 0, &good);

    assert_string_equal(all_rows(log.state).text, "a -1 contrast_to_noise 87.7 1\n"
                                                  "a -1 dead_lines 5 1\n"
                                                  "a -1 saturated_share 0.001 1\n"
                                                  "a -1 sharpness 0.123 1\n"
                                                  "a 0 contrast_to_noise 87.7 2\n"
                                                  "a 0 dead_lines 5 2\n"
                                                  "a 0 saturated_share 0.001 2\n"
                                                  "a 0 sharpness 0.123 1\n"
                                                  "a 0 sharpness 0.5 1\n"
                                                  "b -1 contrast_to_noise 87.7 1\n"
                                                  "b -1 dead_lines 5 1\n"
                                                  "b -1 saturated_share 0.001 1\n"
                                                  "b -1 sharpness 0.123 1\n"
                                                  "b 0 contrast_to_noise 87.7 1\n"
                                                  "b 0 dead_lines 5 1\n"
                                                  "b 0 saturated_share 0.001 1\n"
                                                  "b 0 sharpness 0.123 1\n");
    state_close(&log.state);
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quality_of_scores_stands_by_scanner_and_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
