/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_IMAGE_H
#define SCORE_FINDER_IMAGE_H

/* Finder image: from raw pixels to boxes. A finder has a reduction of its own, because it knows
 * objects of the size in which it has seen them, whatever height the bank looks at; where both
 * reduce alike the working image is made once. One thread a handle; nothing is allocated after
 * finder_line_fit(). */

#include "score/finder.h"

/* All zero to start. Room for the largest working image there is: pages that no image needs are
 * never touched. */
struct finder_line {
    bool ready;
    struct working_space working;
    struct finder_space space;
};

MUST_USE struct err finder_line_fit(struct finder_line *self, const struct finder_model *model);
void finder_line_fini(struct finder_line *self);

struct finder_view {
    const struct image *image;
    const uint8_t *pixels;
    const struct image *low_image; /* NULL: none */
    const uint8_t *low_pixels;
    const struct working *made; /* a working image of it that is there already, with its low pixels
                                   if there are any; NULL: none */
};

/* finder_run() on the view. No image of it may be refused (working_refusal), the handle was fitted
 * to the model. */
uint32_t finder_line_run(struct finder_line *self, const struct finder_model *model,
                         const struct finder_view *view, struct finder_box out[FINDER_BOXES_MAX]);

#endif
