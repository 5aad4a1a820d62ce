/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DETECTION_CURVE_H
#define DETECTION_CURVE_H

/* Detection curve: share detected over mass, a line for each kind of background, as a picture (SVG)
 * with Wilson's 95% intervals. Allocates; writes one file. */

#include <stdint.h>

#include "base/err.h"

#define CURVE_POINTS_MAX 16u

struct curve_point {
    double mass_kg;
    uint64_t hits;
    uint64_t count; /* 0: no point */
};

struct curve_line {
    const char *name; /* no characters that XML minds */
    struct curve_point points[CURVE_POINTS_MAX];
    uint32_t points_count;
};

struct curve_labels {
    const char *title;
    const char *across; /* under the axis of masses */
};

MUST_USE struct err detection_curve_write(const struct curve_labels *labels,
                                          const struct curve_line *lines, uint32_t lines_count,
                                          const char *path);

#endif
