/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_PCA_H
#define KERNELS_PCA_H

/* Pca: principal axes of a sample, optionally whitened, in the form patch_embed takes.
 *
 * Mean and covariance are accumulated in double, the eigenvectors come from LAPACK dsyev, and each
 * axis is turned so that its entry of largest magnitude is positive, so one sample gives one answer
 * for one build and thread count. Meant for training, not for the scoring line. */

#include <stddef.h>

struct pca_sample {
    const float *rows; /* [row_count x stride], every value finite */
    size_t row_count;  /* >= 2 for a covariance; fewer gives zero eigenvalues */
    size_t feature_count;
    size_t stride; /* >= feature_count */
};

struct pca_rule {
    size_t embedding_count; /* axes kept, 1..feature_count, largest eigenvalue first */
    int whiten;             /* 1: axis j is divided by sqrt(eigenvalue_j + ridge) */
    double ridge;           /* >= 0; with whiten it must keep the divisor above zero */
};

struct pca_result {
    float *mean;         /* [feature_count] */
    float *weights;      /* [feature_count x embedding_count] row-major */
    float *bias;         /* [embedding_count]: mean * weights, subtracted by patch_embed */
    double *eigenvalues; /* [feature_count], all of them, descending, never negative */
};

size_t pca_fit_workspace_doubles(size_t feature_count);

/* Returns 0, or LAPACK's positive info when dsyev did not converge (then nothing is promised about
 * the outputs). */
int pca_fit(const struct pca_sample *sample, const struct pca_rule *rule,
            double *restrict workspace, const struct pca_result *out);

/* Share of the variance held by the first axis_count eigenvalues, 0..1; 0 when there is none. */
double pca_explained_share(const double *eigenvalues, size_t feature_count, size_t axis_count);
#endif
