/* SPDX-License-Identifier: Apache-2.0 */
#include "port_rows.h"

#include <math.h>

#include "archive/model_file.h"
#include "score/score.h"

/* Items of many lines in the scorer: exact sums, inputs that say all, models of before. */

static void make_model(const char *directory, struct train_declarations_report *report)
{
    struct train_declarations *self = open_training(1, 0);
    train_wide_port(self, 5);
    write_model(self, directory, report);
    assert_true(report->lines.known);
}

/* The same file as a program of before wrote it. */
static void make_version_2(const struct train_report *report, const char *directory, char *path)
{
    struct model_file from;
    struct model_file to;
    assert_good(model_file_read(report->path, report->sha256, &from));
    model_file_init(&to);
    for (uint32_t i = 0; i < from.arrays_count; i++) {
        const struct model_array *array = &from.arrays[i];
        if (strcmp(array->name, "lines") != 0) {
            assert_good(model_file_add(&to, array->name, array->type, array->dimensions,
                                       array->dimensions_count, array->values));
        }
    }
    for (uint32_t i = 0; i < from.texts_count; i++) {
        bool version = strcmp(from.texts[i].name, "features_version") == 0;
        assert_good(
            model_file_add_text(&to, from.texts[i].name, version ? "2" : from.texts[i].text));
    }
    assert_good(model_file_write(&to, directory, path));
    model_file_fini(&to);
    model_file_fini(&from);
}

static struct score *open_scorer(const char *path)
{
    struct score *scorer = NULL;
    struct score_conf conf = {
        .image_bytes_max = 1 << 20, .history_slots = 1 << 12, .working_height = 64};
    assert_good(score_open(&conf, &scorer));
    assert_good(score_install(scorer, path, NULL, NULL));
    return scorer;
}

struct wide {
    struct row rows[3];
    struct goods_line lines[3][40];
    struct score_input input;
};

static void draw_wide(struct rng *rng, struct wide *out)
{
    static const char *const codes[] = {"440890", "690722", "610910", "847989", "330499"};
    out->input = (struct score_input){.declarations_count = 1 + (uint32_t)rng_below(rng, 3)};
    for (uint32_t i = 0; i < out->input.declarations_count; i++) {
        make_row(&out->rows[i], (unsigned)rng_below(rng, 200), 0, 40);
        struct declaration *declaration = &out->rows[i].declaration;
        declaration->lines_count = (uint32_t)rng_below(rng, 41);
        for (uint32_t line = 0; line < declaration->lines_count; line++) {
            out->lines[i][line] = out->rows[i].line;
            out->lines[i][line].hs_code = codes[rng_below(rng, 5)];
            out->lines[i][line].value = 10 + (double)rng_below(rng, 5000);
        }
        declaration->lines = out->lines[i];
        out->input.declarations[i] = declaration;
    }
}

static uint32_t lines_in(const struct score_input *input)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < input->declarations_count; i++) {
        uint32_t lines = input->declarations[i]->lines_count;
        count += lines > 0 ? lines : 1;
    }
    return count;
}

static const struct entry_contribution *contribution(const struct score_result *result,
                                                     const char *name)
{
    for (uint32_t i = 0; i < result->score.contributions_count; i++) {
        if (strcmp(result->score.contributions[i].name, name) == 0) {
            return &result->score.contributions[i];
        }
    }
    return NULL;
}

/* Of the trees, of the riskiest line: without what is told beside them. */
static double sum_of_groups(const struct score_result *result)
{
    double sum = 0;
    for (uint32_t i = 0; i < result->score.contributions_count; i++) {
        const struct entry_contribution *one = &result->score.contributions[i];
        sum += strcmp(one->name, "declaration.lines") != 0 ? one->logit : 0;
    }
    return sum;
}

