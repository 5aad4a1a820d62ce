/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/marked_images.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/finder_threats.h"
#include "ctl/image_groups.h"
#include "feeds/marks.h"
#include "kernels/rng.h"
#include "kernels/statistics.h"
#include "score/finder_threat.h"
#include "score/score_companion.h"

/* Marks are read twice: first all of them for the size of objects, by which images are reduced,
 * then beside each image, whose size they must fit. */

/* Objects of up to twice this many pixels are looked at as they are. A network that sees 92 pixels
 * wide would find larger ones in pieces; reducing more would lose the small ones. One that judges
 * material by both energies sees 172, and finds blocks in dense loads by what is fine in them. */
static const double object_side = 16.0;
static const double object_side_dual = 26.0;

size_t marked_images_stem(const char *name)
{
    const char *version = strstr(name, ".rf.");
    const char *dot = strrchr(name, '.');
    if (version != NULL) {
        size_t bytes = (size_t)(version - name);
        bool is_jpeg = bytes > 4 && strncmp(version - 4, "_jpg", 4) == 0;
        return is_jpeg ? bytes - 4 : bytes;
    }
    return dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
}

void marked_images_folds(uint32_t group_count, uint32_t folds, uint64_t seed, uint8_t *fold_of)
{
    struct rng rng;
    rng_init(&rng, seed, UINT64_C(0xf01d));
    for (uint32_t i = 0; i < group_count; i++) {
        fold_of[i] = (uint8_t)(i % folds);
    }
    for (uint32_t i = group_count; i > 1; i--) {
        uint32_t other = (uint32_t)rng_below(&rng, i);
        uint8_t kept = fold_of[i - 1];
        fold_of[i - 1] = fold_of[other];
        fold_of[other] = kept;
    }
}

struct looked_up {
    const struct marks *marks;
    const struct image_folder *folder;
    uint32_t index; /* of the scan in the folder */
};

/* Officers mark the image they look at: of a pair the marks may stand under either name. */
static struct err marks_of_scan(const struct looked_up *scan, const struct image *image,
                                struct marks_box *boxes, uint32_t *count, char *why)
{
    const char *second = image_folder_second_name(scan->folder, scan->index);
    uint32_t width = image != NULL ? image->width : 0;
    uint32_t height = image != NULL ? image->height : 0;
    struct err err = marks_of(scan->marks, image_folder_name(scan->folder, scan->index), width,
                              height, boxes, count, why);
    return err.code == ERR_NOT_FOUND && second != NULL
               ? marks_of(scan->marks, second, width, height, boxes, count, why)
               : err;
}

/* The median of the images' median sides of boxes; `usual` without a box. Marks that cannot be read
 * are passed over: they are told when their image is read. False without memory. */
static bool usual_side(const struct marked_images_conf *conf, const struct marks *marks,
                       double usual, double *out)
{
    uint32_t count = image_folder_count(conf->folder);
    struct marks_box *boxes = calloc(MARKS_BOXES_MAX, sizeof *boxes);
    double *sides = calloc((size_t)count + 1, sizeof *sides); /* an image's median */
    uint32_t side_count = 0;
    for (uint32_t i = 0; i < count && boxes != NULL && sides != NULL; i++) {
        char why[MARKS_WHY_BYTES];
        double own[MARKS_BOXES_MAX];
        uint32_t box_count = 0;
        struct err err = marks_of_scan(&(struct looked_up){marks, conf->folder, i}, NULL, boxes,
                                       &box_count, why);
        for (uint32_t k = 0; k < box_count && !err_is(err); k++) {
            own[k] = sqrt((boxes[k].right - boxes[k].left) * (boxes[k].bottom - boxes[k].top));
        }
        if (!err_is(err) && box_count > 0) {
            statistics_sort(own, box_count);
            sides[side_count++] = statistics_quantile(own, box_count, 0.5);
        }
    }
    bool whole = boxes != NULL && sides != NULL;
    if (whole) {
        statistics_sort(sides, side_count);
        *out = side_count > 0 ? statistics_quantile(sides, side_count, 0.5) : usual;
    } else {
        ctl_refuse("no memory");
    }
    free(boxes);
    free(sides);
    return whole;
}

/* The usual side of what is looked for over object_side, at least 1. */
static bool choose_reduction(const struct marked_images_conf *conf, const struct marks *marks,
                             uint32_t *out)
{
    bool dual =
        image_folder_count(conf->folder) > 0 && image_folder_second_name(conf->folder, 0) != NULL;
    double usual = dual ? object_side_dual : object_side;
    double side = usual;
    if (!(marks != NULL ? usual_side(conf, marks, usual, &side)
                        : finder_threats_side(conf->folder, conf->threats, &side))) {
        return false;
    }
    double reduction = floor(side / usual);
    reduction = reduction < 1 ? 1 : reduction;
    *out = reduction < FINDER_REDUCTION_MAX ? (uint32_t)reduction : FINDER_REDUCTION_MAX;
    return true;
}

