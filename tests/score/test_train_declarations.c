/* SPDX-License-Identifier: Apache-2.0 */
#include "port_rows.h"

#include <math.h>

#include "score/declaration_words.h"
#include "score/score.h"

/* Trees over histories: what they may know, that they add up, and that the same rows give the same
 * bits. */

static void same_rows_give_the_same_file_on_any_number_of_threads(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    uint8_t first[HASH_BYTES];
    struct train_declarations_report report;
    fixture_make_directory(directory);
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        struct train_declarations *self = open_training(threads, 0);
        train_port(self, 5);
        write_model(self, directory, &report);
        if (threads == 1) {
            memcpy(first, report.model.sha256, HASH_BYTES);
        }
        assert_memory_equal(first, report.model.sha256, HASH_BYTES);
    }
    assert_true(report.later.precision_5.value > 0.5);
    struct train_declarations *other = open_training(1, 0);
    train_port(other, 6);
    write_model(other, directory, &report);
    assert_memory_not_equal(first, report.model.sha256, HASH_BYTES);
    fixture_remove_directory(directory);
}

/* Pairs of rows that share an importer, a seller, a code and a random label with nobody else. */
static double area_of_pairs(int days_apart, int known_after_days, bool label_in_column)
{
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct rng rng;
    fixture_make_directory(directory);
    rng_init(&rng, 11, 0);
    for (unsigned pair = 0; pair < 1500; pair++) {
        struct row row;
        bool found = rng_below(&rng, 2) == 1;
        make_lone_row(&row, pair);
        const struct field planted[1] = {{"outcome of the exam", found ? "found" : "clean"}};
        row.declaration.other = planted;
        row.declaration.other_count = label_in_column ? 1 : 0;
        for (int second = 0; second < 2; second++) {
            int64_t day = (int64_t)pair / 8 + second * days_apart;
            const struct train_outcome outcome = {.found = found,
                                                  .t_ns = day * day_ns,
                                                  .known_ns = (day + known_after_days) * day_ns};
            assert_good(train_declarations_add(self, &row.declaration, &outcome));
        }
    }
    write_model(self, directory, &report);
    fixture_remove_directory(directory);
    return report.later.auc.value;
}

static void outcomes_that_are_not_known_yet_do_not_reach_features(void **state)
{
    (void)state;
    /* Label known only from a row of the same day, or from a column of the table that no mapping
     * names as one to learn from: nothing may be gained. */
    assert_true(fabs(area_of_pairs(0, 0, false) - 0.5) < 0.12);
    assert_true(fabs(area_of_pairs(0, 0, true) - 0.5) < 0.12);
    /* Two blocks of days later the outcome is known, and the same rows are told apart: a leak would
     * have shown. */
    assert_true(area_of_pairs(2 * TRAIN_BLOCK_DAYS, 0, false) > 0.8);
    /* Unless the exam took longer than that: then the second row was decided without it. */
    assert_true(fabs(area_of_pairs(2 * TRAIN_BLOCK_DAYS, 3 * TRAIN_BLOCK_DAYS, false) - 0.5) <
                0.12);
}

enum { ROWS = 300 };

