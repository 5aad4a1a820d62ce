/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/decide.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static const uint8_t test_key[HASH_BYTES] = {7, 7, 7};

static struct policy test_policy(void)
{
    struct policy policy = {.window_count = 128, .warmup_count = 16};
    strcpy(policy.version, "test");
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        policy.modes[mode] = (struct mode_policy){.expects_scan = true,
                                                  .hold_s = 10,
                                                  .random_rate = 0.05,
                                                  .capacity_per_hour = 20,
                                                  .horizon_h = 2,
                                                  .initial_cutoff = 0.5,
                                                  .minimum_probability = 0.02,
                                                  .severity = 1};
    }
    return policy;
}

static struct decide_input test_input(uint32_t number, double probability, int64_t t_ns)
{
    struct decide_input input = {.mode = MODE_TRUCK,
                                 .site = "north",
                                 .scorable = true,
                                 .probability = probability,
                                 .t_ns = t_ns,
                                 .draw_key = test_key};
    memcpy(input.item, &number, sizeof number);
    return input;
}

static struct decide *open_decide(const struct policy *policy)
{
    struct decide *decide = NULL;
    assert_int_equal(decide_open(policy, 4, &decide).code, ERR_NONE);
    return decide;
}

/* The vector is made by Python's hmac module: hmac.new(bytes(32), bytes(range(16)), "sha256"). */
static void draw_known_key_gives_known_number(void **state)
{
    (void)state;
    uint8_t key[HASH_BYTES] = {0};
    uint8_t item[ITEM_ID_BYTES];
    uint8_t draw[HASH_BYTES];
    char hex[HASH_HEX_BYTES];
    for (uint8_t i = 0; i < ITEM_ID_BYTES; i++) {
        item[i] = i;
    }
    draw_prf(key, item, draw);
    hex_encode(draw, HASH_BYTES, hex);
    assert_string_equal(hex, "d926952ca8b7ec4a95941d1ada3a5203ceff8cceee34f574d23909eb314c40c0");
    assert_true(fabs(draw_uniform(draw) - 0.8482449754744433) < 1e-16);
}

static void draw_edges_stay_below_one(void **state)
{
    (void)state;
    uint8_t draw[HASH_BYTES];
    memset(draw, 0xff, sizeof draw);
    assert_true(draw_uniform(draw) < 1);
    memset(draw, 0, sizeof draw);
    assert_true(draw_uniform(draw) == 0);
}

/* The random arm must not know the score: the same items with other scores draw the same. */
static void random_arm_does_not_depend_on_score_or_order(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.modes[MODE_TRUCK].capacity_per_hour = 0;
    struct decide *up = open_decide(&policy);
    struct decide *down = open_decide(&policy);
    static bool drawn[4000];
    uint32_t count = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        struct decide_input input = test_input(i, 0.9, NS_PER_S * (i + 1));
        struct decide_verdict verdict;
        decide_item(up, &input, &verdict);
        drawn[i] = verdict.refer;
        count += verdict.refer;
        assert_int_equal(verdict.arm, verdict.refer ? ARM_RANDOM : ARM_NONE);
        assert_true(verdict.propensity == 0.05);
    }
    for (uint32_t i = 4000; i-- > 0;) {
        struct decide_input input = test_input(i, 0.01, NS_PER_S * 9000);
        struct decide_verdict verdict;
        decide_item(down, &input, &verdict);
        assert_int_equal(verdict.refer, drawn[i]);
    }
    /* 200 expected, standard deviation 13.8: four of them either side, at one fixed key */
    assert_in_range(count, 145, 255);
    decide_close(&up);
    decide_close(&down);
}

static void target_arm_takes_no_more_than_capacity_and_horizon(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.modes[MODE_TRUCK].random_rate = 0;
    struct decide *decide = open_decide(&policy);
    uint32_t referred = 0;
    /* 500 trucks an hour for two hours, all of them high scores: 20 an hour and the 40 the queue
     * may hold */
    for (uint32_t i = 0; i < 1000; i++) {
        struct decide_input input =
            test_input(i, 0.6 + 0.0003 * (i % 1000), NS_PER_S * (1 + (int64_t)i * 36 / 5));
        struct decide_verdict verdict;
        decide_item(decide, &input, &verdict);
        referred += verdict.refer;
        assert_true(verdict.cutoff >= 0.02 && verdict.cutoff <= 1);
    }
    assert_in_range(referred, 60, 81);
    decide_close(&decide);
}

