/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_PLANES_REF_H
#define KERNELS_PLANES_REF_H

/* Planes_ref: the plain twin of planes.h: every window is summed anew, in double, where its whole
 * numbers are exact. */

#include "kernels/planes.h"

/* The planes of one pixel. */
void planes_ref_pixel(const struct planes_rule *rule, const struct image_view *image,
                      const uint8_t *valid, size_t x, size_t y, uint8_t planes[PLANES_COUNT]);
#endif
