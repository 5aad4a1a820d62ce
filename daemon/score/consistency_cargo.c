/* SPDX-License-Identifier: Apache-2.0 */
#include "score/consistency_cargo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/statistics.h"

/* A tile has sixteen working pixels, each already the mean of several detector pixels: the noise of
 * a single pixel would be 4 in Z (KERNELS.md), that of a tile is below one. */

enum { TILE = 4, TILE_VALID_MIN = 12, TILES_MIN = 48, BINS = 2048, SLICES = 16, STEPS = 4 };

/* What is load and not wall. Display: twice the wall of a container; transmission: 3 g/cm2. */
static const double load_display = 0.12;
static const double load_transmission = 0.12;
static const double inset_share = 0.03; /* of the width of a box: posts */
/* Keeps logarithms finite, of the order of the noise. */
static const double share_floor = 1e-3;
/* Within these a quantile is told; what lies beyond counts as there. */
static const double attenuation_max = 8;
static const double ratio_max = 4;
/* Behind more than this so few photons arrive that the two energies read alike, whatever stands
 * there: such tiles have no number. */
static const double low_max = 6;
/* 1.4826 * median absolute deviation is the standard deviation of a normal distribution: one slice
 * of machinery in a load of drinks is no uncertainty about the drinks. */
static const double mad_to_sd = 1.4826;
/* The standard error of a median is that much wider than that of a mean. */
static const double median_error = 1.2533141373155;

MUST_USE struct err consistency_space_init(struct consistency_space *self, uint32_t height_max)
{
    size_t columns = (size_t)height_max * WORKING_ASPECT / TILE + 1;
    size_t tiles = columns * (height_max / TILE + 1);
    struct consistency_space made = {
        .tiles_max = tiles,
        .columns_max = columns,
        .high = calloc(tiles, sizeof(float)),
        .low = calloc(tiles, sizeof(float)),
        .value = calloc(tiles, sizeof(float)),
        .weight = calloc(tiles, sizeof(float)),
        .column = calloc(tiles, sizeof(uint32_t)),
        .masses = calloc(columns, sizeof(double)),
        .heights = calloc(columns, sizeof(double)),
        .bins = calloc(BINS, sizeof(double)),
    };
    if (made.high == NULL || made.low == NULL || made.value == NULL || made.weight == NULL ||
        made.column == NULL || made.masses == NULL || made.heights == NULL || made.bins == NULL) {
        consistency_space_fini(&made);
        return err_make(ERR_MEMORY, "cargo measures");
    }
    *self = made;
    return err_none;
}

void consistency_space_fini(struct consistency_space *self)
{
    free(self->high);
    free(self->low);
    free(self->value);
    free(self->weight);
    free(self->column);
    free(self->masses);
    free(self->heights);
    free(self->bins);
    memset(self, 0, sizeof *self);
}

struct look {
    const struct working *working;
    const float *low;
    double load_min;
    size_t tiles; /* in the boxes, valid */
    size_t loads; /* that are load: in the space */
    size_t columns;
    double upper; /* attenuation in the upper halves */
    double all;
    double squares[2][STEPS]; /* of differences; across, down */
    double pairs[2][STEPS];
};

/* ---- tiles ---- */

struct inside {
    size_t left;
    size_t top;
    size_t width;
    size_t height;
};

/* Means of the valid pixels of a tile; false when too few are valid. */
static bool tile_mean(const struct look *look, size_t x0, size_t y0, double *high, double *low)
{
    const struct working *working = look->working;
    uint32_t valid = 0;
    *high = 0;
    *low = 0;
    for (size_t y = y0; y < y0 + TILE; y++) {
        for (size_t x = x0; x < x0 + TILE; x++) {
            size_t at = y * working->width + x;
            if (working->valid[at]) {
                *high += (double)working->pixels[at];
                *low += look->low != NULL ? (double)look->low[at] : 0;
                valid++;
            }
        }
    }
    *high /= valid > 0 ? valid : 1;
    *low /= valid > 0 ? valid : 1;
    return valid >= TILE_VALID_MIN && isfinite(*high) && isfinite(*low);
}

