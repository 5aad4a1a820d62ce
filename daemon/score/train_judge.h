/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_JUDGE_H
#define SCORE_TRAIN_JUDGE_H

/* Train judge: the later rows, item by item, as a model sees them that was fitted without them: how
 * well it ranks them, how it is to be calibrated, and how well calibrated it is then. Inside
 * training only; allocates. */

#include "score/declaration_model.h"
#include "score/train_items.h"
#include "score/train_rows.h"

struct train_later {
    const struct train_row *rows;  /* borrowed, as is the next */
    const uint8_t *known;          /* [rows]: the importer had been examined before */
    struct train_items items;      /* the caller fills its logits ... */
    struct train_item_line *lines; /* ... which are of these lines */
    bool has_scale;                /* the caller says; false: no calibration */
};

MUST_USE struct err train_later_init(const struct train_row *rows, const uint8_t *known,
                                     uint64_t count, struct train_later *out);
void train_later_fini(struct train_later *self);
/* Fills later, known, newcomers, by_lines, scale, offset and lines of the report, and the bins of
 * which intervals are made. */
MUST_USE struct err train_later_judge(const struct train_later *later,
                                      struct declaration_bins *bins,
                                      struct train_declarations_report *report);

#endif
