/* SPDX-License-Identifier: Apache-2.0 */
#include "line_by_line.h"
#include "port_rows.h"

#include <math.h>
#include <stdlib.h>

#include "score/score.h"

/* What scores in batches, against what goes line by line, feature by feature: the same bits, of
 * ordinary declarations and of such as nobody in his right mind would send. */

enum { ROWS = 400, OTHERS_MAX = 12, ITEMS = 90 };

static char directory[FIXTURE_PATH_BYTES];
static struct train_declarations_report report;

static int make_port_model(void **state)
{
    (void)state;
    fixture_make_directory(directory);
    struct train_declarations *self = open_training(1, 0);
    train_wide_port(self, 5);
    write_model(self, directory, &report);
    return 0;
}

static int remove_port_model(void **state)
{
    (void)state;
    fixture_remove_directory(directory);
    return 0;
}

struct record {
    struct row row;
    struct goods_line lines[RECORD_LINES_MAX + 2];
    struct field other[OTHERS_MAX];
    char long_text[700];
};

static const char *draw_text(struct rng *rng, const char *usual, struct record *record)
{
    static const char *const texts[] = {
        "",
        " ",
        "\t\v x \n",
        "\xff\xfe\x80",
        "\xc3\x84rger & S\xc3\xb6hne",
        "fifteen letters",
        "sixteen  letters",
        "seventeen letters",
        "'; DROP TABLE importers; --",
        "sixty-three bytes of a name that goes on for a while, and ends."};
    uint64_t kind = rng_below(rng, 24);
    if (kind == 10) {
        memset(record->long_text, 'L', sizeof record->long_text - 1);
        return record->long_text;
    }
    return kind < 10 ? texts[kind] : usual;
}

static double draw_amount(struct rng *rng, double usual)
{
    const double amounts[] = {0, -1, NAN, INFINITY, -INFINITY, 5e-324, 1e-9, 1e15, 1e308};
    uint64_t kind = rng_below(rng, 30);
    return kind < 9 ? amounts[kind] : usual;
}

static void draw_line(struct rng *rng, struct record *record, struct goods_line *line)
{
    static const char *const codes[] = {"", "44", "4408.90", "44089", "4408 90 10", "x", "610910"};
    uint64_t code = rng_below(rng, 14);
    *line = record->row.line;
    line->hs_code = code < 7 ? codes[code] : line->hs_code;
    line->origin_country = draw_text(rng, rng_below(rng, 2) == 0 ? "cn" : "CN", record);
    line->net_mass_kg = draw_amount(rng, line->net_mass_kg * (1 + rng_uniform(rng)));
    line->value = draw_amount(rng, line->value);
    line->tax_rate_percent = draw_amount(rng, (double)rng_below(rng, 9));
}

/* Ordinary ones have the codes of `other` in one order; the others anything, twice, or none. */
static void draw_others(struct rng *rng, bool hostile, struct record *record)
{
    static const char *const names[OTHERS_MAX] = {"Tax Type",
                                                  "office",
                                                  "office_id",
                                                  "Country of Origin Indicator",
                                                  "colour",
                                                  "Tax Type",
                                                  "Mode of Transport",
                                                  "import_type",
                                                  "Import Use",
                                                  "tax_type ",
                                                  "",
                                                  "a name that nobody has ever heard of before"};
    struct declaration *declaration = &record->row.declaration;
    declaration->other = record->other;
    declaration->other_count = hostile ? (uint32_t)rng_below(rng, OTHERS_MAX + 1) : 4;
    for (uint32_t i = 0; i < declaration->other_count; i++) {
        uint64_t name = hostile ? rng_below(rng, OTHERS_MAX) : i;
        record->other[i] = (struct field){names[name], rng_below(rng, 3) == 0 ? "A" : "30"};
        if (hostile) {
            record->other[i].value = draw_text(rng, "B", record);
        }
    }
}

