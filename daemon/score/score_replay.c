/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "score/score_parts.h"

/* A replay sees what an outsider sees: no declaration, no history, only the inputs that the log
 * holds, the models that the score names, and pixels. */

static bool is_installed(const struct score_model *model, const struct entry_model *named)
{
    return strcmp(model->name, named->name) == 0 && hash_equal(model->sha256, named->sha256);
}

static bool appearance_is_installed(const struct score *self, const struct entry_model *named)
{
    for (uint32_t i = 0; i < self->appearances_count; i++) {
        if (strcmp(self->appearances[i].name, named->name) == 0) {
            return hash_equal(self->appearances[i].sha256, named->sha256);
        }
    }
    return false;
}

static bool emptiness_is_installed(const struct score *self, const struct entry_model *named)
{
    return self->has_emptiness && strcmp(named->name, EMPTINESS_NAME) == 0 &&
           hash_equal(self->emptiness.sha256, named->sha256);
}

static bool consistency_is_installed(const struct score *self, const struct entry_model *named)
{
    for (uint32_t i = 0; i < self->consistencies_count; i++) {
        if (strcmp(self->consistencies[i].name, named->name) == 0) {
            return hash_equal(self->consistencies[i].sha256, named->sha256);
        }
    }
    return false;
}

static const char *check_models(const struct score *self, const struct entry_score *logged)
{
    for (uint32_t i = 0; i < logged->models_count; i++) {
        const struct entry_model *named = &logged->models[i];
        if (!is_installed(&self->fusion_model, named) &&
            !is_installed(&self->history_model, named) && !appearance_is_installed(self, named) &&
            !emptiness_is_installed(self, named) && !consistency_is_installed(self, named)) {
            return "a model that it names is not installed";
        }
    }
    return NULL;
}

/* Without images, the models that were asked are those that the score names. */
static void take_logged_sight(const struct score *self, const struct entry_score *logged,
                              struct score_sight *out)
{
    out->used_count = 0;
    for (uint32_t i = 0; i < logged->models_count; i++) {
        const char *name = logged->models[i].name;
        if (strncmp(name, APPEARANCE_PREFIX, strlen(APPEARANCE_PREFIX)) == 0 &&
            out->used_count < SCORE_PARTS_MAX) {
            out->used[out->used_count++] =
                score_appearance_of(self, name + strlen(APPEARANCE_PREFIX));
        }
    }
}

static const char *replay(struct score *self, const struct entry_score *logged,
                          const struct score_input *scans, struct score_result *result)
{
    struct score_case *subject = &self->subject;
    const char *why = check_models(self, logged);
    why = why != NULL ? why : score_case_from_inputs(self, logged, subject);
    if (why == NULL && subject->working_height > self->working_height) {
        why = "its images were looked at in a greater height than this scorer has room for";
    }
    if (why != NULL) {
        return why;
    }
    if (scans != NULL) {
        bool cargo_window = subject->sight.cargo_window;
        score_gather_images(self, scans, subject);
        if (scans->scans_count == 0) { /* the mode is that of the declaration, which is not here */
            subject->sight.cargo_window = cargo_window;
        }
    } else {
        take_logged_sight(self, logged, &subject->sight);
    }
    score_weigh(self, subject, result);
    if (scans == NULL) {
        memcpy(result->score.regions, logged->regions, sizeof logged->regions);
        result->score.regions_count = logged->regions_count;
    }
    return NULL;
}

bool score_replay(struct score *self, const struct entry_score *logged,
                  const struct score_input *scans, struct score_result *result, const char **why)
{
    self->replayed = logged;
    *why = replay(self, logged, scans, result);
    self->replayed = NULL;
    return *why == NULL;
}

uint32_t score_replay_height(const struct entry_score *logged)
{
    if (logged->inputs_count == 0 || logged->inputs[0].model != 0 ||
        fusion_inputs_names(logged->inputs[0].values_count) == NULL) {
        return 0;
    }
    float height = logged->inputs[0].values[FUSION_WORKING_HEIGHT];
    bool sound = height >= (float)WORKING_HEIGHT_MIN && height <= (float)WORKING_HEIGHT_MAX;
    return sound ? (uint32_t)height : 0;
}

const char *score_input_names(const struct score *self, const struct entry_score *score,
                              uint32_t inputs_index)
{
    const struct entry_inputs *inputs = &score->inputs[inputs_index];
    const char *name = score->models[inputs->model].name;
    if (strcmp(name, self->fusion_model.name) == 0) {
        return fusion_inputs_names(inputs->values_count);
    }
    if (strcmp(name, self->history_model.name) == 0 &&
        inputs->values_count == score_history_inputs(self)) {
        return self->history_inputs;
    }
    if (strncmp(name, CONSISTENCY_PREFIX, strlen(CONSISTENCY_PREFIX)) == 0 &&
        inputs->values_count == CONSISTENCY_INPUTS) {
        return consistency_inputs_names;
    }
    return NULL;
}
