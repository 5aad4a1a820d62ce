/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_THREAT_H
#define SCORE_FINDER_THREAT_H

/* Finder threat: scans of threats alone in the air, put into crops that a finder is trained on.
 * Marks are few; projected threats show it the like at any place of any load. A projection adds
 * attenuations and displaces nothing, so each is added with a random share of its own: what a block
 * stands out by in goods of its own kind may be a fifth of what it weakens the beam. Limits
 * otherwise as in projection.h. */

#include "kernels/rng.h"
#include "score/finder_set.h"
#include "score/projection.h"

enum { FINDER_THREAT_SIDE_MAX = 1024 };

struct finder_threat {
    float *high; /* attenuations at both energies, working pixels */
    float *low;
    uint32_t width;
    uint32_t height;
    struct finder_truth core; /* the part that attenuates */
};

/* Resampled (area mean) to the set's working pixels and copied into it, once all images are in it.
 * ARGUMENT: it has not both energies, is larger than FINDER_THREAT_SIDE_MAX, attenuates nowhere, or
 * is one too many (FINDER_SET_THREATS_MAX). MEMORY. */
MUST_USE struct err finder_set_threat(struct finder_set *self,
                                      const struct projection_threat *threat);
void finder_threat_fini(struct finder_threat *self);

/* For a set that nobody marked: puts a threat into about half of its images for good, with the
 * threat's box as the image's mark, so that there are objects to learn and to be judged by. The
 * same for the same set and seed. *count: how many images have one now; 0 when the set has no
 * threats or knows no material. MEMORY. */
MUST_USE struct err finder_set_project(struct finder_set *self, uint64_t seed, uint32_t *count);

/* Where a threat is put into an image of the set; threat NULL: nowhere. */
struct finder_placing {
    const struct finder_threat *threat;
    uint32_t x; /* of its left upper corner, working pixels */
    uint32_t y;
    float share;
};
/* Nowhere in half of the cases, always when the set has no threats or knows no material. */
struct finder_placing finder_threat_place(const struct finder_set *set,
                                          const struct finder_set_image *image, struct rng *rng);
struct finder_truth finder_placing_truth(const struct finder_placing *placing);
/* What the threat makes of the attenuations [0] high, [1] low of the image's pixel (x, y), with the
 * noise of the photons that are missing then. */
void finder_threat_add(const struct finder_set *set, const struct finder_placing *placing,
                       const double at[2], struct rng *rng, float *const pixels[2]);
#endif
