/* SPDX-License-Identifier: Apache-2.0 */
#include "score/working.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A table of 65,536 attenuations (256 KiB, one core's cache) is filled by the kernel itself, so
 * each pixel has the very bits that image_calibrate_u16() would give it, at the price of a load
 * instead of a logarithm. */

enum { LEVELS_8 = 256, LEVELS_16 = 65536 };

/* Below this transmission a detector of that depth cannot tell a thick load from none getting
 * through. Lower: noise of thick loads becomes texture. Higher: thick loads all look alike. */
static const float floor_16 = 2e-4f;
static const float floor_8 = 1.0f / 256.0f;

MUST_USE struct err working_init(struct working_space *self, uint32_t height_max)
{
    if (height_max < WORKING_HEIGHT_MIN || height_max > WORKING_HEIGHT_MAX) {
        return err_make(ERR_ARGUMENT, "working height");
    }
    size_t width_max = (size_t)height_max * WORKING_ASPECT;
    size_t pixels_max = width_max * height_max;
    struct working_space made = {
        .height_max = height_max,
        .pixels_max = pixels_max,
        .pixels = calloc(pixels_max, sizeof(float)),
        .valid = calloc(pixels_max, 1),
        .low_pixels = calloc(pixels_max, sizeof(float)),
        .table = calloc(LEVELS_16, sizeof(float)),
        .row_sums = calloc(width_max, sizeof(double)),
        .mask_words =
            calloc(image_valid_mask_workspace_words(width_max, height_max), sizeof(uint32_t)),
    };
    if (made.pixels == NULL || made.valid == NULL || made.low_pixels == NULL ||
        made.table == NULL || made.row_sums == NULL || made.mask_words == NULL) {
        working_fini(&made);
        return err_make(ERR_MEMORY, "working image");
    }
    *self = made;
    return err_none;
}

void working_fini(struct working_space *self)
{
    free(self->pixels);
    free(self->valid);
    free(self->low_pixels);
    free(self->table);
    free(self->row_sums);
    free(self->mask_words);
    memset(self, 0, sizeof *self);
}

const char *working_refusal(const struct image *image, uint64_t image_bytes_max)
{
    if (image->width == 0 || image->height == 0 || image->width > IMAGE_SIDE_MAX ||
        image->height > IMAGE_SIDE_MAX) {
        return "its sides are out of bounds";
    }
    if (image->bits != 8 && image->bits != 16) {
        return "it has neither 8 nor 16 bits a pixel";
    }
    if (image->meaning != PIXEL_TRANSMISSION && image->meaning != PIXEL_DISPLAY &&
        image->meaning != PIXEL_DISPLAY_INVERTED) {
        return "the meaning of its pixels is unknown";
    }
    if ((uint64_t)image->width * image->height * (image->bits / 8) > image_bytes_max) {
        return "it is larger than this scorer was set up for";
    }
    return NULL;
}

struct image_calibration working_calibration(const struct image *image)
{
    float white = image->bits == 8 ? 255.0f : 65535.0f;
    struct image_calibration calibration = {
        .meaning = IMAGE_DISPLAY,
        .air_level = white,
        .dark_level = 0,
        .floor = image->bits == 8 ? floor_8 : floor_16,
        .white_level = white,
    };
    if (image->meaning == PIXEL_DISPLAY_INVERTED) {
        calibration.meaning = IMAGE_DISPLAY_INVERTED;
    } else if (image->meaning == PIXEL_TRANSMISSION) {
        calibration.meaning = IMAGE_TRANSMISSION;
        bool told = image->air_level > image->dark_level && image->air_level <= 65535;
        calibration.air_level = told ? (float)image->air_level : white;
        calibration.dark_level = told ? (float)image->dark_level : 0;
    }
    return calibration;
}

static void fill_table(const struct image_calibration *calibration, uint32_t bits, float *table)
{
    if (bits == 8) {
        uint8_t levels[LEVELS_8];
        for (int i = 0; i < LEVELS_8; i++) {
            levels[i] = (uint8_t)i;
        }
        image_calibrate_u8(calibration, levels, LEVELS_8, table);
        return;
    }
    for (uint32_t first = 0; first < LEVELS_16; first += LEVELS_8) {
        uint16_t levels[LEVELS_8];
        for (uint32_t i = 0; i < LEVELS_8; i++) {
            levels[i] = (uint16_t)(first + i);
        }
        image_calibrate_u16(calibration, levels, LEVELS_8, table + first);
    }
}

/* Every sum runs over the pixels of a row of its cell from the left, and then over the rows, in
 * double: the order is part of the result. Cells do not wait for each other. */

static uint32_t level_16(const uint8_t *row, size_t x)
{
    return (uint32_t)row[2 * x] | (uint32_t)row[2 * x + 1] << 8;
}

__attribute__((always_inline)) static inline void
add_cells_8(const uint8_t *row, size_t cells, size_t factor, const double *levels, double *sums)
{
    for (size_t cell = 0; cell < cells; cell++, row += factor) {
        double sum = 0;
        for (size_t x = 0; x < factor; x++) {
            sum += levels[row[x]];
        }
        sums[cell] += sum;
    }
}

/* Adds one raw row to the sums of its cells. The compiler unrolls the usual factors. */
static void add_row_8(const uint8_t *row, size_t width, size_t factor, const double *levels,
                      double *sums)
{
    size_t whole = width / factor;
    switch (factor) {
    case 2:
        add_cells_8(row, whole, 2, levels, sums);
        break;
    case 3:
        add_cells_8(row, whole, 3, levels, sums);
        break;
    case 4:
        add_cells_8(row, whole, 4, levels, sums);
        break;
    default:
        add_cells_8(row, whole, factor, levels, sums);
    }
    add_cells_8(row + whole * factor, width % factor > 0, width % factor, levels, sums + whole);
}

