/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_IMAGE_REF_H
#define KERNELS_IMAGE_REF_H

/* Image_ref: the plain double-precision twin of image.h, written to be checked by eye. */

#include "kernels/image.h"

double image_ref_calibrate(const struct image_calibration *how, double level);

/* Mean over the valid pixels of one cell; NaN when it has none. */
double image_ref_cell(const struct image_view *image, const uint8_t *valid, size_t factor,
                      size_t cell_x, size_t cell_y);

/* Exact quantile (type 7) over valid pixels; `sorted` is workspace for width * height values. */
double image_ref_quantile(const struct image_view *image, const uint8_t *valid, double level,
                          double *sorted);

/* Clears the dead lines of image_valid_mask() in `valid`; `before` is what bars and wedges left,
 * and only read. */
void image_ref_cut_dead_lines(const struct image_view *image, const struct image_mask_rule *rule,
                              uint8_t *before, uint8_t *valid);
#endif
