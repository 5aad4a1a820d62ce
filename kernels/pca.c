/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/pca.h"

#include <cblas.h>
#include <lapack.h>
#include <math.h>
#include <string.h>

/* Two passes over the sample: the mean first, then the centred rows block by block through DSYRK.
 * The one-pass form (sum of squares minus square of sums) would cost half the reading and all of
 * the small eigenvalues. */

enum { ROW_BLOCK = 128, LAPACK_BLOCK = 34 };

size_t pca_fit_workspace_doubles(size_t feature_count)
{
    return feature_count * (feature_count + ROW_BLOCK + 2 + LAPACK_BLOCK);
}

static void find_mean(const struct pca_sample *sample, double *mean)
{
    memset(mean, 0, sample->feature_count * sizeof *mean);
    for (size_t i = 0; i < sample->row_count; i++) {
        const float *row = sample->rows + i * sample->stride;
        for (size_t j = 0; j < sample->feature_count; j++) {
            mean[j] += (double)row[j];
        }
    }
    for (size_t j = 0; j < sample->feature_count && sample->row_count > 0; j++) {
        mean[j] /= (double)sample->row_count;
    }
}

/* The lower triangle in LAPACK's column order, which is the upper one by rows. */
static void find_covariance(const struct pca_sample *sample, const double *mean, double *block,
                            double *covariance)
{
    size_t features = sample->feature_count;
    memset(covariance, 0, features * features * sizeof *covariance);
    if (sample->row_count < 2) {
        return;
    }
    double scale = 1.0 / (double)(sample->row_count - 1);
    for (size_t first = 0; first < sample->row_count; first += ROW_BLOCK) {
        size_t left = sample->row_count - first;
        size_t rows = left < ROW_BLOCK ? left : ROW_BLOCK;
        for (size_t i = 0; i < rows; i++) {
            const float *row = sample->rows + (first + i) * sample->stride;
            for (size_t j = 0; j < features; j++) {
                block[i * features + j] = (double)row[j] - mean[j];
            }
        }
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)features, (int)rows, scale, block,
                    (int)features, 1.0, covariance, (int)features);
    }
}

/* LAPACK leaves eigenvectors as the rows of `vectors`, ascending by eigenvalue. */
static void write_axes(const double *vectors, const double *ascending, size_t features,
                       const struct pca_rule *rule, const struct pca_result *out)
{
    for (size_t k = 0; k < rule->embedding_count; k++) {
        const double *vector = vectors + (features - 1 - k) * features;
        double eigenvalue = ascending[features - 1 - k];
        double variance = (eigenvalue > 0 ? eigenvalue : 0.0) + rule->ridge;
        double scale = 1.0;
        if (rule->whiten) {
            scale = variance > 0 ? 1.0 / sqrt(variance) : 0.0;
        }
        size_t largest = 0;
        for (size_t j = 1; j < features; j++) {
            largest = fabs(vector[j]) > fabs(vector[largest]) ? j : largest;
        }
        scale = vector[largest] < 0 ? -scale : scale;
        for (size_t j = 0; j < features; j++) {
            out->weights[j * rule->embedding_count + k] = (float)(vector[j] * scale);
        }
    }
}

int pca_fit(const struct pca_sample *sample, const struct pca_rule *rule,
            double *restrict workspace, const struct pca_result *out)
{
    size_t features = sample->feature_count;
    double *covariance = workspace;
    double *block = covariance + features * features;
    double *mean = block + ROW_BLOCK * features;
    double *ascending = mean + features;
    double *lapack = ascending + features;

    find_mean(sample, mean);
    find_covariance(sample, mean, block, covariance);
    int order = (int)features;
    int lapack_count = LAPACK_BLOCK * order;
    int info = 0;
    LAPACK_dsyev("V", "L", &order, covariance, &order, ascending, lapack, &lapack_count, &info);
    if (info != 0) {
        return info;
    }
    for (size_t j = 0; j < features; j++) {
        double eigenvalue = ascending[features - 1 - j];
        out->eigenvalues[j] = eigenvalue > 0 ? eigenvalue : 0.0;
        out->mean[j] = (float)mean[j];
    }
    write_axes(covariance, ascending, features, rule, out);
    for (size_t k = 0; k < rule->embedding_count; k++) {
        double sum = 0;
        for (size_t j = 0; j < features; j++) {
            sum += mean[j] * (double)out->weights[j * rule->embedding_count + k];
        }
        out->bias[k] = (float)sum;
    }
    return 0;
}

double pca_explained_share(const double *eigenvalues, size_t feature_count, size_t axis_count)
{
    double kept = 0;
    double total = 0;
    for (size_t j = 0; j < feature_count; j++) {
        total += eigenvalues[j];
        kept += j < axis_count ? eigenvalues[j] : 0.0;
    }
    return total > 0 ? kept / total : 0.0;
}
