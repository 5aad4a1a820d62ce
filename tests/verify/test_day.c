/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "decide/decide.h"
#include "folder.h"
#include "oversight/oversight.h"
#include "proto/sign.h"
#include "tests/test_folder.h"
#include "verify/verify.h"

/* A day of the random arm, decided by the daemon's own draw and written by the daemon's own log,
 * then checked from the public tree alone: the write-ahead log lies elsewhere. TRIAGED_DAY_ITEMS
 * makes the large day larger. */

#define ORIGIN "oversight.example/day/2026"
#define DAY "2026-09-21"
#define DAY_BEFORE "2026-09-20"
#define DAY_NS INT64_C(1789948800000000000)
#define DAY_BATCH 512u
#define SMALL 300u

struct forgery {
    int64_t item;         /* number of the item that is tampered with; -1: none */
    bool rate;            /* its decision says another rate, and the arm that follows from it */
    bool stratum;         /* it says a stratum whose rate is lower */
    bool identity;        /* it was drawn under another item id */
    bool arm;             /* drawn by the coin, and let go */
    bool key;             /* another key is revealed */
    bool early;           /* a decision after the reveal */
    bool late_commitment; /* the key is made when the items are there */
    bool unrevealed;
    bool ahead;        /* all are decided an hour before the day begins */
    bool two_keys;     /* the key of the day before is committed, and not revealed */
    bool back;         /* as two_keys, but it is committed later, and draws one item */
    bool not_a_number; /* its decision says a rate that is none */
    double other_rate; /* not 0: of every mode, in the commitment */
};

struct day_writer {
    char directory[64]; /* holds log/ and nothing else */
    char wal[64];
    struct oversight *oversight;
    struct oversight_draft *drafts;
    struct queue *done;
    uint32_t waiting;
    struct decide *decide;
    struct policy policy;
    uint8_t key[HASH_BYTES];
    uint64_t drawn;
    uint8_t *drawn_items; /* by number */
};

static struct day_writer writer;
static struct verify_report report;
static struct verify_day day;

static void assert_good(struct err err)
{
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        fail_msg("%s", err_text(err, text));
    }
}

static void make_policy(struct policy *policy)
{
    *policy = (struct policy){.window_count = 64, .warmup_count = 8};
    strcpy(policy->version, "test");
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        policy->modes[mode] = (struct mode_policy){.expects_declaration = true,
                                                   .hold_s = 10,
                                                   .random_rate = 0.01,
                                                   .capacity_per_hour = 20,
                                                   .horizon_h = 2,
                                                   .initial_cutoff = 0.5,
                                                   .minimum_probability = 0.02,
                                                   .severity = 1};
    }
    strcpy(policy->rates[0].stratum, "truck/north");
    policy->rates[0].rate = 0.02;
    strcpy(policy->rates[1].stratum, "truck/north/lane-3");
    policy->rates[1].rate = 0.25;
    policy->rates_count = 2;
    assert_null(policy_check(policy));
}

static void wait_for_drafts(void)
{
    while (writer.waiting > 0) {
        void *back[DAY_BATCH];
        uint32_t count = queue_take(writer.done, back, DAY_BATCH, 30 * NS_PER_S);
        assert_true(count > 0);
        writer.waiting -= count;
    }
}

static void id_of(uint64_t number, uint8_t kind, uint8_t out[ENTRY_ID_BYTES])
{
    uint8_t random[10] = {0};
    for (int i = 3; i < 10; i++) { /* the front carries version and variant */
        random[i] = (uint8_t)(number >> (8 * (i - 3)));
    }
    uuid7_make(DAY_NS + kind * NS_PER_MS, random, out);
}

static void add(struct entry *entry)
{
    if (writer.waiting == DAY_BATCH) {
        wait_for_drafts();
    }
    struct oversight_draft *draft = &writer.drafts[writer.waiting++];
    entry->actor = "daemon";
    size_t bytes = entry_encode_rest(entry, draft->rest, sizeof draft->rest);
    assert_true(bytes > 0);
    draft->rest_bytes = (uint32_t)bytes;
    draft->done = writer.done;
    assert_good(oversight_submit(writer.oversight, &draft, 1));
}

static void item_of(uint64_t number, uint8_t out[ITEM_ID_BYTES])
{
    uint8_t digest[HASH_BYTES];
    sha256_of(&number, sizeof number, digest);
    memcpy(out, digest, ITEM_ID_BYTES);
}

