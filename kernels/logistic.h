/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_LOGISTIC_H
#define KERNELS_LOGISTIC_H

/* Logistic: L2-regularised logistic regression for few features, by Newton's method (IRLS) with
 * step halving, and the numerically stable functions around it. All in double. */

#include <stddef.h>

struct logistic_problem {
    const double *features; /* [row_count x stride], finite */
    size_t row_count;
    size_t feature_count;
    size_t stride;
    const double *labels;  /* [row_count], 0..1 */
    const double *weights; /* [row_count] >= 0, or NULL for 1: inverse propensities, for example */
    double l2;             /* > 0; penalty l2 / 2 * sum of squared coefficients, intercept free */
};

struct logistic_report {
    int iteration_count;
    int converged;       /* 1: the largest gradient entry fell below 1e-9 * (1 + total weight) */
    double gradient_max; /* largest absolute entry at the end */
    double objective;    /* weighted log loss plus penalty at the end */
};

size_t logistic_fit_workspace_doubles(size_t feature_count);

/* Minimise sum w (ln(1 + e^z) - y z) + l2/2 |c|^2 with z = c.x + intercept.
 * coefficients[feature_count] is the intercept. They start from zero. All labels equal is allowed:
 * the intercept is then kept finite by a penalty of l2 * 1e-6 of its own. */
void logistic_fit(const struct logistic_problem *problem, int iteration_max,
                  double *restrict workspace, double *restrict coefficients,
                  struct logistic_report *report);

/* c.x + intercept; contribution j of a feature is coefficients[j] * features[j]. */
double logistic_linear(const double *coefficients, const double *features, size_t feature_count);

/* 1 / (1 + e^-z) without overflow. */
double logistic_probability(double logit);

/* ln(p / (1 - p)) with p held within 1e-15 .. 1 - 1e-15. */
double logistic_logit(double probability);

/* ln(1 + e^z) without overflow: the log loss is logistic_softplus(z) - y * z. */
double logistic_softplus(double logit);
#endif
