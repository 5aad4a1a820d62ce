/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/history.h"
#include "score/train.h"

static const int64_t day_ns = INT64_C(86400) * 1000000000;
static uint64_t keys[HISTORY_KEYS_MAX];

enum { IMPORTER = 1, SELLER = 2, HS6 = 5, IMPORTER_HS6 = 10 };

static void history_spelling_of_a_name_finds_the_same_entity(void **state)
{
    (void)state;
    struct goods_line plain = fixture_line("440890");
    struct goods_line dotted = fixture_line("4408.90");
    struct declaration first = fixture_declaration(&plain);
    struct declaration second = fixture_declaration(&dotted);
    second.importer = "  ada lovelace IMPORTS ";
    struct history history;
    assert_good(history_init(&history, 0));
    history_learn(&history, &first, true, day_ns, keys);
    struct history_reading reading;
    history_read(&history, &second, &reading);
    assert_int_equal(reading.known[IMPORTER].exams_count, 1);
    assert_int_equal(reading.known[IMPORTER_HS6].finds_count, 1);
    second.importer = "somebody else";
    history_read(&history, &second, &reading);
    assert_int_equal(reading.known[IMPORTER].exams_count, 0);
    assert_int_equal(reading.known[HS6].exams_count, 1);
    history_fini(&history);
}

static void history_entity_that_is_not_named_is_absent_not_shared(void **state)
{
    (void)state;
    struct goods_line line = fixture_line("440890");
    struct declaration nameless = fixture_declaration(&line);
    nameless.seller = "  ";
    struct history history;
    assert_good(history_init(&history, 0));
    history_learn(&history, &nameless, true, day_ns, keys);
    struct history_reading reading;
    history_read(&history, &nameless, &reading);
    assert_false(reading.present[SELLER]);
    assert_int_equal(reading.known[SELLER].exams_count, 0);
    assert_true(reading.features[SELLER] == 0);
    history_fini(&history);
}

static void history_finds_raise_and_clean_exams_lower_the_logit(void **state)
{
    (void)state;
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    struct history history;
    struct history_reading before;
    struct history_reading after;
    assert_good(history_init(&history, 0));
    history_read(&history, &declaration, &before);
    assert_true(before.logit == history.weights.intercept);
    history_learn(&history, &declaration, true, day_ns, keys);
    history_read(&history, &declaration, &after);
    assert_true(after.logit > before.logit);
    history_table_reset(&history.live);
    for (int i = 0; i < 100; i++) {
        history_learn(&history, &declaration, false, day_ns, keys);
    }
    history_read(&history, &declaration, &after);
    assert_true(after.logit < before.logit);
    history_fini(&history);
}

/* A feature is a float: the nearest to what the page says, which is computed in another order. */
static void check_feature(double feature, double expected)
{
    assert_true(feature == (double)(float)feature);
    assert_true(fabs(feature - expected) <= fabs(expected) * 0x1p-24 + 1e-9);
}

/* The equations of MODELS.md, section 2, worked out by hand for one pair. */
static void history_features_are_those_of_the_page(void **state)
{
    (void)state;
    struct goods_line asked = fixture_line("440890");
    struct goods_line other = fixture_line("690722");
    struct declaration first = fixture_declaration(&asked);
    struct declaration second = fixture_declaration(&other);
    struct history history;
    struct history_reading reading;
    assert_good(history_init(&history, 0));
    history_learn(&history, &first, true, day_ns, keys);
    history_learn(&history, &second, false, day_ns, keys);
    history_read(&history, &first, &reading);
    double k = history.weights.shrinkage;
    double overall = (1 + 50 * 0.02) / (2 + 50);
    double importer = (1 + k * overall) / (2 + k); /* 1 find in 2 exams */
    double hs6 = (1 + k * overall) / (1 + k);      /* 1 find in 1 exam */
    double parent = (log(importer / (1 - importer)) + log(hs6 / (1 - hs6))) / 2;
    double q = 1 / (1 + exp(-parent));
    double pair = (1 + k * q) / (1 + k);
    double base = log(overall / (1 - overall));
    assert_true(fabs(reading.prior[HISTORY_ALL] - overall) < 1e-12);
    check_feature(reading.features[IMPORTER], log(importer / (1 - importer)) - base);
    check_feature(reading.features[HS6], log(hs6 / (1 - hs6)) - base);
    assert_true(fabs(reading.prior[IMPORTER_HS6] - q) < 1e-12);
    check_feature(reading.features[IMPORTER_HS6], log(pair / (1 - pair)) - parent);
    history_fini(&history);
}