static void target_arm_prefers_the_highest_scores(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.modes[MODE_TRUCK].random_rate = 0;
    struct decide *decide = open_decide(&policy);
    uint32_t high_referred = 0;
    uint32_t low_referred = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        bool high = i % 50 == 0; /* 2% of 500 an hour: 10 of the 20 exams */
        struct decide_input input = test_input(i, high ? 0.9 : 0.03 + 0.00001 * (i % 97),
                                               NS_PER_S * (1 + (int64_t)i * 36 / 5));
        struct decide_verdict verdict;
        decide_item(decide, &input, &verdict);
        high_referred += high && verdict.refer;
        low_referred += !high && verdict.refer;
    }
    assert_int_equal(high_referred, 40);
    assert_true(low_referred < 2000 / 20); /* and the low ones only where capacity is left */
    decide_close(&decide);
}

static void target_arm_never_refers_below_the_minimum(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.modes[MODE_TRUCK].random_rate = 0;
    policy.modes[MODE_TRUCK].capacity_per_hour = 1e6;
    struct decide *decide = open_decide(&policy);
    for (uint32_t i = 0; i < 500; i++) {
        struct decide_input input = test_input(i, 0.0199, NS_PER_S * (i + 1));
        struct decide_verdict verdict;
        decide_item(decide, &input, &verdict);
        assert_false(verdict.refer);
    }
    decide_close(&decide);
}

static void item_in_both_arms_is_marked_both(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.modes[MODE_TRUCK].random_rate = 1;
    struct decide *decide = open_decide(&policy);
    struct decide_input input = test_input(1, 0.9, NS_PER_S);
    struct decide_verdict verdict;
    decide_item(decide, &input, &verdict);
    assert_int_equal(verdict.arm, ARM_BOTH);
    assert_true(verdict.propensity == 1);
    decide_close(&decide);
}

/* When the bay is full the random arm goes on; its items stand at the target arm's edge, not before
 * everybody. */
static void random_item_of_a_full_bay_stands_at_the_edge(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.modes[MODE_TRUCK].random_rate = 1;
    struct decide *decide = open_decide(&policy);
    struct decide_verdict verdict;
    for (uint32_t i = 0; i < 200; i++) {
        struct decide_input input = test_input(i, 0.001 * i, NS_PER_S * (i + 1));
        decide_item(decide, &input, &verdict);
    }
    struct decide_input low = test_input(999, 0.03, NS_PER_S * 201);
    decide_item(decide, &low, &verdict);
    assert_int_equal(verdict.arm, ARM_RANDOM);
    assert_true(verdict.cutoff == 1);
    assert_true(verdict.priority > 0.03 && verdict.priority < 0.2);
    decide_close(&decide);
}

static void unscorable_item_follows_its_policy(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.modes[MODE_TRUCK].random_rate = 0;
    struct decide *decide = open_decide(&policy);
    struct decide_input input = test_input(1, 0, NS_PER_S);
    input.scorable = false;
    struct decide_verdict verdict;
    decide_item(decide, &input, &verdict);
    assert_int_equal(verdict.arm, ARM_CAUTIOUS);
    assert_true(verdict.refer);
    policy.modes[MODE_TRUCK].unscorable = UNSCORABLE_RELEASE;
    decide_set_policy(decide, &policy);
    decide_item(decide, &input, &verdict);
    assert_false(verdict.refer);
    decide_close(&decide);
}

