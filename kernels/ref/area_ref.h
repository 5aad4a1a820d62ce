/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_AREA_REF_H
#define KERNELS_AREA_REF_H

/* Area_ref: the plain double-precision twin of area.h, written to be checked by eye. */

#include <stddef.h>
#include <stdint.h>

/* Mean, not rounded, of what output pixel (i, j) covers of a dense image of 8 or 16 bits. */
double area_ref_cell(const uint8_t *pixels, size_t bits, size_t width, size_t height, double cell_x,
                     double cell_y, double cell_width, double cell_height);

#endif
