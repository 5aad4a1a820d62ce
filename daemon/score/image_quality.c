/* SPDX-License-Identifier: Apache-2.0 */
#include "score/image_quality.h"

#include <stdlib.h>
#include <string.h>

/* Sharpness is Tenengrad's idea (Krotkov 1988: energy of the gradient) taken along rows and told as
 * a share of the contrast, so that a dark scene is not called blurred. Noise is the median of
 * second differences: edges are rare among them and do not move a median. A dead channel is a line
 * that hardly changes along its length between lines that do. */

enum { LEVELS = 256, SIDE_MIN = 16, REACH = 3, JUMP = 12, DEAD_PERCENT = 75 };
/* Of a display that is clipped there is no noise to be seen at either end. */
enum { BLACK_MAX = 3, WHITE_MIN = 250 };

/* Median of |second difference| of independent noise, in its standard deviations: 0.6745 * 6^0.5.
 */
static const double second_difference_median = 1.652;
static const double noise_min = 0.05; /* quantising leaves no less */
static const double contrast_to_noise_max = 9999;

struct counts {
    uint64_t levels[LEVELS];
    uint64_t steps[LEVELS];
    uint64_t seconds[2 * LEVELS];
    uint64_t pixels;
    uint64_t dark;
};

MUST_USE struct err image_quality_init(struct image_quality_space *self)
{
    struct image_quality_space made = {.votes = calloc(IMAGE_SIDE_MAX, sizeof(uint16_t)),
                                       .chances = calloc(IMAGE_SIDE_MAX, sizeof(uint16_t))};
    if (made.votes == NULL || made.chances == NULL) {
        image_quality_fini(&made);
        return err_make(ERR_MEMORY, "image quality");
    }
    *self = made;
    return err_none;
}

void image_quality_fini(struct image_quality_space *self)
{
    free(self->votes);
    free(self->chances);
    memset(self, 0, sizeof *self);
}

/* The upper eight bits. Levels of a 16-bit transmission end at its air, which rarely is 65535: they
 * are stretched, or a scanner that uses a tenth of its range would be called flat. */
struct scale {
    uint32_t factor; /* of 2^16 */
    bool wide;       /* 16 bits a pixel */
    bool dark_high;  /* the dark end of the scene is the upper end of the levels */
};

static struct scale scale_of(const struct image *image)
{
    struct scale scale = {.factor = 65536,
                          .wide = image->bits == 16,
                          .dark_high = image->meaning == PIXEL_DISPLAY_INVERTED};
    uint32_t full = scale.wide ? 65535 : 255;
    if (image->meaning == PIXEL_TRANSMISSION && image->air_level > image->dark_level &&
        image->air_level >= full / 256 + 1 && image->air_level < full) {
        scale.factor = (uint32_t)((uint64_t)full * 65536 / image->air_level);
    }
    return scale;
}

static uint32_t level_at(const struct scale *scale, const uint8_t *row, size_t x)
{
    uint32_t raw =
        scale->wide ? (uint32_t)row[2 * x] | (uint32_t)row[2 * x + 1] << 8 : (uint32_t)row[x] << 8;
    uint64_t level = (uint64_t)raw * scale->factor >> 24;
    return level < LEVELS ? (uint32_t)level : LEVELS - 1;
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* Does this pixel stand out between those three away on either side as a dead one would? */
static void vote(uint32_t level, uint32_t side_a, uint32_t side_b, uint16_t *votes,
                 uint16_t *chances)
{
    uint32_t lighter = side_a > side_b ? side_a : side_b;
    uint32_t darker = side_a > side_b ? side_b : side_a;
    /* All black: a margin, or a load that nothing gets through; neither says that a line works. */
    bool all_black = lighter <= BLACK_MAX && level <= BLACK_MAX;
    bool could_be_bright = lighter + JUMP < LEVELS && !all_black;
    bool could_be_black = darker > JUMP;
    bool bright = could_be_bright && level > lighter + JUMP;
    bool black = could_be_black && level <= BLACK_MAX;
    *chances = (uint16_t)(*chances + (could_be_bright || could_be_black));
    *votes = (uint16_t)(*votes + (bright || black));
}

static void count_row(const struct scale *scale, const uint8_t *row, uint32_t width,
                      struct image_quality_space *columns, struct counts *counts)
{
    uint32_t before = 0;
    uint32_t two_before = 0;
    for (uint32_t x = 0; x < width; x++) {
        uint32_t level = level_at(scale, row, x);
        counts->levels[level]++;
        counts->dark += level == (scale->dark_high ? LEVELS - 1u : 0u);
        if (x >= REACH && x + REACH < width) {
            vote(level, level_at(scale, row, x - REACH), level_at(scale, row, x + REACH),
                 &columns->votes[x], &columns->chances[x]);
        }
        if (x > 0) {
            counts->steps[distance(level, before)]++;
        }
        if (x > 1 && before > BLACK_MAX && before < WHITE_MIN) {
            counts->seconds[distance(level + two_before, 2 * before)]++;
        }
        two_before = before;
        before = level;
    }
    counts->pixels += width;
}

static uint32_t quantile(const uint64_t *counts, uint32_t counts_count, double share)
{
    uint64_t total = 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < counts_count; i++) {
        total += counts[i];
    }
    for (uint32_t i = 0; i < counts_count; i++) {
        seen += counts[i];
        if (total > 0 && (double)seen >= share * (double)total) {
            return i;
        }
    }
    return 0;
}

