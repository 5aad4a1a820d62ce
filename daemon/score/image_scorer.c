/* SPDX-License-Identifier: Apache-2.0 */
#include "score/image_scorer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score/score_parts.h"

struct image_scorer {
    struct appearance_model model;
    struct working_space working;
    struct appearance_space space; /* with a bank that speaks */
    struct finder_line finder;
    struct dome_line dome;
};

static struct err read_model(const char *path, struct appearance_model *out)
{
    struct model_file file;
    struct err err = model_file_read(path, NULL, &file);
    if (err_is(err)) {
        return err;
    }
    err = appearance_read(&file, out);
    model_file_fini(&file);
    return err;
}

MUST_USE struct err image_scorer_open(const char *path, struct image_scorer **out)
{
    struct image_scorer *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "image_scorer_open");
    }
    struct err err = read_model(path, &self->model);
    uint32_t height = self->model.working_height;
    size_t width = (size_t)height * WORKING_ASPECT;
    err = err_is(err) ? err : working_init(&self->working, height);
    if (!err_is(err)) {
        err = self->model.has_finder ? finder_line_fit(&self->finder, &self->model.finder)
                                     : appearance_space_init(&self->space, width, height);
    }
    if (!err_is(err) && self->model.dome.present) {
        err = dome_line_fit(&self->dome);
    }
    if (err_is(err)) {
        image_scorer_close(&self);
        return err;
    }
    *out = self;
    return err_none;
}

void image_scorer_close(struct image_scorer **self)
{
    if (self == NULL || *self == NULL) {
        return;
    }
    appearance_model_fini(&(*self)->model);
    working_fini(&(*self)->working);
    appearance_space_fini(&(*self)->space);
    finder_line_fini(&(*self)->finder);
    dome_line_fini(&(*self)->dome);
    free(*self);
    *self = NULL;
}

const char *image_scorer_scanner_type(const struct image_scorer *self)
{
    return self->model.name + strlen(APPEARANCE_PREFIX);
}

bool image_scorer_has_finder(const struct image_scorer *self)
{
    return self->model.has_finder;
}

/* Into the list, best first; of equal ones the earlier stands first. */
static void put_mark(struct image_marks *out, struct image_mark mark)
{
    uint32_t at = out->marks_count;
    if (at == IMAGE_SCORER_MARKS_MAX) {
        at--;
        if (out->marks[at].score >= mark.score) {
            return;
        }
    } else {
        out->marks_count++;
    }
    for (; at > 0 && out->marks[at - 1].score < mark.score; at--) {
        out->marks[at] = out->marks[at - 1];
    }
    out->marks[at] = mark;
}

static void put_score(struct image_marks *out, double score)
{
    out->score = out->judged == 0 || score > out->score ? score : out->score;
    out->judged++;
}

static void run_finder(struct image_scorer *self, const struct finder_view *view,
                       uint32_t image_index, struct image_marks *out)
{
    struct finder_box boxes[FINDER_BOXES_MAX];
    uint32_t count = finder_line_run(&self->finder, &self->model.finder, view, boxes);
    for (uint32_t i = 0; i < count; i++) {
        put_mark(out, (struct image_mark){.image_index = image_index,
                                          .x = boxes[i].x,
                                          .y = boxes[i].y,
                                          .width = boxes[i].width,
                                          .height = boxes[i].height,
                                          .score = finder_probability(boxes[i].logit)});
    }
    put_score(out, count > 0 ? finder_probability(boxes[0].logit) : 0);
}

static bool run_bank(struct image_scorer *self, const struct working *working,
                     const struct image *image, const uint8_t *pixels, uint32_t image_index,
                     struct image_marks *out)
{
    struct appearance_finding finding;
    struct appearance_region regions[APPEARANCE_REGIONS_MAX];
    appearance_run(&self->space, &self->model, working, &finding);
    if (isnan(finding.image_score)) {
        return false;
    }
    uint32_t count =
        appearance_regions(&self->space, working, &finding, image, APPEARANCE_REGIONS_MAX, regions);
    if (self->model.dome.present) {
        const struct dome_view view = {image, pixels, self->model.dome.median};
        count =
            dome_line_add(&self->dome, &self->model, &view, regions, count, APPEARANCE_REGIONS_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        put_mark(out, (struct image_mark){.image_index = image_index,
                                          .x = regions[i].x,
                                          .y = regions[i].y,
                                          .width = regions[i].width,
                                          .height = regions[i].height,
                                          .score = regions[i].score});
    }
    put_score(out, finding.z);
    return true;
}

/* NULL, or why the image cannot be judged. */
static const char *judge(struct image_scorer *self, const struct scan *scan,
                         const void *const *pixels, uint32_t image_index, struct image_marks *out)
{
    const struct image *image = &scan->images[image_index];
    if (pixels[image_index] == NULL) {
        return "its pixels are missing";
    }
    const char *why = working_refusal(image, IMAGE_SCORER_BYTES_MAX);
    if (why != NULL) {
        return why;
    }
    if (working_calibration(image).meaning != self->model.meaning) {
        return "its pixels have another meaning than those the model was trained with";
    }
    if (self->model.has_finder) {
        struct finder_view view = {.image = image, .pixels = pixels[image_index]};
        uint32_t low_index = 0;
        const struct image *low = score_low_companion(scan, image_index, &low_index);
        if (low != NULL && pixels[low_index] != NULL &&
            working_refusal(low, IMAGE_SCORER_BYTES_MAX) == NULL) {
            view.low_image = low;
            view.low_pixels = pixels[low_index];
        }
        run_finder(self, &view, image_index, out);
        return NULL;
    }
    struct working working;
    working_make(&self->working, image, pixels[image_index], self->model.working_height, &working);
    return run_bank(self, &working, image, pixels[image_index], image_index, out)
               ? NULL
               : "it is too small, or nothing in it is valid";
}

void image_scorer_run(struct image_scorer *self, const struct scan *scan, const void *const *pixels,
                      struct image_marks *out)
{
    *out = (struct image_marks){.marks_count = 0};
    for (uint32_t i = 0; i < scan->images_count; i++) {
        if (score_is_companion(scan, i)) {
            continue;
        }
        const char *why = judge(self, scan, pixels, i, out);
        if (why != NULL) {
            out->refusal = out->refused == 0 ? why : out->refusal;
            out->refused++;
        }
    }
}