static void take_column(struct consistency_space *self, struct look *look,
                        const struct inside *inside, size_t x)
{
    size_t rows = inside->height / TILE;
    size_t highest = rows; /* rows count from the top */
    double mass = 0;
    for (size_t row = 0; row < rows; row++) {
        double high, low;
        if (!tile_mean(look, x, inside->top + row * TILE, &high, &low)) {
            continue;
        }
        look->tiles++;
        if (!(high > look->load_min)) {
            continue;
        }
        must(look->loads < self->tiles_max);
        highest = row < highest ? row : highest;
        self->high[look->loads] = (float)high;
        self->low[look->loads] = (float)low;
        self->column[look->loads] = (uint32_t)look->columns;
        look->loads++;
        mass += high;
        look->upper += 2 * row < rows ? high : 0;
        look->all += high;
    }
    must(look->columns < self->columns_max);
    self->masses[look->columns] = mass;
    self->heights[look->columns] = (double)(rows - highest) / (double)rows;
    look->columns++;
}

static void take_differences(struct look *look, const struct inside *inside)
{
    const struct working *working = look->working;
    for (size_t y = inside->top; y < inside->top + inside->height; y++) {
        for (size_t x = inside->left; x < inside->left + inside->width; x++) {
            size_t at = y * working->width + x;
            double here = (double)working->pixels[at];
            if (!working->valid[at] || !(here > look->load_min)) {
                continue;
            }
            for (size_t k = 0; k < STEPS; k++) {
                size_t step = (size_t)1 << k;
                size_t others[2] = {at + step, at + step * working->width};
                bool within[2] = {x + step < inside->left + inside->width,
                                  y + step < inside->top + inside->height};
                for (int d = 0; d < 2; d++) {
                    double from = within[d] && working->valid[others[d]]
                                      ? (double)working->pixels[others[d]]
                                      : 0;
                    bool both = from > look->load_min;
                    look->squares[d][k] += both ? (here - from) * (here - from) : 0;
                    look->pairs[d][k] += both;
                }
            }
        }
    }
}

static void take_box(struct consistency_space *self, struct look *look, const struct cargo_box *box)
{
    size_t inset = (size_t)(inset_share * (double)box->width);
    if (box->width < 2 * inset + TILE || box->height < TILE) {
        return;
    }
    const struct inside inside = {box->x + inset, box->y, box->width - 2 * inset, box->height};
    for (size_t x = inside.left; x + TILE <= inside.left + inside.width; x += TILE) {
        take_column(self, look, &inside, x);
    }
    take_differences(look, &inside);
}

/* ---- numbers of them ---- */

struct range {
    const float *values;
    const float *weights; /* NULL: all alike */
    const uint32_t *columns;
    size_t count;
    double least;
    double most;
};

static double weight_at(const struct range *range, size_t at)
{
    return range->weights != NULL ? (double)range->weights[at] : 1;
}

/* Fills the bins from the values whose column lies in from..to; returns the sum of weights. */
static double fill_bins(struct consistency_space *self, const struct range *range, size_t from,
                        size_t to)
{
    double all = 0;
    memset(self->bins, 0, BINS * sizeof *self->bins);
    for (size_t i = 0; i < range->count; i++) {
        if (range->columns[i] < from || range->columns[i] >= to) {
            continue;
        }
        double place =
            ((double)range->values[i] - range->least) / (range->most - range->least) * BINS;
        place = place > 0 ? place : 0; /* NaN too */
        size_t bin = place < BINS ? (size_t)place : BINS - 1;
        self->bins[bin] += weight_at(range, i);
        all += weight_at(range, i);
    }
    return all;
}

