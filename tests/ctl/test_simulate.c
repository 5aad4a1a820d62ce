/* SPDX-License-Identifier: Apache-2.0 */
/* `triagectl policy simulate` on a read model whose every decision follows from its number, so that
 * what another policy would have done can be counted by hand:
 *
 * day 1, north: 3900 items, probability (number % 100 + 0.5) / 100, referred from 0.5 on; every
 *        tenth is drawn at a rate of 0.1; finds by found_by_number;
 * day 2, north: a hundred items of 0.905, one a minute, all referred;
 * day 3 from 19:00 to day 4, south: 600 items decided by decide_item itself under a policy that is
 *        always short of room, referrals ended after 50 minutes. */
#include "program.h"

#include <math.h>

#include "base/clock.h"
#include "decide/decide.h"
#include "decide/policy_file.h"
#include "tests/state/log_maker.h"

#define DAY_1_NS INT64_C(1789948800000000000) /* 2026-09-21 */
#define DAY_NS (INT64_C(86400) * NS_PER_S)
#define MINUTE_NS (INT64_C(60) * NS_PER_S)
enum { DAY_1_ITEMS = 3900, DAY_2_ITEMS = 100, DAY_3_ITEMS = 600 };

static int simulate(const char *policy, const char *rest)
{
    return run("--dir . policy simulate --policy %s.conf %s", policy, rest);
}

static json_t *run_days(const char *policy, const char *from, const char *to)
{
    char rest[128];
    snprintf(rest, sizeof rest, "--from %s --to %s --json", from, to);
    if (simulate(policy, rest) != 0) {
        fail_msg("%s", said);
    }
    json_error_t error;
    json_t *json = json_loads(said, 0, &error);
    assert_non_null(json);
    return json;
}

static long long count_of(const json_t *total, const char *name)
{
    const json_t *value = json_object_get(total, name);
    if (!json_is_integer(value)) {
        fail_msg("no %s", name);
    }
    return json_integer_value(value);
}

static double interval_of(const json_t *estimate, const char *name, size_t side)
{
    return json_real_value(json_array_get(json_object_get(estimate, name), side));
}

static void assert_near(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance)) {
        fail_msg("%.12g, expected %.12g", value, wanted);
    }
}

/* ---- the store */

/* config/policy.conf with the first value of some keys, which is that of trucks, changed. */
static void write_policy(const char *name, const char *settings)
{
    char command[1024];
    char setting[256];
    int at = snprintf(command, sizeof command, "sed ");
    snprintf(setting, sizeof setting, "%s", settings);
    for (char *one = strtok(setting, " "); one != NULL; one = strtok(NULL, " ")) {
        char *value = strchr(one, '=');
        must(value != NULL);
        *value++ = '\0';
        at += snprintf(command + at, sizeof command - (size_t)at,
                       "-e '0,/^ *%s = [^;]*;/s//%s = %s;/' ", one, one, value);
    }
    snprintf(command + at, sizeof command - (size_t)at, "%s/config/policy.conf > %s/%s.conf",
             SOURCE_DIR, workplace, name);
    must(system(command) == 0);
}

static void read_policy(const char *name, struct policy *out)
{
    char path[128];
    char why[CONF_WHY_BYTES] = "";
    snprintf(path, sizeof path, "%s/%s.conf", workplace, name);
    must(!err_is(policy_file_read(path, out, why)));
}

static bool found_by_number(unsigned number)
{
    return (number / 100 + number) % 6 == 0;
}

/* One drawn item of the band that lower cut-offs take is waived. */
static bool examined_by_number(unsigned number)
{
    return number != 233;
}

/* Two that were let go and then referred by hand: one of them a lower cut-off takes. */
static bool by_hand(unsigned number)
{
    return number == 110 || number == 145;
}

static double probability_of(unsigned number)
{
    return ((double)(number % 100) + 0.5) / 100;
}

