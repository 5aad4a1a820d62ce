/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_IMAGE_LINES_H
#define KERNELS_IMAGE_LINES_H

/* Image_lines: the dead lines of image_valid_mask(). Private to kernels/image*.c. */

#include "kernels/image.h"

/* Clears the dead lines that image.h describes in a mask of 0 and 1. */
void image_lines_cut(enum path path, const struct image_view *image,
                     const struct image_mask_rule *rule, uint32_t *restrict workspace,
                     uint8_t *restrict valid);
#endif