static void wide_items_add_up_and_are_replayed(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    static struct score_result result;
    static struct score_result again;
    static struct wide wide;
    const char *why = NULL;
    struct rng rng;
    fixture_make_directory(directory);
    make_model(directory, &report);
    struct score *scorer = open_scorer(report.model.path);
    rng_init(&rng, 8, 0);
    uint32_t told = 0;
    for (int round = 0; round < 200; round++) {
        draw_wide(&rng, &wide);
        uint32_t lines = lines_in(&wide.input);
        score_items(scorer, &wide.input, &result, 1);
        const struct entry_inputs *inputs = &result.score.inputs[1];
        assert_int_equal(inputs->values_count, DECLARATION_INPUTS);
        assert_true(inputs->values[LINE_FEATURES] == (float)lines);
        double sum = 0;
        for (uint32_t i = 0; i < result.score.contributions_count; i++) {
            sum += result.score.contributions[i].logit;
        }
        assert_true(sum == result.score.logit);
        const struct entry_contribution *part = contribution(&result, "declaration.lines");
        assert_true((part != NULL) == (lines > 1));
        told += part != NULL && part->logit < -0.1;
        if (part != NULL) {
            int32_t spread = (int32_t)((double)inputs->values[LINE_FEATURES + 1] / OBLIVIOUS_LOGIT);
            int32_t riskiest = (int32_t)((sum_of_groups(&result)) / OBLIVIOUS_LOGIT);
            int32_t logit = item_lines_logit(&report.lines, riskiest, lines, spread);
            assert_true(part->logit == ((double)logit - (double)riskiest) * OBLIVIOUS_LOGIT);
        }
        assert_true(score_replay(scorer, &result.score, NULL, &again, &why));
        assert_memory_equal(&again.score.logit, &result.score.logit, sizeof(double));
        assert_memory_equal(&again.score.probability, &result.score.probability, sizeof(double));
        assert_int_equal(again.score.contributions_count, result.score.contributions_count);
    }
    assert_true(told > 50);
    assert_non_null(
        strstr(score_input_names(scorer, &result.score, 1), " lines.count lines.spread"));
    score_close(&scorer);
    fixture_remove_directory(directory);
}

static void inputs_that_no_lines_give_are_refused(void **state)
{
    (void)state;
    static const float broken[][2] = {{0, 0},     {2.5f, 0},   {2049, 0},    {NAN, 0},
                                      {2, 0.25f}, {2, -0.75f}, {2, 1e-9f},   {3, NAN},
                                      {-1, 0},    {1, -0.5f},  {INFINITY, 0}};
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    static struct score_result result;
    static struct score_result again;
    static struct wide wide;
    const char *why = NULL;
    struct rng rng;
    fixture_make_directory(directory);
    make_model(directory, &report);
    struct score *scorer = open_scorer(report.model.path);
    rng_init(&rng, 9, 0);
    draw_wide(&rng, &wide);
    score_items(scorer, &wide.input, &result, 1);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        result.inputs[1][LINE_FEATURES] = broken[i][0];
        result.inputs[1][LINE_FEATURES + 1] = broken[i][1];
        assert_false(score_replay(scorer, &result.score, NULL, &again, &why));
        assert_non_null(strstr(why, "contradict"));
    }
    result.inputs[1][LINE_FEATURES] = 2;
    result.inputs[1][LINE_FEATURES + 1] = -0.5f;
    assert_true(score_replay(scorer, &result.score, NULL, &again, &why));
    result.score.inputs[1].values_count = LINE_FEATURES; /* of a model of before */
    assert_false(score_replay(scorer, &result.score, NULL, &again, &why));
    score_close(&scorer);
    fixture_remove_directory(directory);
}

static void model_of_before_scores_as_before(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    char path[512];
    struct train_declarations_report report;
    static struct score_result result;
    static struct score_result again;
    static struct score_result now;
    static struct wide wide;
    const char *why = NULL;
    struct rng rng;
    fixture_make_directory(directory);
    make_model(directory, &report);
    make_version_2(&report.model, directory, path);
    struct score *before = open_scorer(path);
    struct score *scorer = open_scorer(report.model.path);
    rng_init(&rng, 10, 0);
    for (int round = 0; round < 50; round++) {
        draw_wide(&rng, &wide);
        score_items(before, &wide.input, &result, 1);
        score_items(scorer, &wide.input, &now, 1);
        assert_int_equal(result.score.inputs[1].values_count, LINE_FEATURES);
        assert_null(contribution(&result, "declaration.lines"));
        const struct entry_contribution *part = contribution(&now, "declaration.lines");
        double lines = part != NULL ? part->logit : 0;
        assert_true(result.score.logit == now.score.logit - lines);
        assert_true(score_replay(before, &result.score, NULL, &again, &why));
        assert_memory_equal(&again.score.logit, &result.score.logit, sizeof(double));
    }
    assert_null(strstr(score_input_names(before, &result.score, 1), "lines."));
    score_close(&before);
    score_close(&scorer);
    fixture_remove_directory(directory);
}

