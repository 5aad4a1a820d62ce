/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/blas.h"
#include "kernels/logistic.h"
#include "score/fusion.h"
#include "score/history.h"
#include "score/train_fit.h"
#include "score/train_model.h"

/* The table is learnt as the daemon learns it, row after row; the features of a row are read before
 * it and before all rows of the same time. So the fit sees what scoring will see, the newcomers of
 * every day included. */

#define ROWS_MAX (UINT64_C(1) << 19)    /* of the fit: the newest; 52 MB of features */
#define PENDING_MAX (UINT64_C(1) << 24) /* keys of rows of one time */
#define TRAIN_SLOTS UINT64_C(65536)

static const double half_life_ns = 730.0 * 86400e9;

struct pending_key {
    uint64_t key;
    bool found;
};

struct train_history {
    uint64_t seed;
    struct history history; /* its live table is what is being learnt */
    struct sha256 *training_set;
    float
        *features; /* [ROWS_MAX or fewer x HISTORY_LINEAR_KINDS], a ring when ROWS_MAX is reached */
    uint8_t *labels;
    uint64_t rows_capacity;
    uint64_t rows_count; /* all that were added */
    uint64_t finds_count;
    struct pending_key *pending;
    uint64_t pending_capacity;
    uint64_t pending_count;
    int64_t pending_ns;
    uint64_t keys[HISTORY_KEYS_MAX];
};

MUST_USE struct err train_history_open(uint64_t seed, struct train_history **out)
{
    struct train_history *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "train_history_open");
    }
    blas_use_one_thread(); /* how a product is split over threads changes its last bits */
    struct err err = history_init(&self->history, TRAIN_SLOTS);
    if (err_is(err)) {
        free(self);
        return err;
    }
    /* Half an exam: on the public declarations smaller and larger ones rank worse on later months
     * (MODELS.md). With unit weights a line whose entities speak loudest is the one that stands for
     * its declaration. */
    self->history.weights.shrinkage = 0.5;
    self->history.weights.intercept = 0;
    for (uint32_t kind = 0; kind < HISTORY_LINEAR_KINDS; kind++) {
        self->history.weights.coefficients[kind] = kind == HISTORY_ALL ? 0 : 1;
    }
    self->seed = seed;
    self->training_set = sha256_open();
    self->pending_ns = INT64_MIN;
    *out = self;
    return err_none;
}

void train_history_close(struct train_history **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    history_fini(&(*self)->history);
    sha256_close(&(*self)->training_set);
    free((*self)->features);
    free((*self)->labels);
    free((*self)->pending);
    free(*self);
    *self = NULL;
}

static struct err learn_pending(struct train_history *self)
{
    struct history_table *table = &self->history.live;
    for (uint64_t i = 0; i < self->pending_count; i++) {
        struct err err = history_table_reserve(table);
        if (err_is(err)) {
            return err;
        }
        history_table_learn(table, self->pending[i].key, self->pending[i].found, self->pending_ns,
                            half_life_ns);
    }
    self->pending_count = 0;
    return err_none;
}

static struct err pend(struct train_history *self, const struct declaration *declaration,
                       bool found)
{
    uint32_t count =
        history_keys(&self->history.key, declaration, HISTORY_LINEAR_KINDS, self->keys);
    if (count > PENDING_MAX - self->pending_count) {
        return err_make(ERR_ARGUMENT, "train_history_add: too many rows of one time");
    }
    if (self->pending_count + count > self->pending_capacity) {
        uint64_t capacity = self->pending_capacity * 2 + HISTORY_KEYS_MAX;
        struct pending_key *larger = realloc(self->pending, capacity * sizeof *larger);
        if (larger == NULL) {
            return err_make(ERR_MEMORY, "train_history_add");
        }
        self->pending = larger;
        self->pending_capacity = capacity;
    }
    for (uint32_t i = 0; i < count; i++) {
        self->pending[self->pending_count++] = (struct pending_key){self->keys[i], found};
    }
    return err_none;
}

static struct err reserve_row(struct train_history *self)
{
    if (self->rows_count < self->rows_capacity || self->rows_capacity == ROWS_MAX) {
        return err_none;
    }
    uint64_t capacity = self->rows_capacity == 0 ? 4096 : self->rows_capacity * 2;
    float *features = realloc(self->features, capacity * HISTORY_LINEAR_KINDS * sizeof *features);
    if (features == NULL) {
        return err_make(ERR_MEMORY, "train_history_add");
    }
    self->features = features;
    uint8_t *labels = realloc(self->labels, capacity);
    if (labels == NULL) {
        return err_make(ERR_MEMORY, "train_history_add");
    }
    self->labels = labels;
    self->rows_capacity = capacity;
    return err_none;
}

