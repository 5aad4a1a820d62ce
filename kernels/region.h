/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_REGION_H
#define KERNELS_REGION_H

/* Region: the few boxes of a score map that an officer should look at, best first.
 *
 * From the highest unclaimed value down: grow the region of 8-connected unclaimed cells that reach
 * both `threshold` and grow_share of the peak's height above `base`, take its bounding box, and
 * keep it unless it overlaps a kept box by more than overlap_max (intersection over union).
 * Deterministic; ties go to the first cell in reading order. NaN cells belong to no region. */

#include <stddef.h>
#include <stdint.h>
#include "kernels/image.h"

struct region_rule {
    float threshold;       /* a peak must reach it; finite */
    float base;            /* the usual level of the map, <= threshold: its median, for example */
    float grow_share;      /* 0..1; 0.5 grows to half height */
    double overlap_max;    /* 0..1; 1 keeps every box */
    size_t cell_count_min; /* smaller regions are left out */
};

struct region_box {
    uint32_t x; /* in cells of the map; the box is x <= column < x + width */
    uint32_t y;
    uint32_t width;
    uint32_t height;
    uint32_t peak_x;
    uint32_t peak_y;
    uint32_t cell_count; /* cells of the region, at most width * height */
    float score;         /* value at the peak */
};

/* Words (uint32_t) of workspace; width * height < 2^31. */
size_t region_workspace_words(size_t width, size_t height);

/* Write up to box_count_max boxes, best first; returns how many. At most 4 * box_count_max peaks
 * are tried, so work is bounded by that times the map. */
size_t region_propose(const struct image_view *map, const struct region_rule *rule,
                      uint32_t *restrict workspace, size_t box_count_max,
                      struct region_box *restrict boxes);
#endif