struct reading {
    const struct marked_images_conf *conf;
    const struct marks *marks;
    struct marked_images *out;
    struct working_space space;
    struct marks_box *boxes;
    struct finder_truth *truths;
    uint32_t beyond; /* images for which there was no room */
};

/* Told once for all of them. */
static const char no_room[] = "beyond what a training takes";

static const char *add_image(struct reading *self, const struct folder_scan *scan,
                             uint32_t folder_index, char *why)
{
    uint32_t low_index;
    uint32_t box_count = 0;
    const char *name = image_folder_name(self->conf->folder, folder_index);
    uint32_t index = score_main_image(&scan->scan, &low_index);
    const struct image *image = &scan->images[index];
    const char *refusal = working_refusal(image, UINT64_MAX);
    if (refusal != NULL) {
        return refusal;
    }
    enum image_meaning meaning = working_calibration(image).meaning;
    struct marked_images *out = self->out;
    if (out->set.image_count == 0) {
        finder_set_init(&out->set, meaning, self->conf->reduction);
        out->meaning = meaning;
    } else if (meaning != out->meaning) {
        return "another pixel meaning than the first image";
    }
    struct err err = err_none;
    if (self->marks != NULL) {
        err = marks_of_scan(&(struct looked_up){self->marks, self->conf->folder, folder_index},
                            image, self->boxes, &box_count, why);
        if (err_is(err) && err.code != ERR_NOT_FOUND) {
            return why;
        }
        out->unmarked += err_is(err);
    }
    struct working working;
    working_make(&self->space, image, scan->pixels[index],
                 finder_working_height(self->conf->reduction, image->height), &working);
    double factor = (double)working.factor;
    for (uint32_t i = 0; i < box_count; i++) {
        const struct marks_box *box = &self->boxes[i];
        self->truths[i] =
            (struct finder_truth){(float)(box->left / factor), (float)(box->top / factor),
                                  (float)(box->right / factor), (float)(box->bottom / factor)};
    }
    const struct finder_set_add add = {
        .working = &working,
        .low_pixels = low_index == UINT32_MAX
                          ? NULL
                          : working_make_low(&self->space, &scan->images[low_index],
                                             scan->pixels[low_index], &working),
        .truths = self->truths,
        .truth_count = box_count,
        .pitch_mm = image->pixel_pitch_mm * factor,
        .number = folder_index};
    uint32_t at = out->set.image_count;
    err = finder_set_add(&out->set, &add);
    if (err_is(err)) {
        return err.code == ERR_POOL_EMPTY ? no_room : err.where;
    }
    out->sizes[at] = (struct marked_size){image->width, image->height, (uint32_t)working.factor};
    out->names[at] = strdup(name);
    out->object_count += box_count;
    return out->names[at] == NULL ? "no memory" : NULL;
}

static void read_images(struct reading *self)
{
    uint32_t count = image_folder_count(self->conf->folder);
    for (uint32_t i = 0; i < count; i++) {
        char why[FOLDER_WHY_BYTES] = "";
        char wrong[MARKS_WHY_BYTES] = "";
        const char *name = image_folder_name(self->conf->folder, i);
        struct folder_scan *scan = NULL;
        const char *refusal = why;
        struct err err = image_folder_read(self->conf->folder, i, &scan, why);
        if (!err_is(err)) {
            refusal = add_image(self, scan, i, wrong);
            folder_scan_close(&scan);
        }
        if (refusal == no_room) {
            self->beyond++;
        } else if (refusal != NULL) {
            ctl_refuse("%s: %s", name, refusal);
            self->out->refused++;
        }
        if (self->conf->progress != NULL) {
            self->conf->progress(self->conf->argument, i + 1, count);
        }
    }
}

/* Where nobody marked anything, threats are put into images and are their marks. */
static bool put_threats_in(struct marked_images *out, uint64_t seed)
{
    struct err err = finder_set_project(&out->set, seed, &out->object_count);
    if (err_is(err)) {
        ctl_fail("threats", err);
    } else if (out->object_count == 0) {
        ctl_refuse("without marks a finder needs transmissions at two energies, and threats that "
                   "fit into their loads");
    }
    return !err_is(err) && out->object_count > 0;
}

