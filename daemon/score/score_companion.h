/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_COMPANION_H
#define SCORE_COMPANION_H

/* Score companion: which images of a scan belong together. A low-energy image is the companion of
 * the high-energy one of the same view, size and meaning: it is read beside that one and judged by
 * itself only when there is none. Pure. */

#include <stdbool.h>
#include <stdint.h>

#include "proto/record.h"

/* True when an image is only the low-energy companion of another. */
bool score_is_companion(const struct scan *scan, uint32_t image_index);

/* The low-energy companion of this image and its place, or NULL; then *low_index stays. */
const struct image *score_low_companion(const struct scan *scan, uint32_t image_index,
                                        uint32_t *low_index);

/* The image of a scan that stands for all of it where only one can: that marks and labels belong
 * to, that a threat is put into. The first that is not of the low energy; of a scan of those alone
 * the first. *low_index (not wanted: NULL) is its companion, UINT32_MAX without one. The scan has
 * an image. */
uint32_t score_main_image(const struct scan *scan, uint32_t *low_index);

#endif
