/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_CONSISTENCY_H
#define SCORE_CONSISTENCY_H

/* Consistency: what a scan shows, held against what is declared.
 *
 * Three questions: is it as empty (or as full) as declared; does the attenuation fit the declared
 * mass; is the dual-energy ratio one that this scanner type usually sees. The first needs no
 * trained model; its constants are in MODELS.md. The other two need what the appearance model has
 * learnt. Measuring is apart from judging, because training measures too. Pure; any thread. */

#include <stdbool.h>
#include <stdint.h>

#include "score/appearance.h"
#include "score/emptiness.h"
#include "score/fusion.h"
#include "score/working.h"

struct consistency_measure {
    double filled_share; /* of the cargo window: pixels that attenuate clearly; NaN: no valid pixel
                            there */
    double mass_index;   /* sum of attenuation times area over valid pixels: cm2 with a known pitch,
                            else full pixels */
    bool pitch_known;
    bool has_ratio;
    double ratio;        /* mean of A_low / A_high where the high image attenuates clearly */
    double loaded_logit; /* of a load, by the model of emptiness, in the fullest box; NaN: no model
                            judged, the rule that needs none holds */
    double dense_share;  /* of the cargo space of that box */
};

/* loaded_logit and dense_share by this model; they stay NaN when it was trained on other pixels or
 * finds no box. */
void consistency_measure_emptiness(const struct emptiness_model *model, struct cargo_space *space,
                                   const struct working *working, struct consistency_measure *out);
/* low_pixels: the reduced low-energy image, NULL when there is none. */
void consistency_measure(const struct working *working, const float *low_pixels,
                         double pixel_pitch_mm, struct consistency_measure *out);

struct consistency_declared {
    bool known; /* there is a declaration */
    bool empty;
    double mass_kg; /* gross, or net when gross is missing; 0: unknown */
};
struct consistency_declared consistency_declared(const struct declaration *const *declarations,
                                                 uint32_t count);

/* True for images in which emptiness can be seen: side views of vehicles and containers. */
bool consistency_has_cargo_window(enum mode mode);

/* Adds what the measure says. model may be NULL: then only emptiness is judged. */
void consistency_judge(const struct consistency_measure *measure,
                       const struct consistency_declared *declared, bool cargo_window,
                       const struct appearance_model *model, const struct fusion_weights *weights,
                       struct score_result *result);

#endif
