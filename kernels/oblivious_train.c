/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/oblivious_train.h"

#include <math.h>
#include <string.h>

#include "kernels/logistic.h"
#include "kernels/oblivious_grow.h"
#include "kernels/oblivious_lanes.h"
#include "kernels/rng.h"

/* The scores of the sample are kept as the whole numbers that the model will give, so a tree is
 * fitted to what is really left over. Splits speak of the bins of the draft (all borders) until the
 * end; then borders that no split asks for go, which changes no answer. */

struct side {
    const struct oblivious_sample *sample;
    uint8_t *bins;   /* [feature_count x row_count] */
    uint8_t *leaves; /* [row_count] */
    int32_t *scores; /* [row_count] */
};

struct trainer {
    const struct oblivious_task *task;
    struct oblivious_model *model;
    struct side side;
    struct side validation; /* sample NULL without one */
    struct oblivious_grower *grower;
    float *borders;        /* [feature_count x border_max] */
    uint32_t *border_used; /* [feature_count x BINS_MAX] */
    uint32_t *keys;
    uint32_t *features; /* usable ones, shuffled */
    size_t feature_room;
    double *residuals; /* [row_count] */
    double *curvatures;
    int64_t reach; /* of bias and trees so far */
};

/* ---- room */

struct cursor {
    uint8_t *at; /* NULL: only count */
    size_t bytes;
};

static void *take(struct cursor *cursor, size_t count, size_t element_bytes)
{
    void *room = cursor->at != NULL ? cursor->at + cursor->bytes : NULL;
    cursor->bytes += (count * element_bytes + 63) / 64 * 64;
    return room;
}

static void take_side(struct cursor *cursor, const struct oblivious_sample *sample,
                      size_t feature_count, struct side *side)
{
    size_t rows = sample != NULL ? sample->rows.row_count : 0;
    side->sample = sample;
    side->bins = take(cursor, feature_count * rows, 1);
    side->leaves = take(cursor, rows, 1);
    side->scores = take(cursor, rows, sizeof *side->scores);
}

static size_t lay_out(const struct oblivious_task *task, void *workspace, struct trainer *self)
{
    struct cursor cursor = {workspace, 0};
    const struct oblivious_options *options = task->options;
    size_t features = task->feature_count;
    size_t rows = task->sample->rows.row_count;
    size_t keys = rows < BORDER_SAMPLE_MAX ? rows : BORDER_SAMPLE_MAX;
    size_t slots = (size_t)1 << (options->depth - 1);
    *self = (struct trainer){.task = task};
    take_side(&cursor, task->sample, features, &self->side);
    take_side(&cursor, task->validation, features, &self->validation);
    self->grower = take(&cursor, 1, sizeof *self->grower);
    self->borders = take(&cursor, features * options->border_max, sizeof *self->borders);
    self->border_used = take(&cursor, features * BINS_MAX, sizeof *self->border_used);
    self->keys = take(&cursor, 2 * keys, sizeof *self->keys);
    self->features = take(&cursor, features, sizeof *self->features);
    self->residuals = take(&cursor, rows, sizeof *self->residuals);
    self->curvatures = take(&cursor, rows, sizeof *self->curvatures);
    struct oblivious_grower grower = {
        .options = options,
        .team = task->team,
        .columns = take(&cursor, features, sizeof *grower.columns),
        .column_count = task->feature_count,
        .order = take(&cursor, 2 * rows, sizeof *grower.order),
        .packed = take(&cursor, 2 * rows, sizeof *grower.packed),
        .row_count = rows,
    };
    int64_t *histograms = take(&cursor, features * slots * (options->border_max + 2), 8);
    if (workspace != NULL) {
        *self->grower = grower;
        for (size_t j = 0; j < features; j++) {
            grower.columns[j] = (struct oblivious_column){
                .bins = self->side.bins + j * rows,
                .histograms = histograms + j * slots * (options->border_max + 2)};
        }
    }
    return cursor.bytes;
}

size_t oblivious_train_workspace_bytes(const struct oblivious_task *task)
{
    struct trainer counted;
    return lay_out(task, NULL, &counted);
}

