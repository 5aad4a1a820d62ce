/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_CARGO_H
#define SCORE_TRAIN_CARGO_H

/* Train cargo: the part of an appearance model that looks for hidden lumps by both energies.
 *
 * Learnt from normal loads and from threats, which are scans of things alone in the air: a threat
 * is projected into a load by multiplying transmissions at both energies, that is, by adding
 * attenuations. Windows on it against all other windows, the worst of which are looked for twice
 * and learnt too. Inside training only; allocates within the bounds below. Deterministic. */

#include <stdint.h>

#include "base/err.h"
#include "score/cargo.h"

#define TRAIN_CARGO_IMAGES_MAX 320u
#define TRAIN_CARGO_THREATS_MAX 256u
#define TRAIN_CARGO_THREAT_PIXELS_MAX (1u << 22)

struct train_cargo;

MUST_USE struct err train_cargo_open(uint64_t seed, struct train_cargo **out);
void train_cargo_close(struct train_cargo **self);

/* A scan of a threat alone, as attenuations at full resolution; copied. ARGUMENT: it has no pixel
 * pitch, too many pixels, or there are too many. */
struct cargo_threat {
    uint32_t width;
    uint32_t height;
    double pixel_pitch_mm;
    const float *high;
    const float *low;
};
MUST_USE struct err train_cargo_threat(struct train_cargo *self, const struct cargo_threat *threat);

/* A normal load. One that is not judged, or one too many, is left out. */
MUST_USE struct err train_cargo_add(struct train_cargo *self, const struct working *working,
                                    const float *low_pixels, double pixel_pitch_mm);

/* out->present is false when there are no threats, or fewer than 20 loads. figures: of the held-out
 * fifth of the loads, with and without projected threats; text. */
MUST_USE struct err train_cargo_finish(struct train_cargo *self, struct cargo_model *out,
                                       char figures[256]);

/* Adds the threat's attenuation to an image of cells, with its upper left corner at (x, y) in
 * cells, times `share`; what lies beyond the image is left out. Returns the window that it fills.
 */
struct cargo_window cargo_project(struct cargo_image *image, const struct cargo_threat *threat,
                                  const double at[2], double share);

/* The part of a threat that attenuates, in its pixels; 0 x 0 when there is none. */
struct cargo_window cargo_threat_core(const struct cargo_threat *threat);

#endif
