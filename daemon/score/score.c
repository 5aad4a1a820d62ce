/* SPDX-License-Identifier: Apache-2.0 */
#include "score/score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "kernels/blas.h"
#include "score/score_parts.h"
#include "score/tile_permission.h"

/* An item is scored by itself, whatever else is in its batch: the kernels give the same bits for
 * every batch, and nothing is carried from one item to the next. */

static const char history_name[] = "history";
static const char fusion_name[] = "fusion";

static void name_builtin(struct score_model *model, const char *name, const double *constants,
                         uint32_t count)
{
    *model = (struct score_model){.builtin = true};
    (void)snprintf(model->name, sizeof model->name, "%s", name);
    fusion_builtin_sha256(name, constants, count, model->sha256);
}

static void forget_trees(struct score *self);

static void install_builtin_history(struct score *self)
{
    const struct history_weights *h = &history_weights_builtin;
    double constants[HISTORY_LINEAR_KINDS + 5];
    constants[0] = h->intercept;
    memcpy(constants + 1, h->coefficients, sizeof h->coefficients);
    constants[HISTORY_LINEAR_KINDS + 1] = h->shrinkage;
    constants[HISTORY_LINEAR_KINDS + 2] = h->half_life_days;
    constants[HISTORY_LINEAR_KINDS + 3] = h->prior;
    constants[HISTORY_LINEAR_KINDS + 4] = h->prior_exams;
    name_builtin(&self->history_model, "builtin/history", constants, HISTORY_LINEAR_KINDS + 5);
}

static void install_builtin_fusion(struct score *self)
{
    double weights[FUSION_WEIGHTS];
    self->fusion = fusion_weights_builtin;
    fusion_to_array(&self->fusion, weights);
    name_builtin(&self->fusion_model, "builtin/fusion", weights, FUSION_WEIGHTS);
}

void score_install_builtin(struct score *self, const char *name)
{
    if (strcmp(name, history_name) == 0) {
        history_uninstall(&self->history);
        forget_trees(self);
        install_builtin_history(self);
    } else {
        must(strcmp(name, fusion_name) == 0);
        install_builtin_fusion(self);
    }
}

MUST_USE struct err score_open(const struct score_conf *conf, struct score **out)
{
    if (conf->image_bytes_max == 0) {
        return err_make(ERR_ARGUMENT, "score_open: image bytes");
    }
    struct score *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "score_open");
    }
    self->image_bytes_max = conf->image_bytes_max;
    self->working_height = conf->working_height;
    self->shadow = conf->shadow;
    self->has_pseudonym_key = conf->pseudonym_key != NULL;
    if (self->has_pseudonym_key) {
        memcpy(self->pseudonym_key, conf->pseudonym_key, HASH_BYTES);
    }
    struct err err = working_init(&self->working, conf->working_height);
    err = err_is(err)
              ? err
              : appearance_space_init(&self->space, (size_t)conf->working_height * WORKING_ASPECT,
                                      conf->working_height);
    err = err_is(err) ? err : lump_space_init(&self->lump);
    err = err_is(err) ? err : cargo_space_init(&self->cargo, conf->working_height);
    err = err_is(err) ? err : consistency_space_init(&self->cargo_measures, conf->working_height);
    err = err_is(err) ? err : image_quality_init(&self->quality);
    err = err_is(err) ? err : history_init(&self->history, conf->history_slots);
    if (err_is(err)) {
        score_close(&self);
        return err;
    }
    install_builtin_history(self);
    install_builtin_fusion(self);
    history_kind_names(self->history_inputs, sizeof self->history_inputs);
    blas_use_one_thread();
    tile_permission_ask();
    *out = self;
    return err_none;
}

void score_close(struct score **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*self)->appearances_count; i++) {
        appearance_model_fini(&(*self)->appearances[i]);
    }
    for (uint32_t i = 0; i < (*self)->consistencies_count; i++) {
        consistency_model_fini(&(*self)->consistencies[i]);
    }
    consistency_space_fini(&(*self)->cargo_measures);
    working_fini(&(*self)->working);
    appearance_space_fini(&(*self)->space);
    finder_line_fini(&(*self)->finder);
    dome_line_fini(&(*self)->dome);
    lump_space_fini(&(*self)->lump);
    cargo_space_fini(&(*self)->cargo);
    image_quality_fini(&(*self)->quality);
    history_fini(&(*self)->history);
    declaration_model_fini(&(*self)->trees);
    explicit_bzero((*self)->pseudonym_key, HASH_BYTES);
    free((*self)->judged);
    free(*self);
    *self = NULL;
}

const struct appearance_model *score_appearance_of(const struct score *self,
                                                   const char *scanner_type)
{
    for (uint32_t i = 0; i < self->appearances_count; i++) {
        const struct appearance_model *model = &self->appearances[i];
        if (strcmp(model->name + strlen(APPEARANCE_PREFIX), scanner_type) == 0) {
            bool there =
                self->replayed == NULL ||
                score_model_position(self->replayed, model->name) < self->replayed->models_count;
            return there ? model : NULL;
        }
    }
    return NULL;
}

