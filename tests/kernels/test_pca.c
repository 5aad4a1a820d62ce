/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/pca.h"

#include <math.h>

#include "kernels/ref/pca_ref.h"
#include "kernels/statistics.h"
#include "tests/kernels/draw.h"

enum { ROWS = 333, FEATURES = 21, STRIDE = 26 };

struct fit {
    float mean[FEATURES];
    float weights[FEATURES * FEATURES];
    float bias[FEATURES];
    double eigenvalues[FEATURES];
};

/* Correlated columns of spreads 1..21, far from the origin. */
static float *draw_sample(uint64_t seed)
{
    float *rows = draw_matrix(seed, ROWS, FEATURES, STRIDE);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 1; j < FEATURES; j++) {
            float *value = &rows[i * STRIDE + j];
            *value = *value * (float)(j + 1) * 0.3f + 0.5f * value[-1];
        }
        for (size_t j = 0; j < FEATURES; j++) {
            rows[i * STRIDE + j] += 1000.0f;
        }
    }
    return rows;
}

static int fit(const float *rows, size_t row_count, const struct pca_rule *rule, struct fit *out)
{
    struct pca_sample sample = {rows, row_count, FEATURES, STRIDE};
    struct pca_result result = {out->mean, out->weights, out->bias, out->eigenvalues};
    double *workspace = draw_room(pca_fit_workspace_doubles(FEATURES), sizeof *workspace);
    int info = pca_fit(&sample, rule, workspace, &result);
    free(workspace);
    return info;
}

static void pca_eigenvalues_match_jacobi(void **state)
{
    (void)state;
    float *rows = draw_sample(1);
    struct pca_rule rule = {FEATURES, 0, 0};
    struct fit found;
    assert_int_equal(fit(rows, ROWS, &rule, &found), 0);
    struct pca_sample sample = {rows, ROWS, FEATURES, STRIDE};
    double matrix[FEATURES * FEATURES];
    double expected[FEATURES];
    pca_ref_covariance(&sample, matrix);
    pca_ref_diagonalise(matrix, FEATURES);
    for (size_t j = 0; j < FEATURES; j++) {
        expected[j] = matrix[j * FEATURES + j];
    }
    statistics_sort(expected, FEATURES);
    for (size_t j = 0; j < FEATURES; j++) {
        double error = fabs(found.eigenvalues[j] - expected[FEATURES - 1 - j]);
        assert_true(error <= 1e-11 * expected[FEATURES - 1]);
        assert_true(j == 0 || found.eigenvalues[j] <= found.eigenvalues[j - 1]);
    }
    assert_true(fabs(pca_explained_share(found.eigenvalues, FEATURES, FEATURES) - 1) < 1e-12);
    free(rows);
}

/* Whitened scores have mean 0, variance 1 and no correlation. */
static void pca_whitened_sample_has_unit_covariance(void **state)
{
    (void)state;
    enum { AXES = 9 };
    float *rows = draw_sample(2);
    struct pca_rule rule = {AXES, 1, 0};
    struct fit found;
    assert_int_equal(fit(rows, ROWS, &rule, &found), 0);
    double sums[AXES] = {0};
    double products[AXES][AXES] = {{0}};
    for (size_t i = 0; i < ROWS; i++) {
        double score[AXES];
        for (size_t k = 0; k < AXES; k++) {
            score[k] = -(double)found.bias[k];
            for (size_t j = 0; j < FEATURES; j++) {
                score[k] += (double)rows[i * STRIDE + j] * (double)found.weights[j * AXES + k];
            }
            sums[k] += score[k];
        }
        for (size_t k = 0; k < AXES; k++) {
            for (size_t l = 0; l < AXES; l++) {
                products[k][l] += score[k] * score[l];
            }
        }
    }
    for (size_t k = 0; k < AXES; k++) {
        assert_true(fabs(sums[k] / ROWS) < 1e-3);
        for (size_t l = 0; l < AXES; l++) {
            assert_true(fabs(products[k][l] / (ROWS - 1) - (k == l)) < 1e-3);
        }
    }
    free(rows);
}

static void pca_axes_point_to_their_largest_entry(void **state)
{
    (void)state;
    float *rows = draw_sample(3);
    struct pca_rule rule = {5, 0, 0};
    struct fit found;
    assert_int_equal(fit(rows, ROWS, &rule, &found), 0);
    for (size_t k = 0; k < 5; k++) {
        float largest = 0;
        for (size_t j = 0; j < FEATURES; j++) {
            float entry = found.weights[j * 5 + k];
            largest = fabsf(entry) > fabsf(largest) ? entry : largest;
        }
        assert_true(largest > 0);
    }
    free(rows);
}

/* One row has no spread: zero eigenvalues, and whitening gives zero weights and not infinities. */
static void pca_of_one_row_or_none_is_flat(void **state)
{
    (void)state;
    float *rows = draw_sample(4);
    struct pca_rule rule = {3, 1, 0};
    struct fit found;
    for (size_t row_count = 0; row_count < 2; row_count++) {
        assert_int_equal(fit(rows, row_count, &rule, &found), 0);
        for (size_t j = 0; j < FEATURES; j++) {
            assert_true(found.eigenvalues[j] <= 0);
        }
        assert_true(found.weights[0] == 0.0f && found.bias[0] == 0.0f);
        assert_true(found.mean[0] == (row_count ? rows[0] : 0.0f));
    }
    assert_true(pca_explained_share(found.eigenvalues, FEATURES, 2) <= 0);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pca_eigenvalues_match_jacobi),
        cmocka_unit_test(pca_whitened_sample_has_unit_covariance),
        cmocka_unit_test(pca_axes_point_to_their_largest_entry),
        cmocka_unit_test(pca_of_one_row_or_none_is_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