static void history_outcome_fades_by_half_in_a_half_life_of_newer_outcomes(void **state)
{
    (void)state;
    struct goods_line line = fixture_line("440890");
    struct declaration old = fixture_declaration(&line);
    struct declaration new = fixture_declaration(NULL);
    new.importer = "other";
    new.seller = "";
    new.declarant = "";
    new.departure_country = "";
    struct history history;
    struct history_reading reading;
    assert_good(history_init(&history, 0));
    int64_t half_life_ns = (int64_t)history.weights.half_life_days * day_ns;
    history_learn(&history, &old, true, day_ns, keys);
    /* The declaration's own time must not matter: a date of one's own choosing would make a record
     * look old. */
    old.declared_ns = day_ns + 20 * half_life_ns;
    history_read(&history, &old, &reading);
    assert_true(fabs(reading.known[IMPORTER].exams - 1.0) < 1e-6);
    history_learn(&history, &new, false, day_ns + half_life_ns, keys);
    history_read(&history, &old, &reading);
    assert_true(fabs(reading.known[IMPORTER].exams - 0.5) < 1e-6);
    assert_true(fabs(reading.known[IMPORTER].finds - 0.5) < 1e-6);
    assert_int_equal(reading.known[IMPORTER].exams_count, 1);
    history_fini(&history);
}

static void history_entity_in_many_lines_counts_once_an_exam(void **state)
{
    (void)state;
    struct goods_line lines[RECORD_LINES_MAX];
    for (uint32_t i = 0; i < RECORD_LINES_MAX; i++) {
        lines[i] = fixture_line(i % 2 == 0 ? "440890" : "690722");
    }
    struct declaration declaration = fixture_declaration(lines);
    declaration.lines_count = RECORD_LINES_MAX;
    struct history history;
    struct history_reading reading;
    assert_good(history_init(&history, 0));
    history_learn(&history, &declaration, true, day_ns, keys);
    history_read(&history, &declaration, &reading);
    assert_int_equal(reading.known[IMPORTER].exams_count, 1);
    assert_int_equal(reading.known[HS6].exams_count, 1);
    history_fini(&history);
}

static void history_riskiest_line_speaks_for_the_declaration(void **state)
{
    (void)state;
    struct goods_line lines[2] = {fixture_line("440890"), fixture_line("690722")};
    struct declaration bad = fixture_declaration(&lines[1]);
    struct declaration both = fixture_declaration(lines);
    both.lines_count = 2;
    struct history history;
    struct history_reading reading;
    assert_good(history_init(&history, 0));
    history_learn(&history, &bad, true, day_ns, keys);
    history_read(&history, &both, &reading);
    assert_int_equal(reading.line_index, 1);
    history_fini(&history);
}

static void history_full_table_keeps_what_it_knows_and_counts_what_it_drops(void **state)
{
    (void)state;
    struct history_table table;
    assert_good(history_table_init(&table, 1));
    assert_int_equal(table.slots, HISTORY_SLOTS_MIN);
    for (uint64_t key = 1; key <= HISTORY_SLOTS_MIN; key++) {
        history_table_learn(&table, key * 0x9e3779b97f4a7c15u, true, day_ns, 1e18);
    }
    assert_int_equal(table.used, HISTORY_SLOTS_MIN - HISTORY_SLOTS_MIN / 8);
    assert_int_equal(table.dropped, HISTORY_SLOTS_MIN / 8);
    uint64_t used = table.used;
    history_table_learn(&table, 0x9e3779b97f4a7c15u, true, day_ns, 1e18);
    assert_int_equal(table.used, used);
    assert_int_equal(table.dropped, HISTORY_SLOTS_MIN / 8);
    history_table_fini(&table);
}

