/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_PROJECTION_H
#define SCORE_PROJECTION_H

/* Projection: threat image projection. A scan of a threat alone in the air is multiplied into a
 * scan of something else, in transmission space:
 *
 *   transmission:     T'(p) = T(p) T_threat(p), counts = dark + (air - dark) T'
 *   display grey:     g'(p) = g(p) g_threat(p) / white; inverted: the same of white - g
 *
 * at every energy with the threat's image of that energy. The threat is resampled to the pitch of
 * the scan (area mean of its attenuation) when both pitches are known. Limits, by construction: the
 * threat displaces nothing; beam hardening is that of the threat in the air and not behind the
 * load; scatter is left out; display grey is multiplied as if it were linear, which tone curves are
 * not. Noise: a pixel that gets darker would be noisier than its shrunken own noise; with
 * photons_in_air > 0 a normal error with the missing variance T' (1 - T_threat) / photons is added.
 * Offline; allocates. One thread. */

#include <stdint.h>

#include "base/err.h"
#include "kernels/rng.h"
#include "proto/record.h"

#define PROJECTION_THREATS_MAX 1024u
#define PROJECTION_PIXELS_MAX (1u << 24)

struct projection_image {
    struct image image;
    float *attenuation; /* width x height; of display images -log of the lightness */
};

struct projection_threat {
    struct projection_image images[2]; /* high or only; low */
    uint32_t images_count;
    double mass_kg; /* NaN: not told */
};

/* Takes a threat from a scan: the high (or only) image and its low companion. "mass_kg" among
 * scan->other tells the mass. ARGUMENT: no image that can be used, or too many pixels. The caller
 * finis. */
MUST_USE struct err projection_take(const struct scan *scan, const void *const *pixels,
                                    struct projection_threat *out);
void projection_threat_fini(struct projection_threat *self);

struct projection_box {
    uint32_t x; /* pixels of the scan */
    uint32_t y;
    uint32_t width;
    uint32_t height;
};

/* How large the threat is in this image; 0 x 0 when it does not fit into it. */
struct projection_box projection_size(const struct projection_threat *threat,
                                      const struct image *image);
/* A place drawn evenly among those whose middle attenuates by at least `attenuation_min`; false
 * when none was met in some tries. *background: attenuation in the middle there. */
bool projection_place(const struct image *image, const uint8_t *pixels, struct rng *rng,
                      double attenuation_min, struct projection_box *box, double *background);
/* Mean of the threat's attenuation over pixel (x, y) of pixels `step` times as wide as its own;
 * beyond the threat it is air. */
double projection_mean(const struct projection_image *threat, double step, uint32_t x, uint32_t y);
/* Writes into pixels. which: 0 the high or only image of the threat, 1 the low one. */
void projection_apply(const struct projection_threat *threat, uint32_t which,
                      const struct image *image, const struct projection_box *box,
                      double photons_in_air, struct rng *rng, uint8_t *pixels);

#endif
