/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_TREES_H
#define SCORE_TRAIN_TREES_H

/* Train trees: one sum of oblivious trees from features of lines, and folding a calibration into
 * it. Inside training only; allocates. */

#include <stdint.h>

#include "base/err.h"
#include "base/team.h"
#include "kernels/oblivious_train.h"
#include "score/declaration_model.h"

struct trees_rows {
    const float *features; /* [count x LINE_FEATURES] */
    const float *labels;   /* [count] 0, 1 */
    uint64_t count;
};

/* Trees of finds, and of grave finds, of which there are few. */
extern const struct oblivious_options trees_of_finds;
extern const struct oblivious_options trees_of_critical;

/* The caller frees *out with declaration_trees_free. ERR_MEMORY. */
MUST_USE struct err trees_fit(const struct trees_rows *rows,
                              const struct oblivious_options *options, struct team *team,
                              struct oblivious_model *out);
/* Logits of rows; out [count]. ERR_MEMORY. */
MUST_USE struct err trees_logits(const struct oblivious_model *trees, const struct trees_rows *rows,
                                 double *out);
/* Every logit becomes scale * logit + offset, to within a unit a tree. ARGUMENT when no model may
 * hold them. */
MUST_USE struct err trees_calibrate(struct oblivious_model *trees, double scale, double offset);
/* Bins of equal numbers of rows, DECLARATION_BINS_USED of them when there are enough rows. */
MUST_USE struct err trees_bins(const double *logits, const uint8_t *labels, uint64_t count,
                               struct declaration_bins *out);

#endif
