/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_LOGISTIC_REF_H
#define KERNELS_LOGISTIC_REF_H

/* Logistic_ref: the objective of logistic.h by its definition, which knows nothing of derivatives:
 * a fit is right when no small step in any direction lowers it. */

#include "kernels/logistic.h"

double logistic_ref_objective(const struct logistic_problem *problem, const double *coefficients);
#endif
