/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image.h"

#include <math.h>
#include <string.h>

/* Calibration goes pixel by pixel with logf: its cost (about 4 ns a pixel) is far below that of
 * reading the image from a socket, and a table for 16 bits would leave the cache. The 8-bit case
 * has only 256 answers, so there a table on the stack is right. Sums are kept in double. */

enum { QUANTILE_BIN_COUNT = 4096 };

const double image_quantile_levels[IMAGE_QUANTILE_COUNT] = {.01, .05, .25, .5, .75, .95, .99};

static float calibrate_level(const struct image_calibration *how, float level)
{
    if (how->meaning == IMAGE_DISPLAY) {
        return 1.0f - level / how->white_level;
    }
    if (how->meaning == IMAGE_DISPLAY_INVERTED) {
        return level / how->white_level;
    }
    float share = (level - how->dark_level) / (how->air_level - how->dark_level);
    return -logf(share > how->floor ? share : how->floor);
}

void image_calibrate_u8(const struct image_calibration *how, const uint8_t *restrict raw,
                        size_t pixel_count, float *restrict attenuation)
{
    float table[256];
    for (int level = 0; level < 256; level++) {
        table[level] = calibrate_level(how, (float)level);
    }
    for (size_t i = 0; i < pixel_count; i++) {
        attenuation[i] = table[raw[i]];
    }
}

void image_calibrate_u16(const struct image_calibration *how, const uint16_t *restrict raw,
                         size_t pixel_count, float *restrict attenuation)
{
    for (size_t i = 0; i < pixel_count; i++) {
        attenuation[i] = calibrate_level(how, (float)raw[i]);
    }
}

size_t image_reduce_factor(size_t width, size_t height, size_t width_max, size_t height_max)
{
    size_t by_width = image_reduced_count(width, width_max);
    size_t by_height = image_reduced_count(height, height_max);
    size_t factor = by_width > by_height ? by_width : by_height;
    return factor > 0 ? factor : 1;
}

size_t image_reduced_count(size_t count, size_t factor)
{
    return count / factor + (count % factor != 0);
}

/* One cell: the sum runs over rows then columns in double, so the mean is the same bits whatever
 * the width of the vector registers. */
static int reduce_cell(const struct image_view *image, const uint8_t *valid, const size_t corner[4],
                       float *mean)
{
    double sum = 0;
    size_t count = 0;
    for (size_t y = corner[1]; y < corner[3]; y++) {
        const float *row = image->pixels + y * image->stride;
        for (size_t x = corner[0]; x < corner[2]; x++) {
            if (valid == NULL || valid[y * image->width + x]) {
                sum += (double)row[x];
                count++;
            }
        }
    }
    *mean = count > 0 ? (float)(sum / (double)count) : 0.0f;
    return 2 * count >= (corner[2] - corner[0]) * (corner[3] - corner[1]);
}

void image_reduce_box(const struct image_view *image, const uint8_t *restrict valid, size_t factor,
                      float *restrict reduced, uint8_t *restrict valid_reduced)
{
    size_t width = image_reduced_count(image->width, factor);
    size_t height = image_reduced_count(image->height, factor);
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            size_t right = (x + 1) * factor;
            size_t below = (y + 1) * factor;
            const size_t corner[4] = {x * factor, y * factor,
                                      right < image->width ? right : image->width,
                                      below < image->height ? below : image->height};
            int kept = reduce_cell(image, valid, corner, &reduced[y * width + x]);
            if (valid_reduced != NULL) {
                valid_reduced[y * width + x] = (uint8_t)kept;
            }
        }
    }
}

struct moments {
    size_t count;
    double sum;
    double min;
    double max;
    size_t above[IMAGE_SHARE_COUNT];
};

