/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious_train.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/oblivious_ref.h"
#include "tests/kernels/draw.h"

enum { FEATURES = 5 };

static const struct oblivious_options usual = {.tree_count = 40,
                                               .depth = 4,
                                               .border_max = 64,
                                               .learning_rate = 0.3,
                                               .l2 = 1,
                                               .row_share = 1,
                                               .column_share = 1,
                                               .seed = 1};

/* A sample, what was trained on it, and the scores of its rows. */
struct fitted {
    struct oblivious_model model;
    struct oblivious_report report;
    size_t border_room;
    int32_t *scores;
};

static struct fitted fit(const struct oblivious_sample *sample,
                         const struct oblivious_sample *validation,
                         const struct oblivious_options *options, const struct oblivious_team *team)
{
    struct oblivious_task task = {sample, validation, options, team, FEATURES};
    struct oblivious_room room = oblivious_train_room(&task);
    struct fitted fitted = {.border_room = room.borders};
    fitted.model.border_first = draw_room(FEATURES + 1, sizeof(uint32_t));
    fitted.model.borders = draw_room(room.borders, sizeof(float));
    fitted.model.split_features = draw_room(room.splits, sizeof(uint16_t));
    fitted.model.split_bins = draw_room(room.splits, 1);
    fitted.model.nodes = draw_room(room.nodes, sizeof(int32_t));
    size_t bytes = (oblivious_train_workspace_bytes(&task) + 63) / 64 * 64;
    void *workspace = aligned_alloc(64, bytes);
    assert_non_null(workspace);
    memset(workspace, 0xa5, bytes);
    oblivious_train(&task, workspace, &fitted.model, &fitted.report);
    free(workspace);
    assert_int_equal(oblivious_validate(&fitted.model, room.borders), OBLIVIOUS_SOUND);
    assert_int_equal(fitted.report.tree_count, fitted.model.tree_count);
    fitted.scores = draw_room(sample->rows.row_count, sizeof *fitted.scores);
    workspace = aligned_alloc(64, (oblivious_workspace_bytes(&fitted.model) + 63) / 64 * 64);
    assert_non_null(workspace);
    oblivious_score(&fitted.model, &sample->rows, workspace, fitted.scores);
    free(workspace);
    return fitted;
}

static void free_fitted(struct fitted *fitted)
{
    free(fitted->model.border_first);
    free(fitted->model.borders);
    free(fitted->model.split_features);
    free(fitted->model.split_bins);
    free(fitted->model.nodes);
    free(fitted->scores);
}

static int models_are_equal(const struct oblivious_model *a, const struct oblivious_model *b)
{
    if (a->tree_count != b->tree_count || a->bias != b->bias ||
        memcmp(a->border_first, b->border_first, (FEATURES + 1) * sizeof(uint32_t)) != 0) {
        return 0;
    }
    size_t splits = oblivious_split_count(a);
    return memcmp(a->borders, b->borders, a->border_first[FEATURES] * sizeof(float)) == 0 &&
           memcmp(a->split_features, b->split_features, splits * sizeof(uint16_t)) == 0 &&
           memcmp(a->split_bins, b->split_bins, splits) == 0 &&
           memcmp(a->nodes, b->nodes, oblivious_node_count(a) * sizeof(int32_t)) == 0;
}

struct drawn {
    struct oblivious_sample sample;
    float *features;
    float *labels;
    float *weights;
};

/* Normal features rounded to eighths, every tenth of feature 3 missing; label by `truth`, and of
 * `noise` in 1000 rows by a coin. */
static struct drawn draw(uint64_t seed, size_t rows, int (*truth)(const float *row), uint64_t noise)
{
    struct drawn drawn = {.features = draw_matrix(seed, rows, FEATURES, FEATURES + 2),
                          .labels = draw_room(rows, sizeof(float)),
                          .weights = draw_room(rows, sizeof(float))};
    struct rng rng;
    rng_init(&rng, seed, 2);
    for (size_t i = 0; i < rows; i++) {
        float *row = drawn.features + i * (FEATURES + 2);
        for (size_t j = 0; j < FEATURES; j++) {
            row[j] = roundf(row[j] * 8) / 8;
        }
        row[3] = rng_below(&rng, 10) == 0 ? NAN : row[3];
        int is_coin = rng_below(&rng, 1000) < noise;
        drawn.labels[i] = is_coin ? (float)rng_below(&rng, 2) : (float)truth(row);
        drawn.weights[i] = (float)(1 + rng_below(&rng, 3));
    }
    drawn.sample = (struct oblivious_sample){
        {drawn.features, rows, FEATURES + 2}, drawn.labels, drawn.weights};
    return drawn;
}

static void free_drawn(struct drawn *drawn)
{
    free(drawn->features);
    free(drawn->labels);
    free(drawn->weights);
}

