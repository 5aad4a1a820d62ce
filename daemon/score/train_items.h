/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_ITEMS_H
#define SCORE_TRAIN_ITEMS_H

/* Train items: later rows as exams are about them. Rows of one exam (declarations of one item) are
 * one item; its lines become one logit as in scoring (item_lines.h); and what has to be done to
 * the trees and to that logit so that it is a probability is learnt here. Inside training only;
 * allocates. */

#include "score/declaration_model.h"
#include "score/train_rows.h"

struct train_item {
    uint64_t first; /* of its rows, in the order of time */
    bool found;
    uint32_t lines_count;
};

struct train_items {
    struct train_item *items; /* in the order of their first rows */
    uint64_t *first_lines;    /* [count + 1] of logits */
    int32_t *logits;          /* of all lines, item after item, as the trees say */
    uint64_t count;
};

/* Which line of which row comes next, in the order of logits. */
struct train_item_line {
    uint64_t row; /* from the first of the rows that were given */
    uint32_t line;
};

/* The items of rows [count], with room for the logits of their lines; lines [one for each logit],
 * which the caller frees, says of which line each is. ERR_MEMORY. */
MUST_USE struct err train_items_init(const struct train_row *rows, uint64_t count,
                                     struct train_items *out, struct train_item_line **lines);
void train_items_fini(struct train_items *self);

/* trees: scale * logit + offset; then the lines. */
struct train_calibration {
    double scale;
    double offset;
    struct lines_calibration lines;
};
#define TRAIN_CALIBRATION_NONE ((struct train_calibration){1, 0, {false, {0}, 0}})

enum { TRAIN_WIDE_MIN = 50 };

double train_items_logit(const struct train_items *self, uint64_t item,
                         const struct train_calibration *calibration);
/* By the items that are chosen (chosen[item] == which; NULL: all): Platt's scaling together with
 * growth and slope, which are drawn to 0. With fewer than TRAIN_WIDE_MIN items of several lines
 * lines.known is false: what no exam shows must not lower an item. All left alone when there are
 * too few items of either outcome. ERR_MEMORY. */
MUST_USE struct err train_items_calibrate(const struct train_items *self, const uint8_t *chosen,
                                          uint8_t which, struct train_calibration *out);

#endif