static void contributions_add_up_and_no_batch_changes_a_bit(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct declaration_model model;
    struct history history;
    static struct row rows[ROWS];
    static struct declaration_risk together[ROWS];
    static struct declaration_parts explained[ROWS];
    const struct declaration *declarations[ROWS];
    struct rng rng;
    fixture_make_directory(directory);
    train_port(self, 5);
    write_model(self, directory, &report);
    open_model(&report.model, &model, &history);
    rng_init(&rng, 2, 0);
    for (unsigned i = 0; i < ROWS; i++) {
        make_row(&rows[i], (unsigned)rng_below(&rng, 300), i, rng_uniform(&rng) * 900);
        declarations[i] = &rows[i].declaration;
    }
    declaration_model_score(&model, &history, declarations, ROWS, together, explained);
    int32_t lowest = INT32_MAX;
    int32_t highest = INT32_MIN;
    for (unsigned i = 0; i < ROWS; i++) {
        struct declaration_risk alone;
        struct declaration_parts parts;
        declaration_model_score(&model, &history, &declarations[i], 1, &alone, NULL);
        assert_int_equal(alone.logit, together[i].logit);
        assert_int_equal(alone.critical, together[i].critical);
        assert_memory_equal(alone.features, together[i].features, sizeof alone.features);
        declaration_model_explain(&model, alone.features, &parts);
        assert_memory_equal(&parts, &explained[i], sizeof parts);
        int32_t sum = parts.base;
        double listed = (double)parts.base * OBLIVIOUS_LOGIT;
        for (uint32_t group = 0; group < LINE_GROUPS; group++) {
            sum += parts.parts[group];
            listed += (double)parts.parts[group] * OBLIVIOUS_LOGIT;
        }
        assert_int_equal(sum, alone.logit);
        assert_true(listed == (double)alone.logit * OBLIVIOUS_LOGIT);
        lowest = alone.logit < lowest ? alone.logit : lowest;
        highest = alone.logit > highest ? alone.logit : highest;
    }
    assert_true(highest - lowest > 2 / OBLIVIOUS_LOGIT); /* or equal bits would prove nothing */
    history_fini(&history);
    declaration_model_fini(&model);
    fixture_remove_directory(directory);
}

static void riskiest_line_stands_for_its_declaration(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct declaration_model model;
    struct history history;
    struct goods_line lines[RECORD_LINES_MAX];
    struct row row;
    struct rng rng;
    fixture_make_directory(directory);
    rng_init(&rng, 4, 0);
    for (int i = 0; i < 2000; i++) { /* one code is bad, whoever imports it */
        bool bad = rng_below(&rng, 5) == 0;
        make_row(&row, (unsigned)rng_below(&rng, 200), bad ? 0 : 1 + (unsigned)rng_below(&rng, 4),
                 50);
        const struct train_outcome outcome = {.found = bad && rng_below(&rng, 10) > 0,
                                              .t_ns = (int64_t)(i / 10) * day_ns};
        assert_good(train_declarations_add(self, &row.declaration, &outcome));
    }
    write_model(self, directory, &report);
    open_model(&report.model, &model, &history);
    make_row(&row, 1, 1, 50);
    for (uint32_t i = 0; i < RECORD_LINES_MAX; i++) {
        lines[i] = row.line;
        lines[i].hs_code = i == 130 ? "440890" : "690722";
    }
    struct declaration wide = row.declaration;
    wide.lines = lines;
    wide.lines_count = RECORD_LINES_MAX;
    const struct declaration *both[2] = {&row.declaration, &wide};
    struct declaration_risk risks[2];
    declaration_model_score(&model, &history, both, 2, risks, NULL);
    assert_int_equal(risks[1].line_index, 130);
    assert_true(risks[1].logit > risks[0].logit);
    wide.lines_count = 130;
    declaration_model_score(&model, &history, both, 2, risks, NULL);
    assert_int_equal(risks[1].line_index, 0);
    assert_int_equal(risks[1].logit, risks[0].logit);
    wide.lines_count = 0; /* nothing at all is declared: a score, and no crash */
    declaration_model_score(&model, &history, both, 2, risks, NULL);
    assert_int_equal(risks[1].line_index, 0);
    history_fini(&history);
    declaration_model_fini(&model);
    fixture_remove_directory(directory);
}

/* Old rows leave the memory of training, not the histories. */
static void old_rows_stay_in_the_histories(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 1024);
    struct declaration_model model;
    struct history history;
    struct history_known known;
    struct row row;
    fixture_make_directory(directory);
    train_port(self, 5);
    const struct train_declarations_conf small = {.lines_max = 2 * RECORD_LINES_MAX - 1};
    struct train_declarations *refused = NULL;
    assert_int_equal(train_declarations_open(&small, &refused).code, ERR_ARGUMENT);
    struct train_outcome late = {.found = true, .t_ns = 0};
    make_row(&row, 1, 1, 5);
    assert_int_equal(train_declarations_add(self, &row.declaration, &late).code, ERR_ARGUMENT);
    write_model(self, directory, &report);
    open_model(&report.model, &model, &history);
    struct history_parts parts = {.keyed = true};
    history_know(&history, history_key(HISTORY_ALL, &parts), &known);
    assert_int_equal(known.exams_count, PORT_ROWS);
    assert_true(report.later.precision_5.value > 0.5);
    history_fini(&history);
    declaration_model_fini(&model);
    fixture_remove_directory(directory);
}

