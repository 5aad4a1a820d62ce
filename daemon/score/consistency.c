/* SPDX-License-Identifier: Apache-2.0 */
#include "score/consistency.h"

#include <math.h>
#include <string.h>

#include "kernels/logistic.h"
#include "score/say.h"

/* The cargo window is the middle of a side view: away from tractor and doors, above wheels and
 * floor, below the roof. On 190 real container scans the share of dark pixels in it tells empty
 * from loaded better than any other window tried (MODELS.md); no crop of the container is needed.
 */
static const double window_left = 0.25;
static const double window_right = 0.75;
static const double window_top = 0.20;
static const double window_bottom = 0.60;

/* What counts as cargo. Display: darker than grey 150 of 255, walls stay lighter. Transmission:
 * about 12 g/cm2 at 6 MeV, five times two container walls. */
static const double filled_display = 1.0 - 150.0 / 255.0;
static const double filled_transmission = 0.5;

/* An empty container shows up to 0.15, a loaded one rarely less than 0.06. Between, nothing is
 * said. */
static const double empty_share_max = 0.15;
static const double loaded_share_min = 0.06;
/* From the limit to limit + this the weight grows from nothing to full. */
static const double share_ramp = 0.30;
/* A load, or none, with 98%: the model of emptiness weighs all it can. */
static const double loaded_logit_full = 4;
/* Less than this is not expected to fill a window. */
static const double loaded_mass_min_kg = 2000;

/* Where a ratio of two noisy attenuations begins to mean something. */
static const float ratio_attenuation_min = 0.3f;
static const size_t ratio_pixels_min = 64;

/* Errors of up to two spreads of the mass are what the regression itself leaves; three for the
 * ratio. */
static const double mass_spreads_free = 2;
static const double ratio_spreads_free = 3;
static const double spreads_max = 6;

static double share_in_window(const struct working *working, double threshold)
{
    size_t left = (size_t)((double)working->width * window_left);
    size_t right = (size_t)((double)working->width * window_right);
    size_t top = (size_t)((double)working->height * window_top);
    size_t bottom = (size_t)((double)working->height * window_bottom);
    size_t seen = 0;
    size_t filled = 0;
    for (size_t y = top; y < bottom; y++) {
        for (size_t x = left; x < right; x++) {
            size_t at = y * working->width + x;
            if (working->valid[at]) {
                seen++;
                filled += (double)working->pixels[at] > threshold;
            }
        }
    }
    return seen > 0 ? (double)filled / (double)seen : NAN;
}

static double sum_attenuation(const struct working *working)
{
    double sum = 0;
    for (size_t i = 0; i < working->width * working->height; i++) {
        sum += working->valid[i] ? (double)working->pixels[i] : 0.0;
    }
    return sum;
}

void consistency_measure(const struct working *working, const float *low_pixels,
                         double pixel_pitch_mm, struct consistency_measure *out)
{
    bool transmission = working->calibration.meaning == IMAGE_TRANSMISSION;
    double pitch_cm = pixel_pitch_mm / 10.0;
    bool pitch_known = isfinite(pitch_cm) && pitch_cm > 0 && pitch_cm < 100;
    double side = (double)working->factor * (pitch_known ? pitch_cm : 1.0);
    *out = (struct consistency_measure){
        .filled_share =
            share_in_window(working, transmission ? filled_transmission : filled_display),
        .mass_index = sum_attenuation(working) * side * side,
        .pitch_known = pitch_known,
        .loaded_logit = NAN,
        .dense_share = NAN,
    };
    if (low_pixels != NULL && transmission) {
        struct image_view high = working_view(working);
        struct image_view low = {low_pixels, working->width, working->height, working->width};
        struct image_ratio ratio;
        image_dual_ratio(&low, &high, working->valid, ratio_attenuation_min, NULL, &ratio);
        out->has_ratio = ratio.pixel_count >= ratio_pixels_min && isfinite(ratio.mean);
        out->ratio = ratio.mean;
    }
}

void consistency_measure_emptiness(const struct emptiness_model *model, struct cargo_space *space,
                                   const struct working *working, struct consistency_measure *out)
{
    struct emptiness_measure boxes[CARGO_BOXES_MAX];
    if (model->meaning != working->calibration.meaning) {
        return;
    }
    uint32_t count = emptiness_measure(space, working, boxes);
    for (uint32_t i = 0; i < count; i++) {
        double logit = emptiness_logit(model, boxes[i].features);
        if (boxes[i].box.found && !(logit <= out->loaded_logit)) {
            out->loaded_logit = logit;
            out->dense_share = boxes[i].dense_share;
        }
    }
}

struct consistency_declared consistency_declared(const struct declaration *const *declarations,
                                                 uint32_t count)
{
    struct consistency_declared declared = {.known = count > 0, .empty = count > 0, .mass_kg = 0};
    for (uint32_t i = 0; i < count; i++) {
        double mass_kg = declarations[i]->gross_mass_kg;
        for (uint32_t line = 0;
             line < declarations[i]->lines_count && !(declarations[i]->gross_mass_kg > 0); line++) {
            double net_kg = declarations[i]->lines[line].net_mass_kg;
            mass_kg += isfinite(net_kg) && net_kg > 0 ? net_kg : 0;
        }
        declared.mass_kg += isfinite(mass_kg) && mass_kg > 0 ? mass_kg : 0;
        declared.empty = declared.empty && declarations[i]->declared_empty;
    }
    return declared;
}

