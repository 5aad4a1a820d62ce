/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_ROWS_H
#define SCORE_TRAIN_ROWS_H

/* Train rows: labelled declarations as they wait for training, and their features as of the block
 * of days in which they stand. Inside training only; allocates. One thread. */

#include "proto/hash.h"
#include "score/line_features.h"
#include "score/train_declarations.h"

struct train_row {
    struct train_outcome outcome;
    uint64_t first_line;
    uint32_t lines_count;
    uint64_t order; /* as given */
    bool learnt;    /* stands in the histories */
};

struct train_rows {
    struct train_row *rows;
    uint64_t rows_count;
    uint64_t rows_capacity;
    struct line_subject *lines; /* keys NULL: they are at the same index of keys */
    uint64_t *keys;             /* [lines x HISTORY_KINDS] */
    uint64_t lines_count;
    uint64_t lines_capacity;
    struct history history; /* its live table holds what was learnt */
    struct goods_norms norms;
    uint64_t lines_max;
    int64_t retired_until_ns; /* days before have gone; INT64_MIN: nothing had to go yet */
    uint64_t rows_given;
    struct sha256 *training_set;
};

MUST_USE struct err train_rows_init(struct train_rows *self, uint64_t lines_max,
                                    const uint8_t secret[PART_SECRET_BYTES]);
void train_rows_fini(struct train_rows *self);
MUST_USE struct err train_rows_add(struct train_rows *self, const struct declaration *declaration,
                                   const struct train_outcome *outcome);
/* In the order of time, validation rows last. ARGUMENT when one of them is older than a training
 * row. *training_count tells how many are not for validation. */
MUST_USE struct err train_rows_sort(struct train_rows *self, uint64_t *training_count);

/* Rows from..to into the histories. */
MUST_USE struct err train_rows_learn(struct train_rows *self, uint64_t from, uint64_t to);
/* Of rows 0..to those that are not there yet and whose outcome was known before until_ns, in the
 * order in which they became known. */
MUST_USE struct err train_rows_learn_known(struct train_rows *self, uint64_t to, int64_t until_ns);
/* The norms of goods as of the rows before `to`. */
MUST_USE struct err train_rows_norms(struct train_rows *self, uint64_t to);
/* Features of one line of a row, as things are known now. */
void train_rows_line_features(const struct train_rows *self, uint64_t row, uint32_t line,
                              float out[LINE_FEATURES]);
/* The same of the line that the histories speak loudest about. */
void train_rows_features(const struct train_rows *self, uint64_t row, float out[LINE_FEATURES]);

#endif