static bool drawn_by_number(unsigned number)
{
    return number % 10 == 3;
}

struct one {
    unsigned number;
    const char *site;
    double probability;
    double cutoff;
    double random_rate;
    const char *arm;
    int64_t t_ns;
    const uint8_t *policy;
};

static void put_decision(struct log_maker *log, const struct one *one)
{
    char key[32];
    snprintf(key, sizeof key, "K%u", one->number);
    uint64_t record = log_received(
        log, &(struct log_record){RECORD_DECLARATION, MODE_TRUCK, one->site, key, key, 1});
    log_score(log, one->number, &record, 1, one->probability);
    struct entry entry = log_entry(log, ENTRY_REFERRAL_DECISION);
    entry.has_item = true;
    entry.t_ns = one->t_ns;
    log_item(one->number, entry.item);
    bool refer = strcmp(one->arm, "none") != 0;
    bool certain = strcmp(one->arm, "target") == 0 || strcmp(one->arm, "both") == 0;
    struct entry_decision *decision = &entry.body.decision;
    *decision = (struct entry_decision){.decision = refer ? "refer" : "release",
                                        .arm = one->arm,
                                        .propensity = certain ? 1 : one->random_rate,
                                        .random_rate = one->random_rate,
                                        .probability = one->probability,
                                        .cutoff = one->cutoff,
                                        .mode = MODE_TRUCK,
                                        .site = one->site,
                                        .lane = "lane1"};
    memcpy(decision->policy_sha256, one->policy, HASH_BYTES);
    log_apply(log, &entry, NULL);
}

static void put_outcome(struct log_maker *log, unsigned number, bool found, int64_t t_ns)
{
    struct entry entry = log_entry(log, ENTRY_OUTCOME);
    entry.has_item = true;
    entry.t_ns = t_ns;
    log_item(number, entry.item);
    entry.body.outcome = (struct entry_outcome){
        .exam_level = "full", .result = found ? "found" : "nothing_found", .version = 2};
    log_apply(log, &entry, NULL);
}

static void put_by_hand(struct log_maker *log, unsigned number, int64_t t_ns)
{
    struct entry entry = log_entry(log, ENTRY_OFFICER_ACTION);
    entry.has_item = true;
    entry.t_ns = t_ns;
    log_item(number, entry.item);
    entry.body.officer_action =
        (struct entry_officer_action){"refer", "", "", 1, "queued", "smell of paint"};
    log_apply(log, &entry, NULL);
    put_outcome(log, number, true, t_ns + MINUTE_NS);
}

static void put_days_1_and_2(struct log_maker *log, const uint8_t *policy)
{
    static const char *const arms[] = {"none", "random", "target", "both"};
    for (unsigned i = 0; i < DAY_1_ITEMS + DAY_2_ITEMS; i++) {
        bool first_day = i < DAY_1_ITEMS;
        double probability = first_day ? probability_of(i) : 0.905;
        unsigned arm = first_day && drawn_by_number(i);
        arm += probability >= 0.5 ? 2 : 0;
        int64_t t_ns = first_day ? DAY_1_NS + (int64_t)i * 10 * NS_PER_S
                                 : DAY_1_NS + DAY_NS + (int64_t)(i - DAY_1_ITEMS) * MINUTE_NS;
        put_decision(log,
                     &(struct one){i, "north", probability, 0.5, 0.1, arms[arm], t_ns, policy});
        if (arm != 0 && examined_by_number(i)) {
            put_outcome(log, i, found_by_number(i), t_ns + NS_PER_S);
        }
        if (by_hand(i)) {
            put_by_hand(log, i, t_ns + NS_PER_S);
        }
    }
}

