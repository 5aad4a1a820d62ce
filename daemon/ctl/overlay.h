/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_OVERLAY_H
#define CTL_OVERLAY_H

/* Overlay: a grey image as RGB, with an anomaly map and boxes painted over it. Pure on the caller's memory. */

#include <stdint.h>

#include "proto/record.h"

struct overlay {
    uint8_t *rgb; /* width * height * 3 */
    uint32_t width;
    uint32_t height;
};

/* Grey levels stretched between the first and the last hundredth; attenuating is dark, whatever the image's meaning. */
void overlay_paint_image(struct overlay *self, const struct image *image, const uint8_t *pixels);
/* Cells of the map in spreads above normal: below OVERLAY_MAP_CLEAR nothing is painted, from OVERLAY_MAP_FULL on red. */
#define OVERLAY_MAP_CLEAR 3.0f
#define OVERLAY_MAP_FULL 12.0f
void overlay_paint_map(struct overlay *self, const float *map, uint32_t map_width, uint32_t map_height);
/* Outline of a rectangle, clipped to the image; thickness grows with the image. */
struct overlay_box {
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
};
void overlay_paint_box(struct overlay *self, const struct overlay_box *box);

#endif