static void history_words_carry_pseudonyms_and_codes_only(void **state)
{
    (void)state;
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    declaration.departure_country = "Mr. John Smith, 4 Elm Street";
    const uint8_t key[HASH_BYTES] = {1};
    char pseudonym[PSEUDONYM_BYTES];
    char expected[HISTORY_WORDS_BYTES];
    char words[HISTORY_WORDS_BYTES];
    pseudonym_of(key, "importer", declaration.importer, pseudonym);
    snprintf(expected, sizeof expected, "importer %s x HS 4408.90", pseudonym);
    history_kind_words(IMPORTER_HS6, &declaration, &line, key, words);
    assert_string_equal(words, expected);
    history_kind_words(IMPORTER_HS6, &declaration, &line, NULL, words);
    assert_string_equal(words, "importer x HS 4408.90");
    history_kind_words(18, &declaration, &line, key, words);
    assert_string_equal(words, "departure (other) x origin CN");
    for (uint32_t kind = 0; kind < HISTORY_KINDS; kind++) {
        history_kind_words(kind, &declaration, &line, key, words);
        assert_null(strcasestr(words, "lovelace"));
        assert_null(strcasestr(words, "hopper"));
        assert_null(strcasestr(words, "nine"));
        assert_null(strcasestr(words, "smith"));
    }
}

/* Rows whose label only their own outcome (or that of a row of the same time) could tell: every
 * pair of rows has an importer, a seller and a code of its own, and one random label. */
static void train_on_pairs(bool same_time, const char *directory, struct train_report *report)
{
    struct train_history *self = NULL;
    struct train_report fusion;
    struct rng rng;
    rng_init(&rng, 11, 0);
    assert_good(train_history_open(1, &self));
    for (int pair = 0; pair < 1500; pair++) {
        char importer[32];
        char hs_code[16];
        snprintf(importer, sizeof importer, "firm %d", pair);
        snprintf(hs_code, sizeof hs_code, "%06d", 100000 + pair * 7);
        struct goods_line line = fixture_line(hs_code);
        struct declaration declaration = fixture_declaration(&line);
        declaration.importer = importer;
        declaration.seller = importer;
        bool found = rng_below(&rng, 2) == 1;
        for (int row = 0; row < 2; row++) {
            int64_t t_ns = (same_time ? pair : 2 * pair + row) * day_ns;
            assert_good(train_history_add(self, &declaration, found, t_ns));
        }
    }
    assert_good(train_history_write(self, directory, report, &fusion));
    train_history_close(&self);
}

static double auc_of(const struct train_report *report)
{
    const char *at = strstr(report->evaluation, "AUC ");
    assert_non_null(at);
    return atof(at + 4);
}

static void training_label_of_a_row_does_not_reach_its_own_features(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_report report;
    fixture_make_directory(directory);
    train_on_pairs(true, directory, &report);
    /* 600 held-out rows in pairs: the standard error of the AUC is about 0.033. */
    assert_true(fabs(auc_of(&report) - 0.5) < 0.12);
    /* The same rows one day apart: now the second of each pair may know the first. The test could
     * tell a leak. */
    train_on_pairs(false, directory, &report);
    assert_true(auc_of(&report) > 0.7);
    fixture_remove_directory(directory);
}

static void training_time_that_runs_backwards_is_refused(void **state)
{
    (void)state;
    struct train_history *self = NULL;
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    assert_good(train_history_open(1, &self));
    assert_good(train_history_add(self, &declaration, false, 2 * day_ns));
    assert_int_equal(train_history_add(self, &declaration, false, day_ns).code, ERR_ARGUMENT);
    train_history_close(&self);
}

static void training_twice_on_the_same_rows_gives_the_same_file(void **state)
{
    (void)state;
    char first_directory[FIXTURE_PATH_BYTES];
    char second_directory[FIXTURE_PATH_BYTES];
    struct train_report first;
    struct train_report second;
    fixture_make_directory(first_directory);
    fixture_make_directory(second_directory);
    train_on_pairs(true, first_directory, &first);
    train_on_pairs(true, second_directory, &second);
    assert_memory_equal(first.sha256, second.sha256, HASH_BYTES);
    train_on_pairs(false, second_directory, &second);
    assert_memory_not_equal(first.sha256, second.sha256, HASH_BYTES);
    fixture_remove_directory(first_directory);
    fixture_remove_directory(second_directory);
}