static void draw_record(struct rng *rng, bool hostile, struct record *record)
{
    make_row(&record->row, (unsigned)rng_below(rng, 300), (unsigned)rng_below(rng, 6),
             1 + rng_uniform(rng) * 500);
    struct declaration *declaration = &record->row.declaration;
    record->lines[0] = record->row.line;
    declaration->lines = record->lines;
    draw_others(rng, hostile, record);
    if (!hostile) {
        return;
    }
    declaration->importer = draw_text(rng, declaration->importer, record);
    declaration->seller = draw_text(rng, declaration->seller, record);
    declaration->departure_country = draw_text(rng, "be", record);
    declaration->site = draw_text(rng, "north", record);
    declaration->mode = rng_below(rng, 3) == 0 ? MODE_UNKNOWN : declaration->mode;
    declaration->declared_ns = rng_below(rng, 2) == 0 ? INT64_MAX : INT64_MIN;
    uint64_t lines = rng_below(rng, 40);
    declaration->lines_count = lines == 0 ? RECORD_LINES_MAX + 2 : (uint32_t)lines % 4;
    for (uint32_t i = 0; i < declaration->lines_count; i++) {
        draw_line(rng, record, &record->lines[i]);
    }
}

static const struct declaration **draw_records(uint64_t seed)
{
    static struct record records[ROWS];
    static const struct declaration *declarations[ROWS];
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (unsigned i = 0; i < ROWS; i++) {
        memset(&records[i], 0, sizeof records[i]);
        draw_record(&rng, i % 3 != 0, &records[i]);
        declarations[i] = &records[i].row.declaration;
    }
    return declarations;
}

/* ---- line by line ---- */

/* The riskiest line (the first of equals), and what each group contributes to it. */
static void read_slowly(const struct declaration_model *model, const struct history *history,
                        const struct declaration *declaration, struct declaration_risk *risk,
                        struct declaration_parts *parts)
{
    uint32_t given = declaration->lines_count;
    given = given > RECORD_LINES_MAX ? RECORD_LINES_MAX : given;
    risk->lines.count = 0;
    for (uint32_t line = 0; line < (given > 0 ? given : 1); line++) {
        float features[LINE_FEATURES];
        struct declaration_parts of_line;
        features_of_line(history, &model->norms, declaration, line, features);
        declaration_model_explain(model, features, &of_line);
        item_lines_add(&risk->lines, of_line.logit);
        if (line == 0 || of_line.logit > parts->logit) {
            risk->line_index = line;
            memcpy(risk->features, features, sizeof features);
            *parts = of_line;
        }
    }
    risk->logit = item_lines_settle(&model->lines, &risk->lines);
}

/* Heaviest first, equal ones in the order of groups. */
static void assert_heaviest(const struct declaration_judgement *judgement, uint32_t reasons_max,
                            const struct declaration_parts *parts)
{
    struct declaration_parts left = *parts;
    uint32_t told = 0;
    for (uint32_t k = 0; k < reasons_max; k++) {
        uint32_t best = 0;
        for (uint32_t group = 1; group < LINE_GROUPS; group++) {
            best = abs(left.parts[group]) > abs(left.parts[best]) ? group : best;
        }
        if (left.parts[best] == 0) {
            break;
        }
        assert_int_equal(judgement->reasons[k].group, best);
        assert_int_equal(judgement->reasons[k].part, left.parts[best]);
        left.parts[best] = 0;
        told++;
    }
    assert_int_equal(judgement->reasons_count, told);
}

