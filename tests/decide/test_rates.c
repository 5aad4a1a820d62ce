/* SPDX-License-Identifier: Apache-2.0 */
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
#include "kernels/statistics.h"

/* What the random arm realises, at a fixed set of keys: rates are the nominal ones (exact
 * binomial), and who is drawn depends on nothing that is known of the item: not its score, its time
 * of the day, its scanner or lane, or its place in the order (chi-square over an odd number of
 * bins, so that the tail has a closed form; Kolmogorov-Smirnov for the score itself). Each test is
 * also shown coins that are biased on purpose, which it must refuse: a test that accepts those
 * would accept anything. TRIAGED_RATE_ITEMS makes the days longer. */

#define KEYS 12u
#define BIASED_KEYS 3u
#define SCORE_BINS 11u
#define TIME_BINS 25u
#define SCANNERS 9u
#define BINS_MAX 32u
/* The smallest of the honest coin's 132 p is 0.0018, as is to be expected of so many; of a biased
 * coin it must be below this. Keys are fixed: nothing here fails by chance. */
#define ALPHA 1e-4

struct drawn_item {
    double score;
    uint32_t time_bin;
    uint32_t scanner;
    uint32_t stratum; /* index of `rates` */
    bool drawn;
};

static const double rates[3] = {0.002, 0.02, 0.25};

typedef bool (*coin)(const struct decide_verdict *verdict, const struct decide_input *input,
                     uint32_t scanner);

static bool coin_honest(const struct decide_verdict *verdict, const struct decide_input *input,
                        uint32_t scanner)
{
    (void)input;
    (void)scanner;
    return verdict->arm == ARM_RANDOM || verdict->arm == ARM_BOTH;
}

/* A tenth more at the top of the scores. */
static bool coin_by_score(const struct decide_verdict *verdict, const struct decide_input *input,
                          uint32_t scanner)
{
    (void)scanner;
    double rate = verdict->random_rate * (input->probability > 0.5 ? 1.15 : 0.85);
    return draw_uniform(verdict->draw) < rate;
}

/* The night shift lets some go. */
static bool coin_by_time(const struct decide_verdict *verdict, const struct decide_input *input,
                         uint32_t scanner)
{
    (void)scanner;
    int64_t hour = input->t_ns / (3600 * NS_PER_S) % 24;
    return draw_uniform(verdict->draw) < verdict->random_rate * (hour < 6 ? 0.6 : 1);
}

static bool coin_by_scanner(const struct decide_verdict *verdict, const struct decide_input *input,
                            uint32_t scanner)
{
    (void)input;
    return draw_uniform(verdict->draw) < verdict->random_rate * (scanner == 3 ? 0.5 : 1);
}

static bool coin_of_less(const struct decide_verdict *verdict, const struct decide_input *input,
                         uint32_t scanner)
{
    (void)input;
    (void)scanner;
    return draw_uniform(verdict->draw) < verdict->random_rate * 0.9;
}

static uint32_t items_count(void)
{
    const char *wanted = getenv("TRIAGED_RATE_ITEMS");
    return wanted == NULL ? 40000 : (uint32_t)strtoul(wanted, NULL, 10);
}

static struct policy make_policy(void)
{
    struct policy policy = {.window_count = 64, .warmup_count = 8, .rates_count = 2};
    strcpy(policy.version, "test");
    for (int mode = 1; mode < MODE_COUNT; mode++) {
        policy.modes[mode] = (struct mode_policy){.expects_scan = true,
                                                  .random_rate = rates[0],
                                                  .capacity_per_hour = 200,
                                                  .horizon_h = 1,
                                                  .initial_cutoff = 0.5,
                                                  .minimum_probability = 0.02,
                                                  .severity = 1};
    }
    strcpy(policy.rates[0].stratum, "truck/north");
    policy.rates[0].rate = rates[1];
    strcpy(policy.rates[1].stratum, "truck/north/lane-3");
    policy.rates[1].rate = rates[2];
    return policy;
}