static void put_day_3(struct log_maker *log, const struct policy *policy)
{
    static const uint8_t key[HASH_BYTES] = {42};
    static int64_t ends_ns[DAY_3_ITEMS];
    static unsigned ends[DAY_3_ITEMS];
    uint32_t ends_count = 0;
    uint32_t ended = 0;
    struct decide *decide = NULL;
    must(!err_is(decide_open(policy, 4, &decide)));
    for (unsigned i = 0; i < DAY_3_ITEMS; i++) {
        unsigned number = 100000 + i;
        int64_t t_ns = DAY_1_NS + 2 * DAY_NS + (19 * 60 + (int64_t)i) * MINUTE_NS;
        while (ended < ends_count && ends_ns[ended] <= t_ns) {
            put_outcome(log, ends[ended], false, ends_ns[ended]);
            decide_ended(decide, MODE_TRUCK, "south");
            ended++;
        }
        struct decide_input input = {.mode = MODE_TRUCK,
                                     .site = "south",
                                     .lane = "lane1",
                                     .scorable = true,
                                     .probability = (double)(number * 2654435761u % 1000) / 1000,
                                     .t_ns = t_ns,
                                     .draw_key = key};
        struct decide_verdict verdict;
        log_item(number, input.item);
        decide_item(decide, &input, &verdict);
        put_decision(log, &(struct one){number, "south", input.probability, verdict.cutoff,
                                        verdict.random_rate, arm_text(verdict.arm), t_ns,
                                        policy->sha256});
        if (verdict.refer) {
            ends[ends_count] = number;
            ends_ns[ends_count++] = t_ns + 50 * MINUTE_NS + NS_PER_S;
        }
    }
    decide_close(&decide);
}

static int set_up(void **unused)
{
    (void)unused;
    struct log_maker log = {0};
    struct policy base;
    struct policy tight;
    bool rebuilt;
    workplace_make();
    assert_int_equal(setenv("COLUMNS", "200", 1), 0);
#define PLAIN "window_count=4096 warmup_count=4096 random_rate=0.1 queue_max=0 "
    write_policy("base", PLAIN "capacity_per_hour=10000 initial_cutoff=0.5");
    write_policy("lower", PLAIN "capacity_per_hour=10000 initial_cutoff=0.3");
    write_policy("lowish", PLAIN "capacity_per_hour=10000 initial_cutoff=0.4");
    write_policy("little", PLAIN "capacity_per_hour=10000 initial_cutoff=0.48");
    write_policy("higher", PLAIN "capacity_per_hour=10000 initial_cutoff=0.7");
    write_policy("six", PLAIN "capacity_per_hour=6 horizon_h=1.0 initial_cutoff=0.5");
    write_policy("tight", "random_rate=0.05 capacity_per_hour=6 queue_max=8");
    write_policy("bad", "capacity_per_hour=-3");
    write_policy("wordy", "window_count=many");
    must(!err_is(state_open(path_of("state.db"), &log.state, &rebuilt)));
    must(!err_is(state_begin(log.state)));
    log_housekeeping(&log);
    read_policy("base", &base);
    read_policy("tight", &tight);
    put_days_1_and_2(&log, base.sha256);
    put_day_3(&log, &tight);
    must(!err_is(state_commit(log.state)));
    state_close(&log.state);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    workplace_remove();
    return 0;
}

/* ---- what must come out */

struct expected {
    long long added;
    long long dropped;
    long long dropped_found;
    long long kept;
    long long kept_exams;
    long long kept_found;
    long long drawn;
    long long drawn_exams;
    long long drawn_found;
    double model_won;
};

