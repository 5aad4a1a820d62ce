/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_OBLIVIOUS_H
#define KERNELS_OBLIVIOUS_H

/* Oblivious: a sum of oblivious (symmetric) trees: every level of a tree asks the same question of
 * every row, so a tree of depth d is d comparisons and a table of 2^d leaves.
 *
 * Scores are whole numbers of 2^-20 logit: sums without rounding, so the bits of a score do not
 * depend on batch, position, path, processor or thread count. So are contributions: every node
 * keeps its expected score, a split's feature gets what its answer changed (path attribution after
 * Saabas), and base + all contributions of a row = its score, exactly.
 *
 * A feature's value x has bin 0 if it is NaN (missing), else 1 + the number of its borders < x;
 * infinities are ordinary. A split is answered yes where bin >= its bin: missing always says no.
 * Training is in oblivious_train.h. */

#include <stddef.h>
#include <stdint.h>

enum {
    OBLIVIOUS_DEPTH_MAX = 8,
    OBLIVIOUS_TREES_MAX = 2000,
    OBLIVIOUS_BORDERS_MAX = 254, /* of a feature: a bin is a byte */
    OBLIVIOUS_FEATURES_MAX = 1024,
    OBLIVIOUS_LANES = 64, /* rows in a block of the workspace */
};

/* One unit of a score. */
#define OBLIVIOUS_LOGIT 0x1p-20
/* oblivious_validate: no score, contribution or sum on the way may pass this (1024 logit). */
#define OBLIVIOUS_SCORE_MAX (1 << 30)

/* The arrays are the caller's. 0 trees and then 0 depth are allowed. */
struct oblivious_model {
    uint32_t feature_count; /* 1..OBLIVIOUS_FEATURES_MAX */
    uint32_t tree_count;
    uint32_t depth;           /* of every tree, 1..OBLIVIOUS_DEPTH_MAX */
    int32_t bias;             /* added to every score */
    uint32_t *border_first;   /* [feature_count + 1]: feature j owns border_first[j]..[j + 1] - 1 */
    float *borders;           /* ascending within a feature, finite */
    uint16_t *split_features; /* [tree_count x depth] */
    uint8_t *split_bins;      /* [tree_count x depth], 1..borders of the feature + 1 */
    int32_t *nodes;           /* [tree_count << (depth + 1)]: expected score at each node. A tree is
                                 a heap: 0 unused and 0, 1 root, 2i (no) and 2i + 1 (yes) under i,
                                 the last 2^depth are the leaves. */
};

/* How many elements the arrays need, at most, for feature_count, tree_count, depth. */
size_t oblivious_split_count(const struct oblivious_model *model);
size_t oblivious_node_count(const struct oblivious_model *model);

enum oblivious_fault {
    OBLIVIOUS_SOUND,
    OBLIVIOUS_COUNTS,  /* a count beyond its limit */
    OBLIVIOUS_BORDERS, /* not finite, not ascending, too many, or more than border_room in all */
    OBLIVIOUS_SPLITS,  /* a feature or a bin that does not exist */
    OBLIVIOUS_NODES,   /* a score could pass OBLIVIOUS_SCORE_MAX, or node 0 is not 0 */
};

/* Only the four counts need be right for it to be safe to call: the arrays must have the room that
 * the counts ask for, once the counts are within their limits; borders has border_room elements.
 * A model that is not sound must not be given to the functions below. */
enum oblivious_fault oblivious_validate(const struct oblivious_model *model, size_t border_room);

/* The score of a row of which nothing is known: bias + all roots; what contributions add to. */
int32_t oblivious_base(const struct oblivious_model *model);

/* Which instructions are used. All give the same bits. */
enum oblivious_path { OBLIVIOUS_PORTABLE, OBLIVIOUS_AVX2, OBLIVIOUS_AVX512 };

/* The widest path this processor can run. */
enum oblivious_path oblivious_path_best(void);

struct oblivious_rows {
    const float *features; /* [row_count x stride], anything, NaN is missing */
    size_t row_count;      /* 0 is allowed */
    size_t stride;         /* >= the model's feature_count */
};

/* For both functions; aligned to 64 bytes by the caller. */
size_t oblivious_workspace_bytes(const struct oblivious_model *model);

/* scores[i] for every row. Uses oblivious_path_best(). */
void oblivious_score(const struct oblivious_model *model, const struct oblivious_rows *rows,
                     void *restrict workspace, int32_t *restrict scores);

/* Scores, and contributions[i * contribution_stride + j] for feature j:
 * scores[i] = oblivious_base() + the sum of row i's contributions. About five times the work of
 * oblivious_score; for few of many rows give those rows alone. */
struct oblivious_reasons {
    int32_t *scores;        /* [row_count] */
    int32_t *contributions; /* [row_count x stride] */
    size_t stride;          /* >= the model's feature_count */
};
void oblivious_explain(const struct oblivious_model *model, const struct oblivious_rows *rows,
                       void *restrict workspace, const struct oblivious_reasons *reasons);

/* The same with a chosen path, which this processor must be able to run. */
void oblivious_score_by(enum oblivious_path path, const struct oblivious_model *model,
                        const struct oblivious_rows *rows, void *restrict workspace,
                        int32_t *restrict scores);
void oblivious_explain_by(enum oblivious_path path, const struct oblivious_model *model,
                          const struct oblivious_rows *rows, void *restrict workspace,
                          const struct oblivious_reasons *reasons);

/* bins[i] = the bin of values[i] among borders, for any count; training uses it too. */
void oblivious_bin_by(enum oblivious_path path, const float *restrict values, size_t count,
                      const float *borders, size_t border_count, uint8_t *restrict bins);
#endif
