/* SPDX-License-Identifier: Apache-2.0 */
#include "score/emptiness.h"

#include <math.h>
#include <string.h>

#include "kernels/logistic.h"

/* Loads stand on the floor, so the lower part of the cargo space is what tells, and what it
 * attenuates more than the upper part is no property of walls, roof or of how a vendor renders
 * them. The lower part ends well above the floor: trailers have side plates there that look like a
 * low load. */

/* Shares of the box's height; the box ends below the frame of the trailer. */
static const double upper_top = 0.10;
static const double lower_top = 0.40;
static const double lower_bottom = 0.65;
static const double inset_share = 0.03; /* of the width: posts */

/* In shades of 1024. */
static const uint32_t dense_above_air = 358; /* 0.35: grey 89 of 255 below that of air */
static const uint32_t wall_max = 307;        /* a full box has no visible wall */
static const uint32_t wall_free = 82;        /* walls vary by that much */
static const uint32_t excess_max = 410;      /* one black spot does not make a load */
enum { SLICES = 16, HEAVY_RANK = 2 };

/* Keeps logarithms of shares finite; of the order of the smallest share that means something. */
static const double share_floor = 0.01;
static const double excess_floor = 0.005;

struct part {
    size_t left;
    size_t right;
    size_t top;
    size_t bottom;
};

static void tally_part(const struct cargo_space *space, size_t stride, const struct part *part,
                       struct cargo_tally *out)
{
    cargo_tally_clear(out);
    for (size_t y = part->top; y < part->bottom; y++) {
        for (size_t x = part->left; x < part->right; x++) {
            cargo_tally_add(out, space->shades[y * stride + x]);
        }
    }
}

/* Mean attenuation beyond `from` shades, each pixel held at excess_max, in 0..1. */
static double mean_excess(const struct cargo_space *space, size_t stride, const struct part *part,
                          uint32_t from)
{
    uint64_t sum = 0;
    uint64_t seen = 0;
    for (size_t y = part->top; y < part->bottom; y++) {
        for (size_t x = part->left; x < part->right; x++) {
            uint32_t shade = space->shades[y * stride + x];
            if (shade < CARGO_SHADES) {
                uint32_t excess = shade > from ? shade - from : 0;
                sum += excess < excess_max ? excess : excess_max;
                seen++;
            }
        }
    }
    return seen > 0 ? (double)sum / (double)seen / CARGO_SHADES : 0;
}

static double heavy_excess(const struct cargo_space *space, size_t stride, const struct part *part,
                           uint32_t from)
{
    double excess[SLICES];
    size_t width = part->right - part->left;
    for (size_t i = 0; i < SLICES; i++) {
        struct part slice = *part;
        slice.left = part->left + width * i / SLICES;
        slice.right = part->left + width * (i + 1) / SLICES;
        double found = mean_excess(space, stride, &slice, from);
        size_t at = i;
        while (at > 0 && excess[at - 1] < found) {
            excess[at] = excess[at - 1];
            at--;
        }
        excess[at] = found;
    }
    return excess[HEAVY_RANK];
}

