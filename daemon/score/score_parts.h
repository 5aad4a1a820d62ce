/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_PARTS_H
#define SCORE_PARTS_H

/* Score parts: what a scorer holds, and the steps that score_items() calls in order for each item.
 * Inside score/ only. */

#include "score/appearance.h"
#include "score/consistency.h"
#include "score/fusion.h"
#include "score/history.h"
#include "score/quality.h"
#include "score/score.h"
#include "score/working.h"

/* Scanner types of one port. A score names history, fusion and the types of its own scans only. */
#define SCORE_APPEARANCES_MAX (SCORE_MODELS_MAX - 2u)
_Static_assert(SCORE_PARTS_MAX + 2u <= ENTRY_MODELS_MAX,
               "a score can name the models of all its scans");
#define SCORE_MODEL_NAME_BYTES 96u

struct score_model {
    char name[SCORE_MODEL_NAME_BYTES];
    uint8_t sha256[HASH_BYTES];
    bool builtin;
};

struct score {
    uint64_t image_bytes_max;
    uint32_t working_height;
    bool has_pseudonym_key;
    uint8_t pseudonym_key[HASH_BYTES];
    struct working_space working;
    struct appearance_space space;
    struct history history;
    struct score_model history_model;
    struct fusion_weights fusion;
    struct score_model fusion_model;
    struct appearance_model appearances[SCORE_APPEARANCES_MAX];
    uint32_t appearances_count;
    uint64_t keys[HISTORY_KEYS_MAX];
};

/* NULL when no model is installed for this scanner type. */
const struct appearance_model *score_appearance_of(const struct score *self,
                                                   const char *scanner_type);

/* The base rate, and what the history of the riskiest declaration says. */
void score_add_history(struct score *self, const struct score_input *input,
                       struct score_result *result);

/* What the images of an item gave. */
struct score_sight {
    uint32_t images_count; /* there should be */
    uint32_t usable_count;
    uint32_t judged_count; /* by an appearance model */
    double quality;        /* of the worst usable image; 1 without any */
    char quality_words[QUALITY_WORDS_BYTES];
};
void score_add_images(struct score *self, const struct score_input *input,
                      struct score_result *result, struct score_sight *out);

/* The image of the same view and size at the lower energy, or NULL. */
const struct image *score_low_companion(const struct scan *scan, uint32_t image_index,
                                        uint32_t *low_index);
/* True when an image is only the low-energy companion of another. */
bool score_is_companion(const struct scan *scan, uint32_t image_index);

/* Adds a model to those that made the score, once. */
void score_name_model(struct score_result *result, const char *name,
                      const uint8_t sha256[HASH_BYTES]);

#endif