/* Day 1 by hand: cut-off 0.5 in the log, `cutoff` in the simulation. */
static struct expected count_by_hand(double cutoff)
{
    struct expected sums = {0};
    for (unsigned i = 0; i < DAY_1_ITEMS; i++) {
        double probability = probability_of(i);
        bool drawn = drawn_by_number(i);
        bool logged = probability >= 0.5 || drawn;
        bool simulated = probability >= cutoff || drawn;
        bool newly = probability >= cutoff && probability < 0.5;
        sums.added += newly && !drawn && !by_hand(i);
        sums.model_won += newly && !drawn && !by_hand(i) ? probability : 0;
        sums.drawn += newly && drawn;
        sums.drawn_exams += newly && drawn && examined_by_number(i);
        sums.drawn_found += newly && drawn && found_by_number(i);
        sums.dropped += logged && !simulated;
        sums.dropped_found += logged && !simulated && found_by_number(i);
        sums.kept += logged && simulated;
        sums.kept_exams += logged && simulated && examined_by_number(i);
        sums.kept_found += logged && simulated && found_by_number(i);
    }
    return sums;
}

static void assert_counts(const json_t *total, const struct expected *hand)
{
    assert_int_equal(count_of(total, "decided"), DAY_1_ITEMS);
    assert_int_equal(count_of(total, "by_hand"), 2);
    assert_int_equal(count_of(total, "added"), hand->added);
    assert_int_equal(count_of(total, "dropped"), hand->dropped);
    assert_int_equal(count_of(total, "kept"), hand->kept);
    assert_int_equal(count_of(total, "referred_logged"), hand->kept + hand->dropped);
    assert_int_equal(count_of(total, "referred_simulated"), hand->kept + hand->added);
    const json_t *exams = json_object_get(total, "kept_exams");
    assert_int_equal(count_of(exams, "examined"), hand->kept_exams);
    assert_int_equal(count_of(exams, "found"), hand->kept_found);
    exams = json_object_get(total, "dropped_exams");
    assert_int_equal(count_of(exams, "examined"), hand->dropped);
    assert_int_equal(count_of(exams, "found"), hand->dropped_found);
    exams = json_object_get(total, "random_exams");
    assert_int_equal(count_of(exams, "examined"), hand->drawn_exams);
    assert_int_equal(count_of(total, "random_drawn"), hand->drawn);
    assert_int_equal(count_of(exams, "found"), hand->drawn_found);
}

static void lower_cutoff_wins_what_the_random_arm_says(void **unused)
{
    (void)unused;
    json_t *json = run_days("lower", "2026-09-21", "2026-09-21");
    const json_t *total = json_object_get(json, "total");
    struct expected hand = count_by_hand(0.3);
    assert_counts(total, &hand);
    assert_int_equal(hand.added,
                     39 * 18 - 1); /* twenty of a hundred, two of them drawn; one by hand */
    assert_int_equal(hand.dropped, 0);
    assert_int_equal(hand.drawn, 78);
    assert_int_equal(hand.drawn_exams, 77);
    assert_int_equal(hand.drawn_found, 13);
    /* Each drawn find at 0.1 stands for ten, itself among them. */
    const json_t *design = json_object_get(total, "by_design");
    assert_string_equal(json_string_value(json_object_get(design, "method")), "Horvitz-Thompson");
    double won = 13 * (1 / 0.1 - 1);
    double half = 1.959963984540054 * sqrt(13 * 0.9 / 0.01);
    assert_near(json_real_value(json_object_get(design, "won")), won, 1e-9);
    assert_near(interval_of(design, "won_interval", 0), won - half, 1e-6);
    assert_near(interval_of(design, "won_interval", 1), won + half, 1e-6);
    assert_near(interval_of(design, "difference_interval", 1), won + half, 1e-6);
    /* What is true, which only this test knows, lies within. */
    double truth = 0;
    double variance = 0;
    for (unsigned i = 0; i < DAY_1_ITEMS; i++) {
        double probability = probability_of(i);
        bool added = probability >= 0.3 && probability < 0.5 && !drawn_by_number(i) && !by_hand(i);
        truth += added && found_by_number(i);
        variance += added ? probability * (1 - probability) : 0;
    }
    assert_true(truth > won - half && truth < won + half);
    const json_t *model = json_object_get(total, "by_model");
    half = 1.959963984540054 * sqrt(variance);
    assert_near(json_real_value(json_object_get(model, "won")), hand.model_won, 1e-6);
    assert_near(interval_of(model, "won_interval", 0), hand.model_won - half, 1e-6);
    json_decref(json);
}

