/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_consistency.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "score/train_consistency_fit.h"

/* Five folds: every scan's answer is given by a fit that has not seen it, so the lists of answers
 * are those of new normal scans. The file's own places are fitted on all. */

static const float table_step = 0.125f; /* times CONSISTENCY_TABLE_ROWS: up to A = 8 */

struct train_consistency {
    struct train_consistency_conf conf;
    char scanner_type[RECORD_NAME_BYTES_MAX + 1];
    struct working_space working;
    struct cargo_space boxes;
    struct consistency_space space;
    struct material_table table;
    bool has_table;
    bool has_meaning;
    enum image_meaning meaning;
    enum consistency_material material;
    struct sha256 *training_set;
    struct consistency_row *rows;
    uint32_t count;
    uint32_t capacity;
    uint32_t of_chapter[HS_CHAPTERS];
};

static struct err make_table(struct train_consistency *self)
{
    const size_t cells = (size_t)CONSISTENCY_TABLE_ROWS * CONSISTENCY_TABLE_COLUMNS;
    self->table =
        (struct material_table){.row_count = CONSISTENCY_TABLE_ROWS,
                                .column_count = CONSISTENCY_TABLE_COLUMNS,
                                .attenuation_step = table_step,
                                .ratio_least = calloc(CONSISTENCY_TABLE_ROWS, sizeof(float)),
                                .ratio_most = calloc(CONSISTENCY_TABLE_ROWS, sizeof(float)),
                                .atomic_number = calloc(cells, sizeof(float)),
                                .areal_density = calloc(cells, sizeof(float))};
    if (self->table.ratio_least == NULL || self->table.ratio_most == NULL ||
        self->table.atomic_number == NULL || self->table.areal_density == NULL) {
        return err_make(ERR_MEMORY, "train_consistency_open");
    }
    self->has_table =
        material_tabulate_wedge(self->conf.wedge, self->conf.wedge_count, &self->table);
    return self->has_table ? err_none
                           : err_make(ERR_ARGUMENT, "wedge: two steps at least of two materials, "
                                                    "by rising atomic number and attenuation, "
                                                    "whose ratios fall");
}

MUST_USE struct err train_consistency_open(const struct train_consistency_conf *conf,
                                           struct train_consistency **out)
{
    if (conf->scanner_type == NULL || conf->scanner_type[0] == '\0' ||
        strlen(conf->scanner_type) > RECORD_NAME_BYTES_MAX ||
        strlen(conf->scanner_type) + sizeof CONSISTENCY_PREFIX > CONSISTENCY_NAME_BYTES) {
        return err_make(ERR_ARGUMENT, "train_consistency_open: scanner type");
    }
    struct train_consistency *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "train_consistency_open");
    }
    self->conf = *conf;
    (void)snprintf(self->scanner_type, sizeof self->scanner_type, "%s", conf->scanner_type);
    self->training_set = sha256_open();
    struct err err = working_init(&self->working, conf->working_height);
    err = err_is(err) ? err : cargo_space_init(&self->boxes, conf->working_height);
    err = err_is(err) ? err : consistency_space_init(&self->space, conf->working_height);
    err = err_is(err) || conf->wedge == NULL ? err : make_table(self);
    if (err_is(err)) {
        train_consistency_close(&self);
        return err;
    }
    for (size_t i = 0; conf->wedge != NULL && i < conf->wedge_count; i++) {
        const struct material_step *step = &conf->wedge[i];
        const double numbers[4] = {step->atomic_number, step->areal_density, step->low, step->high};
        sha256_add(self->training_set, numbers, sizeof numbers);
    }
    *out = self;
    return err_none;
}

void train_consistency_close(struct train_consistency **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    working_fini(&(*self)->working);
    cargo_space_fini(&(*self)->boxes);
    consistency_space_fini(&(*self)->space);
    sha256_close(&(*self)->training_set);
    free((*self)->table.ratio_least);
    free((*self)->table.ratio_most);
    free((*self)->table.atomic_number);
    free((*self)->table.areal_density);
    free((*self)->rows);
    free(*self);
    *self = NULL;
}

static struct err reserve(struct train_consistency *self)
{
    if (self->count < self->capacity) {
        return err_none;
    }
    if (self->count == TRAIN_CONSISTENCY_SCANS_MAX) {
        return err_make(ERR_ARGUMENT, "train_consistency_add: too many scans");
    }
    uint32_t capacity = 2 * self->capacity + 256;
    struct consistency_row *rows = realloc(self->rows, capacity * sizeof *rows);
    if (rows == NULL) {
        return err_make(ERR_MEMORY, "train_consistency_add");
    }
    self->rows = rows;
    self->capacity = capacity;
    return err_none;
}