static int is_exclusive(const float *row)
{
    return (row[1] > 0) != (row[4] > 0);
}

static int is_above(const float *row)
{
    return row[2] > 0.3f;
}

static int is_missing(const float *row)
{
    return isnan(row[3]);
}

/* High in the middle only: a rising model cannot follow it. */
static int is_middle(const float *row)
{
    return fabsf(row[0]) < 0.6f;
}

static void assert_learnt(int (*truth)(const float *row))
{
    struct drawn drawn = draw(3, 1500, truth, 0);
    struct fitted fitted = fit(&drawn.sample, NULL, &usual, NULL);
    for (size_t i = 0; i < 1500; i++) {
        assert_int_equal(fitted.scores[i] > 0, drawn.labels[i] > 0.5f);
    }
    assert_true(fitted.report.loss < 0.02);
    free_fitted(&fitted);
    free_drawn(&drawn);
}

static void train_plain_truths_are_learnt(void **state)
{
    (void)state;
    assert_learnt(is_exclusive);
    assert_learnt(is_above);
    assert_learnt(is_missing);
    assert_learnt(is_middle);
}

/* The questions of a trained tree, as the twin asks them. */
static void read_questions(const struct oblivious_model *model, size_t tree,
                           struct oblivious_ref_question *questions)
{
    for (size_t level = 0; level < model->depth; level++) {
        size_t split = tree * model->depth + level;
        size_t feature = model->split_features[split];
        size_t bin = model->split_bins[split];
        questions[level].feature = feature;
        questions[level].any = bin == 1;
        questions[level].border =
            bin == 1 ? 0 : model->borders[model->border_first[feature] + bin - 2];
    }
}

/* The most that any next question gains: all borders between eighths, and "is it there". */
static double search_best(const struct oblivious_sample *sample, double probability,
                          struct oblivious_ref_question *questions, size_t level)
{
    double best = 0;
    for (size_t feature = 0; feature < FEATURES; feature++) {
        for (int k = -33; k <= 32; k++) {
            questions[level] =
                (struct oblivious_ref_question){feature, k == -33, ((float)k + 0.5f) / 8};
            double gain =
                oblivious_ref_gain(sample, probability, usual.l2, questions, level + 1, NULL);
            best = gain > best ? gain : best;
        }
    }
    return best;
}

/* No other question at any level of the first tree gains more, and its leaves are one Newton step
 * from the bias. */
static void assert_first_tree_is_best(uint64_t seed, int (*truth)(const float *row))
{
    struct drawn drawn = draw(seed, 600, truth, 300);
    struct oblivious_options options = usual;
    options.tree_count = 1;
    options.border_max = OBLIVIOUS_BORDERS_MAX;
    struct fitted fitted = fit(&drawn.sample, NULL, &options, NULL);
    assert_int_equal(fitted.model.tree_count, 1);
    double probability = 1 / (1 + exp(-fitted.model.bias * OBLIVIOUS_LOGIT));
    struct oblivious_ref_question chosen[OBLIVIOUS_DEPTH_MAX];
    struct oblivious_ref_question tried[OBLIVIOUS_DEPTH_MAX];
    read_questions(&fitted.model, 0, chosen);
    double values[1 << OBLIVIOUS_DEPTH_MAX];
    for (size_t level = 0; level < options.depth; level++) {
        memcpy(tried, chosen, sizeof tried);
        double best = search_best(&drawn.sample, probability, tried, level);
        double gain =
            oblivious_ref_gain(&drawn.sample, probability, options.l2, chosen, level + 1, values);
        assert_true(best > 1);
        assert_true(fabs(gain - best) <= 1e-6 * best);
    }
    for (size_t leaf = 0; leaf < (size_t)1 << options.depth; leaf++) {
        double step = fitted.model.nodes[((size_t)1 << options.depth) + leaf] * OBLIVIOUS_LOGIT;
        double wanted = options.learning_rate * values[leaf];
        /* A leaf without rows has its parent's step, not 0. */
        assert_true(fabs(step - wanted) < 3e-6 || fabs(wanted) < 1e-12);
    }
    free_fitted(&fitted);
    free_drawn(&drawn);
}

static void train_first_tree_is_the_twins_best(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        assert_first_tree_is_best(seed, is_exclusive);
        assert_first_tree_is_best(seed, is_above);
        assert_first_tree_is_best(seed, is_middle);
    }
}

/* Every inner node is the mean of the rows under it, to the unit: contributions speak of surprise.
 */
