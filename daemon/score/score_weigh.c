/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "score/score_parts.h"

/* Everything that weighs is computed from numbers that stand in the score's inputs: a score and its
 * replay run through the same lines, and only where the numbers come from differs. */

double score_rounded(double value)
{
    double held = value > (double)FLT_MAX    ? (double)FLT_MAX
                  : value < -(double)FLT_MAX ? -(double)FLT_MAX
                                             : value;
    return (double)(float)held;
}

void score_name_model(struct score_result *result, const char *name,
                      const uint8_t sha256[HASH_BYTES])
{
    struct entry_score *score = &result->score;
    if (score_model_position(score, name) < score->models_count) {
        return;
    }
    must(score->models_count < ENTRY_MODELS_MAX);
    score->models[score->models_count].name = name;
    memcpy(score->models[score->models_count].sha256, sha256, HASH_BYTES);
    score->models_count++;
}

uint32_t score_model_position(const struct entry_score *score, const char *name)
{
    uint32_t position = 0;
    while (position < score->models_count && strcmp(score->models[position].name, name) != 0) {
        position++;
    }
    return position;
}

void score_put_inputs(struct score_result *result, uint32_t model_position, const float *values,
                      uint32_t values_count)
{
    struct entry_score *score = &result->score;
    must(score->inputs_count < SCORE_INPUTS_MAX && values_count <= ENTRY_INPUT_VALUES_MAX);
    float *kept = result->inputs[score->inputs_count];
    memcpy(kept, values, values_count * sizeof *values);
    score->inputs[score->inputs_count] = (struct entry_inputs){model_position, kept, values_count};
    must(entry_inputs_are_sound(score, score->inputs_count));
    score->inputs_count++;
}

/* ---- a case as inputs, and back ---- */

static float position_of(const struct entry_score *score, const struct appearance_model *model)
{
    return model == NULL ? NAN : (float)score_model_position(score, model->name);
}

void score_case_to_inputs(const struct score_case *of, const struct entry_score *score,
                          float out[FUSION_INPUTS])
{
    const struct score_sight *sight = &of->sight;
    const struct consistency_measure *measure = &sight->measure;
    bool seen = sight->usable_count > 0;
    const double values[FUSION_INPUTS] = {
        [FUSION_DECLARED] = of->declared.known,
        [FUSION_OVERALL_LOGIT] = of->overall_logit,
        [FUSION_DECLARATION_QUALITY] = of->declaration_quality,
        [FUSION_DECLARED_EMPTY] = of->declared.empty,
        [FUSION_DECLARED_MASS_KG] = of->declared.mass_kg,
        [FUSION_WORKING_HEIGHT] = of->working_height,
        [FUSION_SCANS] = sight->scans_count,
        [FUSION_IMAGES] = sight->images_count,
        [FUSION_IMAGES_USED] = sight->usable_count,
        [FUSION_IMAGE_QUALITY] = sight->quality,
        [FUSION_IMAGE_Z] = sight->judged_by != NULL ? sight->z : (double)NAN,
        [FUSION_IMAGE_INDEX] = sight->judged_by != NULL ? (double)sight->image_index : (double)NAN,
        [FUSION_JUDGED_BY] = (double)position_of(score, sight->judged_by),
        [FUSION_MEASURED_BY] = (double)position_of(score, sight->measured_by),
        [FUSION_CARGO_WINDOW] = sight->cargo_window,
        [FUSION_FILLED_SHARE] = measure->filled_share,
        [FUSION_MASS_INDEX] = seen ? measure->mass_index : (double)NAN,
        [FUSION_PITCH_KNOWN] = measure->pitch_known,
        [FUSION_ENERGY_RATIO] = measure->has_ratio ? measure->ratio : (double)NAN,
        [FUSION_FINDER_LOGIT] = sight->finder_logit,
        [FUSION_EMPTIED_BY] = sight->emptiness_asked
                                  ? (double)score_model_position(score, EMPTINESS_NAME)
                                  : (double)NAN,
        [FUSION_LOADED_LOGIT] = measure->loaded_logit,
        [FUSION_DENSE_SHARE] = measure->dense_share,
        [FUSION_SHARPNESS] = sight->has_measured ? sight->measured.sharpness : (double)NAN,
        [FUSION_CONTRAST_TO_NOISE] =
            sight->has_measured ? sight->measured.contrast_to_noise : (double)NAN,
        [FUSION_SATURATED_SHARE] =
            sight->has_measured ? sight->measured.saturated_share : (double)NAN,
        [FUSION_DEAD_ROWS] = sight->has_measured ? (double)sight->measured.dead_rows : (double)NAN,
        [FUSION_DEAD_COLUMNS] =
            sight->has_measured ? (double)sight->measured.dead_columns : (double)NAN,
    };
    for (uint32_t i = 0; i < FUSION_INPUTS; i++) {
        out[i] = (float)values[i];
    }
}

/* A whole number within the bound, or not there. */
static bool count_from(float value, uint32_t bound, uint32_t *out)
{
    bool whole = value >= 0 && value <= (float)bound && value == floorf(value);
    *out = whole ? (uint32_t)value : 0;
    return whole;
}

