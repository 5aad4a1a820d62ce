/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/compare.h"
#include "score/drift.h"

/* Drift and comparison: what the figures are, and when they speak. */

static void index_is_that_of_the_page(void **state)
{
    (void)state;
    /* STATISTICS.md, S14; so many that the half rows added do not show. */
    static const uint64_t then[] = {500000000, 300000000, 200000000};
    static const uint64_t now[] = {400000000, 350000000, 250000000};
    assert_true(fabs(drift_index(then, now, 3) - 0.041179066688) < 1e-8);
    assert_true(drift_index(then, then, 3) == 0);
    static const uint64_t gone[] = {0, 0, 0};
    assert_true(drift_index(then, gone, 3) == 0);
    static const uint64_t moved[] = {0, 0, 1000};
    assert_true(isfinite(drift_index(then, moved, 3)) && drift_index(then, moved, 3) > 1);
}

static void words_follow_the_two_thresholds_and_chance(void **state)
{
    (void)state;
    assert_int_equal(drift_judge(0.099, 0), DRIFT_STEADY);
    assert_int_equal(drift_judge(0.1, 0.01), DRIFT_HAS_MOVED);
    assert_int_equal(drift_judge(0.25, 0.01), DRIFT_IS_OTHER);
    assert_int_equal(drift_judge(0.3, 0.4), DRIFT_UNKNOWN);
    assert_string_equal(drift_words(DRIFT_IS_OTHER), "another population");
    assert_true(fabs(drift_chance(1000, 1000, 10) - 16.919 * 0.002) < 2e-4); /* chi-squared of 9 */
}

static void what_was_always_the_same_may_change(void **state)
{
    (void)state;
    struct drift *drift = NULL;
    struct drift_field fields[DRIFT_FIELDS_MAX];
    uint32_t count = 0;
    struct goods_line line = fixture_line("610910");
    struct declaration declaration = fixture_declaration(&line);
    assert_good(drift_open(&drift));
    for (int i = 0; i < 200; i++) {
        assert_good(drift_add(drift, &declaration,
                              i < 100   ? 0.02
                              : i < 150 ? 0.01
                                        : 0.3,
                              i >= 100));
    }
    assert_good(drift_make(drift, fields, &count));
    drift_close(&drift);
    assert_int_equal(fields[0].bins, 3);
    assert_int_equal(fields[0].verdict, DRIFT_IS_OTHER);
    assert_int_equal(fields[1].bins, 1);
    assert_int_equal(fields[1].verdict, DRIFT_STEADY);
}

static void add(struct drift *drift, struct rng *rng, bool now, double factor, const char *origin)
{
    struct goods_line line = fixture_line("610910");
    line.value = factor * exp(2 * rng_uniform(rng));
    line.net_mass_kg = 1 + rng_uniform(rng);
    line.origin_country = rng_below(rng, 3) == 0 ? "CN" : origin;
    struct declaration declaration = fixture_declaration(&line);
    assert_good(drift_add(drift, &declaration, rng_uniform(rng), now));
}

static const struct drift_field *field_of(const struct drift_field *fields, uint32_t count,
                                          const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    fail_msg("no field %s", name);
    return NULL;
}

static void only_what_has_changed_is_told(void **state)
{
    (void)state;
    struct drift *drift = NULL;
    struct drift_field fields[DRIFT_FIELDS_MAX];
    uint32_t count = 0;
    struct rng rng;
    rng_init(&rng, 1, 0);
    assert_good(drift_open(&drift));
    assert_int_equal(drift_make(drift, fields, &count).code, ERR_ARGUMENT);
    for (int i = 0; i < 4000; i++) {
        add(drift, &rng, false, 100, "DE");
        add(drift, &rng, true, 180, i % 2 == 0 ? "DE" : "VN");
    }
    assert_good(drift_make(drift, fields, &count));
    drift_close(&drift);
    assert_string_equal(fields[0].name, "score");
    assert_int_equal(fields[0].verdict, DRIFT_STEADY);
    assert_int_equal(field_of(fields, count, "value")->verdict, DRIFT_IS_OTHER);
    assert_int_equal(field_of(fields, count, "origin_country")->verdict, DRIFT_IS_OTHER);
    assert_int_equal(field_of(fields, count, "hs_code")->verdict, DRIFT_STEADY);
    const struct drift_field *mass = field_of(fields, count, "net_mass_kg");
    assert_in_range(mass->bins, 10, 12);
    assert_int_equal(mass->verdict, DRIFT_STEADY);
    assert_true(mass->index < 2 * mass->chance);
}

static void absurd_declarations_are_counted_as_any(void **state)
{
    (void)state;
    struct drift *drift = NULL;
    struct drift_field fields[DRIFT_FIELDS_MAX];
    uint32_t count = 0;
    assert_good(drift_open(&drift));
    for (int i = 0; i < 8; i++) {
        struct goods_line line = fixture_line(i % 2 == 0 ? "" : "\xff\xfe");
        line.value = i % 3 == 0 ? -1 : INFINITY;
        line.net_mass_kg = NAN;
        struct declaration declaration = fixture_declaration(&line);
        declaration.lines_count = i % 4 == 0 ? 0 : 1;
        assert_good(drift_add(drift, &declaration, NAN, i >= 4));
    }
    assert_good(drift_make(drift, fields, &count));
    drift_close(&drift);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(isfinite(fields[i].index) && isfinite(fields[i].chance));
    }
}

enum { ROWS = 2000 };