static uint64_t mix(uint64_t *seed)
{
    *seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *seed;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A day of items: scores, scanners and places by a generator that knows nothing of the key. */
static void draw_a_day(uint8_t key_number, coin toss, struct drawn_item *out, uint32_t count)
{
    static const char *const lanes[3] = {"lane-1", "lane-2", "lane-3"};
    struct policy policy = make_policy();
    struct decide *decide = NULL;
    uint8_t key[HASH_BYTES];
    uint64_t seed = 1000 + key_number;
    sha256_of(&key_number, 1, key);
    assert_int_equal(decide_open(&policy, 4, &decide).code, ERR_NONE);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = mix(&seed);
        uint32_t scanner = (uint32_t)(mix(&seed) % SCANNERS);
        uint32_t place = (uint32_t)(mix(&seed) % 4);
        struct decide_input input = {.mode = MODE_TRUCK,
                                     .site = place < 3 ? "north" : "south",
                                     .lane = lanes[place % 3],
                                     .scorable = true,
                                     .probability = (double)(mix(&seed) >> 11) * 0x1p-53,
                                     .t_ns = (int64_t)((double)i / count * 86400 * 1e9) + 1,
                                     .draw_key = key};
        memcpy(input.item, &number, sizeof number);
        struct decide_verdict verdict;
        decide_item(decide, &input, &verdict);
        out[i] = (struct drawn_item){.score = input.probability,
                                     .time_bin = (uint32_t)((uint64_t)i * TIME_BINS / count),
                                     .scanner = scanner,
                                     .stratum = place == 3   ? 0
                                                : place == 2 ? 2
                                                             : 1,
                                     .drawn = toss(&verdict, &input, scanner)};
        double rate = rates[out[i].stratum];
        assert_true(verdict.random_rate >= rate && verdict.random_rate <= rate);
        bool certain = verdict.arm == ARM_TARGET || verdict.arm == ARM_BOTH;
        assert_true(verdict.propensity >= (certain ? 1 : rate));
    }
    decide_close(&decide);
}

/* ---- the tests of hypotheses */

static double log_chance(double hits, double count, double rate)
{
    return lgamma(count + 1) - lgamma(hits + 1) - lgamma(count - hits + 1) + hits * log(rate) +
           (count - hits) * log1p(-rate);
}

static double binomial_p(uint64_t hits, uint64_t count, double rate)
{
    double observed = log_chance((double)hits, (double)count, rate);
    double sum = 0;
    for (uint64_t i = 0; i <= count; i++) {
        double chance = log_chance((double)i, (double)count, rate);
        sum += chance <= observed + 1e-7 ? exp(chance) : 0;
    }
    return fmin(sum, 1);
}

/* P(chi-square with an even number of degrees of freedom > x). */
static double chi_square_p(double x, uint32_t freedom)
{
    assert_int_equal(freedom % 2, 0);
    double term = exp(-x / 2);
    double sum = term;
    for (uint32_t k = 1; k < freedom / 2; k++) {
        term *= x / 2 / k;
        sum += term;
    }
    return sum;
}

/* Items of one stratum, drawn or not, over bins: is the share the same in all of them? */
static double bins_p(const struct drawn_item *items, uint32_t count, uint32_t stratum,
                     uint32_t (*bin_of)(const struct drawn_item *item), uint32_t bins)
{
    double all[BINS_MAX] = {0};
    double drawn[BINS_MAX] = {0};
    double all_sum = 0;
    double drawn_sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].stratum == stratum) {
            all[bin_of(&items[i])]++;
            drawn[bin_of(&items[i])] += items[i].drawn;
            all_sum++;
            drawn_sum += items[i].drawn;
        }
    }
    double share = drawn_sum / all_sum;
    double x = 0;
    for (uint32_t b = 0; b < bins; b++) {
        assert_true(all[b] * share >= 5); /* below, chi-square would be no approximation */
        double difference = drawn[b] - all[b] * share;
        x += difference * difference / (all[b] * share * (1 - share));
    }
    return chi_square_p(x, bins - 1);
}

