/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_IMAGE_H
#define KERNELS_IMAGE_H

/* Image: raw pixels to a float attenuation image, its valid pixels, its size and its statistics.
 *
 * Order of use: image_calibrate_* -> image_valid_mask -> image_reduce_box -> image_statistics.
 * Pure: no allocation, no errors; arguments are checked by the caller. Images are rows from the
 * top, left to right; `stride` is the distance of two rows in elements and is >= width. A mask is
 * dense (stride = width of its image), 1 = valid, 0 = not; where a mask argument may be NULL, every
 * pixel counts as valid. Equations and error bounds: KERNELS.md. */

#include <stddef.h>
#include <stdint.h>

#include "kernels/path.h"

enum image_meaning {
    IMAGE_TRANSMISSION,    /* linear detector counts between dark_level and air_level */
    IMAGE_DISPLAY,         /* display grey, dark means attenuating */
    IMAGE_DISPLAY_INVERTED /* display grey, bright means attenuating */
};

struct image_view {
    const float *pixels; /* borrowed */
    size_t width;
    size_t height;
    size_t stride;
};

struct image_calibration {
    enum image_meaning meaning;
    float air_level;   /* counts at full transmission; TRANSMISSION only, > dark_level */
    float dark_level;  /* counts without beam; TRANSMISSION only */
    float floor;       /* least transmission told apart from none, 0 < floor < 1: A <= -ln(floor) */
    float white_level; /* grey of the white end: 255, 65535; DISPLAY and INVERTED only, > 0 */
};

/* TRANSMISSION: A = -ln(max((p - dark) / (air - dark), floor)), the attenuation of Beer and
 * Lambert. Noise above air gives small negative A, kept so that means stay unbiased. DISPLAY: A = 1
 * - p / white; INVERTED: A = p / white: a monotone pseudo attenuation in 0..1 that orders pixels
 * but has no physical unit; never compare it with an A of TRANSMISSION. Pixels are dense and in
 * host byte order. */
void image_calibrate_u8(const struct image_calibration *how, const uint8_t *restrict raw,
                        size_t pixel_count, float *restrict attenuation);
void image_calibrate_u16(const struct image_calibration *how, const uint16_t *restrict raw,
                         size_t pixel_count, float *restrict attenuation);

enum { IMAGE_LINE_RUN_MAX = 4 };

/* What is not picture, found on the calibrated image:
 *
 * Bars: the outermost columns and rows of which at least bar_share is black (>= black_min).
 *
 * Wedges: from each corner of what remains, black pixels whose row and column are black all the way
 * to the edges of that corner, and the 3 pixels around them: the corners of a rotated image. A
 * black load inside the picture is not reached by either, so shielding cannot hide behind the mask.
 *
 * Dead lines: runs of up to line_run_max rows (columns) that are brighter by line_jump than the
 * rows two away from the run, or black between such that are not, in at least line_share of the
 * pixels where that could show, these being at least a tenth of the line; with the row on either
 * side, which compression smears. At most 512 evenly spaced pixels of a line are looked at.
 *
 * NaN and infinite pixels are never valid. */
struct image_mask_rule {
    float black_min;     /* INFINITY: no bars, wedges or black dead lines are looked for */
    double bar_share;    /* 0 < share <= 1; above 1: no bars and no wedges */
    float line_jump;     /* > 0, in units of the attenuation image */
    double line_share;   /* 0 < share <= 1 */
    size_t line_run_max; /* 0: no dead lines; at most IMAGE_LINE_RUN_MAX */
};

/* The rule that suits each meaning. */
struct image_mask_rule image_mask_rule_default(const struct image_calibration *calibration);

/* Words (uint32_t) of workspace image_valid_mask needs. */
size_t image_valid_mask_workspace_words(size_t width, size_t height);

/* Fill valid[width * height]; returns the number of valid pixels. */
size_t image_valid_mask(const struct image_view *image, const struct image_mask_rule *rule,
                        uint32_t *restrict workspace, uint8_t *restrict valid);
/* The same with chosen instructions, which this processor must have. */
size_t image_valid_mask_by(enum path path, const struct image_view *image,
                           const struct image_mask_rule *rule, uint32_t *restrict workspace,
                           uint8_t *restrict valid);

/* The smallest factor >= 1 that brings width x height to at most width_max x height_max. */
size_t image_reduce_factor(size_t width, size_t height, size_t width_max, size_t height_max);

/* ceil(count / factor): columns or rows after reduction. */
size_t image_reduced_count(size_t count, size_t factor);

/* Area average over factor x factor cells (cut off at the right and lower edge), over valid pixels
 * only. `reduced` and `valid_reduced` are dense, image_reduced_count() wide and high. A cell is
 * valid when at least half of its pixels are; without any valid pixel it holds 0. valid_reduced may
 * be NULL. In and out must not overlap. */
void image_reduce_box(const struct image_view *image, const uint8_t *restrict valid, size_t factor,
                      float *restrict reduced, uint8_t *restrict valid_reduced);

enum { IMAGE_QUANTILE_COUNT = 7, IMAGE_SHARE_COUNT = 4 };
extern const double image_quantile_levels[IMAGE_QUANTILE_COUNT]; /* .01 .05 .25 .5 .75 .95 .99 */

/* Over valid pixels; all zero when there are none. Quantiles are within (max - min) / 4096. */
struct image_statistics {
    size_t valid_count;
    double mean;
    double sd; /* of the population: divided by valid_count */
    double min;
    double max;
    double quantiles[IMAGE_QUANTILE_COUNT];
    double share_above[IMAGE_SHARE_COUNT]; /* of the valid pixels, strictly above thresholds[i] */
    double contrast;                       /* quantile .95 - quantile .05 */
    double noise; /* standard deviation by Immerkaer's 3x3 mask; overstates on fine texture */
    double invalid_share;     /* of all pixels */
    double dead_row_share;    /* rows without any valid pixel */
    double dead_column_share; /* columns without any valid pixel */
};

void image_statistics(const struct image_view *image, const uint8_t *restrict valid,
                      const double thresholds[IMAGE_SHARE_COUNT], struct image_statistics *out);

struct image_ratio {
    size_t pixel_count; /* pixels with a ratio */
    double mean;        /* 0 when pixel_count is 0 */
    double sd;
};

/* R = A_low / A_high where valid and A_high > high_min (> 0), else 0; both images have the same
 * width and height. R falls towards 1 with high energy and rises with atomic number. `ratio` is
 * dense and may be NULL when only the mean is wanted. */
void image_dual_ratio(const struct image_view *low, const struct image_view *high,
                      const uint8_t *restrict valid, float high_min, float *restrict ratio,
                      struct image_ratio *out);
#endif
