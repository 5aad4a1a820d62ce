/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/capacity.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "decide/decide.h"
#include "decide/opening.h"
#include "decide/queue_order.h"

/* A simulated day at one bay area: quiet hours and bursts, a lane that is out and then brings
 * everything at once, bays that stand still although they should be open, and the night. Decided by
 * the daemon's own decide_item; examined by simulated officers who take who is next. What must hold
 * is asserted at every event, and shown not to hold when the rule behind it is taken away. */

#define HOUR_NS (INT64_C(3600) * NS_PER_S)
#define MINUTE_NS (INT64_C(60) * NS_PER_S)
#define DAY_NS INT64_C(1789948800000000000)
#define QUEUE_MAX 24u
#define ITEMS_MAX 20000u
#define SITE "north"

struct referral {
    struct queue_place place;
    int64_t opened_ns;
    bool ended;
};

struct day {
    struct policy policy;
    uint64_t seed;
    bool closures;      /* bays stand still 9:00-10:30 and 17:00-18:00 */
    bool burst_of_high; /* all day long high scores press in */
    /* results */
    struct referral referrals[ITEMS_MAX];
    uint32_t referrals_count;
    uint32_t queue;
    uint32_t queue_highest;
    uint32_t minutes;
    uint32_t moves; /* of the cut-off */
    double cutoff_quiet;
    double cutoff_burst;
    double wait_longest_h;
    double idle_bay_h; /* open, and nothing in the queue */
    uint64_t items;
    uint64_t below;
    double finds_lost;
    struct capacity_minute logged; /* sum of all minutes */
    double last_cutoff;
};

static double next_uniform(uint64_t *seed)
{
    *seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *seed;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static void make_policy(struct policy *policy)
{
    *policy = (struct policy){.window_count = 256,
                              .warmup_count = 32,
                              .hysteresis = 0.15,
                              .ageing_per_hour = 0.25,
                              .exams_count = 2};
    strcpy(policy->version, "test");
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        policy->modes[mode] = (struct mode_policy){.expects_scan = true,
                                                   .random_rate = 0.01,
                                                   .capacity_per_hour = 5,
                                                   .horizon_h = 2,
                                                   .initial_cutoff = 0.4,
                                                   .minimum_probability = 0.02,
                                                   .severity = 1,
                                                   .perishable_weight = 0.02,
                                                   .queue_max = QUEUE_MAX};
    }
    policy->exams[0] = (struct exam_policy){SITE, MODE_TRUCK, "nii", 8, 6 * 60, 22 * 60};
    policy->exams[1] = (struct exam_policy){SITE, MODE_TRUCK, "full", 2, 8 * 60, 17 * 60};
    assert_null(policy_check(policy));
}

/* Trucks an hour at this minute of the day. */
static double traffic(uint32_t minute)
{
    if (minute / 60 < 5) {
        return 15;
    }
    if (minute >= 13 * 60 && minute < 13 * 60 + 40) {
        return 0; /* the lane is out */
    }
    bool rush = (minute >= 7 * 60 && minute < 8 * 60) || (minute >= 15 * 60 && minute < 16 * 60) ||
                (minute >= 13 * 60 + 40 && minute < 14 * 60);
    return rush ? 400 : 60;
}

static bool bay_stands_still(const struct day *day, uint32_t minute)
{
    return day->closures &&
           ((minute >= 9 * 60 && minute < 10 * 60 + 30) || (minute >= 17 * 60 && minute < 18 * 60));
}

