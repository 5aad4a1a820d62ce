/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_PATCH_REF_H
#define KERNELS_PATCH_REF_H

/* Patch_ref: the plain double-precision twin of patch.h. */

#include "kernels/patch.h"

/* features[patch_feature_count] of the patch whose upper left pixel is (x, y) of the level. */
void patch_ref_features(const struct patch_level *level, const struct patch_rule *rule, size_t x,
                        size_t y, double *features);

/* One component of one embedding; *magnitude gets the sum of |terms|, for the error bound. */
double patch_ref_embed(const struct patch_projection *projection, const float *features,
                       size_t component, double *magnitude);
#endif
