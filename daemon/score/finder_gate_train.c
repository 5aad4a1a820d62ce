/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_gate_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ridge.h"
#include "score/finder_gate.h"
#include "score/finder_map.h"

enum { IMAGES_MAX = 128 }; /* learnt from, and as many to count on */
/* Of an image's cells the hottest, one in so many, and one in so many of the others; of a large
 * image not more than so many each. */
enum { HOT_SHARE = 64, HOT_MAX = 512, COLD_SHARE = 16, COLD_MAX = 2048 };
enum { TAPS = FINDER_GATE_SIDE * FINDER_GATE_SIDE };

/* Colder than this is all the same: how rare objects are when training begins. */
static const double heat_least = -4;
/* Of the penalty: features are bytes, rows many. */
static const double penalty = 10;
/* An object is noticed where a cell of it has even odds, before scores are placed. */
static const float heat_noticed = 0;
/* So many objects are needed, and of them this share may be lost. */
static const uint64_t objects_least = 100;
static const double lost_most = 0.01;

static const uint32_t shares[] = {256, 128, 64, 32};
enum { SHARES = sizeof shares / sizeof shares[0] };

struct lesson {
    const struct finder_set *set;
    struct finder_model *model; /* gets the gate */
    struct finder_model whole;  /* has none; borrows the other's arrays */
    uint32_t depth;
    uint32_t channels; /* of what the first layers give */
    uint32_t *images;  /* every other one to learn from */
    uint32_t image_count;
    size_t features; /* TAPS * channels */
    struct finder_restored restored;
    struct finder_space space;
    float *given;   /* [cells][channels], of the last image */
    float *heats;   /* [cells] */
    uint8_t *marks; /* [cells] */
    double *rows;
    struct ridge ridge;
    double *answer;
};

static void lesson_close(struct lesson *self)
{
    free(self->images);
    finder_restored_fini(&self->restored);
    finder_space_fini(&self->space);
    free(self->given);
    free(self->heats);
    free(self->marks);
    free(self->rows);
    free(self->ridge.sums);
    free(self->answer);
}

/* At most 2 * IMAGES_MAX of those taken, spread over all. */
static bool choose_images(struct lesson *self, const uint8_t *taken)
{
    uint32_t count = 0;
    self->images = calloc((size_t)self->set->image_count + 1, sizeof *self->images);
    if (self->images == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < self->set->image_count; i++) {
        if (taken == NULL || taken[i] != 0) {
            self->images[count++] = i;
        }
    }
    self->image_count = count < 2 * IMAGES_MAX ? count : 2 * IMAGES_MAX;
    for (uint32_t i = 0; i < self->image_count; i++) {
        self->images[i] = self->images[(uint64_t)i * count / self->image_count];
    }
    return true;
}

static bool make_room(struct lesson *self)
{
    if (err_is(finder_restored_init(&self->restored, self->set))) {
        return false;
    }
    size_t width = self->restored.width_max, height = self->restored.height_max;
    size_t cells = finder_cells(width) * finder_cells(height);
    self->features = (size_t)TAPS * self->channels;
    self->given = malloc(cells * self->channels * sizeof(float));
    self->heats = malloc(cells * sizeof(float));
    self->marks = malloc(cells);
    self->rows = malloc((HOT_MAX + COLD_MAX + 1) * (self->features + 2) * sizeof(double));
    self->answer = malloc((self->features + 1) * sizeof(double));
    self->ridge.sums = malloc(ridge_doubles(self->features) * sizeof(double));
    return self->ridge.sums != NULL && self->given != NULL && self->heats != NULL &&
           self->marks != NULL && self->rows != NULL && self->answer != NULL &&
           !err_is(finder_space_fit(&self->space, self->model, width, height));
}

/* The planes of an image of the set. */
static struct convnet_image planes_of(struct lesson *self, uint32_t index)
{
    const struct working *working = &self->restored.working;
    const float *low_pixels = finder_restored_take(&self->restored, self->set, index);
    finder_planes(&self->model->input, working, low_pixels, self->space.rows, self->space.planes);
    return (struct convnet_image){self->space.planes, (uint32_t)working->height,
                                  (uint32_t)working->width};
}

