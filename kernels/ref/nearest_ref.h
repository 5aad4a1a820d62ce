/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_NEAREST_REF_H
#define KERNELS_NEAREST_REF_H

/* Nearest_ref: the plain double-precision twin of nearest.h. */

#include "kernels/nearest.h"

double nearest_ref_distance(const float *query, const float *row, size_t dimension_count);

/* The nearest row by definition; NEAREST_NONE and *squared_distance = INFINITY when there is none.
 */
uint32_t nearest_ref_search(const struct nearest_bank *bank, const float *query,
                            double *squared_distance);

/* The `wanted` nearest, nearest first, of equal distances the lower index first; NEAREST_NONE and
 * INFINITY where there are no more. */
void nearest_ref_several(const struct nearest_bank *bank, const float *query, size_t wanted,
                         uint32_t *index, double *squared_distance);
#endif
