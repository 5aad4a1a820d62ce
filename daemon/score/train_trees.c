/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_trees.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Chosen on quarters of 2020, each by trees that had seen only the quarters before it (MODELS.md),
 * not on the quarter that is shown. */
const struct oblivious_options trees_of_finds = {
    .tree_count = 250,
    .depth = 6,
    .border_max = 128,
    .learning_rate = 0.08,
    .l2 = 5,
    .hessian_min = 1,
    .row_share = 0.8,
    .column_share = 0.5,
    .seed = 1,
};

const struct oblivious_options trees_of_critical = {
    .tree_count = 120,
    .depth = 4,
    .border_max = 64,
    .learning_rate = 0.08,
    .l2 = 10,
    .hessian_min = 1,
    .row_share = 0.8,
    .column_share = 0.5,
    .seed = 2,
};

/* A bin needs so many rows before its share of finds says anything. */
enum { BIN_ROWS_MIN = 50, BINS_WANTED = 20 };

static struct oblivious_sample sample_of(const struct trees_rows *rows)
{
    return (struct oblivious_sample){.rows = {rows->features, rows->count, LINE_FEATURES},
                                     .labels = rows->labels};
}

static bool make_room(const struct oblivious_room *room, struct oblivious_model *model)
{
    model->border_first = calloc(LINE_FEATURES + 1, sizeof *model->border_first);
    model->borders = calloc(room->borders + 1, sizeof *model->borders);
    model->split_features = calloc(room->splits + 1, sizeof *model->split_features);
    model->split_bins = calloc(room->splits + 1, sizeof *model->split_bins);
    model->nodes = calloc(room->nodes + 1, sizeof *model->nodes);
    return model->border_first != NULL && model->borders != NULL && model->split_features != NULL &&
           model->split_bins != NULL && model->nodes != NULL;
}

MUST_USE struct err trees_fit(const struct trees_rows *rows,
                              const struct oblivious_options *options, struct team *team,
                              struct oblivious_model *out)
{
    const struct oblivious_sample sample = sample_of(rows);
    const struct oblivious_team hands = {team_run, team};
    const struct oblivious_task task = {
        .sample = &sample, .options = options, .team = &hands, .feature_count = LINE_FEATURES};
    const struct oblivious_room room = oblivious_train_room(&task);
    size_t workspace_bytes = oblivious_train_workspace_bytes(&task);
    void *workspace = aligned_alloc(64, (workspace_bytes + 127) / 64 * 64);
    struct oblivious_model model = {.feature_count = LINE_FEATURES};
    if (workspace == NULL || !make_room(&room, &model)) {
        free(workspace);
        declaration_trees_free(&model);
        return err_make(ERR_MEMORY, "trees_fit");
    }
    struct oblivious_report report;
    oblivious_train(&task, workspace, &model, &report);
    free(workspace);
    *out = model;
    return err_none;
}

MUST_USE struct err trees_logits(const struct oblivious_model *trees, const struct trees_rows *rows,
                                 double *out)
{
    size_t workspace_bytes = oblivious_workspace_bytes(trees);
    void *workspace = aligned_alloc(64, (workspace_bytes + 127) / 64 * 64);
    int32_t *scores = calloc(rows->count + 1, sizeof *scores);
    if (workspace == NULL || scores == NULL) {
        free(workspace);
        free(scores);
        return err_make(ERR_MEMORY, "trees_logits");
    }
    const struct oblivious_rows given = {rows->features, rows->count, LINE_FEATURES};
    oblivious_score(trees, &given, workspace, scores);
    for (uint64_t i = 0; i < rows->count; i++) {
        out[i] = (double)scores[i] * OBLIVIOUS_LOGIT;
    }
    free(workspace);
    free(scores);
    return err_none;
}

/* Saturates: oblivious_validate refuses what does. */
static int32_t units_of(double value)
{
    return (int32_t)lround(fmin(fmax(value, -INT32_MAX), INT32_MAX));
}

MUST_USE struct err trees_calibrate(struct oblivious_model *trees, double scale, double offset)
{
    size_t nodes = oblivious_node_count(trees);
    for (size_t i = 0; i < nodes; i++) {
        trees->nodes[i] = units_of((double)trees->nodes[i] * scale);
    }
    trees->bias = units_of((double)trees->bias * scale + offset / OBLIVIOUS_LOGIT);
    bool sound = oblivious_validate(trees, trees->border_first[LINE_FEATURES]) == OBLIVIOUS_SOUND;
    return sound ? err_none : err_make(ERR_ARGUMENT, "calibrated scores are beyond all bounds");
}

struct binned {
    double logit;
    uint8_t label;
};

static int compare_binned(const void *a, const void *b)
{
    double first = ((const struct binned *)a)->logit;
    double second = ((const struct binned *)b)->logit;
    return first < second ? -1 : first > second;
}

MUST_USE struct err trees_bins(const double *logits, const uint8_t *labels, uint64_t count,
                               struct declaration_bins *out)
{
    struct binned *sorted = calloc(count + 1, sizeof *sorted);
    if (sorted == NULL) {
        return err_make(ERR_MEMORY, "trees_bins");
    }
    for (uint64_t i = 0; i < count; i++) {
        sorted[i] = (struct binned){logits[i], labels[i]};
    }
    qsort(sorted, count, sizeof *sorted, compare_binned);
    uint64_t wanted = count / BINS_WANTED > BIN_ROWS_MIN ? count / BINS_WANTED : BIN_ROWS_MIN;
    struct declaration_bins bins = {.count = 0};
    for (uint64_t from = 0; from < count && bins.count < BINS_WANTED;) {
        struct declaration_bin *bin = &bins.bins[bins.count++];
        uint64_t to = from + wanted < count ? from + wanted : count;
        to = count - to < wanted || bins.count == BINS_WANTED ? count : to;
        while (to < count && sorted[to].logit == sorted[to - 1].logit) {
            to++;
        }
        for (uint64_t i = from; i < to; i++) {
            bin->finds += sorted[i].label;
        }
        bin->rows = to - from;
        bin->logit_max = to < count ? sorted[to - 1].logit : INFINITY;
        from = to;
    }
    free(sorted);
    *out = bins;
    return err_none;
}
