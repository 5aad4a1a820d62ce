/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/logistic.h"

#include <math.h>

#include "kernels/ref/logistic_ref.h"
#include "tests/kernels/draw.h"

enum { ROWS = 4000, FEATURES = 4, STRIDE = 6 };

static const double truth[FEATURES + 1] = {1.5, -0.7, 0.0, 0.3, -1.0};

struct sample {
    double *features;
    double *labels;
    double *weights;
};

static struct sample draw_sample(void)
{
    struct sample sample = {draw_room(ROWS * STRIDE, sizeof(double)),
                            draw_room(ROWS, sizeof(double)), draw_room(ROWS, sizeof(double))};
    struct rng rng;
    rng_init(&rng, 5, 0);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < STRIDE; j++) {
            sample.features[i * STRIDE + j] = j < FEATURES ? rng_normal(&rng) : 1e300;
        }
        double z = logistic_linear(truth, sample.features + i * STRIDE, FEATURES);
        sample.labels[i] = rng_uniform(&rng) < logistic_probability(z);
        sample.weights[i] = 1 + (double)(i % 3);
    }
    return sample;
}

static void free_sample(struct sample *sample)
{
    free(sample->features);
    free(sample->labels);
    free(sample->weights);
}

static struct logistic_report fit(const struct logistic_problem *problem, double *coefficients)
{
    double *workspace =
        draw_room(logistic_fit_workspace_doubles(problem->feature_count), sizeof *workspace);
    struct logistic_report report;
    logistic_fit(problem, 50, workspace, coefficients, &report);
    free(workspace);
    return report;
}

/* The truth is recovered, and no small step in any direction lowers the plainly written objective.
 */
static void fit_finds_the_minimum_near_the_truth(void **state)
{
    (void)state;
    struct sample sample = draw_sample();
    struct logistic_problem problem = {sample.features, ROWS,           FEATURES, STRIDE,
                                       sample.labels,   sample.weights, 0.5};
    double coefficients[FEATURES + 1];
    struct logistic_report report = fit(&problem, coefficients);
    assert_int_equal(report.converged, 1);
    assert_true(report.iteration_count < 12);
    double least = logistic_ref_objective(&problem, coefficients);
    assert_true(fabs(least - report.objective) < 1e-9 * least);
    for (size_t j = 0; j <= FEATURES; j++) {
        assert_true(fabs(coefficients[j] - truth[j]) < 0.2);
        for (int sign = -1; sign <= 1; sign += 2) {
            double kept = coefficients[j];
            coefficients[j] += sign * 1e-4;
            assert_true(logistic_ref_objective(&problem, coefficients) > least);
            coefficients[j] = kept;
        }
    }
    free_sample(&sample);
}

/* Weight 2 is the same as the row twice. */
static void fit_weight_counts_as_repetition(void **state)
{
    (void)state;
    const double once[] = {0.1, 0.9, -1.2, 2.0, 0.4};
    const double labels_once[] = {0, 1, 0, 1, 0};
    const double weights[] = {1, 2, 1, 2, 1};
    const double twice[] = {0.1, 0.9, 0.9, -1.2, 2.0, 2.0, 0.4};
    const double labels_twice[] = {0, 1, 1, 0, 1, 1, 0};
    struct logistic_problem weighted = {once, 5, 1, 1, labels_once, weights, 0.1};
    struct logistic_problem repeated = {twice, 7, 1, 1, labels_twice, NULL, 0.1};
    double first[2];
    double second[2];
    assert_int_equal(fit(&weighted, first).converged, 1);
    assert_int_equal(fit(&repeated, second).converged, 1);
    assert_true(fabs(first[0] - second[0]) < 1e-8 && fabs(first[1] - second[1]) < 1e-8);
}

/* Separable classes and huge features stay finite because of the penalty. */
static void fit_separable_classes_stays_finite(void **state)
{
    (void)state;
    const double features[] = {-1e4, -2e3, 3e3, 5e4};
    const double labels[] = {0, 0, 1, 1};
    struct logistic_problem problem = {features, 4, 1, 1, labels, NULL, 1e-3};
    double coefficients[2];
    struct logistic_report report = fit(&problem, coefficients);
    assert_true(isfinite(coefficients[0]) && coefficients[0] > 0);
    assert_true(isfinite(report.objective));
}

static void fit_equal_labels_or_no_rows_stays_finite(void **state)
{
    (void)state;
    const double features[] = {1, 2, 3};
    const double labels[] = {1, 1, 1};
    struct logistic_problem problem = {features, 3, 1, 1, labels, NULL, 1.0};
    double coefficients[2];
    assert_int_equal(fit(&problem, coefficients).converged, 1);
    assert_true(coefficients[1] > 5 && coefficients[1] < 40);
    problem.row_count = 0;
    assert_int_equal(fit(&problem, coefficients).converged, 1);
    assert_true(fabs(coefficients[0]) <= 0 && fabs(coefficients[1]) <= 0);
}

static void logistic_functions_at_extremes_stay_finite(void **state)
{
    (void)state;
    assert_true(logistic_probability(-800) >= 0 && logistic_probability(800) <= 1);
    assert_true(logistic_probability(-40) > 0);
    assert_true(fabs(logistic_softplus(1000) - 1000) <= 0 && logistic_softplus(-1000) >= 0);
    assert_true(fabs(logistic_softplus(0) - log(2)) < 1e-15);
    for (double p = 0.001; p < 1; p += 0.0173) {
        assert_true(fabs(logistic_probability(logistic_logit(p)) - p) < 1e-15);
    }
    assert_true(isfinite(logistic_logit(0)) && isfinite(logistic_logit(1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fit_finds_the_minimum_near_the_truth),
        cmocka_unit_test(fit_weight_counts_as_repetition),
        cmocka_unit_test(fit_separable_classes_stays_finite),
        cmocka_unit_test(fit_equal_labels_or_no_rows_stays_finite),
        cmocka_unit_test(logistic_functions_at_extremes_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
