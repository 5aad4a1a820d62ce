/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_DOME_IMAGE_H
#define SCORE_DOME_IMAGE_H

/* Dome image: from raw pixels to the small things that weaken the beam more than all around them
 * (kernels/dome.h). Domes have a working image of their own, of up to DOME_HEIGHT rows, because
 * what is small is lost at the height that suits a bank. One thread a handle; nothing is allocated
 * after dome_line_fit(). MODELS.md, section 5. */

#include "kernels/dome.h"
#include "score/appearance.h"
#include "score/dome_model.h"
#include "score/working.h"

#define DOME_HEIGHT 640u
#define DOME_IMAGE_MAX 20u
/* Levels of an attenuation of 1, and the least rise of a dome, in levels: about the noise of a
 * pixel behind a usual load. */
#define DOME_RISE_LEVELS 256.0
#define DOME_RISE_LEAST 8
_Static_assert(DOME_IMAGE_MAX <= DOME_CANDIDATES, "no more than are kept");

/* All zero to start. Room for the largest working image there is: pages that no image needs are
 * never touched. */
struct dome_line {
    bool ready;
    struct working_space working;
    uint16_t *scratch;
    uint16_t *levels;
    uint32_t *workspace;
    uint16_t *tables; /* two of DOME_LEVELS: of display values, of attenuations */
};

MUST_USE struct err dome_line_fit(struct dome_line *self);
void dome_line_fini(struct dome_line *self);

/* The highest domes of an image that is not refused (working_refusal), highest first. The score of
 * a region is the dome's rise in attenuation. */
uint32_t dome_line_find(struct dome_line *self, const struct image *image, const uint8_t *pixels,
                        struct appearance_region out[DOME_IMAGE_MAX]);

struct dome_view {
    const struct image *image;
    const uint8_t *pixels;
    double rise_least; /* lower domes are not listed */
};

/* Adds the domes of an image to the regions of the bank, best first; the model has the part. Scores
 * of domes become spreads above the usual dome, those of the bank spreads above what the image
 * score of a normal image is. A dome tells more than a region of the bank does (bench/IMAGES.md),
 * but knows one kind of thing only: a fifth of the list, at least one place, is left to the bank
 * where it has that many. `regions` has room for regions_max, at most APPEARANCE_REGIONS_MAX.
 * Returns the length of the list. */
uint32_t dome_line_add(struct dome_line *self, const struct appearance_model *model,
                       const struct dome_view *view, struct appearance_region *regions,
                       uint32_t regions_count, uint32_t regions_max);

#endif
