/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_IMAGE_QUALITY_H
#define SCORE_IMAGE_QUALITY_H

/* Image quality: what a scanner delivers, measured on the raw grey levels: sharpness, contrast to
 * noise, saturation, dead channels.
 *
 * Reducing an image hides blur and dead lines, so this looks at the image itself, at
 * IMAGE_QUALITY_ROWS evenly spaced rows and as many samples of every row: the price does not grow
 * with the square of the sides. All sums are of whole numbers: same pixels, same bits. One thread a
 * space; nothing is allocated after image_quality_init(). */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/record.h"

#define IMAGE_QUALITY_ROWS 128u

struct image_quality_space {
    uint16_t *votes;   /* [IMAGE_SIDE_MAX] of columns, then of rows: samples that look dead */
    uint16_t *chances; /* [IMAGE_SIDE_MAX] of so many that could */
    uint8_t *levels;   /* [IMAGE_SIDE_MAX] of a row */
};

struct image_quality {
    double sharpness; /* the steepest hundredth of the steps from pixel to pixel, as a share of the
                         contrast: 1 is an edge within one pixel; 0: nothing to see */
    double contrast_to_noise; /* contrast (95th minus 5th hundredth) in standard deviations of
                                 noise, at most 9999 */
    double saturated_share;   /* of pixels at the dark end, where nothing more can be told */
    uint32_t dead_rows;       /* that are white or black across what lies beside them */
    uint32_t dead_columns;
};

MUST_USE struct err image_quality_init(struct image_quality_space *self);
void image_quality_fini(struct image_quality_space *self);

/* The image must not be refused (working.h). */
void image_quality_measure(struct image_quality_space *self, const struct image *image,
                           const uint8_t *pixels, struct image_quality *out);

#endif
