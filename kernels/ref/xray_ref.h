/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_XRAY_REF_H
#define KERNELS_XRAY_REF_H

/* Xray_ref: the plain double-precision twin of xray.h. */

#include "kernels/xray.h"

/* Transmission of one pixel in one spectrum. */
double xray_ref_transmission(const struct xray_beam *beam, const float *densities,
                             size_t spectrum_index);
#endif