static void arrive(struct day *day, struct decide *decide, int64_t t_ns)
{
    static const uint8_t key[HASH_BYTES] = {3};
    double u = next_uniform(&day->seed);
    struct decide_input input = {.mode = MODE_TRUCK,
                                 .site = SITE,
                                 .scorable = day->items % 50 != 7,
                                 .probability = day->burst_of_high ? 0.5 + 0.5 * u : u * u * u * u,
                                 .t_ns = t_ns,
                                 .draw_key = key};
    memcpy(input.item, &day->items, sizeof day->items);
    struct decide_verdict verdict;
    uint32_t queue_before = day->queue;
    decide_item(decide, &input, &verdict);
    day->items++;
    if (verdict.arm == ARM_TARGET || verdict.arm == ARM_BOTH) {
        assert_true(input.scorable && input.probability >= 0.02); /* no fill-up */
        assert_true(input.probability >= verdict.cutoff);
        assert_true(day->policy.modes[MODE_TRUCK].queue_max <= 0 || queue_before < QUEUE_MAX);
    }
    if (input.scorable && verdict.cutoff < 1) {
        day->moves += day->last_cutoff > verdict.cutoff || day->last_cutoff < verdict.cutoff;
        day->last_cutoff = verdict.cutoff;
    }
    if (!verdict.refer && input.scorable && input.probability >= 0.02) {
        day->below++;
        day->finds_lost += input.probability;
    }
    if (verdict.refer) {
        assert_true(day->referrals_count < ITEMS_MAX);
        day->referrals[day->referrals_count++] = (struct referral){
            {verdict.priority, verdict.ageing_per_hour, verdict.perishable_per_hour}, t_ns, false};
        day->queue++;
    }
    day->queue_highest = day->queue > day->queue_highest ? day->queue : day->queue_highest;
}

/* The officer takes who is next. */
static void examine(struct day *day, struct decide *decide, int64_t t_ns)
{
    struct referral *best = NULL;
    double highest = -1;
    for (uint32_t i = 0; i < day->referrals_count; i++) {
        struct referral *one = &day->referrals[i];
        double waited_h = (double)(t_ns - one->opened_ns) / (double)HOUR_NS;
        double priority = one->ended ? -1 : queue_priority(&one->place, waited_h);
        if (priority > highest) {
            highest = priority;
            best = one;
        }
    }
    if (best == NULL) {
        return;
    }
    double waited_h = (double)(t_ns - best->opened_ns) / (double)HOUR_NS;
    best->ended = true;
    day->wait_longest_h = fmax(day->wait_longest_h, waited_h);
    day->queue--;
    decide_ended(decide, MODE_TRUCK, SITE);
}

static void keep_minute(struct day *day, struct decide *decide, uint32_t minute, int64_t t_ns)
{
    struct decide_minute told[4];
    uint32_t count = decide_take_minutes(decide, t_ns, told, 4);
    day->minutes += count;
    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(told[i].site, SITE);
        assert_int_equal(told[i].queue, day->queue);
        assert_true(told[i].cutoff >= 0.02 && told[i].cutoff <= 1);
        day->logged.items += told[i].since.items;
        day->logged.below += told[i].since.below;
        day->logged.target += told[i].since.target;
        day->logged.random += told[i].since.random;
        day->logged.finds_lost += told[i].since.finds_lost;
        assert_true(told[i].since.just_below <= told[i].since.below);
        if (minute == 6 * 60 + 50) {
            day->cutoff_quiet = told[i].cutoff;
        }
        if (minute == 7 * 60 + 30) {
            day->cutoff_burst = told[i].cutoff;
        }
    }
}

/* Steps of six seconds. */
static void run_day(struct day *day)
{
    struct decide *decide = NULL;
    double exams = 0; /* that could be done and were not yet */
    double arrivals = 0;
    assert_int_equal(decide_open(&day->policy, 4, &decide).code, ERR_NONE);
    for (uint32_t step = 0; step < 24 * 600; step++) {
        uint32_t minute = step / 10;
        int64_t t_ns = DAY_NS + step * INT64_C(6) * NS_PER_S;
        double wanted = day->burst_of_high ? 120 : traffic(minute);
        arrivals += wanted / 600 * 2 * next_uniform(&day->seed);
        while (arrivals >= 1) {
            arrive(day, decide, t_ns);
            arrivals--;
        }
        double rate = opening_per_hour(&day->policy, MODE_TRUCK, SITE, t_ns);
        exams += bay_stands_still(day, minute) ? 0 : rate / 600;
        while (exams >= 1 && day->queue > 0) {
            examine(day, decide, t_ns);
            exams--;
        }
        exams = fmin(exams, 1); /* an empty bay saves nothing up */
        if (step % 10 == 9) {
            keep_minute(day, decide, minute, t_ns);
        }
    }
    for (uint32_t i = 0; i < day->referrals_count; i++) {
        const struct referral *one = &day->referrals[i];
        if (!one->ended) {
            double waited_h = (double)(DAY_NS + 24 * HOUR_NS - one->opened_ns) / (double)HOUR_NS;
            day->wait_longest_h = fmax(day->wait_longest_h, waited_h);
        }
    }
    decide_close(&decide);
}