/* What the first layers give, as the bytes that the next one takes. */
static void give(struct lesson *self, const struct convnet_image *planes, size_t cells)
{
    struct convnet first = self->model->nets[0];
    first.layer_count = self->depth;
    convnet_run(&first, self->model->packed[0], planes, self->space.net, self->given);
    for (size_t i = 0; i < cells * self->channels; i++) {
        float held = self->given[i] > 0 ? self->given[i] : 0;
        self->given[i] = rintf(held < 255 ? held : 255);
    }
}

/* sqrt(weight) times what the cell and its neighbours were given, 1, and its heat. */
static void set_row(const struct lesson *self, const struct finder_map *map, size_t at,
                    double weight, double *row)
{
    const double root = sqrt(weight);
    size_t x = at % map->width, y = at / map->width;
    memset(row, 0, self->features * sizeof *row);
    for (size_t tap = 0; tap < TAPS; tap++) {
        size_t near_x = x + tap % FINDER_GATE_SIDE, near_y = y + tap / FINDER_GATE_SIDE;
        bool inside = near_x >= 1 && near_y >= 1 && near_x <= map->width && near_y <= map->height;
        if (inside) {
            const float *given =
                self->given + ((near_y - 1) * map->width + near_x - 1) * self->channels;
            for (uint32_t c = 0; c < self->channels; c++) {
                row[tap * self->channels + c] = root * (double)given[c];
            }
        }
    }
    double heat = (double)finder_map_heat(map, x, y);
    row[self->features] = root;
    row[self->features + 1] = root * (heat > heat_least ? heat : heat_least);
}

enum mark { MARK_NONE, MARK_HOT, MARK_COLD };

/* Which cells of the image teach; returns how many cold ones there are to a hot one. */
static double choose_cells(struct lesson *self, size_t cells, uint32_t index)
{
    size_t rank = cells / HOT_SHARE < HOT_MAX ? cells / HOT_SHARE : HOT_MAX, hot = 0, cold = 0;
    size_t step = (cells + COLD_MAX - 1) / COLD_MAX;
    step = step > COLD_SHARE ? step : COLD_SHARE;
    rank = rank > 0 ? rank : 1;
    for (size_t i = 0; i < cells; i++) {
        self->heats[i] = self->space.cells[i * FINDER_OUTPUTS];
    }
    float least = finder_gate_at_rank(self->heats, cells, rank);
    for (size_t i = 0; i < cells; i++) {
        bool is_hot = self->heats[i] >= least && hot < rank;
        bool is_cold = !is_hot && i % step == index % step;
        self->marks[i] = is_hot ? MARK_HOT : is_cold ? MARK_COLD : MARK_NONE;
        hot += is_hot;
        cold += is_cold;
    }
    return (double)cold / (double)hot;
}

/* Hot cells weigh half as much as the cold ones together. */
static void learn_image(struct lesson *self, uint32_t index)
{
    const struct convnet_image planes = planes_of(self, index);
    const struct finder_map map = {self->space.cells, finder_cells(planes.width),
                                   finder_cells(planes.height)};
    const size_t cells = map.width * map.height;
    size_t count = 0;
    finder_look_at(&self->space, &self->whole, &planes);
    give(self, &planes, cells);
    double hot_weight = choose_cells(self, cells, index) / 2;
    for (size_t i = 0; i < cells; i++) {
        if (self->marks[i] != MARK_NONE) {
            double *row = self->rows + count * (self->features + 2);
            set_row(self, &map, i, self->marks[i] == MARK_HOT ? hot_weight : 1, row);
            count++;
        }
    }
    ridge_add(&self->ridge, self->rows, count);
}

/* The answer as a gate's weights: only the order of its sums matters. */
static struct err set_weights(struct lesson *self)
{
    double most = 0;
    for (size_t i = 0; i < self->features; i++) {
        most = fmax(most, fabs(self->answer[i]));
    }
    int8_t *weights = self->model->gate.net.layers[0].weights;
    for (size_t i = 0; i < self->features && most > 0; i++) {
        weights[i] = (int8_t)lrint(self->answer[i] / most * CONVNET_WEIGHT_MAX);
    }
    return finder_model_settle(self->model);
}