static void batches_say_what_lines_say(void **state)
{
    (void)state;
    struct declaration_model model;
    static struct history history;
    static struct declaration_risk risks[ROWS];
    static struct declaration_parts parts[ROWS];
    static struct declaration_judgement judgements[ROWS];
    const uint32_t reasons[] = {0, 1, 3, 8, DECLARATION_REASONS_MAX};
    open_model(&report.model, &model, &history);
    for (unsigned round = 0; round < sizeof reasons / sizeof *reasons; round++) {
        const struct declaration **declarations = draw_records(round);
        declaration_model_score(&model, &history, declarations, ROWS, risks, parts);
        declaration_model_judge(&model, &history, declarations, ROWS, reasons[round], judgements);
        for (unsigned i = 0; i < ROWS; i++) {
            struct declaration_risk slow;
            struct declaration_parts slow_parts;
            read_slowly(&model, &history, declarations[i], &slow, &slow_parts);
            assert_int_equal(risks[i].logit, slow.logit);
            assert_int_equal(risks[i].line_index, slow.line_index);
            assert_memory_equal(risks[i].features, slow.features, sizeof slow.features);
            assert_memory_equal(&parts[i], &slow_parts, sizeof slow_parts);
            assert_int_equal(judgements[i].logit, slow.logit);
            assert_int_equal(judgements[i].line_index, slow.line_index);
            assert_int_equal(judgements[i].critical, risks[i].critical);
            assert_heaviest(&judgements[i], reasons[round], &slow_parts);
        }
    }
    history_fini(&history);
    declaration_model_fini(&model);
}

/* ---- the daemon's scorer ---- */

static void assert_same_score(const struct entry_score *score, const struct entry_score *again,
                              bool words)
{
    assert_memory_equal(&score->logit, &again->logit, sizeof(double));
    assert_memory_equal(&score->probability, &again->probability, sizeof(double));
    assert_memory_equal(&score->grave, &again->grave, sizeof(double));
    assert_int_equal(score->contributions_count, again->contributions_count);
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        const struct entry_contribution *one = &score->contributions[i];
        const struct entry_contribution *other = &again->contributions[i];
        assert_string_equal(one->name, other->name);
        assert_memory_equal(&one->logit, &other->logit, sizeof(double));
        if (words) {
            assert_string_equal(one->words, other->words);
        }
    }
    assert_int_equal(score->inputs_count, again->inputs_count);
    for (uint32_t i = 0; i < score->inputs_count; i++) {
        assert_memory_equal(score->inputs[i].values, again->inputs[i].values,
                            score->inputs[i].values_count * sizeof(float));
    }
}

/* Items of none to eight declarations, more than the scorer asks the trees for at once: a batch of
 * them says what each says alone, in the same words, and what a replay makes of the numbers that
 * were logged: line by line, that is. */
static void items_say_alone_and_replayed_what_they_said_in_a_batch(void **state)
{
    (void)state;
    static struct score_input inputs[ITEMS];
    static struct score_result results[ITEMS];
    static struct score_result again;
    const struct score_conf conf = {
        .image_bytes_max = 1024, .history_slots = 4096, .working_height = 64};
    struct score *self = NULL;
    const struct declaration **declarations = draw_records(77);
    struct rng rng;
    uint32_t used = 0;
    rng_init(&rng, 4, 0);
    assert_good(score_open(&conf, &self));
    assert_good(score_install(self, report.model.path, report.model.sha256, NULL));
    score_history_learn(self, declarations[0], true, INT64_C(400) * day_ns);
    for (uint32_t i = 0; i < ITEMS; i++) {
        inputs[i].declarations_count = (uint32_t)rng_below(&rng, SCORE_PARTS_MAX + 1);
        for (uint32_t k = 0; k < inputs[i].declarations_count; k++) {
            inputs[i].declarations[k] = declarations[used++ % ROWS];
        }
    }
    assert_true(used > 300);
    score_items(self, inputs, results, ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        const char *why = NULL;
        score_items(self, &inputs[i], &again, 1);
        assert_same_score(&results[i].score, &again.score, true);
        assert_true(score_replay(self, &results[i].score, NULL, &again, &why));
        assert_same_score(&results[i].score, &again.score, false);
        assert_true((results[i].score.grave > 0) == (inputs[i].declarations_count > 0));
        assert_true(results[i].score.grave < 1);
    }
    score_close(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_say_what_lines_say),
        cmocka_unit_test(items_say_alone_and_replayed_what_they_said_in_a_batch),
    };
    return cmocka_run_group_tests(tests, make_port_model, remove_port_model);
}
