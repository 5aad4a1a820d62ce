/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_CARGO_BOX_H
#define SCORE_CARGO_BOX_H

/* Cargo box: where the containers or cargo bodies of a side view stand, by projection profiles.
 *
 * Works on shades: attenuation as whole numbers 0..CARGO_SHADES - 1, so that every median and every
 * sum is exact and the same on every machine. Display grey is taken as it is; the attenuation A of
 * transmission as A / (1 + A), which needs nothing but a division and orders as A does. Containers
 * that touch come out as one box. One thread a space; nothing is allocated after
 * cargo_space_init(). */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "score/working.h"

#define CARGO_SHADES 1024u
#define CARGO_INVALID UINT16_MAX
#define CARGO_BOXES_MAX 8u

struct cargo_space {
    size_t pixels_max;
    size_t width_max;
    uint16_t *shades;  /* [pixels_max] of the working image; CARGO_INVALID: not valid */
    uint16_t *columns; /* [width_max] median of a column in the upper half */
    uint16_t *sky;     /* [width_max] the least attenuation above it */
    uint8_t *standing; /* [width_max] 1: something stands here */
};

/* In pixels of the working image. */
struct cargo_box {
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
    bool found; /* false: no box was found, this is the whole picture */
};

/* For working images of a working_space with this height_max. */
MUST_USE struct err cargo_space_init(struct cargo_space *self, uint32_t height_max);
void cargo_space_fini(struct cargo_space *self);

/* The boxes of an image, from left to right, at most CARGO_BOXES_MAX; the shades stay in the space
 * until the next call. Without any box, one of the whole picture with found = false; 0 when the
 * picture has no valid pixel. *air is the shade of air. */
uint32_t cargo_boxes_find(struct cargo_space *self, const struct working *working,
                          struct cargo_box out[CARGO_BOXES_MAX], uint32_t *air);

/* Counts of each shade, and what is asked of them. */
struct cargo_tally {
    uint32_t counts[CARGO_SHADES];
    uint64_t total;
    uint64_t sum;
};
void cargo_tally_clear(struct cargo_tally *self);
void cargo_tally_add(struct cargo_tally *self, uint16_t shade); /* invalid ones are passed over */
/* The least shade that at least this share of the pixels does not exceed; 0 without pixels. */
uint32_t cargo_tally_quantile(const struct cargo_tally *self, double share);
double cargo_tally_mean(const struct cargo_tally *self);
/* Share of the pixels above this shade. */
double cargo_tally_above(const struct cargo_tally *self, uint32_t shade);

#endif
