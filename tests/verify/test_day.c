/* SPDX-License-Identifier: Apache-2.0 */
/* What a day of the random arm looks like to who has the public tree alone. TRIAGED_DAY_ITEMS makes
 * the large day larger. */
#include "day_writer.h"

#include <math.h>

#include "verify/verify.h"

static struct verify_report report;
static struct verify_day day;

static void check(void)
{
    memset(&day, 0, sizeof day);
    strcpy(day.day, DAY);
    const struct verify_conf conf = {
        .directory = writer.directory, .now_ns = DAY_NS + 300000 * NS_PER_S, .day = &day};
    verify_report_fini(&report);
    assert_good(verify_report_init(&report));
    assert_good(verify_run(&conf, &report));
}

static const struct forgery honest = {.item = -1};

static uint64_t large_count(void)
{
    const char *wanted = getenv("TRIAGED_DAY_ITEMS");
    return wanted == NULL ? 100000 : strtoull(wanted, NULL, 10);
}

static void expect_good(uint64_t count)
{
    if (report.problems.count > 0) {
        fail_msg("%s", report.problems.lines[0].text);
    }
    assert_true(verify_day_good(&day) && day.covered);
    assert_int_equal(day.items, count);
    assert_int_equal(day.made_again, count);
    assert_int_equal(day.differing, 0);
    assert_int_equal(day.drawn, writer.drawn);
    assert_int_equal(day.known, 0);
    assert_int_equal(day.restated, 0);
    assert_int_equal(day.elsewhen, 0);
}

static void every_draw_of_a_large_day_is_made_again(void **state)
{
    (void)state;
    uint64_t count = large_count();
    write_day(count, NULL, &honest);
    check();
    expect_good(count);
    assert_int_equal(day.strata_count, 3); /* truck, truck/north, truck/north/lane-3 */
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    verify_day_print(&day, 0, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, DAY ": good: every draw"));
    assert_non_null(strstr(text, "before the day began"));
    assert_non_null(strstr(text, "0 differ"));
    free(text);
    close_log();
}

/* The same items in another order: the same are drawn, one by one. */
static void order_of_arrival_makes_no_difference(void **state)
{
    (void)state;
    uint64_t order[SMALL];
    uint8_t drawn[SMALL];
    uint8_t draws[2] = {0, 0};
    write_day(SMALL, NULL, &honest);
    check();
    expect_good(SMALL);
    memcpy(drawn, writer.drawn_items, SMALL);
    close_log();
    for (uint64_t i = 0; i < SMALL; i++) {
        order[i] = SMALL - 1 - i;
        draws[drawn[i]] = 1;
    }
    assert_true(draws[0] && draws[1]); /* some are drawn and some are not, or this proves nothing */
    for (uint64_t i = 0; i + 7 < SMALL; i += 7) {
        uint64_t other = order[i];
        order[i] = order[i + 6];
        order[i + 6] = other;
    }
    write_day(SMALL, order, &honest);
    check();
    expect_good(SMALL);
    assert_memory_equal(drawn, writer.drawn_items, SMALL);
    close_log();
}

static void expect_bad(const struct forgery *forgery, const char *words)
{
    write_day(SMALL, NULL, forgery);
    check();
    assert_true(report.problems.count > 0);
    for (uint64_t i = 0; i < report.problems.count; i++) {
        if (strstr(report.problems.lines[i].text, words) != NULL) {
            assert_string_equal(verify_step_name(report.problems.lines[i].step), "draws");
            close_log();
            return;
        }
    }
    fail_msg("no problem says '%s', but '%s'", words, report.problems.lines[0].text);
}

/* The first item of this stratum that the coin draws (or does not), at the key of the tests. */
static int64_t find_item(bool drawn, uint64_t modulus)
{
    uint8_t key[HASH_BYTES];
    memset(key, 0x3c, sizeof key);
    for (uint64_t i = 0; i < SMALL - 1; i++) {
        uint8_t item[ITEM_ID_BYTES];
        uint8_t draw[HASH_BYTES];
        item_of(i, item);
        draw_prf(key, item, draw);
        double rate = i % 10 == 0 ? 0.25 : i % 2 == 0 ? 0.02 : 0.01;
        if (i % modulus == 0 && (draw_uniform(draw) < rate) == drawn) {
            return (int64_t)i;
        }
    }
    fail_msg("no such item");
    return -1;
}