struct oblivious_room oblivious_train_room(const struct oblivious_task *task)
{
    const struct oblivious_options *options = task->options;
    size_t splits = (size_t)options->tree_count * options->depth;
    size_t borders = (size_t)task->feature_count * options->border_max;
    return (struct oblivious_room){.borders = borders < splits ? borders : splits,
                                   .splits = splits,
                                   .nodes = (size_t)options->tree_count << (options->depth + 1)};
}

/* ---- bins */

static void bin_side(const struct side *side, size_t feature, const float *borders, size_t count)
{
    enum { STRETCH = 512 };
    float values[STRETCH];
    const struct oblivious_rows *rows = &side->sample->rows;
    uint8_t *bins = side->bins + feature * rows->row_count;
    enum oblivious_path path = oblivious_path_best();
    for (size_t first = 0; first < rows->row_count; first += STRETCH) {
        size_t left = rows->row_count - first;
        size_t taken = left < STRETCH ? left : STRETCH;
        for (size_t i = 0; i < taken; i++) {
            values[i] = rows->features[(first + i) * rows->stride + feature];
        }
        oblivious_bin_by(path, values, taken, borders, count, bins + first);
    }
}

static void bin_feature(void *argument, size_t feature)
{
    struct trainer *self = argument;
    struct oblivious_column *column = &self->grower->columns[feature];
    const float *borders = self->borders + feature * self->task->options->border_max;
    size_t count = column->bin_count - 2;
    bin_side(&self->side, feature, borders, count);
    if (self->validation.sample != NULL) {
        bin_side(&self->validation, feature, borders, count);
    }
    uint8_t differs = 0;
    for (size_t i = 1; i < self->grower->row_count; i++) {
        differs |= column->bins[i] ^ column->bins[0];
    }
    column->usable = differs != 0;
    column->rising = self->task->options->rising != NULL && self->task->options->rising[feature];
}

static void bin_all(struct trainer *self)
{
    const struct oblivious_options *options = self->task->options;
    for (size_t j = 0; j < self->task->feature_count; j++) {
        uint32_t found =
            oblivious_find_borders(&self->side.sample->rows, j, options->border_max, self->keys,
                                   self->borders + j * options->border_max);
        self->grower->columns[j].bin_count = found + 2;
    }
    oblivious_run(self->task->team, bin_feature, self, self->task->feature_count);
    for (size_t j = 0; j < self->task->feature_count; j++) {
        if (self->grower->columns[j].usable) {
            self->features[self->feature_room++] = (uint32_t)j;
        }
    }
}

/* ---- one tree */

static double weight_of(const struct oblivious_sample *sample, size_t row)
{
    return sample->weights != NULL ? (double)sample->weights[row] : 1.0;
}

/* 2^k with sum * 2^k within 2^29..2^30, so that rounding 2^31 rows cannot pass 2^31. */
static double scale_of(double sum)
{
    int exponent;
    frexp(sum, &exponent);
    return ldexp(1.0, 30 - exponent);
}

/* Derivatives of the loss at the scores so far. Returns 0 when nothing is left to learn from. */
static int find_derivatives(struct trainer *self)
{
    const struct oblivious_sample *sample = self->side.sample;
    double residual_sum = 0;
    double curvature_sum = 0;
    for (size_t i = 0; i < sample->rows.row_count; i++) {
        double weight = weight_of(sample, i);
        double p = logistic_probability(self->side.scores[i] * OBLIVIOUS_LOGIT);
        self->residuals[i] = weight * ((double)sample->labels[i] - p);
        self->curvatures[i] = weight * p * (1 - p);
        residual_sum += fabs(self->residuals[i]);
        curvature_sum += self->curvatures[i];
    }
    if (!(residual_sum > 0x1p-900) || !(curvature_sum > 0x1p-900)) {
        return 0;
    }
    self->grower->gradient_unit = 1 / scale_of(residual_sum);
    self->grower->hessian_unit = 1 / scale_of(curvature_sum);
    return 1;
}

