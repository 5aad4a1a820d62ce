/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_PATCH_FEATURES_H
#define KERNELS_PATCH_FEATURES_H

/* Patch_features: one patch as a row of features. Private to kernels/patch*.c. */

#include "kernels/patch.h"

/* The upper left corner of a patch. */
struct patch_corner {
    const float *pixels;
    const uint8_t *valid; /* or NULL */
    size_t stride;        /* of the pixels */
    size_t valid_stride;
};

/* Fills the row of features; 0 when the patch is left out, the row is anything then. */
int patch_features(enum path path, const struct patch_corner *corner, const struct patch_rule *rule,
                   float *restrict features);
#endif
