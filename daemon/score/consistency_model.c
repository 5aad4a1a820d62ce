/* SPDX-License-Identifier: Apache-2.0 */
#include "score/consistency_model.h"

#include <math.h>
#include <string.h>

/* Sums are made in one order and without a library that may choose another. log() is the C
 * library's, whose last bit may be another on a processor without FMA: what a replay there may
 * differ by is in MODELS.md, section 8. */

const char consistency_inputs_names[] =
    "declared_chapter mean fill spread light heavy across_1 across_2 across_4 across_8 down_1 "
    "down_2 down_4 down_8 height ragged gaps repeat_2 repeat_6 upper material material_spread "
    "material_10 material_50 material_90 atomic_number atomic_number_error";

void consistency_inputs(uint32_t chapter, const struct consistency_cargo *cargo,
                        float out[CONSISTENCY_INPUTS])
{
    out[CONSISTENCY_INPUT_CHAPTER] = (float)chapter;
    memcpy(out + CONSISTENCY_INPUT_FEATURES, cargo->features, sizeof cargo->features);
    out[CONSISTENCY_INPUT_NUMBER] = cargo->atomic_number;
    out[CONSISTENCY_INPUT_NUMBER_ERROR] = cargo->atomic_number_error;
}

bool consistency_inputs_are_sound(const float inputs[CONSISTENCY_INPUTS])
{
    float chapter = inputs[CONSISTENCY_INPUT_CHAPTER];
    bool sound = chapter >= 1 && chapter < (float)HS_CHAPTERS && chapter == floorf(chapter);
    for (uint32_t i = 0; i < CONSISTENCY_INPUTS; i++) {
        sound = sound && !isinf(inputs[i]);
    }
    return sound;
}

const struct material_table *consistency_table(const struct consistency_model *self)
{
    return self->table.row_count > 0 ? &self->table : NULL;
}

void consistency_whiten(const struct consistency_model *self, const float *features, double *out)
{
    for (uint32_t row = 0; row < self->feature_count; row++) {
        const double *line = self->whitening + (size_t)row * self->feature_count;
        out[row] = 0;
        for (uint32_t k = 0; k <= row; k++) {
            out[row] += line[k] * ((double)features[k] - self->means[k]);
        }
    }
}

/* Normal loads have odd ones among them, which a normal distribution calls impossible under every
 * chapter, and then a hair's breadth between two chapters decides. With Student's tails of so many
 * degrees of freedom what is far from all chapters says little about which. */
static const double degrees = 5;

/* -2 log of the likelihood, but for what all chapters share. */
static double distance(const struct consistency_model *self, const double *whitened,
                       const double *place, double spread)
{
    double sum = 0;
    for (uint32_t k = 0; k < self->feature_count; k++) {
        sum += (whitened[k] - place[k]) * (whitened[k] - place[k]);
    }
    double f = self->feature_count;
    return (degrees + f) * log(1 + sum / (degrees * spread * spread)) + 2 * f * log(spread);
}

double consistency_fit_answer(const struct consistency_model *self, const double *whitened,
                              uint32_t chapter, const double *place, double spread,
                              uint32_t *nearest)
{
    double best = INFINITY;
    for (uint32_t other = 1; other < HS_CHAPTERS; other++) {
        if (other == chapter || self->counts[other] < CONSISTENCY_NEAREST_MIN) {
            continue;
        }
        double found = distance(self, whitened, self->places + (size_t)other * self->feature_count,
                                self->spreads[other]);
        if (found < best) {
            best = found;
            if (nearest != NULL) {
                *nearest = other;
            }
        }
    }
    return isfinite(best) ? distance(self, whitened, place, spread) - best : NAN;
}

double consistency_number_answer(const double *numbers, double number, double error)
{
    return numbers[1] > 0
               ? fabs(number - numbers[0]) / sqrt(numbers[1] * numbers[1] + error * error)
               : NAN;
}

/* How many of the ascending answers are at least this one. */
static uint32_t count_from(const float *answers, uint32_t count, double answer)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((double)answers[middle] < answer) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return count - low;
}

