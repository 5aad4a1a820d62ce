/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/xray_ref.h"

#include <math.h>

double xray_ref_transmission(const struct xray_beam *beam, const float *densities,
                             size_t spectrum_index)
{
    double sum = 0;
    for (size_t e = 0; e < beam->bin_count; e++) {
        double depth = 0;
        for (size_t m = 0; m < beam->material_count; m++) {
            depth += (double)densities[m] * (double)beam->mu_rho[m * beam->bin_count + e];
        }
        sum += (double)beam->weights[e * beam->spectrum_count + spectrum_index] * exp(-depth);
    }
    return sum;
}