const struct emptiness_model *score_emptiness(const struct score *self)
{
    bool there = self->has_emptiness &&
                 (self->replayed == NULL || score_model_position(self->replayed, EMPTINESS_NAME) <
                                                self->replayed->models_count);
    return there ? &self->emptiness : NULL;
}

static struct err install_appearance(struct score *self, const struct model_file *file)
{
    struct appearance_model model;
    struct err err = appearance_read(file, &model);
    if (err_is(err)) {
        return err;
    }
    if (model.working_height > self->working_height) {
        appearance_model_fini(&model);
        return err_make(ERR_MODEL_UNREADABLE,
                        "appearance model: trained at a greater working height than is set");
    }
    err = model.has_finder ? finder_line_fit(&self->finder, &model.finder) : err_none;
    err = err_is(err) || !model.dome.present ? err : dome_line_fit(&self->dome);
    if (err_is(err)) {
        appearance_model_fini(&model);
        return err;
    }
    uint32_t at = 0;
    while (at < self->appearances_count && strcmp(self->appearances[at].name, model.name) != 0) {
        at++;
    }
    if (at == SCORE_APPEARANCES_MAX) {
        appearance_model_fini(&model);
        return err_make(ERR_ARGUMENT, "more scanner types than SCORE_MODELS_MAX allows");
    }
    if (at < self->appearances_count) {
        appearance_model_fini(&self->appearances[at]);
    } else {
        self->appearances_count++;
    }
    self->appearances[at] = model;
    return err_none;
}

static void name_installed(struct score_model *model, const char *name,
                           const struct model_file *file)
{
    *model = (struct score_model){.builtin = false};
    (void)snprintf(model->name, sizeof model->name, "%s", name);
    memcpy(model->sha256, file->sha256, HASH_BYTES);
}

static void forget_trees(struct score *self)
{
    declaration_model_fini(&self->trees);
    self->has_trees = false;
    history_kind_names(self->history_inputs, sizeof self->history_inputs);
}

static struct err install_trees(struct score *self, const struct model_file *file)
{
    struct declaration_model trees;
    if (self->judged == NULL) {
        self->judged = malloc(sizeof *self->judged);
    }
    if (self->judged == NULL) {
        return err_make(ERR_MEMORY, "scores of declarations");
    }
    struct err err = declaration_model_read(file, &trees);
    if (err_is(err)) {
        return err;
    }
    err = declaration_model_counts(file, &self->history);
    if (err_is(err)) {
        declaration_model_fini(&trees);
        return err;
    }
    forget_trees(self);
    self->trees = trees;
    self->has_trees = true;
    declaration_input_names(&self->trees.lines, self->history_inputs);
    return err_none;
}

/* The place "history" takes a linear model or one of trees. */
static struct err install_history(struct score *self, const struct model_file *file)
{
    const char *kind = model_file_text(file, "kind");
    bool trees = kind != NULL && strcmp(kind, DECLARATION_MODEL_KIND) == 0;
    struct err err = trees ? install_trees(self, file) : history_install(&self->history, file);
    if (!err_is(err)) {
        if (!trees) {
            forget_trees(self);
        }
        name_installed(&self->history_model, history_name, file);
    }
    return err;
}

static struct err install_file(struct score *self, const char *name, const struct model_file *file)
{
    struct err err = err_none;
    if (strcmp(name, history_name) == 0) {
        return install_history(self, file);
    }
    if (strcmp(name, fusion_name) == 0) {
        err = fusion_read(file, &self->fusion);
        if (!err_is(err)) {
            name_installed(&self->fusion_model, fusion_name, file);
        }
        return err;
    }
    if (strcmp(name, EMPTINESS_NAME) == 0) {
        err = emptiness_read(file, &self->emptiness);
        self->has_emptiness = self->has_emptiness || !err_is(err);
        return err;
    }
    if (strncmp(name, APPEARANCE_PREFIX, strlen(APPEARANCE_PREFIX)) == 0) {
        return install_appearance(self, file);
    }
    if (strncmp(name, CONSISTENCY_PREFIX, strlen(CONSISTENCY_PREFIX)) == 0) {
        return score_install_consistency(self, file);
    }
    return err_make(ERR_MODEL_UNREADABLE, "model file: no place of that name");
}

MUST_USE struct err score_install(struct score *self, const char *path,
                                  const uint8_t wanted[HASH_BYTES], struct score_installed *what)
{
    struct model_file file;
    struct err err = model_file_read(path, wanted, &file);
    if (err_is(err)) {
        return err;
    }
    const char *name = model_file_text(&file, "name");
    const char *evaluation = model_file_text(&file, "evaluation");
    if (name == NULL || evaluation == NULL) {
        err = err_make(ERR_MODEL_UNREADABLE, "model file: name or evaluation is missing");
    }
    err = err_is(err) ? err : install_file(self, name, &file);
    if (!err_is(err) && what != NULL) {
        memset(what, 0, sizeof *what);
        (void)snprintf(what->name, sizeof what->name, "%s", name);
        (void)snprintf(what->evaluation, sizeof what->evaluation, "%s", evaluation);
        what->file_bytes = file.file_bytes;
    }
    model_file_fini(&file);
    return err;
}

