/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_FIT_H
#define SCORE_TRAIN_FIT_H

/* Train fit: the small logistic model on top of histories, and how good it is on later rows.
 * Offline; allocates. */

#include <stdint.h>

#include "base/err.h"
#include "score/history_kind.h"

struct fit_rows {
    const float *features; /* [rows_count x HISTORY_LINEAR_KINDS], oldest first */
    const uint8_t *labels; /* 0, 1 */
    uint64_t rows_count;
};

struct fit_figures {
    uint64_t rows_count;
    uint64_t finds_count;
    double precision_5; /* share of finds in the highest twentieth; NaN when empty */
    double precision_10;
    double auc;  /* NaN when one class is missing */
    double loss; /* mean log loss */
};

/* Coefficients (intercept last) of a logistic model with no coefficient below zero: kinds that
 * would get one are left out and the rest is fitted again. ERR_MEMORY. */
MUST_USE struct err fit_weights(const struct fit_rows *rows,
                                double coefficients[HISTORY_LINEAR_KINDS + 1]);

/* Logits of rows; out [rows_count]. */
void fit_logits(const struct fit_rows *rows, const double coefficients[HISTORY_LINEAR_KINDS + 1],
                double *out);

MUST_USE struct err fit_evaluate(const double *logits, const uint8_t *labels, uint64_t rows_count,
                                 struct fit_figures *out);

/* Platt's scaling: outcome ~ sigmoid(scale * logit + offset). Left at 1 and 0 when there are too
 * few rows to tell, or when the scale is not within 0.1..5. */
void fit_calibration(const double *logits, const uint8_t *labels, uint64_t rows_count,
                     double *scale, double *offset);

#endif
