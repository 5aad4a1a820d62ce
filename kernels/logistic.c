/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/logistic.h"

#include <lapack.h>
#include <math.h>
#include <string.h>

/* The objective is strictly convex (the intercept has a penalty too small to matter unless all
 * labels agree), so Newton's method with step halving always comes down to the one minimum. Sums
 * run row by row in one order: the same problem gives the same bits. */

static const double intercept_penalty_share = 1e-6;
static const double gradient_tolerance = 1e-9;
enum { HALVINGS_MAX = 40 };

size_t logistic_fit_workspace_doubles(size_t feature_count)
{
    size_t unknowns = feature_count + 1;
    return unknowns * (unknowns + 2);
}

double logistic_linear(const double *coefficients, const double *features, size_t feature_count)
{
    double sum = coefficients[feature_count];
    for (size_t j = 0; j < feature_count; j++) {
        sum += coefficients[j] * features[j];
    }
    return sum;
}

double logistic_probability(double logit)
{
    if (logit >= 0) {
        return 1.0 / (1.0 + exp(-logit));
    }
    double odds = exp(logit);
    return odds / (1.0 + odds);
}

double logistic_logit(double probability)
{
    double p = probability < 1e-15 ? 1e-15 : probability;
    p = p > 1.0 - 1e-15 ? 1.0 - 1e-15 : p;
    return log(p) - log1p(-p);
}

double logistic_softplus(double logit)
{
    return logit > 0 ? logit + log1p(exp(-logit)) : log1p(exp(logit));
}

static double penalty_of(const struct logistic_problem *problem, size_t unknown)
{
    return unknown == problem->feature_count ? problem->l2 * intercept_penalty_share : problem->l2;
}

static double weight_of(const struct logistic_problem *problem, size_t row)
{
    return problem->weights != NULL ? problem->weights[row] : 1.0;
}

static double find_objective(const struct logistic_problem *problem, const double *coefficients)
{
    double sum = 0;
    for (size_t i = 0; i < problem->row_count; i++) {
        double z = logistic_linear(coefficients, problem->features + i * problem->stride,
                                   problem->feature_count);
        sum += weight_of(problem, i) * (logistic_softplus(z) - problem->labels[i] * z);
    }
    for (size_t j = 0; j <= problem->feature_count; j++) {
        sum += 0.5 * penalty_of(problem, j) * coefficients[j] * coefficients[j];
    }
    return sum;
}

static void add_row(const struct logistic_problem *problem, size_t row, const double *coefficients,
                    double *gradient, double *hessian)
{
    size_t features = problem->feature_count;
    const double *x = problem->features + row * problem->stride;
    double weight = weight_of(problem, row);
    double p = logistic_probability(logistic_linear(coefficients, x, features));
    double slope = weight * (p - problem->labels[row]);
    double curvature = weight * p * (1.0 - p);
    for (size_t j = 0; j <= features; j++) {
        double xj = j < features ? x[j] : 1.0;
        gradient[j] += slope * xj;
        for (size_t k = 0; k <= j; k++) {
            hessian[k * (features + 1) + j] += curvature * xj * (k < features ? x[k] : 1.0);
        }
    }
}

/* Gradient and the Hessian's upper triangle by rows (LAPACK's lower). Returns the largest entry. */
static double find_derivatives(const struct logistic_problem *problem, const double *coefficients,
                               double *gradient, double *hessian)
{
    size_t unknowns = problem->feature_count + 1;
    memset(hessian, 0, unknowns * unknowns * sizeof *hessian);
    for (size_t j = 0; j < unknowns; j++) {
        gradient[j] = penalty_of(problem, j) * coefficients[j];
        hessian[j * unknowns + j] = penalty_of(problem, j);
    }
    for (size_t i = 0; i < problem->row_count; i++) {
        add_row(problem, i, coefficients, gradient, hessian);
    }
    double largest = 0;
    for (size_t j = 0; j < unknowns; j++) {
        largest = fabs(gradient[j]) > largest ? fabs(gradient[j]) : largest;
    }
    return largest;
}

/* Go along -step, halving until the objective falls. Returns 0 when it cannot fall any more. */
static int take_step(const struct logistic_problem *problem, const double *step, double *trial,
                     double *coefficients, double *objective)
{
    size_t unknowns = problem->feature_count + 1;
    double length = 1.0;
    for (int halving = 0; halving < HALVINGS_MAX; halving++, length *= 0.5) {
        for (size_t j = 0; j < unknowns; j++) {
            trial[j] = coefficients[j] - length * step[j];
        }
        double reached = find_objective(problem, trial);
        if (reached < *objective) {
            memcpy(coefficients, trial, unknowns * sizeof *trial);
            *objective = reached;
            return 1;
        }
    }
    return 0;
}

void logistic_fit(const struct logistic_problem *problem, int iteration_max,
                  double *restrict workspace, double *restrict coefficients,
                  struct logistic_report *report)
{
    size_t unknowns = problem->feature_count + 1;
    double *hessian = workspace;
    double *gradient = hessian + unknowns * unknowns;
    double *trial = gradient + unknowns;
    double total_weight = 0;
    for (size_t i = 0; i < problem->row_count; i++) {
        total_weight += weight_of(problem, i);
    }
    memset(coefficients, 0, unknowns * sizeof *coefficients);
    *report = (struct logistic_report){.objective = find_objective(problem, coefficients)};
    for (;;) {
        report->gradient_max = find_derivatives(problem, coefficients, gradient, hessian);
        if (report->gradient_max <= gradient_tolerance * (1.0 + total_weight)) {
            report->converged = 1;
            return;
        }
        if (report->iteration_count >= iteration_max) {
            return;
        }
        int order = (int)unknowns;
        int one = 1;
        int info = 0;
        LAPACK_dposv("L", &order, &one, hessian, &order, gradient, &order, &info);
        if (info != 0 || !take_step(problem, gradient, trial, coefficients, &report->objective)) {
            return;
        }
        report->iteration_count++;
    }
}
