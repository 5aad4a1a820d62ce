/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_MATERIAL_H
#define SCORE_FINDER_MATERIAL_H

/* Finder material: the two planes of a finder that both energies of a scan make together. Called by
 * finder_planes() alone; equations in finder.h. */

#include <stddef.h>
#include <stdint.h>

#include "score/finder.h"

/* Aligned to 8 bytes. */
size_t finder_material_workspace_bytes(size_t width);
/* Planes 2 and 3; plane 2 must be 0 before. low_pixels may be NULL. */
void finder_material(const struct finder_input *input, const struct working *working,
                     const float *low_pixels, void *restrict workspace, uint8_t *restrict planes);

#endif