static bool has_low(const struct train_image *image)
{
    const struct image *low = image->low_image;
    return low != NULL && image->low_pixels != NULL && working_refusal(low, UINT64_MAX) == NULL &&
           low->width == image->image->width && low->height == image->image->height &&
           low->meaning == image->image->meaning && low->meaning == PIXEL_TRANSMISSION;
}

static void digest(struct train_consistency *self, const struct train_image *image,
                   uint32_t chapter)
{
    const uint8_t of[2] = {(uint8_t)chapter, has_low(image)};
    uint64_t bytes =
        (uint64_t)image->image->width * image->image->height * (image->image->bits / 8);
    sha256_add(self->training_set, of, sizeof of);
    sha256_add(self->training_set, image->pixels, bytes);
    if (has_low(image)) {
        bytes = (uint64_t)image->low_image->width * image->low_image->height *
                (image->low_image->bits / 8);
        sha256_add(self->training_set, image->low_pixels, bytes);
    }
}

MUST_USE struct err train_consistency_add(struct train_consistency *self,
                                          const struct train_image *image, uint32_t chapter)
{
    must(chapter >= 1 && chapter < HS_CHAPTERS);
    if (image->pixels == NULL || working_refusal(image->image, UINT64_MAX) != NULL) {
        return err_make(ERR_IMAGE_UNREADABLE, "train_consistency_add");
    }
    struct err err = reserve(self);
    if (err_is(err)) {
        return err;
    }
    struct working working;
    working_make(&self->working, image->image, image->pixels, self->conf.working_height, &working);
    enum consistency_material material = !has_low(image)   ? CONSISTENCY_NONE
                                         : self->has_table ? CONSISTENCY_NUMBER
                                                           : CONSISTENCY_RATIO;
    if (self->has_meaning &&
        (self->meaning != working.calibration.meaning || self->material > material)) {
        return err_make(ERR_IMAGE_UNREADABLE, "train_consistency_add: another pixel meaning, or "
                                              "fewer energies, than the first image");
    }
    if (!self->has_meaning) {
        self->material = material;
    }
    const float *low =
        self->material != CONSISTENCY_NONE
            ? working_make_low(&self->working, image->low_image, image->low_pixels, &working)
            : NULL;
    struct consistency_row *row = &self->rows[self->count];
    memset(row, 0, sizeof *row);
    consistency_cargo_measure(&self->space, &self->boxes, &working, low,
                              self->has_table ? &self->table : NULL, &row->cargo);
    if (!row->cargo.seen) {
        return err_make(ERR_IMAGE_UNREADABLE, "train_consistency_add: no load is seen");
    }
    self->has_meaning = true;
    self->meaning = working.calibration.meaning;
    row->chapter = chapter;
    row->fold = self->of_chapter[chapter]++ % TRAIN_CONSISTENCY_FOLDS;
    digest(self, image, chapter);
    self->count++;
    return err_none;
}

/* ---- answers of held-out scans ---- */

struct answers {
    float *fit; /* NaN: none */
    float *number;
    float *strange_fit;
    float *strange_number;
    uint32_t nearest_right; /* own chapter the likeliest of all */
};

static struct err fit_init(const struct train_consistency *self, struct consistency_fit **out)
{
    struct consistency_fit *fit = calloc(1, sizeof *fit);
    if (fit == NULL) {
        return err_make(ERR_MEMORY, "consistency fit");
    }
    uint32_t f = self->material == CONSISTENCY_NONE ? CONSISTENCY_MATERIAL : CONSISTENCY_FEATURES;
    fit->model.feature_count = f;
    fit->model.material = self->material;
    fit->model.meaning = self->meaning;
    fit->model.working_height = self->conf.working_height;
    fit->model.whitening = calloc((size_t)f * f, sizeof(double));
    fit->model.places = calloc((size_t)HS_CHAPTERS * f, sizeof(double));
    *out = fit;
    bool got = fit->model.whitening != NULL && fit->model.places != NULL;
    return got ? err_none : err_make(ERR_MEMORY, "consistency fit");
}

static void fit_fini(struct consistency_fit **self)
{
    if (*self != NULL) {
        consistency_model_fini(&(*self)->model);
        free(*self);
        *self = NULL;
    }
}