static void open_log(void)
{
    static struct sign_key key; /* the log borrows it */
    const uint8_t seed[SIGN_SEED_BYTES] = {9};
    char log_directory[80];
    struct oversight_recovery recovery;
    assert_true(sign_init());
    sign_key_from_seed(&key, seed);
    test_folder_make("triage-day", writer.directory, sizeof writer.directory);
    test_folder_make("triage-day-wal", writer.wal, sizeof writer.wal);
    (void)snprintf(log_directory, sizeof log_directory, "%s/log", writer.directory);
    const struct oversight_conf conf = {.wal_directory = writer.wal,
                                        .log_directory = log_directory,
                                        .origin = ORIGIN,
                                        .key = &key,
                                        .segment_bytes = 16u << 20,
                                        .queue_entries = 2 * DAY_BATCH,
                                        .checkpoint_interval_ns = NS_PER_S};
    clock_fix_utc_ns(DAY_NS - 3600 * NS_PER_S);
    assert_good(oversight_open(&conf, &writer.oversight, &recovery));
    writer.drafts = calloc(DAY_BATCH, sizeof *writer.drafts);
    assert_non_null(writer.drafts);
    assert_good(queue_open(2 * DAY_BATCH, &writer.done));
    make_policy(&writer.policy);
    assert_good(decide_open(&writer.policy, 8, &writer.decide));
    memset(writer.key, 0x3c, sizeof writer.key);
    writer.drawn = 0;
}

static void close_log(void)
{
    wait_for_drafts();
    oversight_close(&writer.oversight);
    decide_close(&writer.decide);
    queue_free(&writer.done);
    free(writer.drafts);
    free(writer.drawn_items);
    writer.drawn_items = NULL;
    clock_fix_utc_ns(0);
    folder_remove(writer.directory);
    folder_remove(writer.wal);
}

static void add_commitment(const char *of_day, uint64_t number, double other_rate)
{
    struct entry entry = {.type = ENTRY_DRAW_COMMIT};
    struct entry_draw_commit *commit = &entry.body.draw_commit;
    commit->day = of_day;
    commit->scheme = DRAW_SCHEME;
    sha256_of(writer.key, HASH_BYTES, commit->commitment);
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        commit->rates[commit->rates_count++] = (struct entry_rate){
            .stratum = mode_text((enum mode)mode), .rate = writer.policy.modes[mode].random_rate};
    }
    for (uint32_t i = 0; i < writer.policy.rates_count; i++) {
        commit->rates[commit->rates_count++] = (struct entry_rate){
            .stratum = writer.policy.rates[i].stratum, .rate = writer.policy.rates[i].rate};
    }
    for (uint32_t i = 0; other_rate != 0 && i < commit->rates_count; i++) {
        commit->rates[i].rate = other_rate;
    }
    id_of(number, 4, entry.id);
    add(&entry);
    wait_for_drafts();
}

static void add_record(uint64_t number)
{
    char key[32];
    struct entry entry = {.type = ENTRY_DECLARATION_RECEIVED};
    (void)snprintf(key, sizeof key, "p%llu", (unsigned long long)number);
    entry.body.received = (struct entry_received){.publisher = "manifest",
                                                  .stream = "a",
                                                  .sequence = number,
                                                  .mode = MODE_TRUCK,
                                                  .site = number % 2 == 0 ? "north" : "south",
                                                  .lane = "lane-3",
                                                  .record_bytes = 100,
                                                  .record_id = key,
                                                  .item_key = key};
    entry.body.received.record_sha256[0] = 1;
    id_of(number, 1, entry.id);
    add(&entry);
}

static void fill_decision(const struct decide_verdict *verdict, uint64_t number,
                          struct entry_decision *out)
{
    *out = (struct entry_decision){.decision = verdict->refer ? "refer" : "release",
                                   .arm = arm_text(verdict->arm),
                                   .propensity = verdict->propensity,
                                   .random_rate = verdict->random_rate,
                                   .probability = 0.5,
                                   .cutoff = verdict->cutoff,
                                   .priority = verdict->priority,
                                   .draw_scheme = DRAW_SCHEME,
                                   .draw_day = DAY,
                                   .mode = MODE_TRUCK,
                                   .site = number % 2 == 0 ? "north" : "south",
                                   .lane = number % 10 == 0 ? "lane-3" : "lane-1",
                                   .hold_ended_by = "complete",
                                   .draw_stratum = verdict->stratum};
    memcpy(out->draw, verdict->draw, HASH_BYTES);
}

static void add_score(uint64_t number, const uint8_t item[ITEM_ID_BYTES])
{
    struct entry entry = {.type = ENTRY_SCORE, .has_item = true, .causes_count = 1};
    memcpy(entry.item, item, ITEM_ID_BYTES);
    id_of(number, 1, entry.causes[0]);
    entry.body.score.probability = 0.5;
    entry.body.score.quality = 1;
    id_of(number, 2, entry.id);
    add(&entry);
}

