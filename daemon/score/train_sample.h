/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_SAMPLE_H
#define SCORE_TRAIN_SAMPLE_H

/* Train sample: a bounded, fair sample of the patches of all training images, and what becomes of
 * it: principal axes, a sample cleaned of what only one image shows, and the memory bank. Offline;
 * allocates. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kernels/rng.h"
#include "score/appearance.h"

#define SAMPLE_ROWS_MAX 32768u
#define SAMPLE_ROWS_PER_IMAGE 512u

struct train_sample {
    float *features; /* [SAMPLE_ROWS_MAX x APPEARANCE_FEATURES] */
    uint32_t *image_indices;
    size_t rows_count;
    uint64_t rows_seen;
    struct rng rng;
    float *image_features; /* reservoir of one image */
};

MUST_USE struct err train_sample_init(struct train_sample *self, uint64_t seed);
void train_sample_fini(struct train_sample *self);
/* Up to SAMPLE_ROWS_PER_IMAGE patches of one image, each patch with the same chance. Returns how
 * many it has seen. */
size_t train_sample_add(struct train_sample *self, struct appearance_space *space,
                        const struct working *working, uint32_t image_index);

/* Fills projection and bank of a model whose meaning is set: dimensions axes, up to bank_max rows.
 * ARGUMENT when there are fewer than 64 patches. *trimmed_count tells how many patches were left
 * out as seen in one image only. */
MUST_USE struct err train_sample_build(const struct train_sample *self, uint32_t dimensions,
                                       uint32_t bank_max, uint64_t seed,
                                       struct appearance_model *out, size_t *trimmed_count);

#endif
