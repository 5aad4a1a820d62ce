/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_EVALUATION_H
#define SCORE_EVALUATION_H

/* Evaluation: how good probabilities are on labelled rows: ranking (precision in the highest
 * shares, area under the ROC curve) and calibration (expected calibration error over ten bins of
 * equal width). Offline; allocates. Intervals are percentile bootstrap, 95%, of
 * EVALUATION_RESAMPLES resamples (fewer beyond 200,000 rows) by a fixed seed: the same rows give
 * the same figures. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define EVALUATION_BINS 10u
#define EVALUATION_RESAMPLES 1000u

struct evaluation_rows {
    const double *logits;  /* [count] */
    const uint8_t *labels; /* [count] 0, 1 */
    uint64_t count;        /* below 2^31 */
};

struct evaluation_rate {
    double value; /* NaN when it cannot be told */
    double lower;
    double upper;
};

struct evaluation_bin {
    uint64_t rows;
    uint64_t finds;
    double predicted; /* mean probability */
};

struct evaluation {
    uint64_t rows;
    uint64_t finds;
    struct evaluation_rate precision_5; /* share of finds in the highest twentieth */
    struct evaluation_rate precision_10;
    struct evaluation_rate auc;
    double loss;              /* mean log loss */
    double calibration_error; /* expected: mean |predicted - seen| of the bins, by rows */
    struct evaluation_bin bins[EVALUATION_BINS];
};

/* Equal logits are taken in the order of rows. ERR_MEMORY, ERR_ARGUMENT (too many rows). */
MUST_USE struct err evaluation_make(const struct evaluation_rows *rows, struct evaluation *out);

#endif
