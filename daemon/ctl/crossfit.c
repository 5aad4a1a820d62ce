/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/crossfit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/crossfit_bank.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "kernels/logistic.h"
#include "kernels/statistics.h"

bool crossfit_open(const struct marked_images *images, struct crossfit *out)
{
    size_t count = images->set.image_count;
    size_t marks = count * FINDER_BOXES_MAX + 1;
    *out = (struct crossfit){.marks = calloc(marks, sizeof *out->marks),
                             .everywhere = calloc(marks, sizeof *out->everywhere),
                             .covered = calloc(count + 1, 1)};
    bool good = out->marks != NULL && out->everywhere != NULL && out->covered != NULL;
    if (!good) {
        ctl_refuse("no memory");
        crossfit_fini(out);
    }
    return good;
}

/* Behind the `count` that are there; frees what was found. */
static void append(struct froc_mark *found, uint32_t found_count, struct froc_mark *marks,
                   uint32_t *count)
{
    if (found_count > 0) {
        memcpy(marks + *count, found, found_count * sizeof *found);
        *count += found_count;
    }
    free(found);
}

static bool add_marks(const struct marked_images *images, const struct finder_model *finder,
                      const struct marked_choice *choice, struct marked_cells *cells,
                      struct froc_mark *marks, uint32_t *count)
{
    struct froc_mark *found = NULL;
    uint32_t found_count = 0;
    if (!marked_images_find(images, finder, choice, cells, &found, &found_count)) {
        return false;
    }
    append(found, found_count, marks, count);
    return true;
}

bool crossfit_score(const struct marked_images *images, const struct image_folder *folder,
                    struct image_scorer *scorer, const struct marked_choice *choice,
                    struct crossfit *out)
{
    struct froc_mark *found = NULL;
    uint32_t found_count = 0;
    if (!marked_images_score(images, folder, scorer, choice, &found, &found_count)) {
        return false;
    }
    append(found, found_count, out->marks, &out->mark_count);
    return true;
}

bool crossfit_find(const struct marked_images *images, const struct finder_model *finder,
                   const struct marked_choice *choice, struct crossfit *out)
{
    if (finder->gate.depth == 0) {
        return add_marks(images, finder, choice, &out->cells, out->marks, &out->mark_count);
    }
    struct finder_model everywhere = *finder; /* borrows; cells that are cold tell nothing */
    everywhere.gate.depth = 0;
    out->gated = true;
    return add_marks(images, finder, choice, NULL, out->marks, &out->mark_count) &&
           add_marks(images, &everywhere, choice, &out->cells, out->everywhere,
                     &out->everywhere_count);
}

/* Adds one part's marks, by a model that never sees one. */
static bool score_part(const struct marked_images *images, const struct crossfit_conf *conf,
                       const uint8_t *taken, struct crossfit *out)
{
    const struct marked_choice choice = {taken, 0};
    struct image_scorer *scorer = NULL;
    bool good = crossfit_bank_learn(images, conf->bank, conf->seed, &choice, &scorer) &&
                crossfit_score(images, conf->bank->folder, scorer, &choice, out);
    image_scorer_close(&scorer);
    return good;
}

/* The same by a finder. */
static bool find_part(const struct marked_images *images, const struct crossfit_conf *conf,
                      uint32_t part, const uint8_t *taken, struct crossfit *out)
{
    char what[64];
    const bool keeps = conf->kept != NULL;
    (void)snprintf(what, sizeof what, "part %u of %u held out", part + 1, conf->folds);
    const struct finder_train_conf train = {.set = &images->set,
                                            .taken = taken,
                                            .epochs = conf->epochs,
                                            .seed = conf->seed + (keeps ? part : 0),
                                            .threads = conf->threads,
                                            .progress = progress_tell,
                                            .argument = what};
    const struct marked_choice choice = {taken, 0};
    struct finder_model finder;
    struct finder_train_report report;
    struct err err = finder_train(&train, &finder, &report);
    if (err_is(err)) {
        ctl_fail(what, err);
        return false;
    }
    bool good = crossfit_find(images, &finder, &choice, out);
    if (keeps) {
        conf->kept[part] = (struct crossfit_kept){finder, report};
    } else {
        finder_model_fini(&finder);
    }
    return good;
}

