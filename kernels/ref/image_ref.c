/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/image_ref.h"

#include <math.h>

#include "kernels/statistics.h"

double image_ref_calibrate(const struct image_calibration *how, double level)
{
    double share;
    switch (how->meaning) {
    case IMAGE_DISPLAY:
        return 1 - level / (double)how->white_level;
    case IMAGE_DISPLAY_INVERTED:
        return level / (double)how->white_level;
    case IMAGE_TRANSMISSION:
        share =
            (level - (double)how->dark_level) / ((double)how->air_level - (double)how->dark_level);
        return -log(fmax(share, (double)how->floor));
    }
    return NAN;
}

static int is_valid(const struct image_view *image, const uint8_t *valid, size_t x, size_t y)
{
    return valid == NULL || valid[y * image->width + x];
}

double image_ref_cell(const struct image_view *image, const uint8_t *valid, size_t factor,
                      size_t cell_x, size_t cell_y)
{
    double sum = 0;
    double count = 0;
    for (size_t y = 0; y < image->height; y++) {
        for (size_t x = 0; x < image->width; x++) {
            if (x / factor == cell_x && y / factor == cell_y && is_valid(image, valid, x, y)) {
                sum += (double)image->pixels[y * image->stride + x];
                count += 1;
            }
        }
    }
    return sum / count;
}

double image_ref_quantile(const struct image_view *image, const uint8_t *valid, double level,
                          double *sorted)
{
    size_t count = 0;
    for (size_t y = 0; y < image->height; y++) {
        for (size_t x = 0; x < image->width; x++) {
            if (is_valid(image, valid, x, y)) {
                sorted[count++] = (double)image->pixels[y * image->stride + x];
            }
        }
    }
    statistics_sort(sorted, count);
    return statistics_quantile(sorted, count, level);
}
