/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_OBLIVIOUS_GROW_H
#define KERNELS_OBLIVIOUS_GROW_H

/* Oblivious_grow: borders of one feature, the splits of one tree, its leaves. Private to
 * kernels/oblivious_*.c; oblivious_train.c calls it once a tree. */

#include "kernels/oblivious_train.h"

enum {
    BORDER_SAMPLE_MAX = 200000,
    BINS_MAX = OBLIVIOUS_BORDERS_MAX + 2,
    LEAVES_MAX = 1 << OBLIVIOUS_DEPTH_MAX,
};

/* Writes at most border_max borders, ascending and finite, between the values of `keys_room`
 * sampled rows of feature j; keys holds 2 x min(rows, BORDER_SAMPLE_MAX). Returns their count. */
uint32_t oblivious_find_borders(const struct oblivious_rows *rows, size_t feature,
                                uint32_t border_max, uint32_t *keys, float *borders);

/* A row's gradient and Hessian in one word: gradient * 2^32 + Hessian. Sums stay apart as long as
 * the Hessians' sum is within 0..2^31 - 1 and the gradients' within +-2^31. */
static inline int64_t oblivious_pack(int32_t gradient, int32_t hessian)
{
    return (int64_t)gradient * (INT64_C(1) << 32) + hessian;
}
static inline int32_t oblivious_packed_hessian(int64_t sum)
{
    return (int32_t)(uint32_t)(uint64_t)sum;
}
static inline int32_t oblivious_packed_gradient(int64_t sum)
{
    return (int32_t)((sum - oblivious_packed_hessian(sum)) >> 32);
}

struct oblivious_column {
    const uint8_t *bins; /* [row_count] of the sample */
    int64_t *histograms; /* [2^(depth - 1) x bin_count] */
    uint32_t bin_count;  /* borders + 2 */
    uint8_t usable;      /* not the same bin everywhere */
    uint8_t chosen;      /* for this tree */
    uint8_t rising;
    uint8_t best_bin; /* of the level */
    double best_gain;
};

/* Rows of one leaf: order[begin] .. order[begin + count - 1]. */
struct oblivious_leaf {
    uint32_t begin;
    uint32_t count;
    int64_t sum; /* packed */
};

struct oblivious_grower {
    const struct oblivious_options *options;
    const struct oblivious_team *team;
    struct oblivious_column *columns; /* [column_count] */
    uint32_t column_count;
    uint32_t *order; /* [2 x row_count]: the tree's rows by leaf; the second half is scratch */
    int64_t *packed; /* [2 x row_count], in that order */
    size_t row_count;
    size_t chosen_count;  /* rows of this tree */
    double gradient_unit; /* of the packed numbers */
    double hessian_unit;
    struct oblivious_leaf leaves[LEAVES_MAX]; /* the first split is the lowest bit */
    uint32_t level;
};

/* From order and packed [chosen_count], gradient_unit and hessian_unit: the splits of a tree
 * (in bins of the draft), and its leaves. Returns how many of the depth splits gain anything; the
 * rest repeat the last one. 0: leaves[0] alone is filled. */
uint32_t oblivious_grow(struct oblivious_grower *self, uint16_t *features, uint8_t *bins);

/* Fills the leaves' part of nodes with their steps, in units of a score: a node with too little
 * keeps what its parent had. */
void oblivious_step_leaves(const struct oblivious_grower *self, int32_t *nodes);

/* Where a rising feature decides, "yes" takes at least what "no" has: the least such table above
 * the given one, whatever the order of the levels. */
void oblivious_raise_leaves(const struct oblivious_grower *self, const uint16_t *features,
                            int32_t *nodes);

/* Inner nodes from the leaves: expectations by the weights [2 << depth], of which the leaves' are
 * given; where there is no weight, half way. */
void oblivious_expect_nodes(double *weights, uint32_t depth, int32_t *nodes);

/* work(argument, part) for all parts, by the team or by this thread. */
void oblivious_run(const struct oblivious_team *team, void (*work)(void *argument, size_t part),
                   void *argument, size_t part_count);
#endif
