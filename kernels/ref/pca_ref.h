/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_PCA_REF_H
#define KERNELS_PCA_REF_H

/* Pca_ref: the plain twin of pca.h: covariance by its definition, eigenvalues by Jacobi rotations.
 */

#include "kernels/pca.h"

/* covariance [feature_count x feature_count], full, divided by row_count - 1. */
void pca_ref_covariance(const struct pca_sample *sample, double *covariance);

/* Diagonalise the symmetric `matrix` in place; its diagonal becomes the eigenvalues, unsorted. */
void pca_ref_diagonalise(double *matrix, size_t count);
#endif
