/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image.h"

#include <math.h>
#include <string.h>

/* Sums are doubles added pixel by pixel from the upper left, which is part of the result. What is
 * valid comes in runs along a row, and within a run nothing is asked of a pixel. */

enum { QUANTILE_BIN_COUNT = 4096 };

const double image_quantile_levels[IMAGE_QUANTILE_COUNT] = {.01, .05, .25, .5, .75, .95, .99};

struct run {
    size_t from;
    size_t until; /* from == until: there is no more */
};

/* The next run of valid pixels, from `at` on. */
static struct run next_run(const uint8_t *valid, size_t at, size_t width)
{
    if (valid == NULL) {
        return (struct run){at, width};
    }
    while (at < width && !valid[at]) {
        at++;
    }
    const uint8_t *end = at < width ? memchr(valid + at, 0, width - at) : NULL;
    return (struct run){at, end != NULL ? (size_t)(end - valid) : width};
}

struct moments {
    size_t count;
    double sum;
    double min;
    double max;
    size_t above[IMAGE_SHARE_COUNT];
};

/* The largest float that is not above: a float is above both or above neither. */
static float as_float(double threshold)
{
    float nearest = (float)threshold;
    return (double)nearest > threshold ? nextafterf(nearest, -INFINITY) : nearest;
}

static size_t count_above(const float *pixels, size_t count, float threshold)
{
    size_t above = 0;
    for (size_t i = 0; i < count; i++) {
        above += pixels[i] > threshold;
    }
    return above;
}

