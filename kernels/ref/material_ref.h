/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_REF_MATERIAL_REF_H
#define KERNELS_REF_MATERIAL_REF_H

/* The inversion itself, without a table: for each element the areal density that attenuates so much
 * at the high energy (bisection), then the place of A_low between neighbours. */

#include "kernels/material.h"

struct material_ref {
    double atomic_number;
    double areal_density;
};
struct material_ref material_ref_estimate(const struct material_physics *physics, double low,
                                          double high);
#endif