/* The installed model that a score names at a position; NULL when the input is not there. */
static bool model_from(const struct score *self, const struct entry_score *logged, float position,
                       const struct appearance_model **out)
{
    uint32_t at = 0;
    *out = NULL;
    if (isnan(position)) {
        return true;
    }
    if (!count_from(position, ENTRY_MODELS_MAX, &at) || at >= logged->models_count ||
        strncmp(logged->models[at].name, APPEARANCE_PREFIX, strlen(APPEARANCE_PREFIX)) != 0) {
        return false;
    }
    *out = score_appearance_of(self, logged->models[at].name + strlen(APPEARANCE_PREFIX));
    return *out != NULL;
}

/* The score names the model of emptiness, which is installed, at this position. */
static bool names_emptiness(const struct score *self, const struct entry_score *logged,
                            float position)
{
    uint32_t at = 0;
    return count_from(position, ENTRY_MODELS_MAX, &at) && at < logged->models_count &&
           strcmp(logged->models[at].name, EMPTINESS_NAME) == 0 && score_emptiness(self) != NULL;
}

static bool sight_from(const struct score *self, const struct entry_score *logged, const float *in,
                       struct score_sight *out)
{
    *out = (struct score_sight){
        .quality = (double)in[FUSION_IMAGE_QUALITY],
        .z = (double)in[FUSION_IMAGE_Z],
        .cargo_window = in[FUSION_CARGO_WINDOW] != 0,
        .finder_logit = (double)in[FUSION_FINDER_LOGIT],
        .measure = {.filled_share = (double)in[FUSION_FILLED_SHARE],
                    .mass_index = (double)in[FUSION_MASS_INDEX],
                    .pitch_known = in[FUSION_PITCH_KNOWN] != 0,
                    .has_ratio = !isnan(in[FUSION_ENERGY_RATIO]),
                    .ratio = (double)in[FUSION_ENERGY_RATIO],
                    .loaded_logit = (double)in[FUSION_LOADED_LOGIT],
                    .dense_share = (double)in[FUSION_DENSE_SHARE]},
    };
    const uint32_t images_max = SCORE_PARTS_MAX * RECORD_IMAGES_MAX;
    bool good = count_from(in[FUSION_SCANS], SCORE_PARTS_MAX, &out->scans_count) &&
                count_from(in[FUSION_IMAGES], images_max, &out->images_count) &&
                count_from(in[FUSION_IMAGES_USED], out->images_count, &out->usable_count) &&
                model_from(self, logged, in[FUSION_JUDGED_BY], &out->judged_by) &&
                model_from(self, logged, in[FUSION_MEASURED_BY], &out->measured_by);
    if (out->judged_by != NULL) {
        good = good && !isnan(out->z) &&
               count_from(in[FUSION_IMAGE_INDEX], images_max, &out->image_index);
    }
    out->has_measured = !isnan(in[FUSION_SHARPNESS]);
    if (out->has_measured) {
        out->measured.sharpness = (double)in[FUSION_SHARPNESS];
        out->measured.contrast_to_noise = (double)in[FUSION_CONTRAST_TO_NOISE];
        out->measured.saturated_share = (double)in[FUSION_SATURATED_SHARE];
        good = good && count_from(in[FUSION_DEAD_ROWS], IMAGE_SIDE_MAX, &out->measured.dead_rows) &&
               count_from(in[FUSION_DEAD_COLUMNS], IMAGE_SIDE_MAX, &out->measured.dead_columns);
    }
    out->emptiness_asked = !isnan(in[FUSION_EMPTIED_BY]);
    good = good && (!out->emptiness_asked || names_emptiness(self, logged, in[FUSION_EMPTIED_BY]));
    good = good && (isnan(out->measure.loaded_logit) ||
                    (out->emptiness_asked && !isnan(out->measure.dense_share)));
    good = good && (out->scans_count > 0 || out->images_count == 0) &&
           ((out->judged_by == NULL && isnan(out->finder_logit)) || out->usable_count > 0);
    return good && !isnan(out->quality) && !isinf(out->measure.filled_share);
}

static const struct entry_inputs *inputs_of(const struct entry_score *score, const char *name)
{
    for (uint32_t i = 0; i < score->inputs_count; i++) {
        if (strcmp(score->models[score->inputs[i].model].name, name) == 0) {
            return &score->inputs[i];
        }
    }
    return NULL;
}