/* What the model depends on, in a form that does not depend on the machine. */
static void digest_row(struct train_history *self, bool found, int64_t t_ns, uint32_t keys_count)
{
    uint8_t bytes[9];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)((uint64_t)t_ns >> (8 * i));
    }
    bytes[8] = found;
    sha256_add(self->training_set, bytes, sizeof bytes);
    for (uint32_t k = 0; k < keys_count; k++) {
        for (int i = 0; i < 8; i++) {
            bytes[i] = (uint8_t)(self->keys[k] >> (8 * i));
        }
        sha256_add(self->training_set, bytes, 8);
    }
}

MUST_USE struct err train_history_add(struct train_history *self,
                                      const struct declaration *declaration, bool found,
                                      int64_t t_ns)
{
    if (t_ns < self->pending_ns) {
        return err_make(ERR_ARGUMENT, "train_history_add: not in the order of time");
    }
    struct err err = t_ns > self->pending_ns ? learn_pending(self) : err_none;
    err = err_is(err) ? err : reserve_row(self);
    if (err_is(err)) {
        return err;
    }
    self->pending_ns = t_ns;
    struct history_reading reading;
    history_read(&self->history, declaration, &reading);
    err = pend(self, declaration, found);
    if (err_is(err)) {
        return err;
    }
    digest_row(self, found, t_ns,
               history_keys(&self->history.key, declaration, HISTORY_LINEAR_KINDS, self->keys));
    uint64_t at = self->rows_count % ROWS_MAX;
    for (uint32_t kind = 0; kind < HISTORY_LINEAR_KINDS; kind++) {
        self->features[at * HISTORY_LINEAR_KINDS + kind] = (float)reading.features[kind];
    }
    self->labels[at] = found;
    self->rows_count++;
    self->finds_count += found;
    return err_none;
}

/* A ring that has gone round is turned so that the oldest row comes first. */
static struct err straighten(struct train_history *self)
{
    if (self->rows_count <= ROWS_MAX) {
        return err_none;
    }
    uint64_t first = self->rows_count % ROWS_MAX;
    float *features = malloc(ROWS_MAX * HISTORY_LINEAR_KINDS * sizeof *features);
    uint8_t *labels = malloc(ROWS_MAX);
    if (features == NULL || labels == NULL) {
        free(features);
        free(labels);
        return err_make(ERR_MEMORY, "train_history_write");
    }
    uint64_t tail = ROWS_MAX - first;
    memcpy(features, self->features + first * HISTORY_LINEAR_KINDS,
           tail * HISTORY_LINEAR_KINDS * sizeof *features);
    memcpy(features + tail * HISTORY_LINEAR_KINDS, self->features,
           first * HISTORY_LINEAR_KINDS * sizeof *features);
    memcpy(labels, self->labels + first, tail);
    memcpy(labels + tail, self->labels, first);
    free(self->features);
    free(self->labels);
    self->features = features;
    self->labels = labels;
    self->rows_count = ROWS_MAX;
    return err_none;
}

struct fitted {
    double coefficients[HISTORY_LINEAR_KINDS + 1];
    double scale;
    double offset;
    struct fit_figures figures; /* on the last fifth, by a model that has not seen it */
};

static struct fit_rows rows_between(const struct train_history *self, uint64_t from, uint64_t to)
{
    return (struct fit_rows){self->features + from * HISTORY_LINEAR_KINDS, self->labels + from,
                             to - from};
}

/* The first quarter only fills the table: there almost everybody is a newcomer, which is not how it
 * is later. */
static struct err fit_all(const struct train_history *self, struct fitted *out)
{
    uint64_t count = self->rows_count;
    uint64_t warm = count / 4;
    uint64_t late = count - count / 5;
    struct fit_rows early_rows = rows_between(self, warm, late);
    struct fit_rows late_rows = rows_between(self, late, count);
    double *logits = calloc(late_rows.rows_count + 1, sizeof *logits);
    if (logits == NULL) {
        return err_make(ERR_MEMORY, "train_history_write");
    }
    struct err err = fit_weights(&early_rows, out->coefficients);
    if (!err_is(err)) {
        fit_logits(&late_rows, out->coefficients, logits);
        err = fit_evaluate(logits, late_rows.labels, late_rows.rows_count, &out->figures);
        fit_calibration(logits, late_rows.labels, late_rows.rows_count, &out->scale, &out->offset);
    }
    free(logits);
    if (err_is(err)) {
        return err;
    }
    struct fit_rows all_rows = rows_between(self, warm, count);
    return fit_weights(&all_rows, out->coefficients);
}

