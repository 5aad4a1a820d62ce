/* SPDX-License-Identifier: Apache-2.0 */
#include "score/part_read.h"

#include <math.h>

#include "line_by_line.h"
#include "port_rows.h"

/* Blocks of lines in columns against lines one by one. */

enum { ROWS = 230, LEARNT = 900 };

static const struct part_key *key_of(unsigned which)
{
    static struct part_key keys[3];
    const uint8_t secrets[2][PART_SECRET_BYTES] = {{1}, {2}};
    part_key_init(&keys[which], which == 0 ? NULL : secrets[which - 1]);
    return &keys[which];
}

/* Lines with holes, names nobody knows, codes in `other`, several lines. */
struct case_row {
    struct row row;
    struct field other[5];
    struct goods_line lines[3];
};

static void draw_case(struct rng *rng, struct case_row *out)
{
    static const char *const offices[] = {"30", " 40", "", "x"};
    make_row(&out->row, (unsigned)rng_below(rng, 300), (unsigned)rng_below(rng, 6),
             (double)rng_below(rng, 40) - 2);
    struct declaration *declaration = &out->row.declaration;
    declaration->seller = rng_below(rng, 5) == 0 ? "" : declaration->seller;
    declaration->declarant =
        rng_below(rng, 3) == 0 ? "agent of many words, more than sixteen" : "a";
    out->other[0] = (struct field){"Tax Type", rng_below(rng, 2) == 0 ? "A" : "fcn1 "};
    out->other[1] = (struct field){"office", offices[rng_below(rng, 4)]};
    out->other[2] = (struct field){"office_id", "77"};
    declaration->other = out->other;
    out->other[3] = (struct field){"Tax Type", "not the first of its name"};
    out->other[4] = (struct field){"tax_type", rng_below(rng, 2) == 0 ? "" : "the other spelling"};
    declaration->other_count = 3 + (uint32_t)rng_below(rng, 3);
    declaration->lines_count = (uint32_t)rng_below(rng, 4);
    for (uint32_t i = 0; i < 3; i++) {
        out->lines[i] = out->row.line;
        out->lines[i].net_mass_kg += i * 3;
        out->lines[i].tax_rate_percent = rng_below(rng, 4) == 0 ? NAN : (double)rng_below(rng, 9);
        out->lines[i].origin_country = rng_below(rng, 3) == 0 ? "" : "cn";
    }
    declaration->lines = out->lines;
}

/* The same outcomes under one of the keys: most of them in the model, the last ones live. */
static void learn_cases(unsigned which, struct history *history, unsigned live)
{
    static uint64_t keys[HISTORY_KEYS_MAX];
    const struct part_key *key = key_of(which);
    struct history_table table;
    struct rng rng;
    rng_init(&rng, 21, 0);
    assert_good(history_init(history, 1 << 16));
    assert_good(history_table_init(&table, 1 << 16));
    for (unsigned i = 0; i < LEARNT; i++) {
        struct case_row one;
        draw_case(&rng, &one);
        bool found = rng_below(&rng, 4) == 0;
        int64_t t_ns = (int64_t)(100 + i) * day_ns + (int64_t)(i % 24) * (day_ns / 24);
        if (i + live == LEARNT) {
            struct history_weights weights = history->weights;
            assert_good(history_install_counts(history, &weights, key, &table));
        }
        if (i + live >= LEARNT) {
            history_learn(history, &one.row.declaration, found, t_ns, keys);
            continue;
        }
        uint32_t count = history_keys(key, &one.row.declaration, HISTORY_KINDS, keys);
        for (uint32_t k = 0; k < count; k++) {
            history_table_learn(&table, keys[k], found, t_ns, 730 * 86400e9);
        }
    }
    if (live == 0) {
        struct history_weights weights = history->weights;
        assert_good(history_install_counts(history, &weights, key, &table));
    }
}

static void make_port_model(struct declaration_model *model, struct history *history)
{
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    fixture_make_directory(directory);
    struct train_declarations *self = open_training(1, 0);
    train_port(self, 5);
    write_model(self, directory, &report);
    open_model(&report.model, model, history);
    fixture_remove_directory(directory);
}

/* Which digests stand behind the keys changes no feature; nor do blocks, nor that outcomes are
 * live. Rows one by one, as training reads them, give the same bits. */
