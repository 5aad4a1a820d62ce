/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_DOME_H
#define KERNELS_DOME_H

/* Dome: small things that weaken the beam more than everything around them, whatever their shape.
 *
 * Let water stand at the level of a peak and sink: the piece of the picture above it that holds the
 * peak grows. It is a dome down to the highest level at which it has more than area_max pixels, or
 * one that is higher than its peak (of equal ones the first in reading order counts as the higher).
 * Its rise is the difference of the two levels: what the thing weakens the beam more than the
 * densest of what it touches. A piece that gets down to the air without either stands there alone
 * and is no dome. Pieces are 8-connected.
 *
 * This is what an area opening takes away (L. Vincent, Morphological area openings and closings for
 * grey-scale images, 1992), taken apart by peaks and measured by their dynamics (M. Grimaud, A new
 * measure of contrast: the dynamics, 1992). Whole numbers only: no rounding, the same result
 * everywhere. Pure; one thread a workspace. */

#include <stddef.h>
#include <stdint.h>

#include "kernels/image.h"

/* Levels are below this. */
enum { DOME_LEVELS = 4096, DOME_CANDIDATES = 128 };

struct dome_rule {
    uint32_t level_min; /* 1..DOME_LEVELS - 1; pixels below show air and are never part of a dome */
    uint32_t rise_min;  /* >= 1; lower domes are left out */
    uint32_t area_max;  /* pixels, >= 1 */
    uint32_t margin;    /* pixels around a dome's box that count as its surroundings; at most 64 */
    uint32_t air_part;  /* >= 1: left out when more than one in so many pixels of the box and its
                           surroundings show air: such domes are edges of the load, or specks in the
                           air */
};

struct dome {
    uint32_t x; /* box of what is connected with the peak at half of its rise: x <= column < x +
                   width */
    uint32_t y;
    uint32_t width;
    uint32_t height;
    uint32_t peak_x;
    uint32_t peak_y;
    uint32_t rise;
    uint32_t base; /* level at which the dome ends */
    uint32_t area; /* pixels at half of the rise, <= area_max */
};

/* Levels of an image: pixels times scale, rounded and held within 0..DOME_LEVELS - 1, averaged with
 * the weights 1 2 1 along and across (the outermost line counts for the one beyond it), then looked
 * up in table [DOME_LEVELS]. NaN, negative and invalid pixels (valid: dense mask or NULL) are 0
 * before the average. scratch and levels: [width * height], dense; they must not overlap. */
void dome_levels(const struct image_view *image, const uint8_t *valid, float scale,
                 const uint16_t *restrict table, uint16_t *restrict scratch,
                 uint16_t *restrict levels);

/* Words (uint32_t) of workspace; width * height < 2^30. */
size_t dome_workspace_words(size_t width, size_t height, uint32_t area_max);

/* The highest domes, highest first (equal ones: that of the first peak), at most dome_count_max of
 * the DOME_CANDIDATES highest there are before those beside air are left out. Returns how many.
 * Levels must be below DOME_LEVELS. Work: a look at the eight neighbours of every pixel, each with
 * a path to its root of logarithmic length on average, and DOME_CANDIDATES times area_max pixels, a
 * box and its surroundings. */
size_t dome_find(const uint16_t *levels, size_t width, size_t height, const struct dome_rule *rule,
                 uint32_t *restrict workspace, size_t dome_count_max, struct dome *restrict domes);

#endif