static void validation_is_judged_and_then_learnt_unless_kept_out(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    uint64_t exams[2];
    fixture_make_directory(directory);
    for (int out = 0; out < 2; out++) {
        struct train_declarations *self = NULL;
        const struct train_declarations_conf conf = {.keep_validation_out = out == 1};
        struct train_declarations_report report;
        struct declaration_model model;
        struct history history;
        struct history_known known;
        struct history_parts parts = {.keyed = true};
        struct rng rng;
        assert_good(train_declarations_open(&conf, &self));
        train_port(self, 5);
        rng_init(&rng, 99, 0);
        for (int i = 0; i < 500; i++) {
            add_port_row(self, &rng, (int64_t)(300 + i / 10) * day_ns, true);
        }
        write_model(self, directory, &report);
        assert_int_equal(report.later.rows, 500);
        assert_int_equal(report.known.rows + report.newcomers.rows, 500);
        assert_true(report.later.calibration_error < 0.1);
        open_model(&report.model, &model, &history);
        history_know(&history, history_key(HISTORY_ALL, &parts), &known);
        exams[out] = known.exams_count;
        history_fini(&history);
        declaration_model_fini(&model);
    }
    assert_int_equal(exams[0], PORT_ROWS + 500);
    assert_int_equal(exams[1], PORT_ROWS);
    fixture_remove_directory(directory);
}

static void validation_that_is_not_later_is_refused(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct rng rng;
    fixture_make_directory(directory);
    train_port(self, 5);
    rng_init(&rng, 1, 0);
    add_port_row(self, &rng, 3 * day_ns, true);
    assert_int_equal(train_declarations_write(self, directory, &report).code, ERR_ARGUMENT);
    train_declarations_close(&self);
    self = open_training(1, 0);
    assert_int_equal(train_declarations_write(self, directory, &report).code, ERR_ARGUMENT);
    train_declarations_close(&self);
    fixture_remove_directory(directory);
}

static void few_rows_or_one_outcome_give_a_model_all_the_same(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    fixture_make_directory(directory);
    for (int rows = 1; rows <= 3; rows++) {
        struct train_declarations *self = open_training(2, 0);
        struct train_declarations_report report;
        struct declaration_model model;
        struct history history;
        struct row row;
        for (int i = 0; i < rows; i++) {
            const struct train_outcome outcome = {.found = false, .t_ns = i * day_ns};
            make_row(&row, (unsigned)i, 0, 1);
            assert_good(train_declarations_add(self, &row.declaration, &outcome));
        }
        write_model(self, directory, &report);
        open_model(&report.model, &model, &history);
        const struct declaration *one = &row.declaration;
        struct declaration_risk risk;
        declaration_model_score(&model, &history, &one, 1, &risk, NULL);
        assert_true(risk.logit < 0);
        history_fini(&history);
        declaration_model_fini(&model);
    }
    fixture_remove_directory(directory);
}

/* In the scorer: contributions of an item still add up to its logit, the inputs alone give the same
 * bits again, and a linear model may follow. */
