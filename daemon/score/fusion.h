/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FUSION_H
#define SCORE_FUSION_H

/* Fusion: how the parts add up to a logit, and the list of contributions that is shown.
 *
 * logit = sum of the contributions, in the order in which they are listed, in double: what is shown
 * is what made the score. One thread. No allocation. */

#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "score/score.h"

#define FUSION_WEIGHTS 8u

struct fusion_weights {
    double intercept;
    double history_scale;  /* of the whole history part, its intercept included */
    double appearance;     /* logit for one spread of the image score */
    double appearance_low; /* image scores are held within these, in spreads */
    double appearance_high;
    double empty; /* logit for a declared emptiness that the image contradicts, and the reverse */
    double mass;  /* logit for one spread of the mass error beyond the second */
    double ratio; /* logit for one spread of the dual-energy ratio beyond the third */
};

extern const struct fusion_weights fusion_weights_builtin;

/* What the fusion is given of an item, in this order; MODELS.md says what each is. A change of the
 * list is another set of names, and these are in every fusion model as the text `inputs`. */
enum fusion_input {
    FUSION_DECLARED,
    FUSION_OVERALL_LOGIT,
    FUSION_DECLARATION_QUALITY,
    FUSION_DECLARED_EMPTY,
    FUSION_DECLARED_MASS_KG,
    FUSION_WORKING_HEIGHT,
    FUSION_SCANS,
    FUSION_IMAGES,
    FUSION_IMAGES_USED,
    FUSION_IMAGE_QUALITY,
    FUSION_IMAGE_Z,
    FUSION_IMAGE_INDEX,
    FUSION_JUDGED_BY,
    FUSION_MEASURED_BY,
    FUSION_CARGO_WINDOW,
    FUSION_FILLED_SHARE,
    FUSION_MASS_INDEX,
    FUSION_PITCH_KNOWN,
    FUSION_ENERGY_RATIO,
    FUSION_FINDER_LOGIT, /* from here on: not in every logged score, see fusion_inputs_names */
    FUSION_EMPTIED_BY,
    FUSION_LOADED_LOGIT,
    FUSION_DENSE_SHARE,
    FUSION_SHARPNESS, /* of the image of the lowest quality */
    FUSION_CONTRAST_TO_NOISE,
    FUSION_SATURATED_SHARE,
    FUSION_DEAD_ROWS,
    FUSION_DEAD_COLUMNS,
    FUSION_INPUTS
};
/* Their names, separated by spaces. */
extern const char fusion_inputs_text[];
/* The names of the first `count` inputs; NULL when there never was a score with so many. A score
 * that was logged with fewer inputs is replayed with as many: the others were not there. */
const char *fusion_inputs_names(uint32_t count);

/* Weights of a model file of kind "fusion". MODEL_UNREADABLE leaves *out alone. */
MUST_USE struct err fusion_read(const struct model_file *file, struct fusion_weights *out);
void fusion_to_array(const struct fusion_weights *weights, double out[FUSION_WEIGHTS]);

/* The hash that names built-in constants in a score: of their text, name and all numbers with 17
 * digits. */
void fusion_builtin_sha256(const char *name, const double *constants, uint32_t constants_count,
                           uint8_t out[HASH_BYTES]);

/* Start an empty list. */
void fusion_start(struct score_result *result);
/* Add a contribution; words are printed (cut at SCORE_WORDS_BYTES). Beyond ENTRY_CONTRIBUTIONS_MAX
 * is our own bug. */
void fusion_add(struct score_result *result, const char *name, double logit, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
/* Order: heaviest first, the intercept last; then logit = sum in that order and probability =
 * sigmoid(logit). */
void fusion_finish(struct score_result *result);

#define FUSION_INTERCEPT "base rate"

#endif