static void forged_days_are_detected(void **state)
{
    (void)state;
    int64_t drawn = find_item(true, 10);
    expect_bad(&(struct forgery){.item = drawn, .rate = true},
               "random rate 0.003, but 0.25 was committed");
    expect_bad(&(struct forgery){.item = drawn, .stratum = true},
               "but the item is of 'truck/north/lane-3'");
    expect_bad(&(struct forgery){.item = drawn, .identity = true},
               "draw is not what the revealed key gives for this item");
    expect_bad(&(struct forgery){.item = drawn, .arm = true}, "but the decision says not drawn");
    expect_bad(&(struct forgery){.item = -1, .key = true}, "is not the one committed");
    expect_bad(&(struct forgery){.item = -1, .early = true}, "after it was revealed");
}

/* Every draw is what its key gives: what is wrong is that there was another key to choose. */
static void one_key_draws_at_a_time(void **state)
{
    (void)state;
    expect_bad(&(struct forgery){.item = -1, .ahead = true},
               "drawn with the key of " DAY " before that day had begun");
    assert_false(verify_day_good(&day));
    assert_true(day.made_again == day.items && day.differing == 0);
    expect_bad(&(struct forgery){.item = -1, .two_keys = true},
               "drawn with the key of " DAY " while that of " DAY_BEFORE " was still secret");
    assert_false(verify_day_good(&day));
    expect_bad(&(struct forgery){.item = SMALL - 10, .back = true},
               "drawn with the key of " DAY_BEFORE " after draws with that of " DAY);
}

/* Any rate would compare as equal to one that is no number. */
static void rate_that_is_no_share_is_refused(void **state)
{
    (void)state;
    int64_t drawn = find_item(true, 10);
    expect_bad(&(struct forgery){.item = -1, .other_rate = NAN}, "is no share between 0 and 1");
    expect_bad(&(struct forgery){.item = -1, .other_rate = -0.5}, "is no share between 0 and 1");
    expect_bad(&(struct forgery){.item = -1, .other_rate = 1.5}, "is no share between 0 and 1");
    expect_bad(&(struct forgery){.item = -1, .other_rate = NAN}, "but nan was committed for");
    expect_bad(&(struct forgery){.item = drawn, .not_a_number = true},
               "random rate nan, but 0.25 was committed");
}

static void expect_warning(const char *words)
{
    for (uint64_t i = 0; i < report.warnings.count; i++) {
        if (strstr(report.warnings.lines[i].text, words) != NULL) {
            return;
        }
    }
    fail_msg("no warning says '%s'", words);
}

/* Legal, and worth knowing: the day after a log began, or after a daemon was away over midnight. */
static void key_younger_than_the_items_is_told(void **state)
{
    (void)state;
    write_day(SMALL, NULL, &(struct forgery){.item = -1, .late_commitment = true});
    check();
    assert_int_equal(report.problems.count, 0);
    assert_int_equal(day.known, SMALL);
    expect_warning("after the first record of 300 of its items");
    close_log();
}

static void reveal_that_never_comes_is_told(void **state)
{
    (void)state;
    write_day(SMALL, NULL, &(struct forgery){.item = -1, .unrevealed = true});
    check();
    assert_int_equal(report.problems.count, 0);
    assert_false(verify_day_good(&day));
    expect_warning("its key was never revealed");
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    verify_day_print(&day, 0, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "cannot be checked"));
    assert_non_null(strstr(text, "OVERDUE"));
    free(text);
    close_log();
}

/* scipy.stats.binomtest(x, n, p).pvalue */
static void binomial_is_that_of_scipy(void **state)
{
    (void)state;
    assert_float_equal(verify_binomial(3, 50, 0.02), 0.07842774835, 1e-7);
    assert_float_equal(verify_binomial(0, 3000, 0.001), 0.0831453005, 1e-7);
    assert_float_equal(verify_binomial(1000, 100000, 0.01), 1.0, 1e-7);
    assert_float_equal(verify_binomial(0, 10, 0), 1, 1e-12);
    assert_float_equal(verify_binomial(1, 10, 0), 0, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_draw_of_a_large_day_is_made_again),
        cmocka_unit_test(order_of_arrival_makes_no_difference),
        cmocka_unit_test(forged_days_are_detected),
        cmocka_unit_test(one_key_draws_at_a_time),
        cmocka_unit_test(rate_that_is_no_share_is_refused),
        cmocka_unit_test(key_younger_than_the_items_is_told),
        cmocka_unit_test(reveal_that_never_comes_is_told),
        cmocka_unit_test(binomial_is_that_of_scipy),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    verify_report_fini(&report);
    return failed;
}
