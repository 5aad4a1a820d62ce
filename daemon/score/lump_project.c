/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "score/train_lump.h"

/* Attenuations add where transmissions multiply, and the mean of a cell's attenuations is linear in
 * them: so a threat goes into cells as it would have gone into pixels. */

struct lump_window lump_project(struct lump_image *image, const struct lump_threat *threat,
                                const double at[2], double share)
{
    double pixel = threat->pixel_pitch_mm / 10 / image->cell_cm; /* in cells */
    float area = (float)(pixel * pixel * share);
    for (uint32_t y = 0; y < threat->height; y++) {
        long row = (long)floor(at[1] + (y + 0.5) * pixel);
        for (uint32_t x = 0; x < threat->width && row >= 0 && row < (long)image->height; x++) {
            long column = (long)floor(at[0] + (x + 0.5) * pixel);
            if (column >= 0 && column < (long)image->width) {
                size_t cell = (size_t)row * image->width + (size_t)column;
                size_t from = (size_t)y * threat->width + x;
                image->high[cell] += area * threat->high[from];
                image->low[cell] += area * threat->low[from];
            }
        }
    }
    return (struct lump_window){(uint32_t)at[0], (uint32_t)at[1],
                                (uint32_t)ceil(threat->width * pixel),
                                (uint32_t)ceil(threat->height * pixel)};
}

struct lump_window lump_threat_core(const struct lump_threat *threat)
{
    uint32_t left = threat->width, top = threat->height, right = 0, bottom = 0;
    for (uint32_t y = 0; y < threat->height; y++) {
        for (uint32_t x = 0; x < threat->width; x++) {
            if (threat->high[(size_t)y * threat->width + x] > 0.1f) {
                left = x < left ? x : left;
                right = x + 1 > right ? x + 1 : right;
                top = y < top ? y : top;
                bottom = y + 1 > bottom ? y + 1 : bottom;
            }
        }
    }
    return (struct lump_window){left, top, right > left ? right - left : 0,
                                bottom > top ? bottom - top : 0};
}