static void sum_row(const float *row, const uint8_t *valid, size_t width,
                    const double thresholds[IMAGE_SHARE_COUNT], struct moments *sums)
{
    for (size_t x = 0; x < width; x++) {
        if (valid != NULL && !valid[x]) {
            continue;
        }
        double value = (double)row[x];
        sums->count++;
        sums->sum += value;
        sums->min = value < sums->min ? value : sums->min;
        sums->max = value > sums->max ? value : sums->max;
        for (int k = 0; k < IMAGE_SHARE_COUNT; k++) {
            sums->above[k] += value > thresholds[k];
        }
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

/* Second pass: spread around the known mean (no cancellation) and the histogram. */
static void spread_and_quantiles(const struct image_view *image, const uint8_t *valid,
                                 struct image_statistics *out)
{
    uint32_t bins[QUANTILE_BIN_COUNT] = {0};
    double range = out->max - out->min;
    double scale = range > 0 ? QUANTILE_BIN_COUNT / range : 0.0;
    double squares = 0;
    for (size_t y = 0; y < image->height; y++) {
        const float *row = image->pixels + y * image->stride;
        for (size_t x = 0; x < image->width; x++) {
            if (valid != NULL && !valid[y * image->width + x]) {
                continue;
            }
            double from_mean = (double)row[x] - out->mean;
            squares += from_mean * from_mean;
            int bin = (int)(((double)row[x] - out->min) * scale);
            bins[bin < QUANTILE_BIN_COUNT ? bin : QUANTILE_BIN_COUNT - 1]++;
        }
    }
    out->sd = sqrt(squares / (double)out->valid_count);
    for (int k = 0; k < IMAGE_QUANTILE_COUNT; k++) {
        out->quantiles[k] = quantile_from_bins(bins, out->valid_count, image_quantile_levels[k],
                                               out->min, range / QUANTILE_BIN_COUNT);
    }
    out->contrast = out->quantiles[5] - out->quantiles[1];
}

static int window_is_valid(const uint8_t *valid, size_t width, size_t x, size_t y)
{
    for (size_t j = y - 1; j <= y + 1; j++) {
        const uint8_t *row = valid + j * width;
        if (!row[x - 1] || !row[x] || !row[x + 1]) {
            return 0;
        }
    }
    return 1;
}

/* Immerkaer 1996: sigma = sqrt(pi / 2) / 6 * mean |image * [1 -2 1; -2 4 -2; 1 -2 1]|. The mask is
 * blind to planes, so slow shading of a load does not count as noise. */
static double estimate_noise(const struct image_view *image, const uint8_t *valid)
{
    double sum = 0;
    size_t count = 0;
    for (size_t y = 1; y + 1 < image->height; y++) {
        const float *row = image->pixels + y * image->stride;
        const float *above = row - image->stride;
        const float *below = row + image->stride;
        for (size_t x = 1; x + 1 < image->width; x++) {
            if (valid != NULL && !window_is_valid(valid, image->width, x, y)) {
                continue;
            }
            float corners = above[x - 1] + above[x + 1] + below[x - 1] + below[x + 1];
            float edges = above[x] + below[x] + row[x - 1] + row[x + 1];
            sum += fabs((double)(corners - 2.0f * edges + 4.0f * row[x]));
            count++;
        }
    }
    return count > 0 ? sqrt(M_PI / 2) / 6 * sum / (double)count : 0.0;
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
        sum_row(image->pixels + y * image->stride, valid_row, image->width, thresholds, &sums);
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

void image_dual_ratio(const struct image_view *low, const struct image_view *high,
                      const uint8_t *restrict valid, float high_min, float *restrict ratio,
                      struct image_ratio *out)
{
    /* Welford's update: one pass, no cancellation, and the ratio image stays optional. */
    size_t count = 0;
    double mean = 0;
    double squares = 0;
    for (size_t y = 0; y < high->height; y++) {
        for (size_t x = 0; x < high->width; x++) {
            size_t i = y * high->width + x;
            float divisor = high->pixels[y * high->stride + x];
            float quotient = 0;
            if ((valid == NULL || valid[i]) && divisor > high_min) {
                quotient = low->pixels[y * low->stride + x] / divisor;
                count++;
                double step = (double)quotient - mean;
                mean += step / (double)count;
                squares += step * ((double)quotient - mean);
            }
            if (ratio != NULL) {
                ratio[i] = quotient;
            }
        }
    }
    out->pixel_count = count;
    out->mean = mean;
    out->sd = count > 0 ? sqrt(squares / (double)count) : 0.0;
}