static struct day *new_day(uint64_t seed)
{
    struct day *day = calloc(1, sizeof *day);
    assert_non_null(day);
    make_policy(&day->policy);
    day->seed = seed;
    day->closures = true;
    return day;
}

static void queue_stays_within_its_bound(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct day *day = new_day(seed);
        run_day(day);
        assert_true(day->items > 1000 && day->referrals_count > 60);
        assert_in_range(day->queue_highest, QUEUE_MAX / 4, QUEUE_MAX);
        free(day);
    }
}

/* Without the count of what is open in fact, standing bays are not noticed. */
static void queue_without_the_count_overflows(void **state)
{
    (void)state;
    struct day *day = new_day(1);
    day->policy.modes[MODE_TRUCK].queue_max = 0;
    run_day(day);
    assert_true(day->queue_highest > QUEUE_MAX);
    free(day);
}

/* Who has waited for queue_overtake_hours is overtaken by nobody; before it are then at most the
 * others of the queue, and bays work these off. Night and standing bays are added: 8 h and 2.5 h.
 */
static double wait_bound_h(const struct day *day, double per_hour)
{
    const struct mode_policy *mode = &day->policy.modes[MODE_TRUCK];
    const struct queue_place least = {mode->minimum_probability * mode->severity,
                                      day->policy.ageing_per_hour, 0};
    return queue_overtake_hours(&least, mode->severity, mode->perishable_weight) +
           QUEUE_MAX / per_hour + 8 + 2.5;
}

static void nothing_starves(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct day *day = new_day(seed);
        run_day(day);
        assert_true(day->wait_longest_h < wait_bound_h(day, 8));
        free(day);
    }
}

/* The queue alone: one weak referral, and a strong one for every exam that is done. With ageing it
 * is examined within its bound; without, never. */
static double weak_waits_h(double ageing, double perishable_of_others)
{
    struct queue_place weak = {0.02, ageing, 0};
    struct queue_place strong[QUEUE_MAX];
    double since_h[QUEUE_MAX];
    for (uint32_t i = 0; i < QUEUE_MAX; i++) {
        strong[i] = (struct queue_place){1, ageing, perishable_of_others};
        since_h[i] = 0;
    }
    for (int eighths = 0; eighths < 1600; eighths++) {
        double now_h = eighths / 8.0;
        uint32_t best = 0;
        for (uint32_t i = 1; i < QUEUE_MAX; i++) {
            bool more = queue_priority(&strong[i], now_h - since_h[i]) >
                        queue_priority(&strong[best], now_h - since_h[best]);
            best = more ? i : best;
        }
        if (queue_priority(&weak, now_h) >= queue_priority(&strong[best], now_h - since_h[best])) {
            return now_h;
        }
        since_h[best] = now_h; /* examined; the next strong one takes its place at once */
    }
    return INFINITY;
}

static void weak_referral_is_examined_within_its_bound(void **state)
{
    (void)state;
    const struct queue_place weak = {0.02, 0.25, 0};
    double bound_h = queue_overtake_hours(&weak, 1, 0) + QUEUE_MAX / 8.0;
    assert_true(weak_waits_h(0.25, 0) <= bound_h + 0.125);
    double perishable_bound_h = queue_overtake_hours(&weak, 1, 0.5) + QUEUE_MAX / 8.0;
    assert_true(weak_waits_h(0.25, 0.5) <= perishable_bound_h + 0.125);
    assert_true(weak_waits_h(0.25, 0.5) > weak_waits_h(0.25, 0));
    assert_true(isinf(weak_waits_h(0, 0)));
    assert_true(isinf(queue_overtake_hours(&(struct queue_place){0.02, 0, 0}, 1, 0)));
    assert_true(queue_overtake_hours(&(struct queue_place){2, 0, 0}, 1, 0) <= 0);
}

/* From its overtake hours on a referral stands before everything that comes later, whatever that is
 * and however long both wait. */