/* False when there was nothing to learn from. */
static bool learn(struct lesson *self)
{
    ridge_init(&self->ridge, self->features, self->ridge.sums);
    for (uint32_t i = 0; i < self->image_count; i += 2) {
        learn_image(self, self->images[i]);
    }
    return ridge_solve(&self->ridge, penalty, self->answer) != 0;
}

/* The cell that a working pixel lies in, within 0..cells - 1. */
static size_t cell_of(float pixel, size_t cells)
{
    float cell = pixel > 0 ? pixel / FINDER_CELL : 0;
    return cell < (float)cells ? (size_t)cell : cells - 1;
}

/* The highest heat of the cells that an object covers: of all, or of those that pass. */
static float heat_of(const struct finder_map *map, const struct finder_truth *truth,
                     const uint8_t *wanted)
{
    float highest = FINDER_COLD;
    for (size_t y = cell_of(truth->top, map->height); y <= cell_of(truth->bottom, map->height);
         y++) {
        for (size_t x = cell_of(truth->left, map->width); x <= cell_of(truth->right, map->width);
             x++) {
            float heat = finder_map_heat(map, x, y);
            bool passes = wanted == NULL || wanted[y * map->width + x] != 0;
            highest = passes && heat > highest ? heat : highest;
        }
    }
    return highest;
}

/* Objects of an image that a look at every cell notices, and how many each share loses. */
static void count_image(struct lesson *self, uint32_t index, uint64_t lost[SHARES],
                        uint64_t *noticed)
{
    const struct finder_set_image *image = &self->set->images[index];
    const struct convnet_image planes = planes_of(self, index);
    const struct finder_map map = {self->space.cells, finder_cells(planes.width),
                                   finder_cells(planes.height)};
    const struct finder_gate_buffers buffers = {self->space.net, self->space.promise,
                                                self->space.wanted};
    finder_look_at(&self->space, &self->whole, &planes);
    finder_gate_promise(self->model, &planes, &buffers);
    for (size_t s = 0; s < SHARES; s++) {
        finder_gate_choose(&planes, self->model->nets[0].layers[0].in, shares[s], &buffers);
        for (uint32_t i = 0; i < image->truth_count; i++) {
            bool seen = heat_of(&map, &image->truths[i], NULL) >= heat_noticed;
            *noticed += seen && s == 0;
            lost[s] += seen && heat_of(&map, &image->truths[i], buffers.wanted) < heat_noticed;
        }
    }
}

/* The least share of the cells that loses few enough; 0 when none does. */
static void choose_share(struct lesson *self, struct finder_gate_report *report)
{
    uint64_t lost[SHARES] = {0};
    for (uint32_t i = 1; i < self->image_count; i += 2) {
        count_image(self, self->images[i], lost, &report->noticed);
        report->images++;
    }
    for (size_t s = 0; s < SHARES && report->share == 0; s++) {
        bool enough = report->noticed >= objects_least &&
                      (double)lost[s] <= lost_most * (double)report->noticed;
        report->share = enough ? shares[s] : 0;
        report->lost = lost[s];
    }
}

/* The model with a gate that lets any share of the cells pass, so that room is made for it. */
static struct err lesson_open(struct lesson *self, const uint8_t *taken)
{
    self->whole = *self->model;
    struct err err = finder_model_set_gate(self->model, self->depth, shares[0]);
    err = err_is(err) ? err : finder_model_settle(self->model);
    if (!err_is(err) && (!choose_images(self, taken) || !make_room(self))) {
        err = err_make(ERR_MEMORY, "finder_gate");
    }
    return err;
}

MUST_USE struct err finder_gate_learn(const struct finder_set *set, const uint8_t *taken,
                                      uint32_t depth, struct finder_model *model,
                                      struct finder_gate_report *report)
{
    struct lesson self = {.set = set, .model = model, .depth = depth};
    self.channels = model->nets[0].layers[depth].in;
    memset(report, 0, sizeof *report);
    struct err err = lesson_open(&self, taken);
    bool learnt = !err_is(err) && learn(&self);
    err = learnt ? set_weights(&self) : err;
    if (learnt && !err_is(err)) {
        choose_share(&self, report);
    }
    model->gate.depth = report->share > 0 ? depth : 0;
    model->gate_share = report->share;
    lesson_close(&self);
    return err;
}
