/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_EMPTINESS_H
#define SCORE_EMPTINESS_H

/* Emptiness: is there a load in a container, by a trained model, from a side view.
 *
 * Measures the inside of each box that cargo_boxes_find() finds, away from posts, roof and floor;
 * a logistic regression on that says how likely a load is. Rules that need no model are in
 * consistency.h. Model files: MODELS.md. Nothing is allocated after cargo_space_init(). */

#include <stdbool.h>

#include "archive/model_file.h"
#include "score/cargo_box.h"

#define EMPTINESS_NAME "emptiness"

enum emptiness_feature {
    EMPTINESS_DENSE,  /* log of the share of the lower part that is dense */
    EMPTINESS_DROP,   /* by how much the lower part attenuates more than the upper one */
    EMPTINESS_EXCESS, /* log of the mean attenuation of the lower part beyond that of the walls */
    EMPTINESS_HEAVY,  /* the same, of the third heaviest of 16 slices across the box */
    EMPTINESS_FEATURES
};

struct emptiness_measure {
    struct cargo_box box;
    double features[EMPTINESS_FEATURES]; /* finite */
    double dense_share;                  /* of the cargo space that is dense */
};

/* Measures of the boxes of an image, from left to right; boxes that are too small to be measured
 * are left out. */
uint32_t emptiness_measure(struct cargo_space *space, const struct working *working,
                           struct emptiness_measure out[CARGO_BOXES_MAX]);

struct emptiness_model {
    uint8_t sha256[HASH_BYTES];
    enum image_meaning meaning; /* of the training images; others are not judged */
    double means[EMPTINESS_FEATURES];
    double spreads[EMPTINESS_FEATURES];          /* > 0 */
    double coefficients[EMPTINESS_FEATURES + 1]; /* the intercept is the last */
};

/* MODEL_UNREADABLE when a part is missing, of the wrong shape, not finite or out of range. */
MUST_USE struct err emptiness_read(const struct model_file *file, struct emptiness_model *out);
/* Logit of there being a load. */
double emptiness_logit(const struct emptiness_model *model,
                       const double features[EMPTINESS_FEATURES]);

#endif