static void nothing_later_overtakes_after_the_bound(void **state)
{
    (void)state;
    static const double weak_perishable[] = {0, 0.1, 0.5};
    for (int i = 0; i < 3; i++) {
        const struct queue_place weak = {0.02, 0.25, weak_perishable[i]};
        const struct queue_place late = {1, 0.25, 0.5};
        double bound_h = queue_overtake_hours(&weak, 1, 0.5);
        bool needed = false;
        for (int quarters = 0; quarters < 400; quarters++) {
            double waits_h = quarters / 4.0;
            assert_true(queue_priority(&weak, bound_h + waits_h) >=
                        queue_priority(&late, waits_h) - 1e-12);
            needed = needed ||
                     queue_priority(&weak, bound_h / 2 + waits_h) < queue_priority(&late, waits_h);
        }
        assert_true(needed || i == 2); /* half of it would not do */
    }
}

/* Each minute tells the cut-off and its cost, and together they are the cost of the day. */
static void every_minute_tells_the_cutoff_and_its_cost(void **state)
{
    (void)state;
    struct day *day = new_day(3);
    run_day(day);
    assert_true(day->minutes > 1300); /* of 1440; an empty place at night has nothing to tell */
    assert_int_equal(day->logged.items, day->items);
    assert_int_equal(day->logged.below, day->below);
    assert_true(fabs(day->logged.finds_lost - day->finds_lost) < 1e-6);
    assert_true(day->logged.target > 0 && day->logged.random > 0 && day->below > 0);
    free(day);
}

static void cutoff_follows_load(void **state)
{
    (void)state;
    struct day *day = new_day(2);
    run_day(day);
    assert_true(day->cutoff_burst > day->cutoff_quiet);
    free(day);
}

static void hysteresis_keeps_the_cutoff_still(void **state)
{
    (void)state;
    struct day *still = new_day(2);
    struct day *restless = new_day(2);
    restless->policy.hysteresis = 0;
    run_day(still);
    run_day(restless);
    assert_true(still->moves * 3 < restless->moves);
    assert_true(still->queue_highest <= QUEUE_MAX);
    free(still);
    free(restless);
}

/* A site where everything looks bad still only refers what fits. */
static void all_high_scores_fill_no_more_than_the_bound(void **state)
{
    (void)state;
    struct day *day = new_day(5);
    day->burst_of_high = true;
    run_day(day);
    assert_in_range(day->queue_highest, QUEUE_MAX / 2, QUEUE_MAX);
    free(day);
}

static void shadow_and_kill_switch_leave_the_random_arm_alone(void **state)
{
    (void)state;
    uint64_t random[3];
    for (int target = TARGET_ON; target <= TARGET_OFF; target++) {
        struct day *day = new_day(4);
        day->policy.target = (enum target_policy)target;
        run_day(day);
        random[target] = day->logged.random;
        assert_true((day->logged.target > 0) == (target == TARGET_ON));
        free(day);
    }
    assert_true(random[0] > 0 && random[0] == random[1] && random[1] == random[2]);
    assert_string_equal(target_policy_text(TARGET_SHADOW), "shadow");
}

static void shadow_says_what_it_would_have_referred(void **state)
{
    (void)state;
    static const uint8_t key[HASH_BYTES] = {3};
    struct policy policy;
    struct decide *decide = NULL;
    struct decide_verdict verdict;
    make_policy(&policy);
    policy.modes[MODE_TRUCK].random_rate = 0;
    struct decide_input input = {.mode = MODE_TRUCK,
                                 .site = SITE,
                                 .scorable = true,
                                 .probability = 0.9,
                                 .t_ns = DAY_NS + 10 * HOUR_NS,
                                 .draw_key = key};
    for (int target = TARGET_ON; target <= TARGET_OFF; target++) {
        policy.target = (enum target_policy)target;
        assert_int_equal(decide_open(&policy, 4, &decide).code, ERR_NONE);
        decide_item(decide, &input, &verdict);
        assert_int_equal(verdict.refer, target == TARGET_ON);
        assert_int_equal(verdict.arm, target == TARGET_ON ? ARM_TARGET : ARM_NONE);
        assert_int_equal(verdict.would_refer, target == TARGET_SHADOW);
        decide_close(&decide);
    }
}