const char *score_case_from_inputs(const struct score *self, const struct entry_score *logged,
                                   struct score_case *out)
{
    const struct entry_inputs *fusion = inputs_of(logged, self->fusion_model.name);
    const struct entry_inputs *history = inputs_of(logged, self->history_model.name);
    if (logged->inputs_count == 0) {
        return "a score of before inputs were kept";
    }
    if (fusion == NULL || fusion_inputs_names(fusion->values_count) == NULL) {
        return "inputs of the fusion are missing or others than this program's";
    }
    float in[FUSION_INPUTS];
    for (uint32_t i = 0; i < FUSION_INPUTS; i++) {
        in[i] = i < fusion->values_count ? fusion->values[i] : NAN;
    }
    *out = (struct score_case){
        .declared = {.known = in[FUSION_DECLARED] != 0,
                     .empty = in[FUSION_DECLARED_EMPTY] != 0,
                     .mass_kg = (double)in[FUSION_DECLARED_MASS_KG]},
        .declaration_quality = (double)in[FUSION_DECLARATION_QUALITY],
        .overall_logit = (double)in[FUSION_OVERALL_LOGIT],
        .fusion_count = fusion->values_count,
    };
    if (!isfinite(out->overall_logit) || isnan(out->declaration_quality) ||
        !count_from(in[FUSION_WORKING_HEIGHT], WORKING_HEIGHT_MAX, &out->working_height) ||
        !sight_from(self, logged, in, &out->sight)) {
        return "inputs of the fusion contradict themselves";
    }
    const char *why = score_consistency_from_inputs(self, logged, out);
    if (why != NULL) {
        return why;
    }
    if (!out->declared.known) {
        return NULL;
    }
    if (history == NULL || history->values_count != score_history_inputs(self)) {
        return "inputs of the history model are missing or others than this program's";
    }
    memcpy(out->history, history->values, history->values_count * sizeof *out->history);
    out->history_count = history->values_count;
    if (self->has_trees && self->trees.lines.known && !score_lines_are_sound(out)) {
        return "inputs of the history model contradict themselves";
    }
    for (uint32_t i = 0; i < out->history_count; i++) {
        if (!self->has_trees && !isfinite(out->history[i])) {
            return "an input of the history model is not there";
        }
    }
    return NULL;
}

/* ---- weighing ---- */

static void name_models(const struct score *self, const struct score_case *of,
                        struct score_result *result)
{
    float inputs[FUSION_INPUTS];
    score_name_model(result, self->fusion_model.name, self->fusion_model.sha256);
    if (of->declared.known) {
        score_name_model(result, self->history_model.name, self->history_model.sha256);
    }
    for (uint32_t i = 0; i < of->sight.used_count; i++) {
        score_name_model(result, of->sight.used[i]->name, of->sight.used[i]->sha256);
    }
    if (of->sight.emptiness_asked) {
        score_name_model(result, EMPTINESS_NAME, self->emptiness.sha256);
    }
    const struct consistency_model *compared_by = of->sight.compared_by;
    if (compared_by != NULL) {
        score_name_model(result, compared_by->name, compared_by->sha256);
    }
    score_case_to_inputs(of, &result->score, inputs);
    score_put_inputs(result, 0, inputs, of->fusion_count);
    if (of->declared.known) {
        score_put_inputs(result, 1, of->history, of->history_count);
    }
    if (compared_by != NULL) {
        float measures[CONSISTENCY_INPUTS];
        consistency_inputs(of->declared_chapter, &of->sight.load, measures);
        score_put_inputs(result, score_model_position(&result->score, compared_by->name), measures,
                         CONSISTENCY_INPUTS);
    }
}

static void add_quality(const struct score_case *of, struct score_result *result)
{
    bool declared = of->declared.known;
    bool seen = of->sight.usable_count > 0;
    double value = !declared ? of->sight.quality
                   : seen    ? 0.5 * (of->sight.quality + of->declaration_quality)
                             : of->declaration_quality;
    result->score.quality = seen || declared ? value : 0;
    bool lacks = declared && of->declaration_lacks[0] != '\0';
    bool poor = seen && of->image_words[0] != '\0';
    fusion_add(result, "quality", 0, "data quality %.2f%s%.60s%s%.60s", result->score.quality,
               lacks ? ": declaration lacks " : "", lacks ? of->declaration_lacks : "",
               poor ? (lacks ? "; image: " : ": image: ") : "", poor ? of->image_words : "");
}

/* An item that nothing can be said about keeps its reasons but has no probability: policy decides
 * what becomes of it. */
static void declare_unscorable(const struct score_sight *sight, struct score_result *result)
{
    const char *why = sight->scans_count == 0 ? "neither scan nor declaration"
                      : sight->usable_count == 0
                          ? "no declaration, and no image of its scans can be used"
                          : "no declaration, and no appearance model fits its scans";
    (void)snprintf(result->unscorable, sizeof result->unscorable, "%s", why);
    result->score.unscorable = result->unscorable;
    for (uint32_t i = 0; i < result->score.contributions_count; i++) {
        result->score.contributions[i].logit = 0;
    }
    result->score.logit = 0;
    result->score.probability = 0;
}

void score_weigh(const struct score *self, const struct score_case *of, struct score_result *result)
{
    fusion_start(result);
    name_models(self, of, result);
    score_weigh_history(self, of, result);
    score_weigh_images(self, of, result);
    add_quality(of, result);
    fusion_finish(result);
    if (!of->declared.known && of->sight.judged_by == NULL && isnan(of->sight.finder_logit)) {
        declare_unscorable(&of->sight, result);
    }
}