/* Adds one part's marks. */
static bool fit_part(const struct marked_images *images, const struct crossfit_conf *conf,
                     uint32_t part, const uint8_t *fold_of, struct crossfit *out)
{
    uint32_t count = images->set.image_count;
    uint8_t *taken = calloc((size_t)count + 1, 1);
    if (taken == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        taken[i] = fold_of[images->groups[i]] != part;
        out->covered[i] |= !taken[i];
    }
    bool good = conf->bank != NULL ? score_part(images, conf, taken, out)
                                   : find_part(images, conf, part, taken, out);
    free(taken);
    return good;
}

bool crossfit_make(const struct marked_images *images, const struct crossfit_conf *conf,
                   struct crossfit *out)
{
    if (conf->folds < 2 || conf->folds > images->group_count) {
        ctl_refuse("%u parts cannot be made of %u scans", conf->folds, images->group_count);
        return false;
    }
    struct crossfit made;
    if (!crossfit_open(images, &made)) {
        return false;
    }
    uint8_t *fold_of = calloc((size_t)images->group_count + 1, 1);
    bool good = fold_of != NULL;
    if (!good) {
        ctl_refuse("no memory");
    } else {
        marked_images_folds(images->group_count, conf->folds, conf->seed, fold_of);
    }
    for (uint32_t part = 0; part < conf->end && good; part++) {
        good = fit_part(images, conf, part, fold_of, &made);
    }
    free(fold_of);
    if (!good) {
        crossfit_fini(&made);
        return false;
    }
    *out = made;
    return true;
}

void crossfit_fini(struct crossfit *self)
{
    free(self->marks);
    free(self->everywhere);
    free(self->covered);
    memset(self, 0, sizeof *self);
}

/* ---- figures */

/* The covered images, numbered anew, with their groups, marks and objects. */
struct sample {
    struct froc_sample froc;
    uint32_t *number; /* [all images]; UINT32_MAX: not covered */
    uint32_t *groups;
    struct froc_mark *marks;
    struct froc_object *objects;
    double *image_scores;
    uint8_t *image_labels;
    uint32_t *order; /* for the ranking of images */
};

static void sample_close(struct sample *self)
{
    free(self->number);
    free(self->groups);
    free(self->marks);
    free(self->objects);
    free(self->image_scores);
    free(self->image_labels);
    free(self->order);
}

static bool sample_room(const struct marked_images *images, const struct crossfit *fit,
                        struct sample *out)
{
    size_t count = (size_t)images->set.image_count + 1;
    *out = (struct sample){.number = calloc(count, sizeof(uint32_t)),
                           .groups = calloc(count, sizeof(uint32_t)),
                           .marks = calloc((size_t)fit->mark_count + 1, sizeof(struct froc_mark)),
                           .objects = marked_images_objects(images),
                           .image_scores = calloc(count, sizeof(double)),
                           .image_labels = calloc(count, 1),
                           .order = calloc(count, sizeof(uint32_t))};
    return out->number != NULL && out->groups != NULL && out->marks != NULL &&
           out->objects != NULL && out->image_scores != NULL && out->image_labels != NULL &&
           out->order != NULL;
}

/* Groups are numbered anew, too: those of other parts must not be drawn as empty ones. */
static void number_images(const struct marked_images *images, const struct crossfit *fit,
                          uint32_t *group_numbers, struct sample *out)
{
    uint32_t groups = 0;
    for (uint32_t i = 0; i < images->group_count; i++) {
        group_numbers[i] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < images->set.image_count; i++) {
        out->number[i] = UINT32_MAX;
        if (fit->covered[i] != 0) {
            uint32_t *group = &group_numbers[images->groups[i]];
            *group = *group == UINT32_MAX ? groups++ : *group;
            out->groups[out->froc.image_count] = *group;
            out->image_labels[out->froc.image_count] = images->set.images[i].truth_count > 0;
            out->number[i] = out->froc.image_count++;
        }
    }
}

