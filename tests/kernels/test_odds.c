/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/odds.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/kernels/draw.h"

enum { KINDS = 7, STRIDE = 2 * ODDS_LANES };

static const struct odds_kind kinds[KINDS] = {{0, {0, 0}, 0}, {0, {0, 0}, 0}, {0, {0, 0}, 0},
                                              {1, {1, 0}, 0}, {2, {1, 2}, 0}, {2, {3, 4}, 0},
                                              {1, {5, 0}, 0}};
static const struct odds_prior prior = {0.25f, 50, 0.5f};

struct table {
    float all_exams[ODDS_LANES];
    float exams[KINDS * STRIDE];
    float finds[KINDS * ODDS_LANES];
    float ratios[KINDS * STRIDE];
    float odds[KINDS * ODDS_LANES];
};

static void draw_table(uint64_t seed, struct table *table)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    memset(table, 0, sizeof *table);
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < ODDS_LANES; i++) {
            float exams = rng_below(&rng, 3) == 0 ? 0 : (float)(rng_uniform(&rng) * 400);
            float finds = exams * (float)rng_uniform(&rng);
            finds = rng_below(&rng, 9) == 0 ? exams : rng_below(&rng, 9) == 0 ? 0 : finds;
            exams = rng_below(&rng, 40) == 0 ? 3e38f : exams; /* products that are not finite */
            finds = rng_below(&rng, 40) == 0 ? 3e38f : finds;
            if (rng_below(&rng, 10) == 0) { /* a quotient of two that are not */
                exams = 3.3e38f;
                finds = 1.6e38f;
            }
            float *told = kind == 0 ? table->all_exams : table->exams + (kind - 1) * STRIDE;
            told[i] = exams;
            table->finds[kind * ODDS_LANES + i] = finds;
        }
    }
}

static void run_kinds(enum odds_path path, const struct odds_kind *asked, struct table *table,
                      size_t lanes)
{
    const struct odds_columns columns = {.all_exams = table->all_exams,
                                         .exams = table->exams,
                                         .finds = table->finds,
                                         .ratios = table->ratios,
                                         .odds = table->odds,
                                         .stride = STRIDE,
                                         .lanes = lanes};
    odds_ratios_by(path, asked, KINDS, &prior, &columns);
}

static void run(enum odds_path path, struct table *table, size_t lanes)
{
    run_kinds(path, kinds, table, lanes);
}

static void odds_have_the_same_bits_on_every_path(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        static struct table plain;
        draw_table(seed, &plain);
        static struct table given;
        given = plain;
        run(ODDS_PORTABLE, &plain, ODDS_LANES);
        for (int path = ODDS_AVX2; path <= (int)odds_path_best(); path++) {
            static struct table wide;
            for (size_t lanes = 16; lanes <= ODDS_LANES; lanes += 16) {
                wide = given;
                run((enum odds_path)path, &wide, lanes);
                for (size_t kind = 1; kind < KINDS; kind++) {
                    assert_memory_equal(wide.ratios + (kind - 1) * STRIDE,
                                        plain.ratios + (kind - 1) * STRIDE, lanes * sizeof(float));
                }
            }
        }
    }
}

static double odds_in_double(double exams, double finds, double before, double k)
{
    double q = before / (1 + before);
    double odds = (finds + k * q) / (fmax(exams - finds, 0) + k * (1 - q));
    return fmin(fmax(odds, (double)ODDS_MIN), (double)ODDS_MAX);
}

/* The formula of the page, in double, for counts as they are. */
static void odds_are_those_of_the_page(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        static struct table table;
        draw_table(seed, &table);
        run(ODDS_PORTABLE, &table, ODDS_LANES);
        for (size_t i = 0; i < ODDS_LANES; i++) {
            double odds[KINDS];
            bool sane = table.all_exams[i] < 1e30f && table.finds[i] < 1e30f;
            odds[0] = odds_in_double((double)table.all_exams[i], (double)table.finds[i],
                                     (double)prior.prior_odds, (double)prior.prior_exams);
            for (size_t kind = 1; kind < KINDS; kind++) {
                double exams = (double)table.exams[(kind - 1) * STRIDE + i];
                double finds = (double)table.finds[kind * ODDS_LANES + i];
                const struct odds_kind *about = &kinds[kind];
                double before = about->parents_count == 0 ? odds[0]
                                : about->parents_count == 1
                                    ? odds[about->parents[0]]
                                    : sqrt(odds[about->parents[0]] * odds[about->parents[1]]);
                sane = sane && exams < 1e30 && finds < 1e30;
                odds[kind] =
                    exams > 0 ? odds_in_double(exams, finds, before, (double)prior.k) : before;
                double ratio = (double)table.ratios[(kind - 1) * STRIDE + i];
                assert_true(!sane || fabs(ratio - odds[kind] / before) <= 3e-5 * ratio);
                assert_true(ratio > 0 && ratio <= 1.1e8);
                assert_true(exams > 0 || ratio == 1);
            }
        }
    }
}

/* The others are as they were with them, and what is left out is not written. */
static void kinds_left_out_change_no_other(void **state)
{
    (void)state;
    static struct table whole;
    static struct table given;
    static struct table part;
    struct odds_kind asked[KINDS];
    memcpy(asked, kinds, sizeof kinds);
    asked[6].left_out = 1;
    draw_table(3, &given);
    for (int path = ODDS_PORTABLE; path <= (int)odds_path_best(); path++) {
        whole = given;
        part = given;
        run((enum odds_path)path, &whole, ODDS_LANES);
        run_kinds((enum odds_path)path, asked, &part, ODDS_LANES);
        for (size_t kind = 1; kind < KINDS; kind++) {
            const struct table *expected = kind == 6 ? &given : &whole;
            assert_memory_equal(part.ratios + (kind - 1) * STRIDE,
                                expected->ratios + (kind - 1) * STRIDE, ODDS_LANES * sizeof(float));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odds_have_the_same_bits_on_every_path),
        cmocka_unit_test(odds_are_those_of_the_page),
        cmocka_unit_test(kinds_left_out_change_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