/* The tree's rows and features; every tree has random numbers of its own. */
static void choose(struct trainer *self, size_t tree)
{
    const struct oblivious_options *options = self->task->options;
    struct oblivious_grower *grower = self->grower;
    double gradient_scale = 1 / grower->gradient_unit;
    double hessian_scale = 1 / grower->hessian_unit;
    struct rng rng;
    rng_init(&rng, options->seed, tree);
    size_t count = 0;
    for (size_t i = 0; i < grower->row_count; i++) {
        if (options->row_share < 1 && rng_uniform(&rng) >= options->row_share) {
            continue;
        }
        grower->order[count] = (uint32_t)i;
        grower->packed[count++] =
            oblivious_pack((int32_t)lrint(self->residuals[i] * gradient_scale),
                           (int32_t)lrint(self->curvatures[i] * hessian_scale));
    }
    grower->chosen_count = count;
    for (size_t j = 0; j < self->task->feature_count; j++) {
        grower->columns[j].chosen = 0;
    }
    size_t wanted = (size_t)ceil(options->column_share * (double)self->feature_room);
    for (size_t k = 0; k < wanted && k < self->feature_room; k++) {
        size_t other = k + rng_below(&rng, self->feature_room - k);
        uint32_t feature = self->features[other];
        self->features[other] = self->features[k];
        self->features[k] = feature;
        grower->columns[feature].chosen = 1;
    }
}

static void find_leaves(const struct side *side, const uint16_t *features, const uint8_t *bins,
                        uint32_t depth)
{
    size_t rows = side->sample->rows.row_count;
    memset(side->leaves, 0, rows);
    for (uint32_t level = 0; level < depth; level++) {
        const uint8_t *column = side->bins + features[level] * rows;
        for (size_t i = 0; i < rows; i++) {
            side->leaves[i] = (uint8_t)(side->leaves[i] * 2 + (column[i] >= bins[level]));
        }
    }
}

static void add_leaves(const struct side *side, const int32_t *leaves)
{
    for (size_t i = 0; i < side->sample->rows.row_count; i++) {
        side->scores[i] += leaves[side->leaves[i]];
    }
}

/* The weight of the sample's rows in each leaf, then what the nodes above expect. */
static void expect_nodes(const struct trainer *self, int32_t *nodes)
{
    double weights[2 * LEAVES_MAX] = {0};
    const struct side *side = &self->side;
    uint32_t depth = self->task->options->depth;
    for (size_t i = 0; i < self->grower->row_count; i++) {
        weights[((size_t)1 << depth) + side->leaves[i]] += weight_of(side->sample, i);
    }
    oblivious_expect_nodes(weights, depth, nodes);
}

/* Returns 0 when no split gains anything or the score has no room for another tree. */
static int add_tree(struct trainer *self, size_t tree)
{
    uint32_t depth = self->task->options->depth;
    uint16_t *features = self->model->split_features + tree * depth;
    uint8_t *bins = self->model->split_bins + tree * depth;
    int32_t *nodes = self->model->nodes + (tree << (depth + 1));
    if (self->feature_room == 0 || !find_derivatives(self)) {
        return 0;
    }
    choose(self, tree);
    if (oblivious_grow(self->grower, features, bins) == 0) {
        return 0;
    }
    oblivious_step_leaves(self->grower, nodes);
    oblivious_raise_leaves(self->grower, features, nodes);
    find_leaves(&self->side, features, bins, depth);
    expect_nodes(self, nodes);
    self->reach += oblivious_reach(nodes, depth);
    if (self->reach > OBLIVIOUS_SCORE_MAX) {
        return 0;
    }
    add_leaves(&self->side, nodes + ((size_t)1 << depth));
    if (self->validation.sample != NULL) {
        find_leaves(&self->validation, features, bins, depth);
        add_leaves(&self->validation, nodes + ((size_t)1 << depth));
    }
    return 1;
}

/* ---- all trees */

static double mean_loss(const struct side *side)
{
    double loss = 0;
    double weights = 0;
    for (size_t i = 0; i < side->sample->rows.row_count; i++) {
        double weight = weight_of(side->sample, i);
        double z = side->scores[i] * OBLIVIOUS_LOGIT;
        loss += weight * (logistic_softplus(z) - (double)side->sample->labels[i] * z);
        weights += weight;
    }
    return weights > 0 ? loss / weights : 0;
}

/* The log-odds of the sample, held within what half a positive row more would say. */
static int32_t find_bias(const struct oblivious_sample *sample)
{
    double weights = 0;
    double positive = 0;
    for (size_t i = 0; i < sample->rows.row_count; i++) {
        weights += weight_of(sample, i);
        positive += weight_of(sample, i) * (double)sample->labels[i];
    }
    double logit = log((positive + 0.5) / (weights - positive + 0.5));
    return (int32_t)lrint(logit / OBLIVIOUS_LOGIT);
}

