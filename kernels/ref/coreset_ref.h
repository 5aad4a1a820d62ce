/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CORESET_REF_H
#define KERNELS_CORESET_REF_H

/* Coreset_ref: the plain double-precision twin of coreset.h. */

#include "kernels/coreset.h"

/* Largest distance of any row to its nearest of the first chosen_count chosen rows. */
double coreset_ref_radius(const struct coreset_rows *rows, const uint32_t *chosen,
                          size_t chosen_count);
#endif
