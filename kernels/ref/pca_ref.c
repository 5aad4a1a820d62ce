/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/pca_ref.h"

#include <math.h>

static double mean_of_column(const struct pca_sample *sample, size_t column)
{
    double sum = 0;
    for (size_t i = 0; i < sample->row_count; i++) {
        sum += (double)sample->rows[i * sample->stride + column];
    }
    return sum / (double)sample->row_count;
}

void pca_ref_covariance(const struct pca_sample *sample, double *covariance)
{
    size_t count = sample->feature_count;
    for (size_t j = 0; j < count; j++) {
        for (size_t k = 0; k < count; k++) {
            double mean_j = mean_of_column(sample, j);
            double mean_k = mean_of_column(sample, k);
            double sum = 0;
            for (size_t i = 0; i < sample->row_count; i++) {
                const float *row = sample->rows + i * sample->stride;
                sum += ((double)row[j] - mean_j) * ((double)row[k] - mean_k);
            }
            covariance[j * count + k] = sum / (double)(sample->row_count - 1);
        }
    }
}

/* One rotation in the plane (p, q) that brings matrix[p][q] to zero. */
static void rotate(double *matrix, size_t count, size_t p, size_t q)
{
    double off = matrix[p * count + q];
    if (fabs(off) <= 0) {
        return;
    }
    double angle = 0.5 * atan2(2 * off, matrix[q * count + q] - matrix[p * count + p]);
    double c = cos(angle);
    double s = sin(angle);
    for (size_t k = 0; k < count; k++) {
        double at_p = matrix[k * count + p];
        double at_q = matrix[k * count + q];
        matrix[k * count + p] = c * at_p - s * at_q;
        matrix[k * count + q] = s * at_p + c * at_q;
    }
    for (size_t k = 0; k < count; k++) {
        double at_p = matrix[p * count + k];
        double at_q = matrix[q * count + k];
        matrix[p * count + k] = c * at_p - s * at_q;
        matrix[q * count + k] = s * at_p + c * at_q;
    }
}

void pca_ref_diagonalise(double *matrix, size_t count)
{
    for (int sweep = 0; sweep < 30; sweep++) {
        for (size_t p = 0; p < count; p++) {
            for (size_t q = p + 1; q < count; q++) {
                rotate(matrix, count, p, q);
            }
        }
    }
}
