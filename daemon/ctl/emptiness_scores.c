/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/emptiness_scores.h"

#include <math.h>
#include <stdlib.h>

#include "ctl/progress.h"
#include "ctl/score_images.h"
#include "export/export_csv.h"
#include "kernels/logistic.h"
#include "score/score_companion.h"
#include "score/working.h"

struct scoring {
    const struct emptiness_model *model;
    struct working_space working;
    struct cargo_space cargo;
    uint32_t working_height;
    FILE *boxes;
    FILE *images;
    struct score_summary summary;
};

/* False when it was told why not. */
static bool score_scan(struct scoring *self, const struct folder_scan *scan, const char *name)
{
    uint32_t at = score_main_image(&scan->scan, NULL);
    const struct image *image = &scan->images[at];
    struct working working;
    struct emptiness_measure measures[CARGO_BOXES_MAX];
    double highest = -INFINITY;
    if (working_refusal(image, UINT64_MAX) != NULL) {
        ctl_refuse("%s: %s", name, working_refusal(image, UINT64_MAX));
        return false;
    }
    working_make(&self->working, image, scan->pixels[at], self->working_height, &working);
    if (working.calibration.meaning != self->model->meaning) {
        ctl_refuse("%s: its pixels have another meaning than those of training", name);
        return false;
    }
    uint32_t count = emptiness_measure(&self->cargo, &working, measures);
    for (uint32_t i = 0; i < count; i++) {
        const struct cargo_box *box = &measures[i].box;
        double logit = emptiness_logit(self->model, measures[i].features);
        size_t x = box->x * working.factor;
        size_t y = box->y * working.factor;
        size_t right = x + box->width * working.factor;
        size_t bottom = y + box->height * working.factor;
        highest = logit > highest ? logit : highest;
        export_csv_put_text(self->boxes, name);
        (void)fprintf(self->boxes, ",%zu,%zu,%zu,%zu,%.9g\n", x, y,
                      (right < image->width ? right : image->width) - x,
                      (bottom < image->height ? bottom : image->height) - y,
                      logistic_probability(logit));
    }
    if (count == 0) {
        ctl_refuse("%s: too small, or nothing valid in it", name);
        return false;
    }
    self->summary.rows += count;
    if (self->images != NULL) {
        export_csv_put_text(self->images, name);
        (void)fprintf(self->images, ",%.9g\n", logistic_probability(highest));
    }
    return true;
}

static void score_folder(struct scoring *self, const struct image_folder *folder)
{
    (void)fputs("image,x,y,width,height,score\n", self->boxes);
    if (self->images != NULL) {
        (void)fputs("image,score\n", self->images);
    }
    uint32_t count = image_folder_count(folder);
    for (uint32_t i = 0; i < count; i++) {
        bool good = false;
        char why[FOLDER_WHY_BYTES] = "";
        struct folder_scan *scan = NULL;
        struct err err = image_folder_read(folder, i, &scan, why);
        if (err_is(err)) {
            ctl_refuse("%s: %s", image_folder_name(folder, i), why);
        } else {
            good = score_scan(self, scan, image_folder_name(folder, i));
            folder_scan_close(&scan);
        }
        self->summary.images += good;
        self->summary.refused += !good;
        progress_show("images", i + 1, count);
    }
    if (self->summary.refused > 0) {
        (void)fprintf(stderr, "triagectl: %u of %u images refused\n", self->summary.refused, count);
    }
}

/* Closes what was written to memory; false when memory ran out. */
static bool finish(FILE **memory, char *const *text)
{
    bool good = *memory == NULL || (fclose(*memory) == 0 && *text != NULL);
    *memory = NULL;
    return good;
}

int emptiness_scores_write(const struct emptiness_scores *wanted, const struct image_folder *folder)
{
    struct scoring self = {.model = wanted->model,
                           .working_height = wanted->working_height,
                           .summary = {.out = wanted->boxes_path, .scores = wanted->images_path}};
    char *texts[2] = {NULL, NULL};
    size_t bytes[2] = {0, 0};
    struct err err = working_init(&self.working, self.working_height);
    err = err_is(err) ? err : cargo_space_init(&self.cargo, self.working_height);
    self.boxes = open_memstream(&texts[0], &bytes[0]);
    self.images = wanted->images_path != NULL ? open_memstream(&texts[1], &bytes[1]) : NULL;
    bool good =
        !err_is(err) && self.boxes != NULL && (wanted->images_path == NULL || self.images != NULL);
    if (good) {
        score_folder(&self, folder);
    }
    good = finish(&self.boxes, &texts[0]) && good;
    good = finish(&self.images, &texts[1]) && good;
    int result = !good ? ctl_refuse("scores: no memory, or a working height out of bounds")
                 : self.summary.images == 0
                     ? ctl_refuse("%s: no image could be scored", wanted->directory)
                     : score_deliver(wanted->boxes_path, texts[0], bytes[0]);
    if (result == CTL_GOOD && wanted->images_path != NULL) {
        result = score_deliver(wanted->images_path, texts[1], bytes[1]);
    }
    free(texts[0]);
    free(texts[1]);
    working_fini(&self.working);
    cargo_space_fini(&self.cargo);
    return result == CTL_GOOD ? score_tell(wanted->ctl, &self.summary) : result;
}