/* After a restart the window and the bay must be as they were: the next verdict is the same. */
static void replay_brings_the_same_next_verdict(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.hysteresis = 0.2;
    policy.modes[MODE_TRUCK].queue_max = 30;
    struct decide *lived = open_decide(&policy);
    struct decide *replayed = open_decide(&policy);
    uint32_t open_count = 0;
    struct decide_verdict verdict;
    for (uint32_t i = 0; i < 300; i++) {
        struct decide_input input =
            test_input(i, (double)(i * 37 % 101) / 101, NS_PER_S * 7 * (i + 1));
        input.scorable = i % 10 != 0;
        decide_item(lived, &input, &verdict);
        const struct decide_past past = {.mode = input.mode,
                                         .site = input.site,
                                         .probability = input.scorable ? input.probability : -1,
                                         .cutoff = verdict.cutoff,
                                         .referred = verdict.refer,
                                         .t_ns = input.t_ns};
        decide_replay(replayed, &past);
        open_count += verdict.refer;
    }
    decide_set_queue(replayed, MODE_TRUCK, "north", open_count);
    struct decide_input next = test_input(999, 0.7, NS_PER_S * 7 * 302);
    struct decide_verdict other;
    decide_item(lived, &next, &verdict);
    decide_item(replayed, &next, &other);
    assert_memory_equal(&verdict, &other, sizeof verdict);
    decide_close(&lived);
    decide_close(&replayed);
}

static void sites_beyond_the_bound_share_a_stratum(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    struct decide *decide = open_decide(&policy);
    char site[16];
    struct decide_verdict verdict;
    for (uint32_t i = 0; i < 200; i++) {
        (void)snprintf(site, sizeof site, "site-%u", i);
        struct decide_input input = test_input(i, 0.1, NS_PER_S * (i + 1));
        input.site = site;
        decide_item(decide, &input, &verdict);
    }
    assert_int_equal(verdict.window_count, 128); /* the shared window is full */
    decide_close(&decide);
}

static void policy_out_of_range_is_named(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    assert_null(policy_check(&policy));
    policy.modes[MODE_RAIL].random_rate = NAN;
    assert_string_equal(policy_check(&policy), "random_rate is out of range");
    policy.modes[MODE_RAIL].random_rate = 1.0001;
    assert_non_null(policy_check(&policy));
    policy.modes[MODE_RAIL].random_rate = 1;
    assert_null(policy_check(&policy));
    policy.modes[MODE_SEA].expects_scan = false;
    assert_non_null(policy_check(&policy));
}

/* 400 scored items, one a second, and what the place tells of them. */
static struct capacity_minute minute_of_target(enum target_policy target, uint32_t *would)
{
    struct policy policy = test_policy();
    policy.target = target;
    policy.modes[MODE_TRUCK].random_rate = 0;
    struct decide *decide = open_decide(&policy);
    struct decide_minute told;
    *would = 0;
    for (uint32_t i = 0; i < 400; i++) {
        struct decide_input input = test_input(i, 0.5, (int64_t)(i + 1) * NS_PER_S);
        struct decide_verdict verdict;
        decide_item(decide, &input, &verdict);
        *would += verdict.refer || verdict.would_refer;
    }
    assert_int_equal(decide_take_minutes(decide, 401 * NS_PER_S, &told, 1), 1);
    decide_close(&decide);
    assert_int_equal(told.since.items, 400);
    return told.since;
}

/* Only what bays could not take was lost to them; what the switch let go was not. */
static void minute_tells_what_capacity_cost_and_no_more(void **state)
{
    (void)state;
    uint32_t would;
    struct capacity_minute on = minute_of_target(TARGET_ON, &would);
    assert_true(would > 0 && on.below > 0);
    assert_int_equal(on.below, 400 - would);
    struct capacity_minute shadow = minute_of_target(TARGET_SHADOW, &would);
    assert_true(would > 0);
    assert_int_equal(shadow.target, 0);
    assert_int_equal(shadow.below, 400 - would);
    assert_true(fabs(shadow.finds_lost - 0.5 * (400 - would)) < 1e-9);
    struct capacity_minute off = minute_of_target(TARGET_OFF, &would);
    assert_int_equal(would, 0);
    assert_int_equal(off.below, 0);
    assert_int_equal(off.just_below, 0);
    assert_true(off.finds_lost <= 0);
}