static void fill_scores(const struct side *side, int32_t score)
{
    for (size_t i = 0; i < side->sample->rows.row_count; i++) {
        side->scores[i] = score;
    }
}

/* Leave out the borders that no split asks for. Bin 1 asks only whether a value is there. */
static void keep_used_borders(struct trainer *self)
{
    struct oblivious_model *model = self->model;
    size_t split_count = oblivious_split_count(model);
    memset(self->border_used, 0, (size_t)model->feature_count * BINS_MAX * sizeof(uint32_t));
    for (size_t i = 0; i < split_count; i++) {
        self->border_used[(size_t)model->split_features[i] * BINS_MAX + model->split_bins[i]] = 1;
    }
    uint32_t kept = 0;
    for (size_t j = 0; j < model->feature_count; j++) {
        const float *borders = self->borders + j * self->task->options->border_max;
        uint32_t *new_bins = self->border_used + j * BINS_MAX;
        model->border_first[j] = kept;
        new_bins[1] = 1;
        for (uint32_t bin = 2; bin < BINS_MAX; bin++) {
            if (new_bins[bin]) {
                model->borders[kept++] = borders[bin - 2];
                new_bins[bin] = kept - model->border_first[j] + 1;
            }
        }
    }
    model->border_first[model->feature_count] = kept;
    for (size_t i = 0; i < split_count; i++) {
        size_t place = (size_t)model->split_features[i] * BINS_MAX + model->split_bins[i];
        model->split_bins[i] = (uint8_t)self->border_used[place];
    }
}

/* The scores of a side after the model's trees, when later ones were grown in vain. */
static void score_again(const struct trainer *self, const struct side *side)
{
    const struct oblivious_model *model = self->model;
    fill_scores(side, model->bias);
    for (size_t tree = 0; tree < model->tree_count; tree++) {
        find_leaves(side, model->split_features + tree * model->depth,
                    model->split_bins + tree * model->depth, model->depth);
        add_leaves(side, model->nodes + (tree << (model->depth + 1)) + ((size_t)1 << model->depth));
    }
}

/* Grows until the options say stop; returns how many trees are to be kept. */
static uint32_t grow_all(struct trainer *self, struct oblivious_report *report)
{
    const struct oblivious_options *options = self->task->options;
    int may_stop = self->validation.sample != NULL && options->patience > 0;
    double lowest = may_stop ? mean_loss(&self->validation) : 0;
    uint32_t kept = 0;
    uint32_t grown = 0;
    while (grown < options->tree_count && add_tree(self, grown)) {
        grown++;
        if (!may_stop) {
            kept = grown;
            continue;
        }
        double loss = mean_loss(&self->validation);
        if (loss < lowest) {
            lowest = loss;
            kept = grown;
        } else if (grown - kept >= options->patience) {
            break;
        }
    }
    report->trees_grown = grown;
    return kept;
}

void oblivious_train(const struct oblivious_task *task, void *restrict workspace,
                     struct oblivious_model *model, struct oblivious_report *report)
{
    struct trainer trainer;
    lay_out(task, workspace, &trainer);
    trainer.model = model;
    model->feature_count = task->feature_count;
    model->bias = find_bias(task->sample);
    trainer.reach = model->bias < 0 ? -(int64_t)model->bias : model->bias;
    fill_scores(&trainer.side, model->bias);
    bin_all(&trainer);
    if (task->validation != NULL) {
        fill_scores(&trainer.validation, model->bias);
    }
    *report = (struct oblivious_report){0};
    model->tree_count = grow_all(&trainer, report);
    model->depth = model->tree_count > 0 ? task->options->depth : 0;
    if (report->trees_grown > model->tree_count) {
        score_again(&trainer, &trainer.side);
        score_again(&trainer, &trainer.validation);
    }
    keep_used_borders(&trainer);
    report->tree_count = model->tree_count;
    report->loss = mean_loss(&trainer.side);
    report->validation_loss = task->validation != NULL ? mean_loss(&trainer.validation) : 0;
}
