/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_MAP_H
#define SCORE_FINDER_MAP_H

/* Finder map: the cells that a finder made of an image, their peaks, and what stands around a peak
 * taken together. Pure functions; doubles added, multiplied and compared in a stated order, no
 * library function, so that a result has the same bits on every processor. Any thread. */

#include <float.h>

#include "kernels/convnet.h"
#include "score/finder.h"

/* The heat of a cell that was not looked at (finder_gate.h): lower than any that was, and no peak.
 */
#define FINDER_COLD (-FLT_MAX)

struct finder_map {
    const float *cells; /* [height][width][FINDER_OUTPUTS] */
    size_t width;
    size_t height;
};

static inline float finder_map_heat(const struct finder_map *map, size_t x, size_t y)
{
    return map->cells[(y * map->width + x) * FINDER_OUTPUTS];
}

/* Whether a cell has any valid pixel: there the last plane is not 0. */
bool finder_map_is_valid(const struct convnet_image *planes, uint32_t channels, size_t cell_x,
                         size_t cell_y);

enum { FINDER_PEAKS_MAX = 64 };

struct finder_peak {
    double heat;
    uint32_t x; /* cell */
    uint32_t y;
};

/* The highest peaks, best first; of equal ones the first in reading order. A peak is the highest of
 * 5 x 5 cells, was looked at, and is not without any valid pixel of the planes that the map was
 * made of. */
size_t finder_map_peaks(const struct finder_map *map, const struct convnet_image *planes,
                        uint32_t channels, struct finder_peak out[FINDER_PEAKS_MAX]);

/* Puts it into a list of so many peaks, best first; what falls off its end is forgotten. Returns
 * how many there are. */
size_t finder_peaks_put(struct finder_peak list[FINDER_PEAKS_MAX], size_t count,
                        struct finder_peak peak);

/* The heat of a place: log of the mean odds e^heat of 3 x 3 cells, the highest of those about the
 * cell and its eight neighbours. Where an object's middle is in doubt, or several networks and
 * looks put it into cells next to each other, its odds lie in several cells, and belong together.
 * Cells beyond the border have odds of 0. To 1e-12 where no heat is more than 40 below the highest.
 */
double finder_map_pooled(const struct finder_map *map, size_t x, size_t y);

/* e^x for |x| <= 40 to a relative 1e-13, and the natural logarithm of 2^-60 to 2^60 to 1e-13. */
double finder_exp(double x);
double finder_log(double x);

#endif