static void scorer_uses_trees_in_the_place_of_history(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct score *scorer = NULL;
    struct score_conf conf = {
        .image_bytes_max = 1 << 20, .history_slots = 1 << 12, .working_height = 64};
    struct row row;
    static struct score_result result;
    static struct score_result again;
    const char *why = NULL;
    fixture_make_directory(directory);
    train_port(self, 5);
    write_model(self, directory, &report);
    assert_good(score_open(&conf, &scorer));
    assert_good(score_install(scorer, report.model.path, report.model.sha256, NULL));
    make_row(&row, 7, 2, 120);
    row.declaration.gross_mass_kg = 130;
    row.line.net_mass_kg = 0; /* NaN among the inputs */
    const struct score_input input = {.declarations = {&row.declaration}, .declarations_count = 1};
    score_items(scorer, &input, &result, 1);
    double sum = 0;
    for (uint32_t i = 0; i < result.score.contributions_count; i++) {
        sum += result.score.contributions[i].logit;
    }
    assert_true(sum == result.score.logit);
    assert_non_null(strstr(score_input_names(scorer, &result.score, 1), "history.importer.odds"));
    const char *told = NULL;
    for (uint32_t i = 0; i < result.score.contributions_count; i++) {
        const struct entry_contribution *part = &result.score.contributions[i];
        if (strcmp(part->name, "declaration.data") == 0) {
            assert_true(part->logit == 0);
            told = part->words;
        }
    }
    assert_non_null(told);
    assert_non_null(strstr(told, "no net mass"));
    assert_true(score_replay(scorer, &result.score, NULL, &again, &why));
    assert_int_equal(again.score.contributions_count, result.score.contributions_count);
    assert_memory_equal(&again.score.logit, &result.score.logit, sizeof(double));
    /* An outcome that is learnt live moves the score at once. */
    double before = result.score.logit;
    for (int i = 0; i < 20; i++) {
        score_history_learn(scorer, &row.declaration, false, (400 + i) * day_ns);
    }
    score_items(scorer, &input, &result, 1);
    assert_true(result.score.logit < before);
    score_install_builtin(scorer, "history");
    score_items(scorer, &input, &result, 1);
    assert_string_equal(result.score.models[1].name, "builtin/history");
    score_close(&scorer);
    fixture_remove_directory(directory);
}

static void faults_of_the_data_are_told_apart_from_risk(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct declaration_model model;
    struct history history;
    struct row row;
    char faults[512];
    fixture_make_directory(directory);
    train_port(self, 5);
    write_model(self, directory, &report);
    open_model(&report.model, &model, &history);
    make_row(&row, 7, 2, 120);
    row.declaration.gross_mass_kg = 130;
    row.declaration.declared_ns = 200 * day_ns;
    struct declaration_said said = {
        .history = &history, .norms = &model.norms, .declaration = &row.declaration};
    declaration_said_fill(&said);
    declaration_faults(&said, faults, sizeof faults);
    assert_string_equal(faults, "");
    row.declaration.seller = "";
    row.declaration.departure_country = "QQ";
    row.declaration.importer = "M\xfcller"; /* latin-1 */
    row.declaration.declared_ns = INT64_C(4000000000) * 1000000000;
    row.line.hs_code = "99";
    row.line.net_mass_kg = 0;
    row.line.value = 1e300;
    row.line.tax_rate_percent = -5;
    declaration_said_fill(&said);
    declaration_faults(&said, faults, sizeof faults);
    static const char *const wanted[] = {"no seller",
                                         "no net mass",
                                         "text is not UTF-8",
                                         "HS code has less than six digits",
                                         "absurd value",
                                         "absurd tax rate",
                                         "departure QQ never seen before",
                                         "date far from all that were learnt"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strstr(faults, wanted[i]) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", wanted[i], faults);
        }
    }
    assert_null(strchr(faults, (char)0xfc)); /* no name in what is told */
    char small[16];
    declaration_faults(&said, small, sizeof small);
    assert_true(strlen(small) < sizeof small);
    const struct declaration *one = &row.declaration;
    struct declaration_risk risk;
    declaration_model_score(&model, &history, &one, 1, &risk, NULL);
    for (uint32_t group = 0; group < LINE_GROUPS; group++) {
        char words[DECLARATION_WORDS_BYTES];
        declaration_group_words(&said, group, words);
        assert_true(words[0] != '\0' && strchr(words, (char)0xfc) == NULL);
    }
    history_fini(&history);
    declaration_model_fini(&model);
    fixture_remove_directory(directory);
}

/* One thing broken in a copy of a good file. */
struct fault {
    const char *array; /* whose first value is replaced; NULL: a text is left out */
    enum model_type type;
    double value;
    const char *text;
};