static uint32_t bin_of_score(const struct drawn_item *item)
{
    return (uint32_t)(item->score * SCORE_BINS);
}

static uint32_t bin_of_time(const struct drawn_item *item)
{
    return item->time_bin;
}

static uint32_t bin_of_scanner(const struct drawn_item *item)
{
    return item->scanner;
}

/* Scores of drawn items against the uniform distribution that all scores here have. */
static double ks_p(const struct drawn_item *items, uint32_t count, uint32_t stratum)
{
    double *scores = calloc(count, sizeof *scores);
    uint32_t n = 0;
    double d = 0;
    assert_non_null(scores);
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].stratum == stratum && items[i].drawn) {
            scores[n++] = items[i].score;
        }
    }
    statistics_sort(scores, n);
    for (uint32_t i = 0; i < n; i++) {
        d = fmax(d, fmax(scores[i] - (double)i / n, (double)(i + 1) / n - scores[i]));
    }
    free(scores);
    double root = sqrt((double)n);
    double lambda = (root + 0.12 + 0.11 / root) * d;
    double sum = 0;
    for (int k = 1; k <= 100; k++) {
        sum += (k % 2 == 1 ? 2 : -2) * exp(-2.0 * k * k * lambda * lambda);
    }
    return fmin(fmax(sum, 0), 1);
}

struct smallest {
    double rate;
    double score;
    double ks;
    double time;
    double scanner;
};

static void keep_smallest(double p, double *kept)
{
    *kept = fmin(p, *kept);
}

/* The smallest p of each test over all keys and strata. */
static struct smallest judge(coin toss, uint8_t keys)
{
    struct smallest out = {1, 1, 1, 1, 1};
    uint32_t count = items_count();
    struct drawn_item *items = calloc(count, sizeof *items);
    assert_non_null(items);
    for (uint8_t key = 0; key < keys; key++) {
        draw_a_day(key, toss, items, count);
        for (uint32_t s = 0; s < 3; s++) {
            uint64_t all = 0;
            uint64_t drawn = 0;
            for (uint32_t i = 0; i < count; i++) {
                all += items[i].stratum == s;
                drawn += items[i].stratum == s && items[i].drawn;
            }
            keep_smallest(binomial_p(drawn, all, rates[s]), &out.rate);
        }
        for (uint32_t s = 1; s < 3; s++) { /* of the rarest there are too few a bin */
            keep_smallest(bins_p(items, count, s, bin_of_score, SCORE_BINS), &out.score);
            keep_smallest(bins_p(items, count, s, bin_of_time, TIME_BINS), &out.time);
            keep_smallest(bins_p(items, count, s, bin_of_scanner, SCANNERS), &out.scanner);
            keep_smallest(ks_p(items, count, s), &out.ks);
        }
    }
    free(items);
    return out;
}

static void realised_rates_are_nominal_and_depend_on_nothing(void **state)
{
    (void)state;
    struct smallest p = judge(coin_honest, KEYS);
    print_message("smallest p: rate %.4f, score %.4f (KS %.4f), time %.4f, scanner %.4f\n", p.rate,
                  p.score, p.ks, p.time, p.scanner);
    assert_true(p.rate > ALPHA && p.score > ALPHA && p.ks > ALPHA && p.time > ALPHA &&
                p.scanner > ALPHA);
}