bool consistency_has_cargo_window(enum mode mode)
{
    return mode == MODE_TRUCK || mode == MODE_RAIL || mode == MODE_SEA;
}

static double ramp(double excess)
{
    double share = excess / share_ramp;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static void judge_emptiness(const struct consistency_measure *measure,
                            const struct consistency_declared *declared,
                            const struct fusion_weights *weights, struct score_result *result)
{
    double share = measure->filled_share;
    double percent = 100 * share;
    if (declared->empty) {
        double weight = weights->empty * ramp(share - empty_share_max);
        if (share > empty_share_max) {
            fusion_add(result, "consistency.empty", weight,
                       "declared empty, but %.0f%% of the cargo window is filled (empty ones show "
                       "up to %.0f%%)",
                       percent, 100 * empty_share_max);
        } else {
            fusion_add(result, "consistency.empty", 0,
                       "declared empty, and %.0f%% of the cargo window is filled: agrees", percent);
        }
    } else if (declared->mass_kg >= loaded_mass_min_kg && share < loaded_share_min) {
        char mass[SAY_BYTES];
        say_count(declared->mass_kg, mass);
        /* The ramp is stretched: the share cannot fall further below the limit than to zero. */
        double weight = weights->empty * (1 - share / loaded_share_min);
        fusion_add(result, "consistency.empty", weight,
                   "declared %s kg, but only %.0f%% of the cargo window is filled (loaded ones "
                   "show %.0f%% or more)",
                   mass, percent, 100 * loaded_share_min);
    }
}

/* By the model: full weight where it is as good as sure, nothing where it is undecided. */
static void judge_emptiness_by_model(const struct consistency_measure *measure,
                                     const struct consistency_declared *declared,
                                     const struct fusion_weights *weights,
                                     struct score_result *result)
{
    double logit = measure->loaded_logit;
    double percent = 100 * measure->dense_share;
    double chance = 100 * logistic_probability(logit);
    double held = fmin(fabs(logit) / loaded_logit_full, 1);
    if (declared->empty) {
        fusion_add(result, "consistency.empty", logit > 0 ? weights->empty * held : 0,
                   logit > 0
                       ? "declared empty, but %.0f%% of the cargo space is dense: a load with "
                         "%.1f%%"
                       : "declared empty, and %.0f%% of the cargo space is dense: a load with "
                         "%.1f%%, agrees",
                   percent, chance);
    } else if (declared->mass_kg >= loaded_mass_min_kg && logit < 0) {
        char mass[SAY_BYTES];
        say_count(declared->mass_kg, mass);
        fusion_add(result, "consistency.empty", weights->empty * held,
                   "declared %s kg, but looks empty: %.0f%% of the cargo space is dense, a load "
                   "with %.1f%%",
                   mass, percent, chance);
    }
}

static double beyond(double spreads, double spreads_free)
{
    double excess = fabs(spreads) - spreads_free;
    return excess < 0 ? 0 : excess > spreads_max ? spreads_max : excess;
}

static void judge_mass(const struct consistency_measure *measure,
                       const struct consistency_declared *declared,
                       const struct appearance_mass *mass, const struct fusion_weights *weights,
                       struct score_result *result)
{
    if (mass->spread <= 0 || declared->mass_kg <= 0 || !(measure->mass_index > 0) ||
        mass->pitch_known != measure->pitch_known) {
        return;
    }
    double estimate = mass->intercept + mass->slope * log(measure->mass_index);
    double spreads = (estimate - log(declared->mass_kg)) / mass->spread;
    if (!isfinite(spreads)) {
        return;
    }
    char declared_text[SAY_BYTES];
    char estimate_text[SAY_BYTES];
    say_count(declared->mass_kg, declared_text);
    say_about(exp(estimate), estimate_text);
    fusion_add(result, "consistency.mass", weights->mass * beyond(spreads, mass_spreads_free),
               "declared %s kg, image suggests about %s kg (%.1f times the usual error)",
               declared_text, estimate_text, fabs(spreads));
}

static void judge_ratio(const struct consistency_measure *measure,
                        const struct appearance_model *model, const struct fusion_weights *weights,
                        struct score_result *result)
{
    if (!measure->has_ratio || model->ratio_spread <= 0) {
        return;
    }
    double spreads = (measure->ratio - model->ratio_median) / model->ratio_spread;
    fusion_add(result, "consistency.material", weights->ratio * beyond(spreads, ratio_spreads_free),
               "dual-energy ratio %.3f, usual for this scanner type %.3f (%+.1f spreads)",
               measure->ratio, model->ratio_median, spreads);
}

void consistency_judge(const struct consistency_measure *measure,
                       const struct consistency_declared *declared, bool cargo_window,
                       const struct appearance_model *model, const struct fusion_weights *weights,
                       struct score_result *result)
{
    if (declared->known && cargo_window && !isnan(measure->loaded_logit)) {
        judge_emptiness_by_model(measure, declared, weights, result);
    } else if (declared->known && cargo_window && isfinite(measure->filled_share)) {
        judge_emptiness(measure, declared, weights, result);
    }
    if (model != NULL) {
        judge_mass(measure, declared, &model->mass, weights, result);
        judge_ratio(measure, model, weights, result);
    }
}
