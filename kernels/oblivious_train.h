/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_OBLIVIOUS_TRAIN_H
#define KERNELS_OBLIVIOUS_TRAIN_H

/* Oblivious_train: gradient boosting of oblivious trees on the logistic loss, by histograms.
 *
 * Gradients and Hessians of a tree are rounded to whole numbers once (so that their sums fill 30
 * bits) and only added after that: the histograms, and with them the model, are the same bits
 * whatever the team. The same build, libm, rows, options and seed give the same model. */

#include <stdbool.h>

#include "kernels/oblivious.h"

struct oblivious_sample {
    struct oblivious_rows rows; /* row_count < 2^31 */
    const float *labels;        /* [row_count], 0..1 */
    const float *weights;       /* [row_count] >= 0, finite, or NULL for 1 */
};

struct oblivious_options {
    uint32_t tree_count; /* 1..OBLIVIOUS_TREES_MAX: at most so many */
    uint32_t depth;      /* 1..OBLIVIOUS_DEPTH_MAX */
    uint32_t
        border_max; /* of a feature, 1..OBLIVIOUS_BORDERS_MAX; quantiles of at most 200,000 rows */
    double learning_rate; /* > 0 */
    double l2;            /* > 0: a leaf is rate * gradient / (Hessian + l2) */
    double hessian_min;  /* >= 0: a node whose halves have less than this is not divided by a level;
                            its half then keeps its parent's value */
    double row_share;    /* 0 < share <= 1 of the rows for each tree */
    double column_share; /* 0 < share <= 1 of the features for each tree */
    uint64_t seed;
    uint32_t patience;     /* stop after so many trees without a lower validation loss, and keep
                              the trees up to the lowest; 0: never. Needs a validation sample. */
    const uint8_t *rising; /* [feature_count]: 1 = a rise of it never lowers a score (a missing
                              value counts as the lowest); or NULL */
};

/* Who does the parts of a step: run() calls work(argument, part) once for every part below
 * part_count, in any order or side by side, and returns when all are done. NULL: this thread. */
struct oblivious_team {
    void (*run)(void *self, void (*work)(void *argument, size_t part), void *argument,
                size_t part_count);
    void *self;
};

struct oblivious_task {
    const struct oblivious_sample *sample;
    const struct oblivious_sample *validation; /* or NULL */
    const struct oblivious_options *options;
    const struct oblivious_team *team; /* or NULL */
    uint32_t feature_count;
};

struct oblivious_report {
    uint32_t tree_count;    /* as in the model */
    uint32_t trees_grown;   /* more, when patience ran out */
    double loss;            /* mean log loss of the sample after the model's last tree */
    double validation_loss; /* of the validation sample there; 0 without one */
};

/* The room a model may need: border_first feature_count + 1, the other arrays as said. */
struct oblivious_room {
    size_t borders;
    size_t splits; /* split_features and split_bins */
    size_t nodes;
};
struct oblivious_room oblivious_train_room(const struct oblivious_task *task);

size_t oblivious_train_workspace_bytes(const struct oblivious_task *task);

/* Fills the model, whose arrays have oblivious_train_room() elements; the workspace is aligned to
 * 64 bytes. Borders that no split asks for are left out. The model is sound: a sample without rows,
 * or with one label only, gives a bias and no trees. */
void oblivious_train(const struct oblivious_task *task, void *restrict workspace,
                     struct oblivious_model *model, struct oblivious_report *report);
#endif