static void add_row_16(const uint8_t *row, size_t width, size_t factor, const float *table,
                       double *sums)
{
    for (size_t left = 0, cell = 0; left < width; left += factor, cell++) {
        size_t right = left + factor < width ? left + factor : width;
        double sum = 0;
        for (size_t x = left; x < right; x++) {
            sum += (double)table[level_16(row, x)];
        }
        sums[cell] += sum;
    }
}

/* What remains of reduce() when a cell is a pixel. Sums begin at 0, which makes 0 of -0. */
static void look_up(const struct image *image, const uint8_t *restrict pixels,
                    const float *restrict table, float *restrict out)
{
    size_t count = (size_t)image->width * image->height;
    if (image->bits == 8) {
        for (size_t i = 0; i < count; i++) {
            out[i] = table[pixels[i]] + 0.0f;
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            out[i] = table[level_16(pixels, i)] + 0.0f;
        }
    }
}

/* levels: the table of 8 bits in double. */
static void reduce_rows(struct working_space *self, const struct image *image,
                        const uint8_t *pixels, const double *levels, size_t factor, float *out)
{
    size_t row_bytes = (size_t)image->width * (image->bits / 8);
    size_t width = image_reduced_count(image->width, factor);
    must(factor > 1);
    for (size_t y = 0; y < image->height; y += factor) {
        size_t below = y + factor < image->height ? y + factor : image->height;
        memset(self->row_sums, 0, width * sizeof(double));
        for (size_t row = y; row < below; row++) {
            if (image->bits == 8) {
                add_row_8(pixels + row * row_bytes, image->width, factor, levels, self->row_sums);
            } else {
                add_row_16(pixels + row * row_bytes, image->width, factor, self->table,
                           self->row_sums);
            }
        }
        double whole = (double)(factor * (below - y));
        for (size_t x = 0; x < width; x++) {
            out[x] = (float)(self->row_sums[x] / whole);
        }
        size_t rest = image->width % factor;
        if (rest > 0) {
            out[width - 1] = (float)(self->row_sums[width - 1] / (double)(rest * (below - y)));
        }
        out += width;
    }
}

static void reduce(struct working_space *self, const struct image *image, const uint8_t *pixels,
                   size_t factor, float *out)
{
    struct image_calibration calibration = working_calibration(image);
    fill_table(&calibration, image->bits, self->table);
    size_t width = image_reduced_count(image->width, factor);
    size_t height = image_reduced_count(image->height, factor);
    must(width * height <= self->pixels_max && width <= (size_t)self->height_max * WORKING_ASPECT);
    if (factor == 1) {
        look_up(image, pixels, self->table, out);
        return;
    }
    double levels[LEVELS_8];
    for (size_t i = 0; i < LEVELS_8; i++) {
        levels[i] = (double)self->table[i];
    }
    reduce_rows(self, image, pixels, levels, factor, out);
}

void working_make(struct working_space *self, const struct image *image, const uint8_t *pixels,
                  uint32_t height_max, struct working *out)
{
    must(pixels != NULL && working_refusal(image, UINT64_MAX) == NULL);
    uint32_t rows_max = height_max < self->height_max ? height_max : self->height_max;
    size_t factor = image_reduce_factor(image->width, image->height,
                                        (size_t)rows_max * WORKING_ASPECT, rows_max);
    reduce(self, image, pixels, factor, self->pixels);
    *out = (struct working){
        .pixels = self->pixels,
        .valid = self->valid,
        .width = image_reduced_count(image->width, factor),
        .height = image_reduced_count(image->height, factor),
        .factor = factor,
        .calibration = working_calibration(image),
    };
    struct image_view view = working_view(out);
    struct image_mask_rule rule = image_mask_rule_default(&out->calibration);
    if (factor > 1) {
        /* The mask looks at the reduced image, where a dead line is averaged away, but the stripes
         * of a regular load have become as narrow as dead lines: it would take the load out of the
         * picture. */
        rule.line_run_max = 0;
    }
    out->valid_count = image_valid_mask(&view, &rule, self->mask_words, self->valid);
}

const float *working_make_low(struct working_space *self, const struct image *low_image,
                              const uint8_t *low_pixels, const struct working *high)
{
    must(low_pixels != NULL && image_reduced_count(low_image->width, high->factor) == high->width &&
         image_reduced_count(low_image->height, high->factor) == high->height);
    reduce(self, low_image, low_pixels, high->factor, self->low_pixels);
    return self->low_pixels;
}

float *working_attenuations(const struct image *image, const uint8_t *pixels)
{
    size_t count = (size_t)image->width * image->height;
    float *out = malloc(count * sizeof *out);
    struct image_calibration calibration = working_calibration(image);
    if (out != NULL && image->bits == 8) {
        image_calibrate_u8(&calibration, pixels, count, out);
    }
    /* Raw pixels of 16 bits may lie at odd addresses. */
    for (size_t first = 0; out != NULL && image->bits == 16 && first < count; first += LEVELS_8) {
        uint16_t levels[LEVELS_8];
        size_t some = count - first < LEVELS_8 ? count - first : LEVELS_8;
        for (size_t i = 0; i < some; i++) {
            levels[i] = (uint16_t)level_16(pixels, first + i);
        }
        image_calibrate_u16(&calibration, levels, some, out + first);
    }
    return out;
}