static void train_nodes_are_expectations(void **state)
{
    (void)state;
    struct drawn drawn = draw(12, 900, is_exclusive, 300);
    struct fitted fitted = fit(&drawn.sample, NULL, &usual, NULL);
    double mean = 0;
    double weights = 0;
    for (size_t i = 0; i < 900; i++) {
        mean += (double)drawn.weights[i] * fitted.scores[i];
        weights += (double)drawn.weights[i];
    }
    assert_true(fabs(mean / weights - oblivious_base(&fitted.model)) <=
                0.5 * (fitted.model.tree_count + 1));
    free_fitted(&fitted);
    free_drawn(&drawn);
}

static void run_backwards(void *self, void (*work)(void *argument, size_t part), void *argument,
                          size_t part_count)
{
    size_t *calls = self;
    for (size_t part = part_count; part-- > 0;) {
        work(argument, part);
        (*calls)++;
    }
}

/* The same seed gives the same bits, by whomever in whatever order; another seed does not. */
static void train_same_seed_is_the_same_model(void **state)
{
    (void)state;
    struct drawn drawn = draw(13, 1200, is_exclusive, 200);
    struct oblivious_options options = usual;
    options.row_share = 0.7;
    options.column_share = 0.6;
    struct fitted first = fit(&drawn.sample, NULL, &options, NULL);
    size_t calls = 0;
    struct oblivious_team team = {run_backwards, &calls};
    struct fitted second = fit(&drawn.sample, NULL, &options, &team);
    assert_true(calls > (size_t)FEATURES * first.model.tree_count);
    assert_true(models_are_equal(&first.model, &second.model));
    options.seed = 2;
    struct fitted third = fit(&drawn.sample, NULL, &options, NULL);
    assert_false(models_are_equal(&first.model, &third.model));
    free_fitted(&first);
    free_fitted(&second);
    free_fitted(&third);
    free_drawn(&drawn);
}

/* Scores of one row as feature 0 goes from missing over -inf to +inf. Returns how often it fell. */
static size_t count_falls(const struct oblivious_model *model, const float *row)
{
    float moved[FEATURES];
    memcpy(moved, row, sizeof moved);
    size_t falls = 0;
    int64_t last = INT64_MIN;
    for (int k = -40; k <= 40; k++) {
        moved[0] = k == -40 ? NAN : k == -39 ? -INFINITY : k == 40 ? INFINITY : (float)k / 8;
        int64_t score = oblivious_ref_score(model, moved);
        falls += score < last;
        last = score;
    }
    return falls;
}

static size_t falls_of_model(const uint8_t *rising)
{
    struct drawn drawn = draw(14, 1500, is_middle, 200);
    struct oblivious_options options = usual;
    options.rising = rising;
    struct fitted fitted = fit(&drawn.sample, NULL, &options, NULL);
    size_t falls = 0;
    for (size_t i = 0; i < 200; i++) {
        falls += count_falls(&fitted.model, drawn.features + i * (FEATURES + 2));
    }
    /* The other features may still do what they like. */
    assert_true(fitted.model.tree_count > 3);
    free_fitted(&fitted);
    free_drawn(&drawn);
    return falls;
}

static void train_rising_feature_never_lowers_a_score(void **state)
{
    (void)state;
    const uint8_t rising[FEATURES] = {1, 0, 0, 0, 1};
    assert_true(falls_of_model(NULL) > 200);
    assert_int_equal(falls_of_model(rising), 0);
}

/* A weight of 2 says what the row twice says, but for the rounding of derivatives. */
static void train_weight_counts_as_repetition(void **state)
{
    (void)state;
    struct drawn once = draw(15, 400, is_exclusive, 300);
    struct drawn twice = draw(15, 800, is_exclusive, 0);
    for (size_t i = 0; i < 400; i++) {
        once.weights[i] = 2;
        for (size_t k = 2 * i; k < 2 * i + 2; k++) {
            memcpy(twice.features + k * (FEATURES + 2), once.features + i * (FEATURES + 2),
                   (FEATURES + 2) * sizeof(float));
            twice.labels[k] = once.labels[i];
        }
    }
    twice.sample.weights = NULL;
    struct oblivious_options options = usual;
    options.tree_count = 5;
    struct fitted weighted = fit(&once.sample, NULL, &options, NULL);
    struct fitted repeated = fit(&twice.sample, NULL, &options, NULL);
    assert_int_equal(weighted.model.tree_count, repeated.model.tree_count);
    for (size_t i = 0; i < 400; i++) {
        assert_true(abs(weighted.scores[i] - repeated.scores[2 * i]) < 50);
    }
    free_fitted(&weighted);
    free_fitted(&repeated);
    free_drawn(&once);
    free_drawn(&twice);
}

