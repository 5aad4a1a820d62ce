/* SPDX-License-Identifier: Apache-2.0 */
#include "story.h"

/* Ticks, what they count, and silence. Entries are added with a time of their own. */

#define S INT64_C(1000000000)

static int64_t wanted_t_ns;

static void change_time(struct entry *entry)
{
    entry->t_ns = wanted_t_ns;
}

static int64_t begin(void)
{
    range_init(&range, 0);
    range_add_log_open(&range, ORIGIN);
    return NOW_NS - 86400 * S;
}

static void add_at(struct entry *entry, int64_t t_ns)
{
    (void)range_add(&range, entry, NULL, 0);
    wanted_t_ns = t_ns;
    change_entry(range.count - 1, change_time);
}

static void add_tick(int64_t t_ns, uint64_t refused)
{
    struct entry entry = {.type = ENTRY_TIME_TICK};
    entry.body.time_tick.refused = refused;
    add_at(&entry, t_ns);
}

static void add_refusal(int64_t t_ns)
{
    struct entry entry = {.type = ENTRY_RECORD_REFUSED};
    add_at(&entry, t_ns);
}

/* Ten ticks, one every ten seconds. */
static int64_t add_ticks(int64_t t_ns)
{
    for (uint32_t i = 0; i < 10; i++) {
        add_tick(t_ns += 10 * S, 0);
    }
    return t_ns;
}

static void first_at(int64_t t_ns)
{
    wanted_t_ns = t_ns;
    change_entry(0, change_time);
}

static void steady_ticks_are_no_news(void **state)
{
    (void)state;
    int64_t t_ns = begin();
    first_at(t_ns);
    t_ns = add_ticks(t_ns);
    add_tick(t_ns + 24 * S, 0); /* a long turn may delay one */
    check();
    assert_int_equal(report.problems.count, 0);
    assert_int_equal(report.warnings.count, 0);
    assert_int_equal(report.shards[0].tick_interval_ms, 10000);
    assert_int_equal(report.shards[0].silences, 0);
    assert_int_equal(report.shards[0].last_t_ns, t_ns + 24 * S);
}

static void silence_longer_than_the_ticks_is_told_once(void **state)
{
    (void)state;
    int64_t t_ns = begin();
    first_at(t_ns);
    t_ns = add_ticks(t_ns);
    add_ticks(t_ns + 3600 * S);
    expect_warning(STEP_times, "entry 11: silence before it, from ");
    assert_int_equal(report.warnings.count, 1);
    assert_int_equal(report.shards[0].silences, 1);
    assert_int_equal(report.shards[0].silence_s, 3610);
}

static void ticks_that_are_missing_among_entries_are_told(void **state)
{
    (void)state;
    int64_t t_ns = begin();
    first_at(t_ns);
    t_ns = add_ticks(t_ns);
    for (uint32_t i = 0; i < 20; i++) {
        add_refusal(t_ns += 10 * S);
    }
    add_tick(t_ns + S, 20);
    expect_warning(STEP_times, "no tick from");
    assert_int_equal(report.warnings.count, 1);
    assert_int_equal(report.shards[0].silences, 0);
}

static void many_silences_are_counted_and_bounded(void **state)
{
    (void)state;
    int64_t t_ns = begin();
    first_at(t_ns);
    t_ns = add_ticks(t_ns);
    for (uint32_t i = 0; i < 50; i++) {
        add_refusal(t_ns += 1000 * S);
    }
    check();
    assert_int_equal(report.shards[0].silences, 50);
    assert_int_equal(report.warnings.count, 11);
    expect_line(&report.warnings, "warning", STEP_times, "50 silences of 50000 s altogether");
}

static void tick_that_counts_what_is_not_there_is_a_problem(void **state)
{
    (void)state;
    int64_t t_ns = begin();
    add_refusal(t_ns);
    add_tick(t_ns + S, 1);
    check();
    assert_int_equal(report.problems.count, 0);
    t_ns = begin();
    add_refusal(t_ns);
    add_tick(t_ns + S, 2);
    expect_problem(STEP_times, "entry 2: tick counts 2 refusals, the log holds 1 before it");
    t_ns = begin();
    add_refusal(t_ns);
    add_tick(t_ns + S, 1);
    add_tick(t_ns + 2 * S, 0);
    expect_problem(STEP_times, "entry 3: tick counts 0 refusals, the tick before it 1");
}

static void odd_times_are_a_warning(void **state)
{
    (void)state;
    int64_t t_ns = begin();
    first_at(t_ns);
    add_refusal(INT64_C(7));
    expect_warning(STEP_times, "entry 1: time 1970-01-01T00:00:00.000000007Z is not plausible");
    t_ns = begin();
    first_at(t_ns);
    add_refusal(NOW_NS + 2 * 86400 * S);
    expect_warning(STEP_times, "is not plausible");
    t_ns = begin();
    first_at(t_ns);
    add_refusal(t_ns - 3700 * S);
    expect_warning(STEP_times, "more than an hour before an earlier entry's");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_ticks_are_no_news),
        cmocka_unit_test(silence_longer_than_the_ticks_is_told_once),
        cmocka_unit_test(ticks_that_are_missing_among_entries_are_told),
        cmocka_unit_test(many_silences_are_counted_and_bounded),
        cmocka_unit_test(tick_that_counts_what_is_not_there_is_a_problem),
        cmocka_unit_test(odd_times_are_a_warning),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    verify_report_fini(&report);
    return failed;
}
