/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CHART_H
#define CTL_CHART_H

/* Chart: a square of 480 pixels with a grid, numbers, words and plain marks, written as PNG. Places
 * are shares 0..1 of the square, from its lower left corner. Words are capitals of three by five
 * cells: a library that draws text needs a font installed, and a port's server has none. */

#include <stdint.h>

#include "base/err.h"

enum { CHART_SIDE = 480, CHART_TICKS = 6 };

struct chart_colour {
    uint8_t red, green, blue;
};

struct chart {
    uint8_t *pixels;
};

/* White, without a frame. */
MUST_USE struct err chart_init(struct chart *self);
void chart_fini(struct chart *self);

/* Pixels of a place. */
int chart_x(double share);
int chart_y(double share);

/* In pixels; what lies outside the picture is cut off. */
struct chart_rectangle {
    int left, top, width, height;
};
void chart_fill(struct chart *self, struct chart_rectangle area, struct chart_colour colour);

/* 0 to 1, at each fifth. */
extern const char *const chart_shares[CHART_TICKS];

/* Grid and axes with numbers at each fifth, upwards shares, and what is counted along them:
 * letters, digits and ".,:%-/"; others are gaps. */
struct chart_axes {
    const char *const *x_ticks; /* [CHART_TICKS] */
    const char *x_words;        /* below the axis */
    const char *y_words;        /* above it */
};
void chart_frame(struct chart *self, const struct chart_axes *axes);

/* What colours mean, a line each, in a corner. */
enum chart_corner { CHART_UPPER_LEFT, CHART_UPPER_RIGHT, CHART_LOWER_RIGHT };
struct chart_key {
    struct chart_colour colour;
    const char *words;
};
void chart_keys(struct chart *self, const struct chart_key *keys, int count,
                enum chart_corner corner);

MUST_USE struct err chart_write(const struct chart *self, const char *path);
#endif
