/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_OBLIVIOUS_BLOCK_H
#define KERNELS_OBLIVIOUS_BLOCK_H

/* Oblivious_block: the scores and contributions of oblivious.h for one block of OBLIVIOUS_LANES
 * rows that come as columns, contributions summed over groups of features. The same whole numbers
 * as oblivious_score and oblivious_explain give, at a fraction of the cost: what every split
 * changes is worked out once for the model, and its tables lie in the order in which they are
 * asked. */

#include "kernels/oblivious.h"

enum { OBLIVIOUS_GROUPS_MAX = 256 };

/* What is worked out once. Everything but the model lies in the caller's memory. */
struct oblivious_plan {
    struct oblivious_model model; /* sound; its arrays are borrowed */
    uint32_t group_count;
    uint32_t used_count;    /* features that are asked about */
    uint16_t *used;         /* [used_count] */
    uint32_t *search_first; /* [used_count]: where their borders begin in search */
    uint8_t *search_levels; /* [used_count] */
    float *search;          /* borders as a heap, 16 or 2^levels floats a feature */
    int32_t *deltas;        /* of every tree and level: 16 or 2^level changes by its group so far */
    uint32_t *ask_first;    /* [group_count x depth + 1] */
    uint16_t *ask_trees;    /* [trees x depth at most]: by group, then by its last level */
    uint32_t tree_stride;   /* deltas of a tree */
    int32_t base;           /* oblivious_base */
};

size_t oblivious_plan_bytes(const struct oblivious_model *model, uint32_t group_count);
/* memory: of that many bytes, aligned to 64. group_of: [feature_count], below group_count. */
void oblivious_plan_make(const struct oblivious_model *model, const uint16_t *group_of,
                         uint32_t group_count, void *memory, struct oblivious_plan *out);

/* Workspace of the functions below, aligned to 64 bytes. */
size_t oblivious_block_bytes(const struct oblivious_model *model);

/* columns: [feature_count x OBLIVIOUS_LANES]. scores: [OBLIVIOUS_LANES]. */
void oblivious_block_score(const struct oblivious_plan *plan, const float *columns,
                           void *restrict workspace, int32_t *restrict scores);
/* contributions: [group_count x OBLIVIOUS_LANES]; scores = base + their sum. */
void oblivious_block_explain(const struct oblivious_plan *plan, const float *columns,
                             void *restrict workspace, int32_t *restrict scores,
                             int32_t *restrict contributions);

/* The weightiest contributions of every row: parts[k][i] is the k-th of row i (0: there are no
 * more) and groups[k][i] its group, heaviest first, equal ones in the order of groups. */
enum { OBLIVIOUS_HEAVIEST_MAX = 80 };
void oblivious_block_heaviest(const int32_t *contributions, uint32_t group_count, uint32_t count,
                              int32_t *restrict parts, int32_t *restrict groups);

/* The same with a chosen path, which this processor must be able to run. */
void oblivious_block_score_by(enum oblivious_path path, const struct oblivious_plan *plan,
                              const float *columns, void *restrict workspace,
                              int32_t *restrict scores);
void oblivious_block_explain_by(enum oblivious_path path, const struct oblivious_plan *plan,
                                const float *columns, void *restrict workspace,
                                int32_t *restrict scores, int32_t *restrict contributions);
void oblivious_block_heaviest_by(enum oblivious_path path, const int32_t *contributions,
                                 uint32_t group_count, uint32_t count, int32_t *restrict parts,
                                 int32_t *restrict groups);
#endif