/* What has no score is held against no cut-off: the extremes are those of the others. */
static void minute_extremes_are_of_scored_items(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    struct decide *decide = open_decide(&policy);
    struct decide_minute told;
    double lowest = 2;
    double highest = -1;
    for (uint32_t i = 0; i < 200; i++) {
        int64_t t_ns = (int64_t)(i + 1) * 60 * NS_PER_S;
        struct decide_input input = test_input(i, 0.9 + i % 10 / 100.0, t_ns);
        struct decide_verdict verdict;
        input.scorable = i < 100 || i % 2 == 0;
        if (i == 100) { /* from here on: a cut-off of the window, not the initial 0.5 */
            assert_int_equal(decide_take_minutes(decide, t_ns, &told, 1), 1);
            assert_int_equal(told.since.scored, 100);
        }
        decide_item(decide, &input, &verdict);
        if (i >= 100 && input.scorable) {
            lowest = fmin(lowest, verdict.cutoff);
            highest = fmax(highest, verdict.cutoff);
        }
    }
    assert_int_equal(decide_take_minutes(decide, 201 * 60 * NS_PER_S, &told, 1), 1);
    assert_int_equal(told.since.items, 100);
    assert_int_equal(told.since.scored, 50);
    assert_true(lowest > 0.5);
    assert_true(fabs(told.since.cutoff_lowest - lowest) < 1e-12);
    assert_true(fabs(told.since.cutoff_highest - highest) < 1e-12);
    decide_close(&decide);
}

/* Windows stay as long as they were: a policy that wants more before it is warm gets what there is.
 */
static void loaded_policy_ends_its_warmup_with_the_window(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.window_count = 16;
    policy.warmup_count = 16;
    struct decide *decide = open_decide(&policy);
    policy.window_count = 128;
    policy.warmup_count = 128;
    decide_set_policy(decide, &policy);
    for (uint32_t i = 0; i < 17; i++) {
        struct decide_verdict verdict;
        struct decide_input input = test_input(i, 0.9, (int64_t)(i + 1) * 60 * NS_PER_S);
        decide_item(decide, &input, &verdict);
        assert_int_equal(verdict.window_count, i < 16 ? i + 1 : 16);
        assert_true(fabs(verdict.cutoff - (i < 15 ? 0.5 : 0.9)) < 1e-12);
    }
    decide_close(&decide);
}

/* Of two items as likely to have something, the one that may have something grave is opened first;
 * whom the arms refer is not touched. */
static void grave_finds_weigh_in_the_order_of_the_queue(void **state)
{
    (void)state;
    struct policy policy = test_policy();
    policy.modes[MODE_TRUCK].severity = 0.5;
    policy.modes[MODE_TRUCK].random_rate = 0;
    for (int weighs = 0; weighs < 2; weighs++) {
        policy.modes[MODE_TRUCK].grave_weight = weighs * 3.0;
        struct decide *decide = open_decide(&policy);
        struct decide_verdict plain;
        struct decide_verdict grave;
        struct decide_input input = test_input(1, 0.75, NS_PER_S);
        decide_item(decide, &input, &plain);
        input = test_input(2, 0.75, NS_PER_S);
        input.grave = 0.25;
        decide_item(decide, &input, &grave);
        assert_true(plain.refer && grave.refer);
        assert_true(plain.priority == 0.5 * 0.75);
        assert_true(grave.priority == 0.5 * (0.75 + weighs * 3.0 * 0.25));
        decide_close(&decide);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draw_known_key_gives_known_number),
        cmocka_unit_test(draw_edges_stay_below_one),
        cmocka_unit_test(grave_finds_weigh_in_the_order_of_the_queue),
        cmocka_unit_test(random_arm_does_not_depend_on_score_or_order),
        cmocka_unit_test(target_arm_takes_no_more_than_capacity_and_horizon),
        cmocka_unit_test(target_arm_prefers_the_highest_scores),
        cmocka_unit_test(target_arm_never_refers_below_the_minimum),
        cmocka_unit_test(item_in_both_arms_is_marked_both),
        cmocka_unit_test(random_item_of_a_full_bay_stands_at_the_edge),
        cmocka_unit_test(unscorable_item_follows_its_policy),
        cmocka_unit_test(replay_brings_the_same_next_verdict),
        cmocka_unit_test(sites_beyond_the_bound_share_a_stratum),
        cmocka_unit_test(policy_out_of_range_is_named),
        cmocka_unit_test(minute_tells_what_capacity_cost_and_no_more),
        cmocka_unit_test(minute_extremes_are_of_scored_items),
        cmocka_unit_test(loaded_policy_ends_its_warmup_with_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
