/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/oblivious_ref.h"

#include <math.h>
#include <string.h>

static int answer(const struct oblivious_model *model, const float *row, size_t split)
{
    size_t feature = model->split_features[split];
    size_t bin = model->split_bins[split];
    if (isnan(row[feature])) {
        return 0;
    }
    return bin == 1 || row[feature] > model->borders[model->border_first[feature] + bin - 2];
}

int64_t oblivious_ref_score(const struct oblivious_model *model, const float *row)
{
    int64_t score = model->bias;
    for (size_t tree = 0; tree < model->tree_count; tree++) {
        size_t node = 1;
        for (size_t level = 0; level < model->depth; level++) {
            node = 2 * node + (size_t)answer(model, row, tree * model->depth + level);
        }
        score += model->nodes[tree * ((size_t)2 << model->depth) + node];
    }
    return score;
}

void oblivious_ref_explain(const struct oblivious_model *model, const float *row,
                           int64_t *contributions)
{
    memset(contributions, 0, model->feature_count * sizeof *contributions);
    for (size_t tree = 0; tree < model->tree_count; tree++) {
        const int32_t *nodes = model->nodes + tree * ((size_t)2 << model->depth);
        size_t node = 1;
        for (size_t level = 0; level < model->depth; level++) {
            size_t split = tree * model->depth + level;
            size_t next = 2 * node + (size_t)answer(model, row, split);
            contributions[model->split_features[split]] += (int64_t)nodes[next] - nodes[node];
            node = next;
        }
    }
}

double oblivious_ref_gain(const struct oblivious_sample *sample, double probability, double l2,
                          const struct oblivious_ref_question *questions, size_t count,
                          double *leaf_values)
{
    double gradients[256] = {0};
    double hessians[256] = {0};
    for (size_t i = 0; i < sample->rows.row_count; i++) {
        const float *row = sample->rows.features + i * sample->rows.stride;
        size_t leaf = 0;
        for (size_t k = 0; k < count; k++) {
            float value = row[questions[k].feature];
            int yes = !isnan(value) && (questions[k].any || value > questions[k].border);
            leaf = 2 * leaf + (size_t)yes;
        }
        double weight = sample->weights != NULL ? (double)sample->weights[i] : 1;
        gradients[leaf] += weight * ((double)sample->labels[i] - probability);
        hessians[leaf] += weight * probability * (1 - probability);
    }
    double gain = 0;
    for (size_t leaf = 0; leaf < (size_t)1 << count; leaf++) {
        gain += gradients[leaf] * gradients[leaf] / (hessians[leaf] + l2);
        if (leaf_values != NULL) {
            leaf_values[leaf] = gradients[leaf] / (hessians[leaf] + l2);
        }
    }
    return gain;
}