static void columns_say_what_lines_say_under_any_key(void **state)
{
    (void)state;
    struct declaration_model model;
    struct history unused;
    static struct case_row cases[ROWS];
    static struct declaration_risk first[ROWS];
    static struct declaration_risk risks[ROWS];
    const struct declaration *declarations[ROWS];
    struct rng rng;
    make_port_model(&model, &unused);
    rng_init(&rng, 22, 0);
    for (unsigned i = 0; i < ROWS; i++) {
        draw_case(&rng, &cases[i]);
        declarations[i] = &cases[i].row.declaration;
    }
    unsigned differing = 0;
    for (unsigned live = 0; live <= 300; live += 300) {
        for (unsigned which = 0; which < 3; which++) {
            static struct history history;
            learn_cases(which, &history, live);
            declaration_model_score(&model, &history, declarations, ROWS, risks, NULL);
            for (unsigned i = 0; i < ROWS; i++) {
                float features[LINE_FEATURES];
                features_of_line(&history, &model.norms, declarations[i], risks[i].line_index,
                                 features);
                assert_memory_equal(features, risks[i].features, sizeof features);
                if (which > 0) {
                    assert_memory_equal(&risks[i], &first[i], sizeof risks[i]);
                }
                differing += i > 0 && risks[i].logit != risks[i - 1].logit;
            }
            memcpy(first, risks, sizeof first);
            history_fini(&history);
        }
    }
    assert_true(differing > ROWS); /* or equal bits would prove nothing */
    declaration_model_fini(&model);
    history_fini(&unused);
}

/* A judgement is the score with the heaviest of its contributions, in a batch and alone. */
static void judgement_is_the_score_with_its_heaviest_parts(void **state)
{
    (void)state;
    struct declaration_model model;
    struct history history;
    static struct case_row cases[ROWS];
    static struct declaration_risk risks[ROWS];
    static struct declaration_parts parts[ROWS];
    static struct declaration_judgement judgements[ROWS];
    const struct declaration *declarations[ROWS];
    struct rng rng;
    make_port_model(&model, &history);
    rng_init(&rng, 23, 0);
    for (unsigned i = 0; i < ROWS; i++) {
        draw_case(&rng, &cases[i]);
        declarations[i] = &cases[i].row.declaration;
    }
    declaration_model_score(&model, &history, declarations, ROWS, risks, parts);
    declaration_model_judge(&model, &history, declarations, ROWS, DECLARATION_REASONS_MAX,
                            judgements);
    for (unsigned i = 0; i < ROWS; i++) {
        struct declaration_judgement alone;
        const struct declaration_judgement *one = &judgements[i];
        assert_int_equal(one->logit, risks[i].logit);
        assert_int_equal(one->lines.riskiest, parts[i].logit);
        assert_int_equal(one->critical, risks[i].critical);
        assert_int_equal(one->line_index, risks[i].line_index);
        assert_true(one->reasons_count > 0);
        for (uint32_t k = 0; k < one->reasons_count; k++) {
            uint32_t group = one->reasons[k].group;
            assert_int_equal(one->reasons[k].part, parts[i].parts[group]);
            parts[i].parts[group] = 0;
            for (uint32_t other = 0; other < LINE_GROUPS; other++) {
                assert_true(abs(parts[i].parts[other]) <= abs(one->reasons[k].part));
            }
        }
        declaration_model_judge(&model, &history, &declarations[i], 1, 2, &alone);
        assert_int_equal(alone.logit, one->logit);
        assert_true(alone.reasons_count <= 2);
        assert_memory_equal(alone.reasons, one->reasons,
                            alone.reasons_count * sizeof *alone.reasons);
    }
    declaration_model_fini(&model);
    history_fini(&history);
}

static uint64_t mass_digest(double mass_kg)
{
    uint64_t digests[PART_COUNT];
    struct goods_line line = fixture_line("440890");
    line.net_mass_kg = mass_kg;
    part_read_line(key_of(1), &line, 1, digests);
    return digests[PART_MASS];
}

static void amounts_that_round_alike_are_one(void **state)
{
    (void)state;
    const double same[][2] = {{20.71, 20.712},  {20.71, 20.7149},     {1000, 999.96},
                              {1e9, 1.00004e9}, {0.0012, 0.00120004}, {8, 8.0000001},
                              {99996, 1e5},     {9.9996, 10}};
    const double apart[][2] = {{20.71, 20.72}, {20.71, 2.071}, {1000, 999.9},    {1e-9, 1e-8},
                               {1, 10},        {1e15, 1e16},   {5e-324, 1e-323}, {1e18, 1e25}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_true(mass_digest(same[i][0]) == mass_digest(same[i][1]));
    }
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        assert_true(mass_digest(apart[i][0]) != mass_digest(apart[i][1]));
    }
    const double none[] = {0, -1, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_true(mass_digest(none[i]) == 0);
    }
    /* Every power of ten within the range has one digit at least and keeps four apart. */
    for (int power = -9; power < 18; power++) {
        double at = pow(10, power);
        assert_true(mass_digest(at) == mass_digest(at * 1.00001));
        assert_true(mass_digest(at) != mass_digest(at * 1.001));
        assert_true(mass_digest(at) != mass_digest(at * 0.9995));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_say_what_lines_say_under_any_key),
        cmocka_unit_test(judgement_is_the_score_with_its_heaviest_parts),
        cmocka_unit_test(amounts_that_round_alike_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
