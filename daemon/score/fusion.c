/* SPDX-License-Identifier: Apache-2.0 */
#include "score/fusion.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/logistic.h"

/* Chosen, not learnt: there is no outcome that knows both an image and a declaration yet. One
 * spread of the image score is worth half a logit, and eight spreads are the most that count, so
 * that a broken image alone cannot outweigh everything else. MODELS.md says what each constant
 * breaks. */
const struct fusion_weights fusion_weights_builtin = {
    .intercept = 0,
    .history_scale = 1,
    .appearance = 0.5,
    .appearance_low = -2,
    .appearance_high = 8,
    .empty = 2,
    .mass = 0.5,
    .ratio = 0.3,
};

_Static_assert(FUSION_SHARPNESS == ENTRY_FIGURES_POSITION &&
                   FUSION_DEAD_COLUMNS == ENTRY_FIGURES_POSITION + 4,
               "what a scanner delivered stands where entry_score_figures looks");

/* Inputs only ever grow at the end: texts of before stay what they were, as they stand in model
 * files and logged scores. */
#define INPUTS_19                                                                                \
    "declared overall_logit declaration_quality declared_empty declared_mass_kg working_height " \
    "scans images images_used image_quality image_z image_index judged_by measured_by "          \
    "cargo_window filled_share mass_index pitch_known energy_ratio"
#define INPUTS_20 INPUTS_19 " finder_logit"
#define INPUTS_28                                                                                 \
    INPUTS_20 " emptied_by loaded_logit dense_share sharpness contrast_to_noise saturated_share " \
              "dead_rows dead_columns"

const char fusion_inputs_text[] = INPUTS_28;

const char *fusion_inputs_names(uint32_t count)
{
    switch (count) {
    case 19:
        return INPUTS_19;
    case 20:
        return INPUTS_20;
    case FUSION_INPUTS:
        return fusion_inputs_text;
    default:
        return NULL;
    }
}

/* The weights are the same for all of them. */
static bool inputs_are_known(const char *text)
{
    for (uint32_t count = 1; count <= FUSION_INPUTS; count++) {
        const char *names = fusion_inputs_names(count);
        if (names != NULL && strcmp(text, names) == 0) {
            return true;
        }
    }
    return false;
}

void fusion_to_array(const struct fusion_weights *weights, double out[FUSION_WEIGHTS])
{
    out[0] = weights->intercept;
    out[1] = weights->history_scale;
    out[2] = weights->appearance;
    out[3] = weights->appearance_low;
    out[4] = weights->appearance_high;
    out[5] = weights->empty;
    out[6] = weights->mass;
    out[7] = weights->ratio;
}

MUST_USE struct err fusion_read(const struct model_file *file, struct fusion_weights *out)
{
    const struct model_array *array = model_file_find(file, "weights", MODEL_F64);
    if (array == NULL || array->dimensions_count != 1 || array->dimensions[0] != FUSION_WEIGHTS) {
        return err_make(ERR_MODEL_UNREADABLE, "fusion model: weights");
    }
    const double *w = array->values;
    for (uint32_t i = 0; i < FUSION_WEIGHTS; i++) {
        if (!isfinite(w[i]) || fabs(w[i]) > 1000) {
            return err_make(ERR_MODEL_UNREADABLE, "fusion model: a weight out of range");
        }
    }
    /* Models of before inputs were kept have no such text; the order of theirs is this one. */
    const char *inputs = model_file_text(file, "inputs");
    if (inputs != NULL && !inputs_are_known(inputs)) {
        return err_make(ERR_MODEL_UNREADABLE, "fusion model: made for other inputs");
    }
    if (w[3] > w[4]) {
        return err_make(ERR_MODEL_UNREADABLE, "fusion model: bounds of the image score");
    }
    *out = (struct fusion_weights){w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]};
    return err_none;
}

void fusion_builtin_sha256(const char *name, const double *constants, uint32_t constants_count,
                           uint8_t out[HASH_BYTES])
{
    char text[2048];
    int used = snprintf(text, sizeof text, "%s\n", name);
    for (uint32_t i = 0; i < constants_count; i++) {
        must(used > 0 && (size_t)used < sizeof text);
        used += snprintf(text + used, sizeof text - (size_t)used, "%.17g\n", constants[i]);
    }
    must(used > 0 && (size_t)used < sizeof text);
    sha256_of(text, (size_t)used, out);
}

void fusion_start(struct score_result *result)
{
    memset(&result->score, 0, sizeof result->score);
    result->unscorable[0] = '\0';
}

void fusion_add(struct score_result *result, const char *name, double logit, const char *format,
                ...)
{
    uint32_t at = result->score.contributions_count;
    must(at < ENTRY_CONTRIBUTIONS_MAX && isfinite(logit));
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(result->words[at], SCORE_WORDS_BYTES, format, arguments);
    va_end(arguments);
    result->score.contributions[at] = (struct entry_contribution){name, logit, result->words[at]};
    result->score.contributions_count++;
}

static int stands_before(const struct entry_contribution *a, const struct entry_contribution *b)
{
    bool a_last = strcmp(a->name, FUSION_INTERCEPT) == 0;
    bool b_last = strcmp(b->name, FUSION_INTERCEPT) == 0;
    if (a_last != b_last) {
        return b_last;
    }
    return fabs(a->logit) > fabs(b->logit);
}

void fusion_finish(struct score_result *result)
{
    struct entry_score *score = &result->score;
    /* Insertion sort: stable, a couple of dozen entries. */
    for (uint32_t i = 1; i < score->contributions_count; i++) {
        struct entry_contribution moving = score->contributions[i];
        uint32_t at = i;
        while (at > 0 && stands_before(&moving, &score->contributions[at - 1])) {
            score->contributions[at] = score->contributions[at - 1];
            at--;
        }
        score->contributions[at] = moving;
    }
    score->logit = 0;
    for (uint32_t i = 0; i < score->contributions_count; i++) {
        score->logit += score->contributions[i].logit;
    }
    score->probability = logistic_probability(score->logit);
}