/* Quantile of what fill_bins() was given, linear within a bin. */
static double quantile(const struct consistency_space *self, const struct range *range, double all,
                       double level)
{
    double below = 0;
    size_t bin = 0;
    while (bin < BINS - 1 && below + self->bins[bin] < level * all) {
        below += self->bins[bin++];
    }
    double in_bin = self->bins[bin];
    double share = in_bin > 0 ? (level * all - below) / in_bin : 0;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return range->least + ((double)bin + share) * (range->most - range->least) / BINS;
}

static void mean_and_deviation(const struct range *range, double *mean, double *deviation)
{
    double all = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < range->count; i++) {
        all += weight_at(range, i);
        sum += weight_at(range, i) * (double)range->values[i];
    }
    *mean = all > 0 ? sum / all : 0;
    for (size_t i = 0; i < range->count; i++) {
        double from = (double)range->values[i] - *mean;
        squares += weight_at(range, i) * from * from;
    }
    *deviation = all > 0 ? sqrt(squares / all) : 0;
}

static double correlation(const double *values, size_t count, size_t apart)
{
    double mean = 0, squares = 0, products = 0;
    for (size_t i = 0; i < count; i++) {
        mean += values[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
        products += i >= apart ? (values[i] - mean) * (values[i - apart] - mean) : 0;
    }
    return squares > 0 ? products / squares : 0;
}

static void describe_columns(const struct consistency_space *self, const struct look *look,
                             double out[CONSISTENCY_FEATURES])
{
    double n = (double)look->columns;
    double height = 0, squares = 0, mass = 0, gaps = 0;
    for (size_t i = 0; i < look->columns; i++) {
        height += self->heights[i] / n;
        mass += self->masses[i] / n;
    }
    for (size_t i = 0; i < look->columns; i++) {
        squares += (self->heights[i] - height) * (self->heights[i] - height) / n;
        gaps += self->masses[i] < 0.25 * mass ? 1 / n : 0;
    }
    out[CONSISTENCY_HEIGHT] = height;
    out[CONSISTENCY_RAGGED] = sqrt(squares);
    out[CONSISTENCY_GAPS] = gaps;
    out[CONSISTENCY_REPEAT] = correlation(self->masses, look->columns, 2);
    out[CONSISTENCY_REPEAT + 1] = correlation(self->masses, look->columns, 6);
    out[CONSISTENCY_UPPER] = look->upper / look->all;
}

static void describe_stowing(struct consistency_space *self, const struct look *look,
                             double out[CONSISTENCY_FEATURES])
{
    const struct range highs = {self->high, NULL, self->column, look->loads, 0, attenuation_max};
    double mean, deviation;
    mean_and_deviation(&highs, &mean, &deviation);
    double all = fill_bins(self, &highs, 0, look->columns);
    double median = quantile(self, &highs, all, 0.5);
    out[CONSISTENCY_MEAN] = log(mean);
    out[CONSISTENCY_FILL] = (double)look->loads / (double)look->tiles;
    out[CONSISTENCY_SPREAD] = log(deviation / mean + share_floor);
    out[CONSISTENCY_LIGHT] = log(quantile(self, &highs, all, 0.1) / median + share_floor);
    out[CONSISTENCY_HEAVY] = log(quantile(self, &highs, all, 0.9) / median + share_floor);
    for (int k = 0; k < STEPS; k++) {
        for (int d = 0; d < 2; d++) {
            double pairs = look->pairs[d][k];
            double step = pairs > 0 ? sqrt(look->squares[d][k] / pairs) : 0;
            out[(d == 0 ? CONSISTENCY_ACROSS : CONSISTENCY_DOWN) + k] =
                log(step / mean + share_floor);
        }
    }
    describe_columns(self, look, out);
}

/* Median over the tiles that let enough through, and how much the medians of slices scatter. */
static void tell_number(struct consistency_space *self, const struct look *look,
                        struct consistency_cargo *out)
{
    double medians[SLICES];
    size_t slices = 0;
    size_t clear = 0;
    struct range numbers = {self->value, self->weight,         self->column, look->loads,
                            0,           MATERIAL_ELEMENTS_MAX};
    for (size_t i = 0; i < look->loads; i++) {
        bool opaque = (double)self->low[i] > low_max;
        self->weight[i] = opaque ? 0 : self->weight[i];
        clear += !opaque;
    }
    /* What can be seen through a load of steel is its pallets, and no number of the load. */
    if (clear < TILES_MIN || 2 * clear < look->loads) {
        return;
    }
    out->atomic_number =
        (float)quantile(self, &numbers, fill_bins(self, &numbers, 0, look->columns), 0.5);
    for (size_t i = 0; i < SLICES; i++) {
        double all =
            fill_bins(self, &numbers, look->columns * i / SLICES, look->columns * (i + 1) / SLICES);
        if (all > 0) {
            medians[slices++] = quantile(self, &numbers, all, 0.5);
        }
    }
    statistics_sort(medians, slices);
    double middle = statistics_quantile(medians, slices, 0.5);
    for (size_t i = 0; i < slices; i++) {
        medians[i] = fabs(medians[i] - middle);
    }
    statistics_sort(medians, slices);
    out->atomic_number_error =
        (float)(median_error * mad_to_sd * statistics_quantile(medians, slices, 0.5) /
                sqrt((double)slices));
}

static void describe_material(struct consistency_space *self, const struct look *look,
                              const struct material_table *table, double features[],
                              struct consistency_cargo *out)
{
    struct range values = {self->value, self->weight, self->column, look->loads, 0, ratio_max};
    if (table != NULL) {
        const struct material_pixels pixels = {self->low, self->high, look->loads, 0.0f};
        material_estimate(table, &pixels, self->value, self->weight);
        values.most = MATERIAL_ELEMENTS_MAX;
    } else {
        for (size_t i = 0; i < look->loads; i++) {
            self->value[i] = self->low[i] / self->high[i];
            self->weight[i] = self->high[i];
        }
    }
    mean_and_deviation(&values, &features[CONSISTENCY_MATERIAL],
                       &features[CONSISTENCY_MATERIAL + 1]);
    double all = fill_bins(self, &values, 0, look->columns);
    features[CONSISTENCY_MATERIAL + 2] = quantile(self, &values, all, 0.1);
    features[CONSISTENCY_MATERIAL + 3] = quantile(self, &values, all, 0.5);
    features[CONSISTENCY_MATERIAL + 4] = quantile(self, &values, all, 0.9);
    if (table != NULL) {
        tell_number(self, look, out); /* last: it changes the weights */
    }
}

void consistency_cargo_measure(struct consistency_space *self, struct cargo_space *boxes,
                               const struct working *working, const float *low_pixels,
                               const struct material_table *table, struct consistency_cargo *out)
{
    struct cargo_box found[CARGO_BOXES_MAX];
    uint32_t air;
    double features[CONSISTENCY_FEATURES];
    bool transmission = working->calibration.meaning == IMAGE_TRANSMISSION;
    struct look look = {.working = working,
                        .low = transmission ? low_pixels : NULL,
                        .load_min = transmission ? load_transmission : load_display};
    uint32_t count = cargo_boxes_find(boxes, working, found, &air);
    for (uint32_t i = 0; i < count; i++) {
        take_box(self, &look, &found[i]);
    }
    *out = (struct consistency_cargo){
        .seen = look.loads >= TILES_MIN, .atomic_number = NAN, .atomic_number_error = NAN};
    for (int f = 0; f < CONSISTENCY_FEATURES; f++) {
        features[f] = NAN;
    }
    if (out->seen) {
        describe_stowing(self, &look, features);
    }
    if (out->seen && look.low != NULL) {
        describe_material(self, &look, table, features, out);
    }
    for (int f = 0; f < CONSISTENCY_FEATURES; f++) {
        out->features[f] = (float)features[f];
    }
}