/* Who declares must gain nothing by adding clean lines, when no exam has shown what they say. */
static void padding_lowers_nothing_for_a_model_of_one_line_rows(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    static struct score_result result;
    static struct score_result padded;
    static struct score_result again;
    static struct wide wide;
    const char *why = NULL;
    struct rng rng;
    fixture_make_directory(directory);
    struct train_declarations *self = open_training(1, 0);
    train_port(self, 5);
    write_model(self, directory, &report);
    assert_false(report.lines.known);
    assert_non_null(strstr(report.model.evaluation, "speaks alone"));
    struct score *scorer = open_scorer(report.model.path);
    rng_init(&rng, 13, 0);
    for (int round = 0; round < 200; round++) {
        draw_wide(&rng, &wide);
        struct declaration *declaration = &wide.rows[0].declaration;
        declaration->lines_count = declaration->lines_count > 0 ? declaration->lines_count : 1;
        uint32_t all = declaration->lines_count;
        declaration->lines_count = 1 + (uint32_t)rng_below(&rng, all);
        score_items(scorer, &wide.input, &result, 1);
        declaration->lines_count = all;
        score_items(scorer, &wide.input, &padded, 1);
        assert_true(padded.score.logit >= result.score.logit);
        assert_int_equal(padded.score.inputs[1].values_count, LINE_FEATURES);
        assert_null(contribution(&padded, "declaration.lines"));
        assert_true(score_replay(scorer, &padded.score, NULL, &again, &why));
        assert_memory_equal(&again.score.logit, &padded.score.logit, sizeof(double));
    }
    assert_null(strstr(score_input_names(scorer, &padded.score, 1), "lines."));
    score_close(&scorer);
    fixture_remove_directory(directory);
}

/* Rows of several lines teach what rows of one exam do: the model knows from them. */
static void wide_rows_are_judged_by_their_lines(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct rng rng;
    fixture_make_directory(directory);
    rng_init(&rng, 12, 0);
    for (int i = 0; i < 3000; i++) {
        struct row row;
        struct goods_line lines[6];
        unsigned importer = (unsigned)rng_below(&rng, 200);
        make_row(&row, importer, 1, 40);
        row.declaration.lines_count = 1 + (uint32_t)rng_below(&rng, 6);
        double clean = 1;
        for (uint32_t line = 0; line < row.declaration.lines_count; line++) {
            lines[line] = row.line;
            lines[line].value = 10 + (double)rng_below(&rng, 5000);
            clean *= importer % 7 == 0 ? 0.5 : 0.93;
        }
        row.declaration.lines = lines;
        const struct train_outcome outcome = {.found = rng_uniform(&rng) > clean,
                                              .t_ns = (int64_t)(i / 10) * day_ns,
                                              .exam = 1 + (uint64_t)i / 2};
        assert_good(train_declarations_add(self, &row.declaration, &outcome));
    }
    write_model(self, directory, &report);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < LINE_BUCKETS; i++) {
        rows += report.by_lines[i].rows;
    }
    assert_int_equal(rows, report.later.rows);
    assert_true(report.by_lines[0].rows == 0 && report.by_lines[2].rows > 30);
    assert_true(report.later.rows < 250); /* exams, each of two rows */
    assert_true(report.lines.growth[ITEM_LINES_KNOTS - 1] != 0);
    assert_non_null(strstr(report.model.evaluation, "calibration error by lines:"));
    fixture_remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_items_add_up_and_are_replayed),
        cmocka_unit_test(inputs_that_no_lines_give_are_refused),
        cmocka_unit_test(model_of_before_scores_as_before),
        cmocka_unit_test(padding_lowers_nothing_for_a_model_of_one_line_rows),
        cmocka_unit_test(wide_rows_are_judged_by_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
