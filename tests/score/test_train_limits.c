/* SPDX-License-Identifier: Apache-2.0 */
#include "port_rows.h"

#include <math.h>

#include <unistd.h>

#include "base/counter.h"
#include "score/score.h"
#include "score/train_fit.h"
#include "score/train_rows.h"

/* Training at its limits: one outcome only, no borders, scales beyond belief, days that could be
 * cut in two. */

enum { ROWS = 300 };

static const uint8_t secret[PART_SECRET_BYTES] = {7};

/* The scale of a model that has seen one outcome only means nothing to the model that has seen
 * both. */
static void one_outcome_before_validation_leaves_scores_sane(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct declaration_model model;
    struct history history;
    struct row row;
    struct rng rng;
    fixture_make_directory(directory);
    rng_init(&rng, 2, 0); /* of 1 to 8, 2, 3 and 7 have a scale of 1e-5 */
    for (int i = 0; i < PORT_ROWS; i++) {
        const struct train_outcome clean = {.found = false, .t_ns = (int64_t)(i / 5) * day_ns};
        make_row(&row, (unsigned)rng_below(&rng, 200), (unsigned)rng_below(&rng, 5),
                 1 + rng_uniform(&rng) * 500);
        assert_good(train_declarations_add(self, &row.declaration, &clean));
    }
    for (int i = 0; i < PORT_ROWS; i++) {
        add_port_row(self, &rng, (int64_t)(300 + i / 10) * day_ns, true);
    }
    write_model(self, directory, &report);
    open_model(&report.model, &model, &history);
    double sum = 0;
    int32_t lowest = INT32_MAX;
    int32_t highest = INT32_MIN;
    for (int i = 0; i < ROWS; i++) {
        struct declaration_risk risk;
        const struct declaration *one = &row.declaration;
        make_row(&row, (unsigned)rng_below(&rng, 200), (unsigned)rng_below(&rng, 5),
                 1 + rng_uniform(&rng) * 500);
        declaration_model_score(&model, &history, &one, 1, &risk, NULL);
        lowest = risk.logit < lowest ? risk.logit : lowest;
        highest = risk.logit > highest ? risk.logit : highest;
        sum += 1 / (1 + exp(-(double)risk.logit * OBLIVIOUS_LOGIT));
    }
    assert_true((highest - lowest) * OBLIVIOUS_LOGIT > 1);
    assert_true(lowest * OBLIVIOUS_LOGIT > -12 && highest * OBLIVIOUS_LOGIT < 12);
    assert_true(sum / ROWS > 0.02 && sum / ROWS < 0.4); /* 0.15 are found in validation */
    history_fini(&history);
    declaration_model_fini(&model);
    fixture_remove_directory(directory);
}

/* One find among twenty rows: a third of the resamples have none. */
static void resamples_of_one_outcome_do_not_move_an_interval(void **state)
{
    (void)state;
    double logits[20];
    uint8_t labels[20] = {0};
    struct evaluation made;
    for (int i = 0; i < 20; i++) {
        logits[i] = i;
    }
    labels[12] = 1;
    const struct evaluation_rows rows = {logits, labels, 20};
    assert_good(evaluation_make(&rows, &made));
    assert_true(made.auc.lower > 0.2 && made.auc.lower < made.auc.value);
    assert_true(made.auc.upper > made.auc.value && made.auc.upper < 1);
}

static void trees_that_ask_nothing_can_be_written(void **state)
{
    (void)state;
    uint32_t border_first[LINE_FEATURES + 1] = {0};
    uint16_t split_features[1] = {0};
    uint8_t split_bins[1] = {1};
    int32_t nodes[4] = {0};
    float borders[1] = {0};
    const struct oblivious_model trees = {.feature_count = LINE_FEATURES,
                                          .tree_count = 1,
                                          .depth = 1,
                                          .border_first = border_first,
                                          .borders = borders,
                                          .split_features = split_features,
                                          .split_bins = split_bins,
                                          .nodes = nodes};
    struct model_file file;
    model_file_init(&file);
    assert_int_equal(oblivious_validate(&trees, 0), OBLIVIOUS_SOUND);
    assert_good(declaration_trees_write(&trees, "trees_", &file));
    model_file_fini(&file);
}

static uint64_t warnings_in(FILE *diag)
{
    char line[512];
    uint64_t count = 0;
    rewind(diag);
    while (fgets(line, sizeof line, diag) != NULL) {
        count += strstr(line, "event=history full=1") != NULL;
    }
    return count;
}

static void full_history_is_counted_and_told_once(void **state)
{
    (void)state;
    struct score *scorer = NULL;
    const struct score_conf conf = {
        .image_bytes_max = 1 << 20, .history_slots = 1, .working_height = 64};
    struct row row;
    FILE *diag = tmpfile();
    int stderr_before = dup(STDERR_FILENO);
    assert_non_null(diag);
    assert_good(score_open(&conf, &scorer));
    make_row(&row, 1, 1, 5);
    score_history_learn(scorer, &row.declaration, true, day_ns);
    assert_int_equal(counter_value(COUNTER_history_dropped), 0);
    assert_true(dup2(fileno(diag), STDERR_FILENO) >= 0);
    for (unsigned i = 0; i < 500; i++) {
        make_row(&row, i, i, i);
        score_history_learn(scorer, &row.declaration, true, i * day_ns);
    }
    assert_true(dup2(stderr_before, STDERR_FILENO) >= 0);
    close(stderr_before);
    assert_true(counter_value(COUNTER_history_dropped) > 100);
    assert_int_equal(warnings_in(diag), 1);
    score_history_reset(scorer);
    assert_int_equal(counter_value(COUNTER_history_dropped), 0);
    score_close(&scorer);
    fclose(diag);
}