/* Strong items come all day, and bays work: what is marked fits as what is referred does. */
static uint32_t strong_items_taken(enum target_policy target)
{
    static const uint8_t key[HASH_BYTES] = {3};
    struct policy policy;
    struct decide *decide = NULL;
    uint32_t taken = 0;
    make_policy(&policy);
    policy.target = target;
    policy.modes[MODE_TRUCK].random_rate = 0;
    policy.modes[MODE_TRUCK].queue_max = 0;
    assert_int_equal(decide_open(&policy, 4, &decide).code, ERR_NONE);
    uint64_t seed = 9;
    for (uint64_t i = 0; i < 8 * 60; i++) { /* 8:00 to 16:00, one a minute, ten exams an hour */
        struct decide_input input = {.mode = MODE_TRUCK,
                                     .site = SITE,
                                     .scorable = true,
                                     .probability = 0.5 + 0.5 * next_uniform(&seed),
                                     .t_ns = DAY_NS + 8 * HOUR_NS + (int64_t)i * MINUTE_NS,
                                     .draw_key = key};
        struct decide_verdict verdict;
        memcpy(input.item, &i, sizeof i);
        decide_item(decide, &input, &verdict);
        taken += verdict.refer || verdict.would_refer;
    }
    if (target == TARGET_SHADOW) { /* nobody was sent to the bays: they are free at once */
        policy.target = TARGET_ON;
        decide_set_policy(decide, &policy);
        struct decide_verdict verdict;
        for (int i = 0; i < 10; i++) {
            struct decide_input input = {.mode = MODE_TRUCK,
                                         .site = SITE,
                                         .scorable = true,
                                         .probability = 1,
                                         .t_ns = DAY_NS + 16 * HOUR_NS,
                                         .draw_key = key};
            decide_item(decide, &input, &verdict);
            assert_true(verdict.refer);
        }
    }
    decide_close(&decide);
    return taken;
}

static void shadow_marks_as_many_as_on_refers(void **state)
{
    (void)state;
    uint32_t on = strong_items_taken(TARGET_ON);
    assert_in_range(on, 60, 100); /* 80 exams, and 20 that may wait */
    assert_int_equal(strong_items_taken(TARGET_SHADOW), on);
    assert_int_equal(strong_items_taken(TARGET_OFF), 0);
}

static void opening_hours_add_up(void **state)
{
    (void)state;
    struct policy policy;
    make_policy(&policy);
    const int64_t day = DAY_NS;
    assert_float_equal(opening_per_hour(&policy, MODE_TRUCK, SITE, day + 5 * HOUR_NS), 0, 0);
    assert_float_equal(opening_per_hour(&policy, MODE_TRUCK, SITE, day + 6 * HOUR_NS), 8, 0);
    assert_float_equal(opening_per_hour(&policy, MODE_TRUCK, SITE, day + 9 * HOUR_NS), 10, 0);
    assert_float_equal(opening_per_hour(&policy, MODE_TRUCK, SITE, day + 22 * HOUR_NS), 0, 0);
    assert_float_equal(opening_per_hour(&policy, MODE_TRUCK, "south", day), 5, 0);
    assert_float_equal(opening_per_hour(&policy, MODE_RAIL, SITE, day), 5, 0);
    double whole = opening_exams(&policy, MODE_TRUCK, SITE, day, day + 24 * HOUR_NS);
    assert_float_equal(whole, 16 * 8 + 9 * 2, 1e-6);
    double parts = 0;
    for (int64_t at = day; at < day + 24 * HOUR_NS; at += 7 * MINUTE_NS) {
        int64_t until = at + 7 * MINUTE_NS;
        until = until < day + 24 * HOUR_NS ? until : day + 24 * HOUR_NS;
        parts += opening_exams(&policy, MODE_TRUCK, SITE, at, until);
    }
    assert_float_equal(parts, whole, 1e-6);
    assert_float_equal(opening_exams(&policy, MODE_TRUCK, SITE, day + 21 * HOUR_NS + HOUR_NS / 2,
                                     day + 30 * HOUR_NS + HOUR_NS / 2),
                       0.5 * 8 + 0.5 * 8, 1e-6);
    assert_float_equal(opening_exams(&policy, MODE_TRUCK, SITE, day + 9, day + 9), 0, 0);
    /* Over midnight, and around the clock. */
    policy.exams[0].opens_min = 22 * 60;
    policy.exams[0].closes_min = 6 * 60;
    policy.exams_count = 1;
    assert_float_equal(opening_per_hour(&policy, MODE_TRUCK, SITE, day + 3 * HOUR_NS), 8, 0);
    assert_float_equal(opening_per_hour(&policy, MODE_TRUCK, SITE, day + 12 * HOUR_NS), 0, 0);
    assert_float_equal(
        opening_exams(&policy, MODE_TRUCK, SITE, day + 20 * HOUR_NS, day + 34 * HOUR_NS), 64, 1e-6);
    policy.exams[0].closes_min = policy.exams[0].opens_min;
    assert_float_equal(opening_exams(&policy, MODE_TRUCK, SITE, day, day + 24 * HOUR_NS), 192,
                       1e-6);
}