/* The planes' constants, and the threats. */
static bool settle_set(struct reading *self)
{
    const struct marked_images_conf *conf = self->conf;
    struct marked_images *out = self->out;
    struct err err = finder_set_adapt(&out->set);
    if (err_is(err)) {
        ctl_fail("finder", err);
        return false;
    }
    return (conf->threats == NULL || finder_threats_read(&out->set, conf->threats)) &&
           (conf->marks != NULL || put_threats_in(out, conf->seed));
}

static bool reserve(struct reading *self)
{
    uint32_t count = image_folder_count(self->conf->folder);
    self->out->sizes = calloc((size_t)count + 1, sizeof(struct marked_size));
    self->out->names = calloc((size_t)count + 1, sizeof(char *));
    self->out->groups = calloc((size_t)count + 1, sizeof(uint32_t));
    self->boxes = calloc(MARKS_BOXES_MAX, sizeof *self->boxes);
    self->truths = calloc(MARKS_BOXES_MAX, sizeof *self->truths);
    return self->out->sizes != NULL && self->out->names != NULL && self->out->groups != NULL &&
           self->boxes != NULL && self->truths != NULL &&
           !err_is(working_init(&self->space, WORKING_HEIGHT_MAX));
}

static bool group(const struct reading *self)
{
    struct marked_images *out = self->out;
    const char **second_names = calloc((size_t)out->set.image_count + 1, sizeof *second_names);
    if (second_names == NULL) {
        ctl_refuse("no memory");
        return false;
    }
    for (uint32_t i = 0; i < out->set.image_count; i++) {
        second_names[i] = image_folder_second_name(self->conf->folder, out->set.images[i].number);
    }
    const struct image_groups_conf conf = {self->conf->groups, out->names, second_names,
                                           out->set.image_count};
    bool good = image_groups_assign(&conf, out->groups, &out->group_count);
    free(second_names);
    return good;
}

static bool read_all(struct reading *self)
{
    struct marked_images *out = self->out;
    if (!reserve(self)) {
        ctl_refuse("no memory");
        return false;
    }
    read_images(self);
    if (out->refused > 0) {
        (void)fprintf(stderr, "triagectl: %u images left out\n", out->refused);
    }
    if (self->beyond > 0) {
        (void)fprintf(stderr,
                      "triagectl: %u images left out: a training takes %" PRIu64 " pixels\n",
                      self->beyond, FINDER_SET_PIXELS_MAX);
    }
    if (out->unmarked > 0) {
        (void)fprintf(stderr, "triagectl: %u images have no marks: taken as without objects\n",
                      out->unmarked);
    }
    if (out->set.image_count == 0 || (self->marks != NULL && out->object_count == 0)) {
        ctl_refuse("%s: no image %s", self->marks != NULL ? self->conf->marks : "finder",
                   self->marks != NULL ? "with a mark" : "to learn from");
        return false;
    }
    return settle_set(self) && group(self);
}

bool marked_images_open(const struct marked_images_conf *conf, struct marked_images *out)
{
    char why[MARKS_WHY_BYTES] = "";
    struct marks *marks = NULL;
    struct marked_images read = {.refused = 0};
    struct err err = conf->marks != NULL ? marks_open(conf->marks, &marks, why) : err_none;
    if (err_is(err)) {
        ctl_refuse("%s: %s", conf->marks, why);
        return false;
    }
    struct marked_images_conf settled = *conf;
    bool good = conf->reduction > 0 || choose_reduction(conf, marks, &settled.reduction);
    struct reading reading = {.conf = &settled, .marks = marks, .out = &read};
    good = good && read_all(&reading);
    working_fini(&reading.space);
    free(reading.boxes);
    free(reading.truths);
    marks_close(&marks);
    if (!good) {
        marked_images_close(&read);
        return false;
    }
    *out = read;
    return true;
}

void marked_images_close(struct marked_images *self)
{
    for (uint32_t i = 0; i < self->set.image_count; i++) {
        free(self->names[i]);
    }
    free(self->names);
    free(self->sizes);
    free(self->groups);
    finder_set_fini(&self->set);
    memset(self, 0, sizeof *self);
}

struct froc_object *marked_images_objects(const struct marked_images *self)
{
    struct froc_object *objects = calloc((size_t)self->object_count + 1, sizeof *objects);
    uint32_t count = 0;
    for (uint32_t i = 0; objects != NULL && i < self->set.image_count; i++) {
        const struct finder_set_image *image = &self->set.images[i];
        double factor = self->sizes[i].factor;
        for (uint32_t k = 0; k < image->truth_count; k++) {
            const struct finder_truth *truth = &image->truths[k];
            objects[count++] = (struct froc_object){
                .box = {(double)truth->left * factor, (double)truth->top * factor,
                        (double)(truth->right - truth->left) * factor,
                        (double)(truth->bottom - truth->top) * factor},
                .image = i};
        }
    }
    return objects;
}
