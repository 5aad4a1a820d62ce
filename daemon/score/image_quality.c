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

/* Neighbours are alike, and one counter cannot be raised again before it was written: they take
 * turns with COPIES of it. */
enum { COPIES = 4 };

struct counts {
    uint32_t levels[COPIES][LEVELS];
    uint32_t steps[COPIES][LEVELS];
    uint32_t seconds[COPIES][2 * LEVELS];
};

MUST_USE struct err image_quality_init(struct image_quality_space *self)
{
    struct image_quality_space made = {.votes = calloc(IMAGE_SIDE_MAX, sizeof(uint16_t)),
                                       .chances = calloc(IMAGE_SIDE_MAX, sizeof(uint16_t)),
                                       .levels = calloc(IMAGE_SIDE_MAX, 1)};
    if (made.votes == NULL || made.chances == NULL || made.levels == NULL) {
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
    free(self->levels);
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

/* Every step-th of the row's levels, `count` of them. */
static void take_levels(const struct scale *scale, const uint8_t *row, size_t step, size_t count,
                        uint8_t *restrict levels)
{
    if (!scale->wide && scale->factor == 65536) {
        for (size_t i = 0; i < count; i++) {
            levels[i] = row[i * step];
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        levels[i] = (uint8_t)level_at(scale, row, i * step);
    }
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* Does this pixel stand out between those three away on either side as a dead one would? 1: it
 * could be seen; 2: it does. */
__attribute__((always_inline)) static inline uint8_t vote(uint8_t level, uint8_t side_a,
                                                          uint8_t side_b)
{
    uint8_t lighter = side_a > side_b ? side_a : side_b;
    uint8_t darker = side_a > side_b ? side_b : side_a;
    /* All black: a margin, or a load that nothing gets through; neither says that a line works. */
    int not_black = (lighter > BLACK_MAX) | (level > BLACK_MAX);
    int could_be_bright = (lighter < LEVELS - JUMP) & not_black;
    int could_be_black = darker > JUMP;
    int bright = could_be_bright & (level > lighter + JUMP);
    int black = could_be_black & (level <= BLACK_MAX);
    return (uint8_t)((could_be_bright | could_be_black) | (bright | black) << 1);
}

static void vote_columns(const uint8_t *levels, size_t width, struct image_quality_space *self)
{
    uint16_t *restrict votes = self->votes;
    uint16_t *restrict chances = self->chances;
    for (size_t x = REACH; x + REACH < width; x++) {
        uint8_t told = vote(levels[x], levels[x - REACH], levels[x + REACH]);
        votes[x] = (uint16_t)(votes[x] + (told >> 1));
        chances[x] = (uint16_t)(chances[x] + (told & 1));
    }
}

static void count_row(const uint8_t *levels, uint32_t width, struct counts *counts)
{
    for (uint32_t x = 0; x < width; x++) {
        counts->levels[x % COPIES][levels[x]]++;
    }
    for (uint32_t x = 1; x < width; x++) {
        counts->steps[x % COPIES][distance(levels[x], levels[x - 1])]++;
    }
    for (uint32_t x = 2; x < width; x++) {
        uint32_t before = levels[x - 1];
        uint32_t second = distance((uint32_t)levels[x] + levels[x - 2], 2 * before);
        counts->seconds[x % COPIES][second] += before > BLACK_MAX && before < WHITE_MIN;
    }
}

/* The copies of counters added up in the first. */
static void add_copies(uint32_t *counters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t copy = 1; copy < COPIES; copy++) {
            counters[i] += counters[copy * count + i];
        }
    }
}

static uint32_t quantile(const uint32_t *counts, uint32_t counts_count, double share)
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
static double median_between(const uint32_t *counts, uint32_t counts_count)
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
    enum { SAMPLES_MAX = 2 * IMAGE_QUALITY_ROWS, RING = 2 * REACH + 1 };
    uint8_t ring[RING][SAMPLES_MAX];
    uint32_t step = image->width > IMAGE_QUALITY_ROWS ? image->width / IMAGE_QUALITY_ROWS : 1;
    uint32_t samples = (image->width + step - 1) / step;
    size_t row_bytes = (size_t)image->width * (image->bits / 8);
    must(samples <= SAMPLES_MAX);
    clear_lines(self, image->height);
    for (uint32_t y = 0; y < image->height; y++) {
        take_levels(scale, pixels + y * row_bytes, step, samples, ring[y % RING]);
        if (y < 2 * REACH) {
            continue;
        }
        const uint8_t *levels = ring[(y - REACH) % RING];
        const uint8_t *above = ring[(y - 2 * REACH) % RING];
        uint32_t votes = 0, chances = 0;
        for (uint32_t i = 0; i < samples; i++) {
            uint8_t told = vote(levels[i], above[i], ring[y % RING][i]);
            votes += told >> 1;
            chances += told & 1U;
        }
        self->votes[y - REACH] = (uint16_t)votes;
        self->chances[y - REACH] = (uint16_t)chances;
    }
    return samples;
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
    uint32_t rows = 0;
    clear_lines(self, image->width);
    for (uint32_t y = 0; y < image->height; y += step) {
        take_levels(&scale, pixels + y * row_bytes, 1, image->width, self->levels);
        vote_columns(self->levels, image->width, self);
        count_row(self->levels, image->width, &counts);
        rows++;
    }
    add_copies(counts.levels[0], LEVELS);
    add_copies(counts.steps[0], LEVELS);
    add_copies(counts.seconds[0], (size_t)2 * LEVELS);
    uint32_t dark = counts.levels[0][scale.dark_high ? LEVELS - 1 : 0];
    double pixels_seen = (double)rows * image->width;
    double contrast = (double)quantile(counts.levels[0], LEVELS, 0.95) -
                      (double)quantile(counts.levels[0], LEVELS, 0.05);
    double noise = median_between(counts.seconds[0], 2 * LEVELS) / second_difference_median;
    double steepest = (double)quantile(counts.steps[0], LEVELS, 0.99);
    double ratio = contrast / (noise > noise_min ? noise : noise_min);
    bool wide_enough = image->width >= SIDE_MIN && image->height >= SIDE_MIN;
    *out = (struct image_quality){
        .sharpness = contrast <= 0          ? 0
                     : steepest >= contrast ? 1
                                            : steepest / contrast,
        .contrast_to_noise = ratio < contrast_to_noise_max ? ratio : contrast_to_noise_max,
        .saturated_share = pixels_seen > 0 ? (double)dark / pixels_seen : 0,
        .dead_columns =
            wide_enough ? dead_lines(self, image->width, (image->height + step - 1) / step) : 0,
    };
    if (wide_enough) {
        uint32_t samples = vote_rows(self, image, &scale, pixels);
        out->dead_rows = dead_lines(self, image->height, samples);
    }
}