/* The chapter's own scans first; where they end, the others of the section, then all others: the
 * one scan that a rank test gives away (count + 1) is given the chance that the parent tells. No
 * scan counts twice, or a chapter alone in its section would be its own witness. A chapter that was
 * never seen is placed among scans whose chapter had been left out. */
static void place_answer(const struct consistency_held *held, uint32_t chapter, double answer,
                         struct consistency_placed *out)
{
    uint32_t in_section = 0, in_section_count = 0, in_all = 0, in_all_count = 0;
    uint32_t section = hs_section_of(chapter);
    if (isnan(answer) || held->first[HS_CHAPTERS] == 0) {
        return;
    }
    answer = (double)(float)answer; /* as the held answers are */
    out->told = true;
    out->answer = answer;
    for (uint32_t c = 1; c < HS_CHAPTERS; c++) {
        uint32_t count = held->first[c + 1] - held->first[c];
        uint32_t found = count_from(held->answers + held->first[c], count, answer);
        if (c == chapter) {
            out->held = count;
            out->as_bad = found;
        } else if (hs_section_of(c) == section) {
            in_section += found;
            in_section_count += count;
        } else {
            in_all += found;
            in_all_count += count;
        }
    }
    double parent = ((double)in_all + 1) / ((double)in_all_count + 1);
    parent = ((double)in_section + parent) / ((double)in_section_count + 1);
    if (out->held > 0) {
        out->chance = ((double)out->as_bad + parent) / ((double)out->held + 1);
        return;
    }
    out->as_bad = count_from(held->strangers, held->strangers_count, answer);
    out->chance = ((double)out->as_bad + 1) / ((double)held->strangers_count + 1);
}

void consistency_verdict(const struct consistency_model *self,
                         const float inputs[CONSISTENCY_INPUTS], struct consistency_verdict *out)
{
    double whitened[CONSISTENCY_FEATURES];
    const float *features = inputs + CONSISTENCY_INPUT_FEATURES;
    uint32_t chapter = (uint32_t)inputs[CONSISTENCY_INPUT_CHAPTER];
    bool whole = true;
    *out = (struct consistency_verdict){.chapter = chapter};
    for (uint32_t i = 0; i < self->feature_count; i++) {
        whole = whole && isfinite(features[i]);
    }
    if (whole) {
        consistency_whiten(self, features, whitened);
        place_answer(&self->fit, chapter,
                     consistency_fit_answer(self, whitened, chapter,
                                            self->places + (size_t)chapter * self->feature_count,
                                            self->spreads[chapter], &out->nearest),
                     &out->fit);
    }
    double number = (double)inputs[CONSISTENCY_INPUT_NUMBER];
    double error = (double)inputs[CONSISTENCY_INPUT_NUMBER_ERROR];
    if (isfinite(number) && isfinite(error)) {
        const double *numbers = self->numbers[chapter];
        place_answer(&self->number, chapter, consistency_number_answer(numbers, number, error),
                     &out->number);
        out->number_from = numbers[2];
        out->number_to = numbers[3];
    }
}

/* What was never seen is told, and says nothing of risk: right declarations of new chapters lie
 * among the strangers no better than wrong ones do. */
static bool counts(const struct consistency_placed *placed)
{
    return placed->told && placed->held > 0;
}

double consistency_chance(const struct consistency_verdict *verdict)
{
    const struct consistency_placed *fit = &verdict->fit;
    const struct consistency_placed *number = &verdict->number;
    if (counts(fit) && counts(number)) {
        double least = fit->chance < number->chance ? fit->chance : number->chance;
        return least < 0.5 ? 2 * least : 1;
    }
    return counts(fit) ? fit->chance : counts(number) ? number->chance : (double)NAN;
}

bool consistency_fit_speaks(const struct consistency_verdict *verdict)
{
    return counts(&verdict->fit) &&
           (!counts(&verdict->number) || verdict->fit.chance <= verdict->number.chance);
}