static void training_on_a_single_row_gives_a_model_that_can_be_installed(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_report report;
    struct train_report fusion;
    struct train_history *self = NULL;
    struct goods_line line = fixture_line("440890");
    struct declaration declaration = fixture_declaration(&line);
    fixture_make_directory(directory);
    assert_good(train_history_open(1, &self));
    assert_good(train_history_add(self, &declaration, true, day_ns));
    assert_good(train_history_write(self, directory, &report, &fusion));
    train_history_close(&self);
    struct model_file file;
    struct history history;
    struct history_reading reading;
    assert_good(model_file_read(report.path, report.sha256, &file));
    assert_good(history_init(&history, 0));
    assert_good(history_install(&history, &file));
    model_file_fini(&file);
    /* Already in the model: not learnt a second time from the log. */
    history_learn(&history, &declaration, true, day_ns, keys);
    history_read(&history, &declaration, &reading);
    assert_int_equal(reading.known[IMPORTER].exams_count, 1);
    history_learn(&history, &declaration, true, 2 * day_ns, keys);
    history_read(&history, &declaration, &reading);
    assert_int_equal(reading.known[IMPORTER].exams_count, 2);
    history_fini(&history);
    fixture_remove_directory(directory);
}

static void model_with_broken_counts_or_weights_is_refused(void **state)
{
    (void)state;
    const uint64_t one = 1;
    const uint64_t weights_count = 1 + HISTORY_LINEAR_KINDS;
    const uint64_t four = 4;
    const uint64_t key = 5;
    const uint64_t last = 7;
    const uint64_t fits = UINT64_C(2) << 32 | 1;
    const double constants[4] = {1, 730, 0.02, 50};
    const struct {
        float exams;
        float finds;
        uint64_t counts;
        bool good;
        double intercept;
        double coefficient; /* of importers */
    } rows[] = {
        {2, 1, fits, true, 0, 0},
        {1, 2, fits, false, 0, 0},
        {NAN, 1, fits, false, 0, 0},
        {2, -1, fits, false, 0, 0},
        {2, 1, UINT64_C(1) << 32 | 2, false, 0, 0},
        {2, 1, fits, true, -1000, 1000},
        {2, 1, fits, false, 1001, 0},
        {2, 1, fits, false, 0, -1001},
        {2, 1, fits, false, 0, 1e307}, /* finite, and times a feature no more */
        {2, 1, fits, false, (double)NAN, 0},
        {2, 1, fits, false, 0, (double)INFINITY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct model_file file;
        struct history history;
        assert_good(history_init(&history, 0));
        model_file_init(&file);
        const double weights[1 + HISTORY_LINEAR_KINDS] = {[0] = rows[i].intercept,
                                                          [1 + IMPORTER] = rows[i].coefficient};
        assert_good(model_file_add(&file, "weights", MODEL_F64, &weights_count, 1, weights));
        assert_good(model_file_add(&file, "constants", MODEL_F64, &four, 1, constants));
        assert_good(model_file_add(&file, "keys", MODEL_U64, &one, 1, &key));
        assert_good(model_file_add(&file, "exams", MODEL_F32, &one, 1, &rows[i].exams));
        assert_good(model_file_add(&file, "finds", MODEL_F32, &one, 1, &rows[i].finds));
        assert_good(model_file_add(&file, "last_ns", MODEL_U64, &one, 1, &last));
        assert_good(model_file_add(&file, "counts", MODEL_U64, &one, 1, &rows[i].counts));
        assert_good(model_file_add_text(&file, "kinds_version", HISTORY_LINEAR_VERSION));
        enum err_code expected = rows[i].good ? ERR_NONE : ERR_MODEL_UNREADABLE;
        assert_int_equal(history_install(&history, &file).code, expected);
        model_file_fini(&file);
        history_fini(&history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_spelling_of_a_name_finds_the_same_entity),
        cmocka_unit_test(history_entity_that_is_not_named_is_absent_not_shared),
        cmocka_unit_test(history_finds_raise_and_clean_exams_lower_the_logit),
        cmocka_unit_test(history_features_are_those_of_the_page),
        cmocka_unit_test(history_outcome_fades_by_half_in_a_half_life_of_newer_outcomes),
        cmocka_unit_test(history_entity_in_many_lines_counts_once_an_exam),
        cmocka_unit_test(history_riskiest_line_speaks_for_the_declaration),
        cmocka_unit_test(history_full_table_keeps_what_it_knows_and_counts_what_it_drops),
        cmocka_unit_test(history_words_carry_pseudonyms_and_codes_only),
        cmocka_unit_test(training_label_of_a_row_does_not_reach_its_own_features),
        cmocka_unit_test(training_time_that_runs_backwards_is_refused),
        cmocka_unit_test(training_twice_on_the_same_rows_gives_the_same_file),
        cmocka_unit_test(training_on_a_single_row_gives_a_model_that_can_be_installed),
        cmocka_unit_test(model_with_broken_counts_or_weights_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
