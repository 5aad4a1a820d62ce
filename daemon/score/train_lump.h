/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_LUMP_H
#define SCORE_TRAIN_LUMP_H

/* Train lump: the part of an appearance model that looks for hidden lumps by both energies.
 *
 * Learnt from normal loads and from threats, which are scans of things alone in the air: a threat
 * is projected into a load by multiplying transmissions at both energies, that is, by adding
 * attenuations. Windows on it against all other windows, the worst of which are looked for twice
 * and learnt too. Inside training only; allocates within the bounds below. Deterministic. */

#include <stdint.h>

#include "base/err.h"
#include "score/lump.h"

#define TRAIN_LUMP_IMAGES_MAX 320u
#define TRAIN_LUMP_THREATS_MAX 1024u
#define TRAIN_LUMP_THREAT_PIXELS_MAX (1u << 22)

struct train_lump;

MUST_USE struct err train_lump_open(uint64_t seed, struct train_lump **out);
void train_lump_close(struct train_lump **self);

/* A scan of a threat alone, as attenuations at full resolution; copied. ARGUMENT: it has no pixel
 * pitch, too many pixels, or there are too many. */
struct lump_threat {
    uint32_t width;
    uint32_t height;
    double pixel_pitch_mm;
    const float *high;
    const float *low;
};
MUST_USE struct err train_lump_threat(struct train_lump *self, const struct lump_threat *threat);

/* A normal load. One that is not judged, or one too many, is left out. */
MUST_USE struct err train_lump_add(struct train_lump *self, const struct working *working,
                                   const float *low_pixels, double pixel_pitch_mm);

/* out->present is false when there are no threats, or fewer than 20 loads. figures: of the held-out
 * fifth of the loads, with and without projected threats; text. */
MUST_USE struct err train_lump_finish(struct train_lump *self, struct lump_model *out,
                                      char figures[256]);

/* Adds the threat's attenuation to an image of cells, with its upper left corner at (x, y) in
 * cells, times `share`; what lies beyond the image is left out. Returns the window that it fills.
 */
struct lump_window lump_project(struct lump_image *image, const struct lump_threat *threat,
                                const double at[2], double share);

/* The part of a threat that attenuates, in its pixels; 0 x 0 when there is none. */
struct lump_window lump_threat_core(const struct lump_threat *threat);

#endif