uint32_t score_models(const struct score *self, struct entry_model *out)
{
    uint32_t count = 0;
    const struct score_model *const models[] = {&self->history_model, &self->fusion_model};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        out[count].name = models[i]->name;
        memcpy(out[count].sha256, models[i]->sha256, HASH_BYTES);
        count++;
    }
    for (uint32_t i = 0; i < self->appearances_count; i++) {
        out[count].name = self->appearances[i].name;
        memcpy(out[count].sha256, self->appearances[i].sha256, HASH_BYTES);
        count++;
    }
    if (self->has_emptiness) {
        out[count].name = EMPTINESS_NAME;
        memcpy(out[count].sha256, self->emptiness.sha256, HASH_BYTES);
        count++;
    }
    for (uint32_t i = 0; i < self->consistencies_count; i++) {
        out[count].name = self->consistencies[i].name;
        memcpy(out[count].sha256, self->consistencies[i].sha256, HASH_BYTES);
        count++;
    }
    must(count <= SCORE_MODELS_MAX);
    return count;
}

/* judged: where the item's declarations begin in self->judged. */
static void score_item(struct score *self, const struct score_input *input, uint32_t judged,
                       struct score_result *result)
{
    must(input->declarations_count <= SCORE_PARTS_MAX && input->scans_count <= SCORE_PARTS_MAX);
    struct score_case *subject = &self->subject;
    *subject = (struct score_case){
        .worded = true, .fusion_count = FUSION_INPUTS, .working_height = self->working_height};
    if (self->has_trees) {
        subject->risks = &self->judged->risks[judged];
        subject->risk_parts = &self->judged->parts[judged];
    }
    subject->declared_chapter = hs_chapter_declared(input->declarations, input->declarations_count);
    score_gather_declarations(self, input, subject);
    score_gather_images(self, input, subject);
    score_weigh(self, subject, result);
}

void score_items(struct score *self, const struct score_input *inputs, struct score_result *results,
                 uint32_t count)
{
    uint32_t ahead = 0; /* items whose declarations have been judged */
    uint32_t judged = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (self->has_trees && i == ahead) {
            ahead += score_judge_trees(self, inputs + i, count - i);
            judged = 0;
        }
        score_item(self, &inputs[i], judged, &results[i]);
        judged += inputs[i].declarations_count;
    }
}

void score_history_learn(struct score *self, const struct declaration *declaration, bool found,
                         int64_t t_ns)
{
    uint64_t before = self->history.live.dropped;
    history_learn(&self->history, declaration, found, t_ns, self->keys);
    if (self->shadow) {
        return;
    }
    counter_set(COUNTER_history_dropped, self->history.live.dropped);
    if (before == 0 && self->history.live.dropped > 0) {
        diag_warn(history,
                  "full=1 slots=%llu: what is new in outcomes is not learnt; raise "
                  "judge.history_slots or train a newer model",
                  (unsigned long long)self->history.live.slots);
    }
}

void score_history_reset(struct score *self)
{
    history_table_reset(&self->history.live);
    if (!self->shadow) {
        counter_set(COUNTER_history_dropped, 0);
    }
}

MUST_USE struct err score_anomaly_map(struct score *self, const struct scan *scan,
                                      uint32_t image_index, const uint8_t *pixels, float **map,
                                      uint32_t *map_width, uint32_t *map_height)
{
    if (image_index >= scan->images_count || pixels == NULL) {
        return err_make(ERR_ARGUMENT, "score_anomaly_map");
    }
    const struct image *image = &scan->images[image_index];
    const struct appearance_model *model = score_appearance_of(self, scan->scanner_type);
    if (model == NULL) {
        return err_make(ERR_NOT_FOUND, "appearance model of this scanner type");
    }
    if (working_refusal(image, self->image_bytes_max) != NULL ||
        working_calibration(image).meaning != model->meaning) {
        return err_make(ERR_IMAGE_UNREADABLE, "score_anomaly_map");
    }
    struct working working;
    struct appearance_finding finding;
    working_make(&self->working, image, pixels, model->working_height, &working);
    appearance_run(&self->space, model, &working, &finding);
    size_t cells = finding.map_width * finding.map_height;
    float *copy = malloc(cells * sizeof *copy);
    if (copy == NULL) {
        return err_make(ERR_MEMORY, "score_anomaly_map");
    }
    for (size_t i = 0; i < cells; i++) {
        copy[i] = isnan(finding.map[i]) ? 0.0f : finding.map[i];
    }
    *map = copy;
    *map_width = (uint32_t)finding.map_width;
    *map_height = (uint32_t)finding.map_height;
    return err_none;
}
