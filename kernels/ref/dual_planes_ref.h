/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_DUAL_PLANES_REF_H
#define KERNELS_DUAL_PLANES_REF_H

/* Dual_planes_ref: the plain twin of dual_planes.h: every window is summed anew, in double, where
 * its whole numbers are exact. */

#include "kernels/dual_planes.h"

/* The planes of one pixel. */
void dual_planes_ref_pixel(const struct dual_planes_rule *rule, const struct image_view *high,
                           const float *low, const uint8_t *valid, size_t x, size_t y,
                           uint8_t planes[DUAL_PLANES_COUNT]);
#endif