static void answer_row(const struct consistency_fit *fit, const struct consistency_row *row,
                       uint32_t at, struct answers *out)
{
    const struct consistency_model *model = &fit->model;
    uint32_t c = row->chapter;
    double whitened[CONSISTENCY_FEATURES];
    double place[CONSISTENCY_FEATURES];
    double numbers[2];
    double number = (double)row->cargo.atomic_number;
    double error = (double)row->cargo.atomic_number_error;
    consistency_whiten(model, row->cargo.features, whitened);
    consistency_fit_stranger(fit, c, place, numbers);
    double own =
        consistency_fit_answer(model, whitened, c, model->places + (size_t)c * model->feature_count,
                               model->spreads[c], NULL);
    out->fit[at] = (float)own;
    out->strange_fit[at] = (float)consistency_fit_answer(model, whitened, c, place, 1, NULL);
    out->nearest_right += own < 0;
    out->number[at] = NAN;
    out->strange_number[at] = NAN;
    if (isfinite(number) && isfinite(error)) {
        out->number[at] = (float)consistency_number_answer(model->numbers[c], number, error);
        out->strange_number[at] = (float)consistency_number_answer(numbers, number, error);
    }
}

static struct err answer_folds(const struct train_consistency *self, struct answers *out)
{
    struct consistency_fit *fit = NULL;
    struct err err = fit_init(self, &fit);
    for (uint32_t fold = 0; fold < TRAIN_CONSISTENCY_FOLDS && !err_is(err); fold++) {
        err = consistency_fit_rows(fit, self->rows, self->count, fold);
        for (uint32_t i = 0; i < self->count && !err_is(err); i++) {
            if (self->rows[i].fold == fold) {
                answer_row(fit, &self->rows[i], i, out);
            }
        }
    }
    fit_fini(&fit);
    return err;
}

static int by_value(const void *a, const void *b)
{
    float first = *(const float *)a, second = *(const float *)b;
    return first < second ? -1 : first > second;
}

/* Sorted within chapters into out->answers, and all strangers; NaN are left out. Without answers
 * there are no strangers either: a reader refuses a list of them alone. */
static struct err hold(const struct train_consistency *self, const float *answers,
                       const float *strangers, struct consistency_held *out)
{
    out->answers = calloc((size_t)self->count + 1, sizeof(float));
    out->strangers = calloc((size_t)self->count + 1, sizeof(float));
    if (out->answers == NULL || out->strangers == NULL) {
        return err_make(ERR_MEMORY, "answers of held-out scans");
    }
    uint32_t used = 0;
    for (uint32_t c = 0; c < HS_CHAPTERS; c++) {
        out->first[c] = used;
        for (uint32_t i = 0; i < self->count; i++) {
            if (self->rows[i].chapter == c && isfinite(answers[i])) {
                out->answers[used++] = answers[i];
            }
        }
        qsort(out->answers + out->first[c], used - out->first[c], sizeof(float), by_value);
    }
    out->first[HS_CHAPTERS] = used;
    for (uint32_t i = 0; used > 0 && i < self->count; i++) {
        if (isfinite(strangers[i])) {
            out->strangers[out->strangers_count++] = strangers[i];
        }
    }
    qsort(out->strangers, out->strangers_count, sizeof(float), by_value);
    return err_none;
}

MUST_USE struct err train_consistency_write(struct train_consistency *self, const char *directory,
                                            struct train_report *report)
{
    size_t room = (size_t)self->count + 1;
    struct answers answers = {.fit = calloc(room, sizeof(float)),
                              .number = calloc(room, sizeof(float)),
                              .strange_fit = calloc(room, sizeof(float)),
                              .strange_number = calloc(room, sizeof(float))};
    struct consistency_fit *fit = NULL;
    bool got = answers.fit != NULL && answers.number != NULL && answers.strange_fit != NULL &&
               answers.strange_number != NULL;
    struct err err = got ? fit_init(self, &fit) : err_make(ERR_MEMORY, "train_consistency_write");
    err = err_is(err) ? err : answer_folds(self, &answers);
    err = err_is(err) ? err
                      : consistency_fit_rows(fit, self->rows, self->count, TRAIN_CONSISTENCY_ALL);
    if (!err_is(err)) {
        err = hold(self, answers.fit, answers.strange_fit, &fit->model.fit);
        err = err_is(err) ? err
                          : hold(self, answers.number, answers.strange_number, &fit->model.number);
    }
    if (!err_is(err)) {
        struct consistency_written about = {.scanner_type = self->scanner_type,
                                            .seed = self->conf.seed,
                                            .scans = self->count,
                                            .nearest_right = answers.nearest_right};
        sha256_finish(self->training_set, about.training_set_sha256);
        fit->model.table = self->table; /* lent for the writing */
        err = consistency_write(&fit->model, &about, directory, report);
        fit->model.table = (struct material_table){.row_count = 0};
    }
    fit_fini(&fit);
    free(answers.fit);
    free(answers.number);
    free(answers.strange_fit);
    free(answers.strange_number);
    return err;
}
