/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_JUDGE_H
#define SCORE_TRAIN_JUDGE_H

/* Train judge: the later rows as a model sees them that was fitted without them: how well it ranks
 * them, how it is to be calibrated, and how well calibrated it is then. Inside training only;
 * allocates. */

#include "score/declaration_model.h"
#include "score/train_rows.h"

struct train_later {
    const struct train_row *rows; /* borrowed, as is the next */
    const uint8_t *known;         /* [count]: the importer had been examined before */
    double *logits;               /* [count]: the caller fills them */
    uint8_t *labels;
    double *chosen; /* workspace of the same size */
    uint8_t *chosen_labels;
    uint64_t count;
    bool has_scale; /* the caller says; false: scale 1, offset 0 */
    double scale;   /* Platt's, after judging */
    double offset;
};

MUST_USE struct err train_later_init(const struct train_row *rows, const uint8_t *known,
                                     const float *labels, uint64_t count, struct train_later *out);
void train_later_fini(struct train_later *self);
/* Platt's scaling of all rows into scale and offset. */
void train_later_calibrate(struct train_later *later);
/* Fills later, known, newcomers, scale and offset of the report, scale and offset of its own, and
 * the bins of which intervals are made. */
MUST_USE struct err train_later_judge(struct train_later *later, struct declaration_bins *bins,
                                      struct train_declarations_report *report);

#endif