/* P(X <= hits) of a binomial, term by term. */
static double binomial_up_to(unsigned hits, unsigned count, double rate)
{
    double sum = 0;
    for (unsigned k = 0; k <= hits; k++) {
        sum += exp(lgamma(count + 1.0) - lgamma(k + 1.0) - lgamma(count - k + 1.0) + k * log(rate) +
                   (count - k) * log1p(-rate));
    }
    return sum;
}

static void few_finds_get_the_exact_interval_and_none_no_number(void **unused)
{
    (void)unused;
    json_t *json = run_days("lowish", "2026-09-21", "2026-09-21");
    const json_t *total = json_object_get(json, "total");
    struct expected hand = count_by_hand(0.4);
    assert_counts(total, &hand);
    assert_int_equal(hand.drawn, 39);
    assert_int_equal(hand.drawn_found, 7);
    const json_t *design = json_object_get(total, "by_design");
    assert_string_equal(json_string_value(json_object_get(design, "method")), "Hajek, exact");
    assert_near(json_real_value(json_object_get(design, "won")), 350.0 * 7 / 39, 1e-9);
    double lower = interval_of(design, "won_interval", 0) / 350;
    double upper = interval_of(design, "won_interval", 1) / 350;
    assert_near(binomial_up_to(7, 39, upper), 0.025, 1e-9);
    assert_near(binomial_up_to(6, 39, lower), 0.975, 1e-9);
    json_decref(json);

    json = run_days("little", "2026-09-21", "2026-09-21");
    total = json_object_get(json, "total");
    hand = count_by_hand(0.48);
    assert_counts(total, &hand);
    design = json_object_get(total, "by_design");
    assert_true(json_is_false(json_object_get(design, "estimable")));
    assert_null(json_object_get(design, "won"));
    json_decref(json);
    assert_int_equal(simulate("little", "--from 2026-09-21 --to 2026-09-21"), 0);
    assert_says("not estimable: too few random exams");
}

static void higher_cutoff_loses_what_was_found(void **unused)
{
    (void)unused;
    json_t *json = run_days("higher", "2026-09-21", "2026-09-21");
    const json_t *total = json_object_get(json, "total");
    struct expected hand = count_by_hand(0.7);
    assert_counts(total, &hand);
    assert_int_equal(hand.dropped, 39 * 18); /* what the coin drew stays */
    assert_int_equal(hand.added, 0);
    assert_true(hand.dropped_found > 0);
    const json_t *design = json_object_get(total, "by_design");
    for (size_t side = 0; side < 2; side++) {
        assert_near(interval_of(design, "difference_interval", side), -(double)hand.dropped_found,
                    1e-9);
    }
    assert_int_equal(count_of(total, "agree"), DAY_1_ITEMS - 39 * 20);
    json_decref(json);
}

/* Six an hour with an hour of room: six at once, then one whenever ten minutes have gone by; the
 * sixth is of minute 5, with half of a place worked off, so minutes 10, 20 ... 90 follow. Day 1
 * has filled the place and the night has emptied it. */
static void lower_capacity_refers_what_bays_work_off(void **unused)
{
    (void)unused;
    json_t *json = run_days("six", "2026-09-22", "2026-09-22");
    const json_t *total = json_object_get(json, "total");
    assert_int_equal(count_of(json, "warmed_by"), DAY_1_ITEMS);
    assert_int_equal(count_of(total, "referred_logged"), 100);
    assert_int_equal(count_of(total, "referred_simulated"), 15);
    assert_int_equal(count_of(total, "kept"), 15);
    assert_int_equal(count_of(total, "dropped"), 85);
    assert_int_equal(count_of(json_object_get(total, "cutoff_simulated"), "full"), 85);
    static const unsigned kept[] = {0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90};
    long long found = 0;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        found += found_by_number(DAY_1_ITEMS + kept[i]);
    }
    assert_int_equal(count_of(json_object_get(total, "kept_exams"), "found"), found);
    json_decref(json);
}