static void copy_but(const struct model_file *from, const struct fault *fault, bool leave_out,
                     struct model_file *to)
{
    model_file_init(to);
    for (uint32_t i = 0; i < from->arrays_count; i++) {
        const struct model_array *array = &from->arrays[i];
        bool meant = fault->array != NULL && strcmp(array->name, fault->array) == 0;
        if (meant && leave_out) {
            continue;
        }
        assert_good(model_file_add(to, array->name, array->type, array->dimensions,
                                   array->dimensions_count, array->values));
        void *values = to->arrays[to->arrays_count - 1].values;
        if (meant && fault->type == MODEL_F32) {
            ((float *)values)[0] = (float)fault->value;
        } else if (meant && fault->type == MODEL_F64) {
            ((double *)values)[0] = fault->value;
        } else if (meant) {
            ((uint64_t *)values)[0] = (uint64_t)fault->value;
        }
    }
    for (uint32_t i = 0; i < from->texts_count; i++) {
        if (fault->text == NULL || strcmp(from->texts[i].name, fault->text) != 0) {
            assert_good(model_file_add_text(to, from->texts[i].name, from->texts[i].text));
        }
    }
}

static bool is_refused(const struct model_file *file)
{
    struct declaration_model model;
    struct history history;
    assert_good(history_init(&history, 0));
    struct err err = declaration_model_read(file, &model);
    if (!err_is(err)) {
        err = declaration_model_counts(file, &history);
        declaration_model_fini(&model);
    }
    history_fini(&history);
    return err.code == ERR_MODEL_UNREADABLE;
}

static void model_with_a_broken_part_is_refused(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {"trees_shape", MODEL_U64, 1e9, NULL},
        {"trees_border_first", MODEL_U64, 7, NULL},
        {"trees_borders", MODEL_F32, NAN, NULL},
        {"trees_split_features", MODEL_U64, LINE_FEATURES, NULL},
        {"trees_split_bins", MODEL_U64, 255, NULL},
        {"trees_nodes", MODEL_U64, 5, NULL},
        {"later_rows", MODEL_F64, NAN, NULL},
        {"lines", MODEL_F64, NAN, NULL},
        {"goods_codes", MODEL_U64, 0, NULL},
        {"goods_norms", MODEL_F32, -1, NULL},
        {"constants", MODEL_F64, 0, NULL},
        {"keys", MODEL_U64, 0, NULL},
        {"exams", MODEL_F32, -1, NULL},
        {"last_ns", MODEL_U64, 4.2e18, NULL},  /* after 2099 */
        {"last_ns", MODEL_U64, 1.84e19, NULL}, /* before 1970 */
        {NULL, MODEL_U8, 0, "kinds_version"},
        {NULL, MODEL_U8, 0, "features_version"},
    };
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct model_file good;
    struct model_file bad;
    fixture_make_directory(directory);
    train_wide_port(self, 5);
    write_model(self, directory, &report);
    assert_good(model_file_read(report.model.path, report.model.sha256, &good));
    assert_false(is_refused(&good));
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        copy_but(&good, &faults[i], false, &bad);
        if (!is_refused(&bad)) {
            fail_msg("taken with a broken %s", faults[i].array);
        }
        model_file_fini(&bad);
        bool may_be_absent = faults[i].array == NULL || strcmp(faults[i].array, "later_rows") == 0;
        copy_but(&good, &faults[i], true, &bad);
        if (!may_be_absent && !is_refused(&bad)) {
            fail_msg("taken without %s", faults[i].array);
        }
        model_file_fini(&bad);
    }
    model_file_fini(&good);
    fixture_remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_rows_give_the_same_file_on_any_number_of_threads),
        cmocka_unit_test(outcomes_that_are_not_known_yet_do_not_reach_features),
        cmocka_unit_test(contributions_add_up_and_no_batch_changes_a_bit),
        cmocka_unit_test(riskiest_line_stands_for_its_declaration),
        cmocka_unit_test(old_rows_stay_in_the_histories),
        cmocka_unit_test(validation_is_judged_and_then_learnt_unless_kept_out),
        cmocka_unit_test(validation_that_is_not_later_is_refused),
        cmocka_unit_test(few_rows_or_one_outcome_give_a_model_all_the_same),
        cmocka_unit_test(model_with_a_broken_part_is_refused),
        cmocka_unit_test(scorer_uses_trees_in_the_place_of_history),
        cmocka_unit_test(faults_of_the_data_are_told_apart_from_risk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
