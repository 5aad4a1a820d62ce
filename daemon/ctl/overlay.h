/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_OVERLAY_H
#define CTL_OVERLAY_H

/* Overlay: a grey image as RGB, with an anomaly map and boxes painted over it. Pure on the caller's
 * memory. */

#include <stdint.h>

#include "proto/record.h"

struct overlay {
    uint8_t *rgb; /* width * height * 3 */
    uint32_t width;
    uint32_t height;
};

/* Grey levels stretched between the first and the last hundredth; attenuating is dark, whatever the
 * image's meaning. Linear transmission is shown by its logarithm, or everything behind a few
 * centimetres of steel would be the same black. Not reentrant. */
void overlay_paint_image(struct overlay *self, const struct image *image, const uint8_t *pixels);
/* A map of cells over the whole image, interpolated between their middles: up to `clear` nothing is
 * painted, then yellow, from `full` on red. */
struct overlay_map {
    const float *cells; /* width * height */
    uint32_t width;
    uint32_t height;
    float clear;
    float full; /* above clear */
};
void overlay_paint_map(struct overlay *self, const struct overlay_map *map);
/* Outline of a rectangle, clipped to the image; thickness grows with the image. */
struct overlay_box {
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
};
void overlay_paint_box(struct overlay *self, const struct overlay_box *box);

#endif