static void the_policy_in_force_reproduces_the_log(void **unused)
{
    (void)unused;
    json_t *json = run_days("base", "2026-09-21", "2026-09-22");
    const json_t *total = json_object_get(json, "total");
    assert_int_equal(count_of(total, "same_policy"), DAY_1_ITEMS + DAY_2_ITEMS);
    assert_int_equal(count_of(total, "agree"), DAY_1_ITEMS + DAY_2_ITEMS);
    json_decref(json);
    /* Always full, by tokens and by open referrals: windows, queue and hysteresis must be as they
     * were. */
    json = run_days("tight", "2026-09-23", "2026-09-24");
    total = json_object_get(json, "total");
    const json_t *place = json_array_get(json_object_get(json, "places"), 0);
    assert_int_equal(count_of(total, "decided"), DAY_3_ITEMS);
    assert_int_equal(count_of(total, "same_policy"), DAY_3_ITEMS);
    assert_int_equal(count_of(total, "agree"), DAY_3_ITEMS);
    assert_true(count_of(json_object_get(total, "cutoff_logged"), "full") > 50);
    assert_true(count_of(total, "kept") > 40);
    assert_int_equal(count_of(place, "queue_most_logged"), count_of(place, "queue_most_simulated"));
    assert_true(count_of(place, "queue_most_logged") >= 6);
    json_decref(json);
    /* From the middle on: what came before has to warm it. */
    json = run_days("tight", "2026-09-24", "2026-09-24");
    assert_int_equal(count_of(json, "decisions"), DAY_3_ITEMS / 2);
    assert_int_equal(count_of(json_object_get(json, "total"), "agree"), DAY_3_ITEMS / 2);
    json_decref(json);
    assert_int_equal(simulate("tight", "--from 2026-09-23 --to 2026-09-24"), 0);
    assert_says("The same arm as logged: 100.0% (600 of 600)");
    assert_says("officers do what they did");
}

static void no_decision_no_number(void **unused)
{
    (void)unused;
    assert_int_equal(simulate("base", "--from 2026-10-01 --to 2026-10-02"), 0);
    assert_says("0 decisions read");
    assert_says("nothing to simulate");
    json_t *json = run_days("base", "2026-10-01", "2026-10-02");
    assert_int_equal(count_of(json, "decisions"), 0);
    assert_int_equal(json_array_size(json_object_get(json, "places")), 0);
    json_decref(json);
}

static void what_cannot_be_meant_is_refused(void **unused)
{
    (void)unused;
    assert_int_equal(simulate("bad", "--from 2026-09-21 --to 2026-09-21"), 1);
    assert_says("bad.conf:");
    assert_says("capacity_per_hour");
    assert_int_equal(simulate("wordy", "--from 2026-09-21 --to 2026-09-21"), 1);
    assert_says("wordy.conf:7: ");
    assert_int_equal(simulate("missing", "--from 2026-09-21 --to 2026-09-21"), 1);
    assert_says("missing.conf");
    assert_int_equal(simulate("base", "--from 2026-09-22 --to 2026-09-21"), 2);
    assert_int_equal(simulate("base", "--from 2026-09-21"), 2);
    assert_int_equal(simulate("base", "--from 2026-09-21T11:00:00Z --to 2026-09-22"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_cutoff_wins_what_the_random_arm_says),
        cmocka_unit_test(few_finds_get_the_exact_interval_and_none_no_number),
        cmocka_unit_test(higher_cutoff_loses_what_was_found),
        cmocka_unit_test(lower_capacity_refers_what_bays_work_off),
        cmocka_unit_test(the_policy_in_force_reproduces_the_log),
        cmocka_unit_test(no_decision_no_number),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