static struct err add_weights(const struct train_history *self, const struct fitted *fitted,
                              struct model_file *file)
{
    const struct history_weights *weights = &self->history.weights;
    double values[1 + HISTORY_LINEAR_KINDS];
    values[0] = fitted->coefficients[HISTORY_LINEAR_KINDS];
    memcpy(values + 1, fitted->coefficients, HISTORY_LINEAR_KINDS * sizeof(double));
    const double constants[4] = {weights->shrinkage, weights->half_life_days, weights->prior,
                                 weights->prior_exams};
    const uint64_t values_count = 1 + HISTORY_LINEAR_KINDS;
    const uint64_t constants_count = 4;
    struct err err = model_file_add(file, "weights", MODEL_F64, &values_count, 1, values);
    err = err_is(err)
              ? err
              : model_file_add(file, "constants", MODEL_F64, &constants_count, 1, constants);
    err = err_is(err) ? err : model_file_add_text(file, "kinds_version", HISTORY_LINEAR_VERSION);
    char inputs[HISTORY_NAMES_BYTES];
    history_kind_names(inputs, sizeof inputs);
    return err_is(err) ? err : model_file_add_text(file, "inputs", inputs);
}

static struct err write_history(const struct train_history *self, const struct fitted *fitted,
                                const struct train_model *model, const char *directory,
                                struct train_report *report)
{
    struct model_file file;
    model_file_init(&file);
    struct err err = add_weights(self, fitted, &file);
    err = err_is(err) ? err : history_table_write(&self->history.live, &file);
    err = err_is(err) ? err : train_model_write(model, &file, directory, report);
    model_file_fini(&file);
    return err;
}

static struct err write_fusion(const struct fitted *fitted, const struct train_model *model,
                               const char *directory, struct train_report *report)
{
    struct fusion_weights weights = fusion_weights_builtin;
    weights.history_scale = fitted->scale;
    weights.intercept = fitted->offset;
    double values[FUSION_WEIGHTS];
    fusion_to_array(&weights, values);
    const uint64_t values_count = FUSION_WEIGHTS;
    struct model_file file;
    model_file_init(&file);
    struct err err = model_file_add(&file, "weights", MODEL_F64, &values_count, 1, values);
    err = err_is(err) ? err : model_file_add_text(&file, "inputs", fusion_inputs_text);
    err = err_is(err) ? err : train_model_write(model, &file, directory, report);
    model_file_fini(&file);
    return err;
}

MUST_USE struct err train_history_write(struct train_history *self, const char *directory,
                                        struct train_report *history_report,
                                        struct train_report *fusion_report)
{
    if (self->rows_count == 0) {
        return err_make(ERR_ARGUMENT, "train_history_write: no rows");
    }
    struct err err = learn_pending(self);
    err = err_is(err) ? err : straighten(self);
    struct fitted fitted;
    err = err_is(err) ? err : fit_all(self, &fitted);
    if (err_is(err)) {
        return err;
    }
    const struct fit_figures *figures = &fitted.figures;
    char evaluation[1024];
    (void)snprintf(evaluation, sizeof evaluation,
                   "rows %" PRIu64 ", finds %" PRIu64 ", entities %" PRIu64 "; last fifth (%" PRIu64
                   " rows, %" PRIu64
                   " finds) by weights that had not seen it: precision at 5%% %.3f, at "
                   "10%% %.3f, AUC %.3f, log loss %.4f; "
                   "calibration scale %.3f, offset %+.3f",
                   self->rows_count, self->finds_count, self->history.live.used,
                   figures->rows_count, figures->finds_count, figures->precision_5,
                   figures->precision_10, figures->auc, figures->loss, fitted.scale, fitted.offset);
    struct train_model model = {
        .name = "history", .kind = "history", .seed = self->seed, .evaluation = evaluation};
    sha256_finish(self->training_set, model.training_set_sha256);
    struct train_report history_written;
    err = write_history(self, &fitted, &model, directory, &history_written);
    model.name = "fusion";
    model.kind = "fusion";
    struct train_report fusion_written;
    err = err_is(err) ? err : write_fusion(&fitted, &model, directory, &fusion_written);
    if (err_is(err)) {
        return err;
    }
    *history_report = history_written;
    *fusion_report = fusion_written;
    return err_none;
}
