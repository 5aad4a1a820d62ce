/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_DUAL_PLANES_H
#define KERNELS_DUAL_PLANES_H

/* Dual planes: the attenuations of two energies as bytes for a network: how much of the beam each
 * pixel takes, of what, and how both stand out from what is around, at three sizes.
 *
 * Attenuations become whole numbers of 2^-12, so the sums of a window are exact in any order: a
 * pixel's planes depend on what is around it and on nothing else, and have the same bits on every
 * path. Equations: KERNELS.md. */

#include <stddef.h>
#include <stdint.h>

#include "kernels/image.h"
#include "kernels/path.h"

enum {
    DUAL_PLANES_COUNT = 8,  /* bytes of a pixel, side by side */
    DUAL_PLANES_ONE = 4096, /* steps of an attenuation of 1 */
    DUAL_PLANES_HIGHEST = 64,
    DUAL_PLANES_NEAR = 3,    /* radius: a window of 7 x 7 pixels */
    DUAL_PLANES_MIDDLE = 8,  /* 17 x 17 */
    DUAL_PLANES_RADIUS = 32, /* 65 x 65: no window is wider */
};

struct dual_planes_rule {
    float level;     /* of plane 0 per step of attenuation, > 0 */
    float least;     /* steps: no ratio of what attenuates less on average */
    float usual;     /* the ratio of energies that is neither light nor heavy, 0..101 */
    float ratio;     /* of plane 2 per unit of the ratio above ratio_low, > 0 */
    float ratio_low; /* where plane 2 is 1 */
    float rises[3];  /* of planes 4, 5, 1 per step above the mean of 7 x 7, 17 x 17, 65 x 65 */
    float excess[2]; /* of planes 6, 3 per step above the mean of 17 x 17, 65 x 65 */
};

size_t dual_planes_workspace_bytes(size_t width);

/* planes[height][width][DUAL_PLANES_COUNT], dense. With A the steps of `high`, X = those of `low`
 * less `usual` times A, and means over the valid pixels of a window around:
 *
 *   plane 0   level A
 *   plane 1   128 + rises[2] (A - mean A of 65 x 65)
 *   plane 2   1 + ratio (mean X / mean A + usual - ratio_low), both of 3 x 3, within 1..255;
 *             0 where mean A <= least
 *   plane 3   128 + excess[1] (mean X of 3 x 3 - mean X of 65 x 65)
 *   plane 4   128 + rises[0] (A - mean A of 7 x 7)
 *   plane 5   128 + rises[1] (A - mean A of 17 x 17)
 *   plane 6   128 + excess[0] (mean X of 3 x 3 - mean X of 17 x 17)
 *   plane 7   255
 *
 * each rounded, ties to even, and held within 0..255; all 0 where the pixel is not valid. `low` has
 * the size of `high`; NULL: X is 0 everywhere and plane 2 is 0. Attenuations are held within
 * 0..DUAL_PLANES_HIGHEST, a NaN counts as 0. The workspace is aligned to 4 bytes. */
void dual_planes_make(const struct dual_planes_rule *rule, const struct image_view *high,
                      const float *low, const uint8_t *valid, void *restrict workspace,
                      uint8_t *restrict planes);
/* The same with chosen instructions, which this processor must have. */
void dual_planes_make_by(enum path path, const struct dual_planes_rule *rule,
                         const struct image_view *high, const float *low, const uint8_t *valid,
                         void *restrict workspace, uint8_t *restrict planes);
#endif