static void biased_coins_are_refused(void **state)
{
    (void)state;
    struct smallest by_score = judge(coin_by_score, BIASED_KEYS);
    struct smallest by_time = judge(coin_by_time, BIASED_KEYS);
    struct smallest by_scanner = judge(coin_by_scanner, BIASED_KEYS);
    struct smallest of_less = judge(coin_of_less, BIASED_KEYS);
    assert_true(by_score.score < ALPHA && by_score.ks < ALPHA);
    assert_true(by_time.time < ALPHA);
    assert_true(by_scanner.scanner < ALPHA);
    assert_true(of_less.rate < ALPHA);
    /* And each by its own test: a coin that only knows the scanner is the same at every score. */
    assert_true(by_scanner.time > ALPHA && by_time.scanner > ALPHA && of_less.time > ALPHA);
}

/* Two items of one day, and one item on two days, have nothing to do with each other: pairs fall
 * together as often as the product of the rates says. */
static void draws_of_items_and_days_are_independent(void **state)
{
    (void)state;
    uint64_t neighbours = 0;
    uint64_t days = 0;
    uint64_t count = 4 * (uint64_t)items_count();
    uint8_t keys[2][HASH_BYTES] = {{1}, {2}};
    bool before = false;
    for (uint64_t i = 0; i < count; i++) {
        uint8_t item[ITEM_ID_BYTES] = {0};
        uint8_t draws[2][HASH_BYTES];
        memcpy(item, &i, sizeof i);
        draw_prf(keys[0], item, draws[0]);
        draw_prf(keys[1], item, draws[1]);
        bool drawn = draw_uniform(draws[0]) < 0.1;
        neighbours += i > 0 && drawn && before;
        days += drawn && draw_uniform(draws[1]) < 0.1;
        before = drawn;
    }
    assert_true(binomial_p(neighbours, count - 1, 0.01) > ALPHA);
    assert_true(binomial_p(days, count, 0.01) > ALPHA);
}

/* An edit before the decision (another lane, another score, a later hour) changes the rate that is
 * compared with, at most; never the number that is compared. */
static void edits_roll_no_dice_again(void **state)
{
    (void)state;
    struct policy policy = make_policy();
    struct decide *decide = NULL;
    uint8_t key[HASH_BYTES] = {5};
    assert_int_equal(decide_open(&policy, 4, &decide).code, ERR_NONE);
    for (uint32_t i = 0; i < 500; i++) {
        struct decide_input input = {.mode = MODE_TRUCK,
                                     .site = "north",
                                     .lane = "lane-1",
                                     .scorable = true,
                                     .probability = 0.3,
                                     .t_ns = NS_PER_S * (i + 1),
                                     .draw_key = key};
        memcpy(input.item, &i, sizeof i);
        struct decide_verdict first;
        struct decide_verdict edited;
        decide_item(decide, &input, &first);
        input.lane = "lane-3";
        input.probability = 0.99;
        input.t_ns += 3600 * NS_PER_S;
        decide_item(decide, &input, &edited);
        assert_memory_equal(first.draw, edited.draw, HASH_BYTES);
        assert_string_equal(first.stratum, "truck/north");
        assert_string_equal(edited.stratum, "truck/north/lane-3");
        bool drawn = first.arm == ARM_RANDOM || first.arm == ARM_BOTH;
        bool drawn_again = edited.arm == ARM_RANDOM || edited.arm == ARM_BOTH;
        assert_true(drawn_again || !drawn); /* at a higher rate, those and more */
    }
    decide_close(&decide);
}

/* scipy.stats: chi2.sf(18.31, 10); binomtest(30, 1000, 0.02).pvalue */
static void tails_are_those_of_scipy(void **state)
{
    (void)state;
    assert_float_equal(chi_square_p(18.31, 10), 0.04995416634, 1e-10);
    assert_float_equal(binomial_p(30, 1000, 0.02), 0.030933066833, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(realised_rates_are_nominal_and_depend_on_nothing),
        cmocka_unit_test(biased_coins_are_refused),
        cmocka_unit_test(draws_of_items_and_days_are_independent),
        cmocka_unit_test(edits_roll_no_dice_again),
        cmocka_unit_test(tails_are_those_of_scipy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
