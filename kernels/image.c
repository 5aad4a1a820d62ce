/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image.h"

#include <math.h>

/* Calibration goes pixel by pixel with logf: its cost (about 4 ns a pixel) is far below that of
 * reading the image from a socket, and a table for 16 bits would leave the cache. The 8-bit case
 * has only 256 answers, so there a table on the stack is right. Sums are kept in double. */

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