/* The median of whole numbers that stand for what was rounded to them. */
static double median_between(const uint64_t *counts, uint32_t counts_count)
{
    uint64_t total = 0;
    uint64_t below = 0;
    for (uint32_t i = 0; i < counts_count; i++) {
        total += counts[i];
    }
    for (uint32_t i = 0; i < counts_count && total > 0; i++) {
        if (2 * (below + counts[i]) >= total) {
            double share = (0.5 * (double)total - (double)below) / (double)counts[i];
            double from = i == 0 ? 0 : (double)i - 0.5;
            return from + share * (i == 0 ? 0.5 : 1);
        }
        below += counts[i];
    }
    return 0;
}

static uint32_t dead_lines(const struct image_quality_space *lines, uint32_t count,
                           uint32_t samples)
{
    uint32_t dead = 0;
    for (uint32_t i = REACH; i + REACH < count; i++) {
        dead += (uint32_t)lines->chances[i] * 10 >= samples &&
                (uint32_t)lines->votes[i] * 100 >= (uint32_t)lines->chances[i] * DEAD_PERCENT;
    }
    return dead;
}

static void clear_lines(struct image_quality_space *self, uint32_t count)
{
    memset(self->votes, 0, count * sizeof *self->votes);
    memset(self->chances, 0, count * sizeof *self->chances);
}

/* Evenly spaced samples of every row; returns how many a row. */
static uint32_t vote_rows(struct image_quality_space *self, const struct image *image,
                          const struct scale *scale, const uint8_t *pixels)
{
    uint32_t step = image->width > IMAGE_QUALITY_ROWS ? image->width / IMAGE_QUALITY_ROWS : 1;
    size_t row_bytes = (size_t)image->width * (image->bits / 8);
    clear_lines(self, image->height);
    for (uint32_t y = REACH; y + REACH < image->height; y++) {
        const uint8_t *row = pixels + y * row_bytes;
        for (uint32_t x = 0; x < image->width; x += step) {
            vote(level_at(scale, row, x), level_at(scale, row - REACH * row_bytes, x),
                 level_at(scale, row + REACH * row_bytes, x), &self->votes[y], &self->chances[y]);
        }
    }
    return (image->width + step - 1) / step;
}

void image_quality_measure(struct image_quality_space *self, const struct image *image,
                           const uint8_t *pixels, struct image_quality *out)
{
    must(image->width <= IMAGE_SIDE_MAX && image->height <= IMAGE_SIDE_MAX);
    struct scale scale = scale_of(image);
    struct counts counts;
    memset(&counts, 0, sizeof counts);
    size_t row_bytes = (size_t)image->width * (image->bits / 8);
    uint32_t step = image->height > IMAGE_QUALITY_ROWS ? image->height / IMAGE_QUALITY_ROWS : 1;
    clear_lines(self, image->width);
    for (uint32_t y = 0; y < image->height; y += step) {
        count_row(&scale, pixels + y * row_bytes, image->width, self, &counts);
    }
    double contrast = (double)quantile(counts.levels, LEVELS, 0.95) -
                      (double)quantile(counts.levels, LEVELS, 0.05);
    double noise = median_between(counts.seconds, 2 * LEVELS) / second_difference_median;
    double steepest = (double)quantile(counts.steps, LEVELS, 0.99);
    double ratio = contrast / (noise > noise_min ? noise : noise_min);
    bool wide_enough = image->width >= SIDE_MIN && image->height >= SIDE_MIN;
    *out = (struct image_quality){
        .sharpness = contrast <= 0          ? 0
                     : steepest >= contrast ? 1
                                            : steepest / contrast,
        .contrast_to_noise = ratio < contrast_to_noise_max ? ratio : contrast_to_noise_max,
        .saturated_share = counts.pixels > 0 ? (double)counts.dark / (double)counts.pixels : 0,
        .dead_columns =
            wide_enough ? dead_lines(self, image->width, (image->height + step - 1) / step) : 0,
    };
    if (wide_enough) {
        uint32_t samples = vote_rows(self, image, &scale, pixels);
        out->dead_rows = dead_lines(self, image->height, samples);
    }
}