/* One row in ten is the coin's. noise_*: what each model's logits have of the truth's. */
static void compare_models(double noise_new, double noise_old, uint64_t count, bool random_only,
                           struct compare *out)
{
    static double logits_new[ROWS];
    static double logits_old[ROWS];
    static uint8_t labels[ROWS];
    static uint8_t random[ROWS];
    struct rng rng;
    rng_init(&rng, 7, 0);
    for (uint64_t i = 0; i < count; i++) {
        double truth = 4 * rng_uniform(&rng) - 3;
        random[i] = i % 10 == 0;
        bool off = !random_only || random[i] != 0;
        labels[i] = rng_uniform(&rng) < 1 / (1 + exp(-truth));
        logits_new[i] = truth + (off ? noise_new : 0) * (rng_uniform(&rng) - 0.5);
        logits_old[i] = truth + (off ? noise_old : 0) * (rng_uniform(&rng) - 0.5);
    }
    const struct compare_rows rows = {logits_new, logits_old, labels, random, NULL, count};
    assert_good(compare_make(&rows, out));
}

static void model_is_kept_out_only_when_it_is_worse_beyond_noise(void **state)
{
    (void)state;
    struct compare compare;
    compare_models(0.1, 0.1, ROWS, false, &compare);
    assert_int_equal(compare.verdict, COMPARE_NO_WORSE);
    assert_true(compare.all.lower < 0 && compare.all.upper > 0);
    compare_models(0.1, 4, ROWS, false, &compare);
    assert_int_equal(compare.verdict, COMPARE_NO_WORSE);
    assert_true(compare.all.upper < 0);
    compare_models(4, 0.1, ROWS, false, &compare);
    assert_int_equal(compare.verdict, COMPARE_WORSE);
    char words[512];
    compare_describe(&compare, words, sizeof words);
    assert_non_null(strstr(words, "on 2000 later exams"));
    assert_non_null(strstr(words, "of the coin's 200"));
    /* As good as the other where scores chose, worse where the coin did: the coin decides. */
    compare_models(6, 0, ROWS, true, &compare);
    assert_true(compare.random_counts && compare.random.lower > 0);
    assert_int_equal(compare.verdict, COMPARE_WORSE);
    compare_models(4, 0.1, COMPARE_EXAMS_MIN - 1, false, &compare);
    assert_int_equal(compare.verdict, COMPARE_TOO_FEW);
}

/* Declarations of exams, EACH of one: they share the outcome, the truth and the models' errors,
 * and no model is better. by_exam false: as if every declaration were an exam. */
static void compare_dependent(uint64_t seed, uint64_t count, bool by_exam, struct compare *out)
{
    enum { EACH = 10 };
    static double logits_new[ROWS];
    static double logits_old[ROWS];
    static uint8_t labels[ROWS];
    static uint8_t random[ROWS];
    static uint64_t exams[ROWS];
    struct rng rng;
    double truth = 0;
    double errors[2] = {0, 0};
    bool found = false;
    rng_init(&rng, seed, 0);
    for (uint64_t i = 0; i < count; i++) {
        if (i % EACH == 0) {
            truth = 4 * rng_uniform(&rng) - 3;
            found = rng_uniform(&rng) < 1 / (1 + exp(-truth));
            errors[0] = 2 * rng_uniform(&rng) - 1;
            errors[1] = 2 * rng_uniform(&rng) - 1;
        }
        labels[i] = found;
        random[i] = i / EACH % 2 == 0;
        exams[i] = 1 + i / EACH * 7919 % 5003; /* in no order */
        logits_new[i] = truth + errors[0];
        logits_old[i] = truth + errors[1];
    }
    const struct compare_rows rows = {
        logits_new, logits_old, labels, random, by_exam ? exams : NULL, count};
    assert_good(compare_make(&rows, out));
}

static void declarations_of_one_exam_say_what_one_says(void **state)
{
    (void)state;
    enum { ROUNDS = 40, DEPENDENT = 500 };
    int called[2] = {0, 0};
    struct compare compare;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (int by_exam = 0; by_exam < 2; by_exam++) {
            compare_dependent(100 + round, DEPENDENT, by_exam == 1, &compare);
            assert_int_equal(compare.all.exams, by_exam == 1 ? DEPENDENT / 10 : DEPENDENT);
            assert_int_equal(compare.random.exams, by_exam == 1 ? DEPENDENT / 20 : DEPENDENT / 2);
            called[by_exam] += compare.all.lower > 0 || compare.all.upper < 0;
        }
        assert_int_equal(compare.verdict, COMPARE_TOO_FEW); /* 50 exams, of 500 declarations */
    }
    /* Neither model is better. Row by row one of them is said to be in half of the rounds, by exams
     * in one of twenty or so; the seeds are fixed. */
    assert_true(called[0] > ROUNDS / 3);
    assert_true(called[1] <= 6);
    compare_dependent(7, ROWS, true, &compare);
    assert_int_equal(compare.all.exams, 200);
    assert_int_not_equal(compare.verdict, COMPARE_TOO_FEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_is_that_of_the_page),
        cmocka_unit_test(words_follow_the_two_thresholds_and_chance),
        cmocka_unit_test(only_what_has_changed_is_told),
        cmocka_unit_test(what_was_always_the_same_may_change),
        cmocka_unit_test(absurd_declarations_are_counted_as_any),
        cmocka_unit_test(model_is_kept_out_only_when_it_is_worse_beyond_noise),
        cmocka_unit_test(declarations_of_one_exam_say_what_one_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