static bool sample_open(const struct marked_images *images, const struct crossfit *fit,
                        struct sample *out)
{
    uint32_t *group_numbers = calloc((size_t)images->group_count + 1, sizeof *group_numbers);
    if (!sample_room(images, fit, out) || group_numbers == NULL) {
        free(group_numbers);
        sample_close(out);
        ctl_refuse("no memory");
        return false;
    }
    number_images(images, fit, group_numbers, out);
    free(group_numbers);
    for (uint32_t i = 0; i < images->set.image_count; i++) {
        out->image_scores[i] = -1e9; /* no mark at all */
    }
    for (uint32_t i = 0; i < fit->mark_count; i++) {
        struct froc_mark mark = fit->marks[i];
        mark.image = out->number[mark.image];
        double *highest = &out->image_scores[mark.image];
        *highest = mark.score > *highest ? mark.score : *highest;
        out->marks[out->froc.mark_count++] = mark;
    }
    for (uint32_t i = 0; i < images->object_count; i++) {
        struct froc_object object = out->objects[i];
        object.image = out->number[object.image];
        if (object.image != UINT32_MAX) {
            out->objects[out->froc.object_count++] = object;
        }
    }
    out->froc.marks = out->marks;
    out->froc.objects = out->objects;
    out->froc.groups = out->groups;
    return true;
}

/* The same by looks at every cell. */
static bool judge_everywhere(const struct marked_images *images, const struct crossfit *fit,
                             struct froc *out)
{
    struct crossfit other = *fit; /* borrows */
    struct sample sample;
    other.marks = fit->everywhere;
    other.mark_count = fit->everywhere_count;
    if (!sample_open(images, &other, &sample)) {
        return false;
    }
    struct err err = froc_make(&sample.froc, out);
    sample_close(&sample);
    if (err_is(err)) {
        ctl_fail("evaluate", err);
    }
    return !err_is(err);
}

bool crossfit_judge(const struct marked_images *images, const struct crossfit *fit,
                    struct crossfit_figures *out)
{
    struct sample sample;
    if (!sample_open(images, fit, &sample)) {
        return false;
    }
    memset(out, 0, sizeof *out);
    out->images = sample.froc.image_count;
    out->objects = sample.froc.object_count;
    for (uint32_t i = 0; i < out->images; i++) {
        out->empty_images += sample.image_labels[i] == 0;
        out->groups = sample.groups[i] >= out->groups ? sample.groups[i] + 1 : out->groups;
    }
    out->auc_images =
        statistics_auc(sample.image_scores, sample.image_labels, out->images, sample.order);
    out->auc_cells = marked_cells_auc(&fit->cells);
    struct err err = out->objects == 0 ? err_make(ERR_ARGUMENT, "no object in the images held out")
                                       : froc_make(&sample.froc, &out->froc);
    sample_close(&sample);
    out->gated = fit->gated;
    if (err_is(err)) {
        ctl_fail("evaluate", err);
        return false;
    }
    return !fit->gated || judge_everywhere(images, fit, &out->everywhere);
}

static void fit_platt(const struct froc_sample *sample, const uint8_t *hits, double *numbers,
                      double *slope, double *offset)
{
    uint32_t count = sample->mark_count;
    uint32_t hit_count = 0;
    double coefficients[2];
    double workspace[64];
    struct logistic_report report;
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = sample->marks[i].score;
        numbers[count + i] = hits[i];
        hit_count += hits[i];
    }
    const struct logistic_problem problem = {.features = numbers,
                                             .row_count = count,
                                             .feature_count = 1,
                                             .stride = 1,
                                             .labels = numbers + count,
                                             .l2 = 1e-3};
    must(logistic_fit_workspace_doubles(1) <= sizeof workspace / sizeof workspace[0]);
    *slope = 1;
    *offset = 0;
    if (hit_count > 0 && hit_count < count) {
        logistic_fit(&problem, 100, workspace, coefficients, &report);
        if (coefficients[0] > 0.01 && coefficients[0] < 100 && fabs(coefficients[1]) < 100) {
            *slope = coefficients[0];
            *offset = coefficients[1];
        }
    }
}

bool crossfit_place(const struct marked_images *images, const struct crossfit *fit, double *slope,
                    double *offset)
{
    struct sample sample;
    if (!sample_open(images, fit, &sample)) {
        return false;
    }
    uint8_t *hits = calloc((size_t)fit->mark_count + 1, 1);
    double *numbers = calloc(2 * (size_t)fit->mark_count + 1, sizeof *numbers);
    struct err err = hits == NULL || numbers == NULL ? err_make(ERR_MEMORY, "crossfit")
                                                     : froc_match(&sample.froc, FROC_CENTRE, hits);
    if (err_is(err)) {
        ctl_fail("placing of scores", err);
    } else {
        fit_platt(&sample.froc, hits, numbers, slope, offset);
    }
    free(hits);
    free(numbers);
    sample_close(&sample);
    return !err_is(err);
}