static void sum_run(const float *pixels, size_t count, const double thresholds[IMAGE_SHARE_COUNT],
                    struct moments *sums)
{
    double sum = sums->sum;
    double min = sums->min;
    double max = sums->max;
    for (size_t i = 0; i < count; i++) {
        double value = (double)pixels[i];
        sum += value;
        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    sums->count += count;
    sums->sum = sum;
    sums->min = min;
    sums->max = max;
    size_t above = 0;
    for (int k = 0; k < IMAGE_SHARE_COUNT; k++) {
        int again =
            k > 0 && thresholds[k] <= thresholds[k - 1] && thresholds[k] >= thresholds[k - 1];
        above = again ? above : count_above(pixels, count, as_float(thresholds[k]));
        sums->above[k] += above;
    }
}

static double quantile_from_bins(const uint32_t *bins, size_t count, double level, double min,
                                 double bin_width)
{
    double wanted = level * (double)count;
    double below = 0;
    int bin = 0;
    while (bin < QUANTILE_BIN_COUNT - 1 && below + (double)bins[bin] < wanted) {
        below += (double)bins[bin];
        bin++;
    }
    double inside = bins[bin] > 0 ? (wanted - below) / (double)bins[bin] : 0.0;
    return min + ((double)bin + (inside < 1.0 ? inside : 1.0)) * bin_width;
}

static double spread_run(const float *pixels, size_t count, const struct image_statistics *known,
                         double squares, uint32_t bins[QUANTILE_BIN_COUNT])
{
    const double range = known->max - known->min;
    const double scale = range > 0 ? QUANTILE_BIN_COUNT / range : 0.0;
    for (size_t i = 0; i < count; i++) {
        double from_mean = (double)pixels[i] - known->mean;
        squares += from_mean * from_mean;
        int bin = (int)(((double)pixels[i] - known->min) * scale);
        bins[bin < QUANTILE_BIN_COUNT ? bin : QUANTILE_BIN_COUNT - 1]++;
    }
    return squares;
}

/* Second pass: spread around the known mean (no cancellation) and the histogram. */
static void spread_and_quantiles(const struct image_view *image, const uint8_t *valid,
                                 struct image_statistics *out)
{
    uint32_t bins[QUANTILE_BIN_COUNT] = {0};
    double squares = 0;
    for (size_t y = 0; y < image->height; y++) {
        const float *row = image->pixels + y * image->stride;
        const uint8_t *valid_row = valid != NULL ? valid + y * image->width : NULL;
        struct run run = next_run(valid_row, 0, image->width);
        for (; run.from < run.until; run = next_run(valid_row, run.until, image->width)) {
            squares = spread_run(row + run.from, run.until - run.from, out, squares, bins);
        }
    }
    out->sd = sqrt(squares / (double)out->valid_count);
    for (int k = 0; k < IMAGE_QUANTILE_COUNT; k++) {
        out->quantiles[k] =
            quantile_from_bins(bins, out->valid_count, image_quantile_levels[k], out->min,
                               (out->max - out->min) / QUANTILE_BIN_COUNT);
    }
    out->contrast = out->quantiles[5] - out->quantiles[1];
}

enum { BLOCK = 256 };

struct noise {
    double sum;
    size_t count;
};

/* rows: three, from the first pixel's column; wide: that and one more to either side is valid. */
static void add_noise(const float *const rows[3], const uint8_t *wide, size_t count,
                      struct noise *noise)
{
    double differences[BLOCK];
    for (size_t i = 0; i < count; i++) {
        float corners = rows[0][i] + rows[0][i + 2] + rows[2][i] + rows[2][i + 2];
        float edges = rows[0][i + 1] + rows[2][i + 1] + rows[1][i] + rows[1][i + 2];
        differences[i] = fabs((double)(corners - 2.0f * edges + 4.0f * rows[1][i + 1]));
    }
    struct run run = next_run(wide, 0, count);
    for (; run.from < run.until; run = next_run(wide, run.until, count)) {
        for (size_t i = run.from; i < run.until; i++) {
            noise->sum += differences[i];
        }
        noise->count += run.until - run.from;
    }
}

/* Which of `count` pixels of the middle row stand in nine valid ones; valid: the upper left. */
static void find_wide(const uint8_t *valid, size_t stride, size_t count, uint8_t wide[BLOCK])
{
    uint8_t high[BLOCK + 2];
    for (size_t i = 0; i < count + 2; i++) {
        high[i] = valid[i] != 0 && valid[i + stride] != 0 && valid[i + 2 * stride] != 0;
    }
    for (size_t i = 0; i < count; i++) {
        wide[i] = high[i] & high[i + 1] & high[i + 2];
    }
}

/* Immerkaer 1996: sigma = sqrt(pi / 2) / 6 * mean |image * [1 -2 1; -2 4 -2; 1 -2 1]|. The mask is
 * blind to planes, so slow shading of a load does not count as noise. */
static double estimate_noise(const struct image_view *image, const uint8_t *valid)
{
    struct noise noise = {.count = 0};
    uint8_t wide[BLOCK];
    for (size_t y = 1; y + 1 < image->height; y++) {
        const float *row = image->pixels + (y - 1) * image->stride;
        for (size_t x = 0; x + 2 < image->width; x += BLOCK) {
            size_t left = image->width - 2 - x;
            size_t count = left < BLOCK ? left : BLOCK;
            const float *const rows[3] = {row + x, row + image->stride + x,
                                          row + 2 * image->stride + x};
            if (valid != NULL) {
                find_wide(valid + (y - 1) * image->width + x, image->width, count, wide);
            }
            add_noise(rows, valid != NULL ? wide : NULL, count, &noise);
        }
    }
    return noise.count > 0 ? sqrt(M_PI / 2) / 6 * noise.sum / (double)noise.count : 0.0;
}

static double empty_line_share(const struct image_view *image, const uint8_t *valid, int columns)
{
    size_t lines = columns ? image->width : image->height;
    size_t positions = columns ? image->height : image->width;
    size_t line_step = columns ? 1 : image->width;
    size_t position_step = columns ? image->width : 1;
    size_t empty = 0;
    for (size_t line = 0; line < lines; line++) {
        size_t position = 0;
        while (position < positions && !valid[line * line_step + position * position_step]) {
            position++;
        }
        empty += position == positions;
    }
    return (double)empty / (double)lines;
}

void image_statistics(const struct image_view *image, const uint8_t *restrict valid,
                      const double thresholds[IMAGE_SHARE_COUNT], struct image_statistics *out)
{
    memset(out, 0, sizeof *out);
    size_t pixel_count = image->width * image->height;
    if (pixel_count == 0) {
        return;
    }
    struct moments sums = {.min = INFINITY, .max = -INFINITY};
    for (size_t y = 0; y < image->height; y++) {
        const uint8_t *valid_row = valid != NULL ? valid + y * image->width : NULL;
        const float *row = image->pixels + y * image->stride;
        struct run run = next_run(valid_row, 0, image->width);
        for (; run.from < run.until; run = next_run(valid_row, run.until, image->width)) {
            sum_run(row + run.from, run.until - run.from, thresholds, &sums);
        }
    }
    out->invalid_share = (double)(pixel_count - sums.count) / (double)pixel_count;
    if (valid != NULL) {
        out->dead_row_share = empty_line_share(image, valid, 0);
        out->dead_column_share = empty_line_share(image, valid, 1);
    }
    if (sums.count == 0) {
        return;
    }
    out->valid_count = sums.count;
    out->mean = sums.sum / (double)sums.count;
    out->min = sums.min;
    out->max = sums.max;
    for (int k = 0; k < IMAGE_SHARE_COUNT; k++) {
        out->share_above[k] = (double)sums.above[k] / (double)sums.count;
    }
    spread_and_quantiles(image, valid, out);
    out->noise = estimate_noise(image, valid);
}