static void scale_beyond_belief_is_not_taken(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static double logits[COUNT];
    static uint8_t labels[COUNT];
    static const double factors[] = {0.001, 0.5, 100};
    for (int f = 0; f < 3; f++) {
        struct rng rng;
        double scale;
        double offset;
        rng_init(&rng, 8, 0);
        for (int i = 0; i < COUNT; i++) {
            double logit = 6 * rng_uniform(&rng) - 3;
            logits[i] = logit * factors[f];
            labels[i] = rng_uniform(&rng) < 1 / (1 + exp(-logit));
        }
        fit_calibration(logits, labels, COUNT, &scale, &offset);
        if (f == 1) {
            assert_true(scale > 1.5 && scale < 2.5);
        } else {
            assert_true(scale == 1 && offset == 0);
        }
    }
}

/* Two rows of a day, one in the morning, which tells all about the one in the evening; the first
 * row stands so late on its day that quarters of the time would cut days in two. */
static void no_block_ends_in_the_middle_of_a_day(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations_report report;
    struct train_declarations *self = open_training(1, 0);
    struct rng rng;
    fixture_make_directory(directory);
    rng_init(&rng, 12, 0);
    for (unsigned pair = 0; pair < 1600; pair++) {
        struct row row;
        bool found = rng_below(&rng, 2) == 1;
        int64_t day = pair / 400;
        make_lone_row(&row, pair);
        for (int second = 0; second < 2; second++) {
            int64_t hour = day == 0 ? 20 + second : 2 + 16 * second;
            const struct train_outcome outcome = {.found = found,
                                                  .t_ns = day * day_ns + hour * day_ns / 24};
            assert_good(train_declarations_add(self, &row.declaration, &outcome));
        }
    }
    write_model(self, directory, &report);
    assert_int_equal(report.later.rows, 800);
    assert_true(fabs(report.later.auc.value - 0.5) < 0.12);
    fixture_remove_directory(directory);
}

static void days_leave_memory_whole(void **state)
{
    (void)state;
    struct train_rows rows;
    struct history_parts parts = {.keyed = true};
    struct history_known known;
    struct row row;
    make_row(&row, 1, 1, 5);
    assert_good(train_rows_init(&rows, 4 * RECORD_LINES_MAX, secret));
    for (unsigned i = 0; i < 4 * RECORD_LINES_MAX; i++) {
        const struct train_outcome outcome = {.t_ns = (int64_t)(i / 100) * day_ns + i % 100};
        assert_good(train_rows_add(&rows, &row.declaration, &outcome));
    }
    history_know(&rows.history, history_key(HISTORY_ALL, &parts), &known);
    assert_true(known.exams_count > 0);
    assert_int_equal(known.exams_count % 100, 0);
    const struct train_outcome same_day = {.t_ns = ((int64_t)known.exams_count / 100 - 1) * day_ns +
                                                   day_ns / 2};
    assert_int_equal(train_rows_add(&rows, &row.declaration, &same_day).code, ERR_ARGUMENT);
    train_rows_fini(&rows);
    /* One day that fills the memory cannot be cut. */
    assert_good(train_rows_init(&rows, 2 * RECORD_LINES_MAX, secret));
    const struct train_outcome one_day = {.t_ns = day_ns};
    struct err err = err_none;
    for (unsigned i = 0; i < 2 * RECORD_LINES_MAX && !err_is(err); i++) {
        err = train_rows_add(&rows, &row.declaration, &one_day);
    }
    assert_int_equal(err.code, ERR_ARGUMENT);
    train_rows_fini(&rows);
}

static void digest_of_the_rows_depends_on_the_tax_rate(void **state)
{
    (void)state;
    uint8_t digests[2][HASH_BYTES];
    for (int i = 0; i < 2; i++) {
        struct train_rows rows;
        struct row row;
        const struct train_outcome outcome = {.t_ns = day_ns};
        make_row(&row, 1, 1, 0);
        /* The entities have the rate with fewer digits. */
        row.line.tax_rate_percent = 8 + 1e-5 * i;
        assert_good(train_rows_init(&rows, 0, secret));
        assert_good(train_rows_add(&rows, &row.declaration, &outcome));
        sha256_finish(rows.training_set, digests[i]);
        train_rows_fini(&rows);
    }
    assert_memory_not_equal(digests[0], digests[1], HASH_BYTES);
}

static void importers_are_known_also_to_trees_without_them(void **state)
{
    (void)state;
    char directory[FIXTURE_PATH_BYTES];
    struct train_declarations *self = NULL;
    struct train_declarations_report report;
    struct train_declarations_conf conf = {.seed = 3};
    for (uint32_t group = 0; group < LINE_GROUPS; group++) {
        conf.left_out[group] = strcmp(line_group_name(group), "history.importer") == 0;
    }
    fixture_make_directory(directory);
    assert_good(train_declarations_open(&conf, &self));
    train_port(self, 5);
    write_model(self, directory, &report);
    assert_true(report.known.rows > report.newcomers.rows);
    fixture_remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_outcome_before_validation_leaves_scores_sane),
        cmocka_unit_test(resamples_of_one_outcome_do_not_move_an_interval),
        cmocka_unit_test(trees_that_ask_nothing_can_be_written),
        cmocka_unit_test(full_history_is_counted_and_told_once),
        cmocka_unit_test(scale_beyond_belief_is_not_taken),
        cmocka_unit_test(no_block_ends_in_the_middle_of_a_day),
        cmocka_unit_test(days_leave_memory_whole),
        cmocka_unit_test(digest_of_the_rows_depends_on_the_tax_rate),
        cmocka_unit_test(importers_are_known_also_to_trees_without_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
