/* SPDX-License-Identifier: Apache-2.0 */
/* Mahalanobis distance is nearest.h behind the whitening of pca.h: KERNELS.md says so, this holds
 * it to a solve with the covariance in double. */
#include <math.h>
#include <string.h>

#include "kernels/nearest.h"
#include "kernels/patch.h"
#include "kernels/pca.h"
#include "tests/kernels/draw.h"

enum { FEATURES = 12, SAMPLE = 600, QUERIES = 40 };

/* Features that hang together and have unlike spreads. */
static float *draw_features(uint64_t seed, size_t rows)
{
    float *features = draw_matrix(seed, rows, FEATURES, FEATURES);
    for (size_t i = 0; i < rows; i++) {
        float *row = features + i * FEATURES;
        for (size_t j = 1; j < FEATURES; j++) {
            row[j] = 0.6f * row[j - 1] + (0.2f + 0.1f * (float)j) * row[j] + 0.5f;
        }
    }
    return features;
}

/* lower * lower' = the sample's covariance plus ridge on its diagonal. */
static void factor_covariance(const float *sample, double ridge, double lower[FEATURES][FEATURES])
{
    double mean[FEATURES] = {0};
    double covariance[FEATURES][FEATURES] = {{0}};
    for (size_t i = 0; i < (size_t)SAMPLE * FEATURES; i++) {
        mean[i % FEATURES] += (double)sample[i] / SAMPLE;
    }
    for (size_t i = 0; i < SAMPLE; i++) {
        const float *row = sample + i * FEATURES;
        for (size_t at = 0; at < (size_t)FEATURES * FEATURES; at++) {
            size_t j = at / FEATURES;
            size_t k = at % FEATURES;
            covariance[j][k] +=
                ((double)row[j] - mean[j]) * ((double)row[k] - mean[k]) / (SAMPLE - 1);
        }
    }
    memset(lower, 0, sizeof(double[FEATURES][FEATURES]));
    for (size_t j = 0; j < FEATURES; j++) {
        for (size_t k = 0; k <= j; k++) {
            double sum = covariance[j][k] + (j == k ? ridge : 0);
            for (size_t m = 0; m < k; m++) {
                sum -= lower[j][m] * lower[k][m];
            }
            lower[j][k] = j == k ? sqrt(sum) : sum / lower[k][k];
        }
    }
}

/* (x - y)' C^-1 (x - y): the squared norm of lower^-1 (x - y). */
static double distance_of(double lower[FEATURES][FEATURES], const float *x, const float *y)
{
    double solved[FEATURES];
    double sum = 0;
    for (size_t j = 0; j < FEATURES; j++) {
        double rest = (double)x[j] - (double)y[j];
        for (size_t k = 0; k < j; k++) {
            rest -= lower[j][k] * solved[k];
        }
        solved[j] = rest / lower[j][j];
        sum += solved[j] * solved[j];
    }
    return sum;
}

static float *embed(const struct patch_projection *projection, const float *features, size_t rows)
{
    float *embedded = draw_room(rows * FEATURES, sizeof *embedded);
    double *workspace = draw_room(patch_embed_workspace_doubles(projection), sizeof *workspace);
    patch_embed(projection, features, rows, FEATURES, workspace, embedded);
    free(workspace);
    return embedded;
}

static void mahalanobis_is_nearest_behind_whitening(void **state)
{
    (void)state;
    const double ridge = 0.01;
    float *sample = draw_features(1, SAMPLE);
    float *queries = draw_features(2, QUERIES);
    float mean[FEATURES];
    float weights[FEATURES * FEATURES];
    float bias[FEATURES];
    double eigenvalues[FEATURES];
    double lower[FEATURES][FEATURES];
    struct pca_sample rows = {sample, SAMPLE, FEATURES, FEATURES};
    struct pca_rule rule = {.embedding_count = FEATURES, .whiten = 1, .ridge = ridge};
    struct pca_result fitted = {mean, weights, bias, eigenvalues};
    double *workspace = draw_room(pca_fit_workspace_doubles(FEATURES), sizeof *workspace);
    assert_int_equal(pca_fit(&rows, &rule, workspace, &fitted), 0);
    factor_covariance(sample, ridge, lower);

    struct patch_projection projection = {
        .feature_count = FEATURES, .embedding_count = FEATURES, .weights = weights, .bias = bias};
    float *bank_rows = embed(&projection, sample, SAMPLE);
    float *query_rows = embed(&projection, queries, QUERIES);
    float *norms = draw_room(SAMPLE, sizeof *norms);
    float *space = draw_room(nearest_workspace_floats(), sizeof *space);
    void *memory = draw_room(nearest_pack_bytes(SAMPLE, FEATURES), 1);
    nearest_squared_norms(bank_rows, SAMPLE, FEATURES, FEATURES, norms);
    struct nearest_bank bank = {bank_rows, SAMPLE, FEATURES, FEATURES, norms, NULL, NULL};
    bank.packed = nearest_pack(&bank, memory);
    struct nearest_queries wanted = {query_rows, QUERIES, FEATURES};
    uint32_t index[QUERIES];
    float distance[QUERIES];
    nearest_search(&bank, &wanted, space, index, distance);
    for (size_t i = 0; i < QUERIES; i++) {
        double least = INFINITY;
        for (size_t j = 0; j < SAMPLE; j++) {
            double other = distance_of(lower, queries + i * FEATURES, sample + j * FEATURES);
            least = other < least ? other : least;
        }
        double told = distance_of(lower, queries + i * FEATURES, sample + index[i] * FEATURES);
        /* the grid of patch_embed: three parts in a million of a feature, before squaring */
        assert_true(told <= least * (1 + 1e-4));
        assert_true(fabs((double)distance[i] - told) <= 1e-4 * (1 + told));
    }
    free(memory);
    free(space);
    free(norms);
    free(query_rows);
    free(bank_rows);
    free(workspace);
    free(queries);
    free(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mahalanobis_is_nearest_behind_whitening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