static bool measure_box(const struct cargo_space *space, size_t stride, uint32_t air,
                        struct emptiness_measure *out)
{
    const struct cargo_box *box = &out->box;
    size_t inset = (size_t)(inset_share * (double)box->width);
    inset = inset > 2 ? inset : 2;
    if (box->width < SLICES + 2 * inset || box->height < 16) {
        return false;
    }
    size_t middle = box->y + (size_t)(lower_top * (double)box->height);
    struct part upper = {box->x + inset, box->x + box->width - inset,
                         box->y + (size_t)(upper_top * (double)box->height), middle};
    struct part lower = {upper.left, upper.right, middle,
                         box->y + (size_t)(lower_bottom * (double)box->height)};
    struct part both = {upper.left, upper.right, upper.top, lower.bottom};
    struct cargo_tally above;
    struct cargo_tally below;
    struct cargo_tally all;
    tally_part(space, stride, &upper, &above);
    tally_part(space, stride, &lower, &below);
    tally_part(space, stride, &both, &all);
    if (above.total == 0 || below.total == 0) {
        return false;
    }
    uint32_t quarter = cargo_tally_quantile(&above, 0.25);
    uint32_t wall = quarter > air ? quarter - air : 0;
    uint32_t from = air + (wall < wall_max ? wall : wall_max) + wall_free;
    out->dense_share = cargo_tally_above(&all, air + dense_above_air);
    out->features[EMPTINESS_DENSE] =
        log(cargo_tally_above(&below, air + dense_above_air) + share_floor);
    out->features[EMPTINESS_DROP] =
        (cargo_tally_mean(&below) - cargo_tally_mean(&above)) / CARGO_SHADES;
    out->features[EMPTINESS_EXCESS] = log(mean_excess(space, stride, &lower, from) + excess_floor);
    out->features[EMPTINESS_HEAVY] = log(heavy_excess(space, stride, &lower, from) + excess_floor);
    return true;
}

uint32_t emptiness_measure(struct cargo_space *space, const struct working *working,
                           struct emptiness_measure out[CARGO_BOXES_MAX])
{
    struct cargo_box boxes[CARGO_BOXES_MAX];
    uint32_t air = 0;
    uint32_t count = cargo_boxes_find(space, working, boxes, &air);
    uint32_t measured = 0;
    for (uint32_t i = 0; i < count; i++) {
        out[measured].box = boxes[i];
        measured += measure_box(space, working->width, air, &out[measured]);
    }
    return measured;
}

static bool read_numbers(const struct model_file *file, const char *name, uint64_t count,
                         double bound, double *out)
{
    const struct model_array *array = model_file_find(file, name, MODEL_F64);
    if (array == NULL || array->dimensions_count != 1 || array->dimensions[0] != count) {
        return false;
    }
    memcpy(out, array->values, count * sizeof *out);
    for (uint64_t i = 0; i < count; i++) {
        if (!isfinite(out[i]) || fabs(out[i]) > bound) {
            return false;
        }
    }
    return true;
}

MUST_USE struct err emptiness_read(const struct model_file *file, struct emptiness_model *out)
{
    struct emptiness_model read;
    memset(&read, 0, sizeof read);
    const char *meaning = model_file_text(file, "meaning");
    enum pixel_meaning pixels = meaning != NULL ? pixel_meaning_parse(meaning) : PIXEL_UNKNOWN;
    bool good = read_numbers(file, "means", EMPTINESS_FEATURES, 100, read.means) &&
                read_numbers(file, "spreads", EMPTINESS_FEATURES, 100, read.spreads) &&
                read_numbers(file, "coefficients", EMPTINESS_FEATURES + 1, 1000, read.coefficients);
    for (int i = 0; i < EMPTINESS_FEATURES; i++) {
        good = good && read.spreads[i] >= 1e-6;
    }
    if (!good || pixels == PIXEL_UNKNOWN) {
        return err_make(ERR_MODEL_UNREADABLE, "emptiness model: meaning, or a number");
    }
    read.meaning = pixels == PIXEL_TRANSMISSION       ? IMAGE_TRANSMISSION
                   : pixels == PIXEL_DISPLAY_INVERTED ? IMAGE_DISPLAY_INVERTED
                                                      : IMAGE_DISPLAY;
    memcpy(read.sha256, file->sha256, HASH_BYTES);
    *out = read;
    return err_none;
}

double emptiness_logit(const struct emptiness_model *model,
                       const double features[EMPTINESS_FEATURES])
{
    double placed[EMPTINESS_FEATURES];
    for (int i = 0; i < EMPTINESS_FEATURES; i++) {
        placed[i] = (features[i] - model->means[i]) / model->spreads[i];
    }
    return logistic_linear(model->coefficients, placed, EMPTINESS_FEATURES);
}
