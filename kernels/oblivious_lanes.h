/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_OBLIVIOUS_LANES_H
#define KERNELS_OBLIVIOUS_LANES_H

/* Oblivious_lanes: the inner loops of oblivious.c over one block of OBLIVIOUS_LANES rows, once for
 * each set of instructions. Private to kernels/oblivious*.c. Blocks are full: lanes without a row
 * hold anything, and those from `lanes` on may be left out. bins and contributions are
 * [feature_count x OBLIVIOUS_LANES], aligned to 64. */

#include "kernels/oblivious.h"

struct oblivious_lanes {
    /* bins[i] for the block's values. */
    void (*bin)(const float *values, const float *borders, size_t border_count, uint8_t *bins);
    /* scores[i] += the leaves of all trees. */
    void (*add)(const struct oblivious_model *model, const uint8_t *bins, int32_t *scores);
    /* The same, and contributions += what every split changed. */
    void (*explain)(const struct oblivious_model *model, const uint8_t *bins, size_t lanes,
                    int32_t *scores, int32_t *contributions);
};

#if defined(__x86_64__)
extern const struct oblivious_lanes oblivious_lanes_avx2;
extern const struct oblivious_lanes oblivious_lanes_avx512;
#endif

/* scores[i] += the leaves of all trees, by the bins of a full block; for oblivious_block.c. */
void oblivious_add_by(enum oblivious_path path, const struct oblivious_model *model,
                      const uint8_t *bins, int32_t *scores);

/* The most that a score, or any sum of contributions on the way to it, can differ from 0 by this
 * tree: the root, and the largest change of each level. */
int64_t oblivious_reach(const int32_t *nodes, uint32_t depth);

/* One tree, as the loops see it. */
struct oblivious_tree {
    const uint16_t *features; /* [depth] */
    const uint8_t *bins;      /* [depth] */
    const int32_t *nodes;     /* [2 << depth] */
};

static inline struct oblivious_tree oblivious_tree_at(const struct oblivious_model *model,
                                                      size_t tree)
{
    return (struct oblivious_tree){model->split_features + tree * model->depth,
                                   model->split_bins + tree * model->depth,
                                   model->nodes + (tree << (model->depth + 1))};
}
#endif