/* Labels without reason: trees after the best one are thrown away, borders of theirs too. */
static void train_patience_keeps_the_lowest_loss(void **state)
{
    (void)state;
    struct drawn drawn = draw(16, 500, is_above, 600);
    struct drawn later = draw(17, 500, is_above, 600);
    struct oblivious_options options = usual;
    options.patience = 6;
    options.learning_rate = 0.1;
    options.tree_count = 200;
    struct fitted fitted = fit(&drawn.sample, &later.sample, &options, NULL);
    assert_true(fitted.model.tree_count > 0);
    assert_int_equal(fitted.report.trees_grown, fitted.model.tree_count + 6);
    options.patience = 0;
    options.tree_count = fitted.model.tree_count;
    struct fitted same = fit(&drawn.sample, &later.sample, &options, NULL);
    assert_true(models_are_equal(&fitted.model, &same.model));
    assert_true(fabs(fitted.report.validation_loss - same.report.validation_loss) <= 0);
    assert_true(fabs(fitted.report.loss - same.report.loss) <= 0);
    for (uint32_t more = 1; more <= 6; more++) {
        options.tree_count = fitted.model.tree_count + more;
        struct fitted further = fit(&drawn.sample, &later.sample, &options, NULL);
        assert_true(further.report.validation_loss >= fitted.report.validation_loss);
        free_fitted(&further);
    }
    free_fitted(&fitted);
    free_fitted(&same);
    free_drawn(&drawn);
    free_drawn(&later);
}

/* Every border of a model is asked for by a split: thinning them out left none behind. */
static void train_borders_are_all_used(void **state)
{
    (void)state;
    struct drawn drawn = draw(18, 800, is_exclusive, 300);
    struct fitted fitted = fit(&drawn.sample, NULL, &usual, NULL);
    const struct oblivious_model *model = &fitted.model;
    for (uint32_t j = 0; j < FEATURES; j++) {
        for (uint32_t k = model->border_first[j]; k < model->border_first[j + 1]; k++) {
            size_t asked = 0;
            for (size_t i = 0; i < oblivious_split_count(model); i++) {
                asked += model->split_features[i] == j &&
                         model->split_bins[i] == k - model->border_first[j] + 2;
            }
            assert_true(asked > 0);
        }
    }
    free_fitted(&fitted);
    free_drawn(&drawn);
}

static void train_nothing_to_learn_is_a_bias(void **state)
{
    (void)state;
    struct drawn drawn = draw(19, 300, is_above, 0);
    struct oblivious_sample none = drawn.sample;
    none.rows.row_count = 0;
    struct fitted fitted = fit(&none, NULL, &usual, NULL);
    assert_int_equal(fitted.model.tree_count, 0);
    assert_int_equal(fitted.model.bias, 0);
    free_fitted(&fitted);
    for (size_t i = 0; i < 300; i++) {
        drawn.labels[i] = 1;
    }
    fitted = fit(&drawn.sample, NULL, &usual, NULL);
    assert_int_equal(fitted.model.tree_count, 0);
    assert_true(fitted.model.bias * OBLIVIOUS_LOGIT > 5);
    free_fitted(&fitted);
    free_drawn(&drawn);
}

/* Values that have no middle, rows that are all the same, weights of nothing. */
static void train_odd_values_stay_sound(void **state)
{
    (void)state;
    struct drawn drawn = draw(20, 400, is_above, 100);
    const float odd[] = {-INFINITY,        INFINITY, NAN,  3.402823466e38f,
                         -3.402823466e38f, 1e-45f,   -0.0f};
    for (size_t i = 0; i < 400; i++) {
        float *row = drawn.features + i * (FEATURES + 2);
        row[0] = odd[i % 7];
        row[1] = NAN;
        row[4] = 7;
        drawn.labels[i] = i % 7 == 1 || i % 7 == 3;
    }
    struct fitted fitted = fit(&drawn.sample, NULL, &usual, NULL);
    for (size_t i = 0; i < 400; i++) {
        assert_int_equal(fitted.scores[i] > 0, drawn.labels[i] > 0.5f);
    }
    free_fitted(&fitted);
    memset(drawn.weights, 0, 400 * sizeof(float));
    fitted = fit(&drawn.sample, NULL, &usual, NULL);
    assert_int_equal(fitted.model.tree_count, 0);
    free_fitted(&fitted);
    free_drawn(&drawn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(train_plain_truths_are_learnt),
        cmocka_unit_test(train_first_tree_is_the_twins_best),
        cmocka_unit_test(train_nodes_are_expectations),
        cmocka_unit_test(train_same_seed_is_the_same_model),
        cmocka_unit_test(train_rising_feature_never_lowers_a_score),
        cmocka_unit_test(train_weight_counts_as_repetition),
        cmocka_unit_test(train_patience_keeps_the_lowest_loss),
        cmocka_unit_test(train_borders_are_all_used),
        cmocka_unit_test(train_nothing_to_learn_is_a_bias),
        cmocka_unit_test(train_odd_values_stay_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
