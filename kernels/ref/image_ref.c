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

/* Pixel `position` of a line. */
static float pixel_of(const struct image_view *image, int columns, size_t line, size_t position)
{
    size_t x = columns ? line : position;
    size_t y = columns ? position : line;
    return image->pixels[y * image->stride + x];
}

static uint8_t *mask_of(const struct image_view *image, int columns, size_t line, size_t position,
                        uint8_t *valid)
{
    return valid + (columns ? position * image->width + line : line * image->width + position);
}

/* Does a run of `length` lines from `line` on show what a dead one does? */
static int is_dead_run(const struct image_view *image, const struct image_mask_rule *rule,
                       uint8_t *valid, const size_t run[3])
{
    int columns = run[0] != 0;
    size_t line = run[1], length = run[2];
    size_t positions = columns ? image->height : image->width;
    size_t step = positions / 512 + (positions % 512 != 0), looked_at = 0;
    double bright_possible = 0, black_possible = 0;
    double bright[IMAGE_LINE_RUN_MAX] = {0}, black[IMAGE_LINE_RUN_MAX] = {0};
    for (size_t position = 0; position < positions; position += step, looked_at++) {
        float before = pixel_of(image, columns, line - 2, position);
        float after = pixel_of(image, columns, line + length + 1, position);
        float low = before < after ? before : after;
        float high = before > after ? before : after;
        if (!*mask_of(image, columns, line, position, valid)) {
            continue;
        }
        int could_be_bright = low >= 2 * rule->line_jump;
        int could_be_black = high <= rule->black_min - 2 * rule->line_jump;
        bright_possible += could_be_bright;
        black_possible += could_be_black;
        for (size_t j = 0; j < length; j++) {
            float pixel = pixel_of(image, columns, line + j, position);
            bright[j] += could_be_bright && pixel <= low - rule->line_jump;
            black[j] += could_be_black && pixel >= rule->black_min;
        }
    }
    int is_bright = bright_possible > 0 && bright_possible >= 0.1 * (double)looked_at;
    int is_black = black_possible > 0 && black_possible >= 0.1 * (double)looked_at;
    for (size_t j = 0; j < length; j++) {
        is_bright = is_bright && bright[j] >= rule->line_share * bright_possible;
        is_black = is_black && black[j] >= rule->line_share * black_possible;
    }
    return is_bright || is_black;
}

void image_ref_cut_dead_lines(const struct image_view *image, const struct image_mask_rule *rule,
                              uint8_t *before, uint8_t *valid)
{
    for (size_t columns = 0; columns < 2; columns++) {
        size_t lines = columns ? image->width : image->height;
        size_t positions = columns ? image->height : image->width;
        for (size_t length = 1; length <= rule->line_run_max; length++) {
            for (size_t line = 2; line + length + 1 < lines; line++) {
                int dead = is_dead_run(image, rule, before, (size_t[]){columns, line, length});
                for (size_t i = 0; dead && i < (length + 2) * positions; i++) {
                    *mask_of(image, columns != 0, line - 1 + i / positions, i % positions, valid) =
                        0;
                }
            }
        }
    }
}
