/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_PLANES_H
#define KERNELS_PLANES_H

/* Planes: an attenuation image as bytes for a network: how high each pixel is, and how high above
 * the mean around it.
 *
 * Levels are whole numbers of a sixteenth, so the sums of the local mean are exact in any order: a
 * pixel's planes depend on what is around it and on nothing else, and have the same bits on every
 * path. Equations: KERNELS.md. */

#include <stddef.h>
#include <stdint.h>

#include "kernels/image.h"
#include "kernels/path.h"

enum {
    PLANES_COUNT = 4,   /* bytes of a pixel, side by side */
    PLANES_FINE = 16,   /* steps of a level */
    PLANES_RADIUS = 16, /* the local mean is over 33 x 33 pixels */
};

struct planes_rule {
    float scale;    /* steps per unit of attenuation, > 0: 255 PLANES_FINE / the highest */
    float contrast; /* levels of plane 1 per step above the mean, >= 0 */
};

size_t planes_workspace_bytes(size_t width);

/* planes[height][width][PLANES_COUNT], dense:
 *
 *   plane 0   the level, 0..255
 *   plane 1   128 + contrast * (step - mean step of the valid pixels of 33 x 33 around), 0..255
 *   plane 2   0: for the caller to fill
 *   plane 3   255
 *
 * each rounded, ties to even in steps and in plane 1, up in plane 0; all 0 where the pixel is not
 * valid. A valid NaN counts as 0. The workspace is aligned to 4 bytes. */
void planes_make(const struct planes_rule *rule, const struct image_view *image,
                 const uint8_t *valid, void *restrict workspace, uint8_t *restrict planes);
/* The same with chosen instructions, which this processor must have. */
void planes_make_by(enum path path, const struct planes_rule *rule, const struct image_view *image,
                    const uint8_t *valid, void *restrict workspace, uint8_t *restrict planes);
#endif