static void forge(const struct forgery *forgery, const struct decide_input *input,
                  struct entry *entry)
{
    struct entry_decision *decision = &entry->body.decision;
    if (forgery->rate || forgery->stratum) {
        decision->random_rate = forgery->rate ? 0.003 : 0.01;
        decision->draw_stratum = forgery->rate ? decision->draw_stratum : "truck";
        bool drawn = draw_uniform(decision->draw) < decision->random_rate;
        bool target = decision->propensity >= 1;
        decision->arm = drawn ? (target ? "both" : "random") : (target ? "target" : "none");
        decision->propensity = target ? 1 : decision->random_rate;
        decision->decision = drawn || target ? "refer" : "release";
    }
    if (forgery->identity) { /* the id was chosen until the coin fell well */
        uint8_t other[ITEM_ID_BYTES];
        memcpy(other, input->item, sizeof other);
        other[0] ^= 1;
        draw_prf(writer.key, other, decision->draw);
        bool drawn = draw_uniform(decision->draw) < decision->random_rate;
        bool target = decision->propensity >= 1;
        decision->arm = drawn ? (target ? "both" : "random") : (target ? "target" : "none");
        decision->decision = drawn || target ? "refer" : "release";
    }
    if (forgery->back) {
        decision->draw_day = DAY_BEFORE;
    }
    if (forgery->not_a_number) {
        decision->random_rate = NAN;
    }
    if (forgery->arm) {
        bool target = decision->propensity >= 1;
        decision->arm = target ? "target" : "none";
        decision->decision = target ? "refer" : "release";
    }
}

static void add_decision(uint64_t number, const struct forgery *forgery)
{
    static const char *const sites[2] = {"north", "south"};
    struct decide_input input = {.mode = MODE_TRUCK,
                                 .site = sites[number % 2],
                                 .lane = number % 10 == 0 ? "lane-3" : "lane-1",
                                 .scorable = true,
                                 .probability = 0.5,
                                 .t_ns = DAY_NS + (int64_t)number * NS_PER_MS,
                                 .draw_key = writer.key};
    item_of(number, input.item);
    struct decide_verdict verdict;
    decide_item(writer.decide, &input, &verdict);
    add_score(number, input.item);
    struct entry entry = {.type = ENTRY_REFERRAL_DECISION, .has_item = true, .causes_count = 1};
    memcpy(entry.item, input.item, ITEM_ID_BYTES);
    id_of(number, 2, entry.causes[0]);
    fill_decision(&verdict, number, &entry.body.decision);
    if (forgery->item == (int64_t)number) {
        forge(forgery, &input, &entry);
    }
    bool drawn = verdict.arm == ARM_RANDOM || verdict.arm == ARM_BOTH;
    writer.drawn += drawn;
    writer.drawn_items[number] = drawn;
    id_of(number, 3, entry.id);
    add(&entry);
}

static void add_reveal(const struct forgery *forgery)
{
    struct entry entry = {.type = ENTRY_DRAW_REVEAL};
    entry.body.draw_reveal.day = DAY;
    memcpy(entry.body.draw_reveal.key, writer.key, HASH_BYTES);
    entry.body.draw_reveal.key[5] ^= forgery->key ? 1 : 0;
    id_of(1, 5, entry.id);
    add(&entry);
}

/* order[i] is the number of the item that is decided i-th; NULL: as numbered. */
static void write_day(uint64_t count, const uint64_t *order, const struct forgery *forgery)
{
    open_log();
    writer.drawn_items = calloc(count + 1, 1);
    assert_non_null(writer.drawn_items);
    if (forgery->two_keys) {
        add_commitment(DAY_BEFORE, 2, 0);
    }
    if (!forgery->late_commitment) {
        add_commitment(DAY, 1, forgery->other_rate);
        assert_good(oversight_publish(writer.oversight));
    }
    for (uint64_t i = 0; i < count; i++) {
        add_record(order == NULL ? i : order[i]);
    }
    clock_fix_utc_ns(DAY_NS + (forgery->ahead ? -90000 * NS_PER_S : 1));
    if (forgery->late_commitment) {
        add_commitment(DAY, 1, 0);
    }
    for (uint64_t i = 0; i < count - 1; i++) {
        int64_t shift_ns = forgery->ahead ? -86400 * NS_PER_S - 3600 * NS_PER_S : 1;
        clock_fix_utc_ns(DAY_NS + shift_ns + (int64_t)(i * (86400 * UINT64_C(1000000000) / count)));
        if (forgery->back && i == SMALL / 2) {
            add_commitment(DAY_BEFORE, 2, 0);
        }
        add_decision(order == NULL ? i : order[i], forgery);
    }
    clock_fix_utc_ns(DAY_NS + 86400 * NS_PER_S);
    uint64_t last = order == NULL ? count - 1 : order[count - 1];
    if (!forgery->early) {
        add_decision(last, forgery);
    }
    if (!forgery->unrevealed) {
        add_reveal(forgery);
    }
    if (forgery->early) {
        add_decision(last, forgery);
    }
    wait_for_drafts();
    clock_fix_utc_ns(DAY_NS + 200000 * NS_PER_S);
    struct entry tick = {.type = ENTRY_TIME_TICK};
    tick.body.time_tick.received_declarations = count;
    id_of(1, 6, tick.id);
    add(&tick);
    wait_for_drafts();
    assert_good(oversight_publish(writer.oversight));
}

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