/* Nothing is referred that no open bay could take within the horizon. */
static void closing_bays_take_less(void **state)
{
    (void)state;
    static const uint8_t key[HASH_BYTES] = {3};
    struct policy policy;
    struct decide *decide = NULL;
    make_policy(&policy);
    policy.modes[MODE_TRUCK].random_rate = 0;
    assert_int_equal(decide_open(&policy, 4, &decide).code, ERR_NONE);
    uint32_t referred = 0;
    for (uint64_t i = 0; i < 400; i++) { /* the last half hour before 22:00: four exams are left */
        struct decide_input input = {.mode = MODE_TRUCK,
                                     .site = SITE,
                                     .scorable = true,
                                     .probability = 0.9,
                                     .t_ns = DAY_NS + 21 * HOUR_NS + HOUR_NS / 2 + (int64_t)i,
                                     .draw_key = key};
        struct decide_verdict verdict;
        memcpy(input.item, &i, sizeof i);
        decide_item(decide, &input, &verdict);
        referred += verdict.refer;
    }
    assert_in_range(referred, 3, 4);
    decide_close(&decide);
}

/* Rank, quantile and shares against a plain sort, at every step. */
static void window_is_a_sorted_ring(void **state)
{
    (void)state;
    struct window_seen ring[9];
    double sorted[9];
    double last[9];
    struct window window = {.ring = ring, .sorted = sorted, .capacity = 9};
    uint64_t seed = 1;
    for (uint32_t i = 0; i < 500; i++) {
        double value = floor(next_uniform(&seed) * 20) / 20; /* many are equal */
        window_add(&window, value, (int64_t)i * NS_PER_S + 1);
        last[i % 9] = value;
        uint32_t count = i < 9 ? i + 1 : 9;
        assert_int_equal(window.count, count);
        for (uint32_t k = 0; k < count; k++) {
            uint32_t above = 0;
            uint32_t from = 0;
            for (uint32_t j = 0; j < count; j++) {
                above += last[j] > last[k];
                from += last[j] >= last[k];
            }
            assert_int_equal(window_above(&window, last[k]), above);
            assert_int_equal(window_from(&window, last[k]), from);
            double nth = window_nth(&window, above + 1);
            assert_true(nth >= last[k] && nth <= last[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue_stays_within_its_bound),
        cmocka_unit_test(queue_without_the_count_overflows),
        cmocka_unit_test(nothing_starves),
        cmocka_unit_test(weak_referral_is_examined_within_its_bound),
        cmocka_unit_test(nothing_later_overtakes_after_the_bound),
        cmocka_unit_test(every_minute_tells_the_cutoff_and_its_cost),
        cmocka_unit_test(cutoff_follows_load),
        cmocka_unit_test(hysteresis_keeps_the_cutoff_still),
        cmocka_unit_test(all_high_scores_fill_no_more_than_the_bound),
        cmocka_unit_test(shadow_and_kill_switch_leave_the_random_arm_alone),
        cmocka_unit_test(shadow_says_what_it_would_have_referred),
        cmocka_unit_test(shadow_marks_as_many_as_on_refers),
        cmocka_unit_test(opening_hours_add_up),
        cmocka_unit_test(closing_bays_take_less),
        cmocka_unit_test(window_is_a_sorted_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
