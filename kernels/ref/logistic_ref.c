/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/logistic_ref.h"

#include <math.h>

double logistic_ref_objective(const struct logistic_problem *problem, const double *coefficients)
{
    double sum = 0;
    for (size_t i = 0; i < problem->row_count; i++) {
        double z = coefficients[problem->feature_count];
        for (size_t j = 0; j < problem->feature_count; j++) {
            z += coefficients[j] * problem->features[i * problem->stride + j];
        }
        double p = 1 / (1 + exp(-z));
        double y = problem->labels[i];
        double weight = problem->weights != NULL ? problem->weights[i] : 1;
        sum -= weight * (y * log(p) + (1 - y) * log(1 - p));
    }
    for (size_t j = 0; j < problem->feature_count; j++) {
        sum += problem->l2 / 2 * coefficients[j] * coefficients[j];
    }
    return sum + problem->l2 * 1e-6 / 2 * pow(coefficients[problem->feature_count], 2);
}
