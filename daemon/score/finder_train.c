/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/team.h"
#include "kernels/blas.h"
#include "kernels/convnet_train.h"

/* Three stages: floats for most of the steps; spans of the activations from a few batches; the last
 * steps through whole numbers, at a lower rate. Every crop has a random stream of its own, so the
 * threads may draw them in any order. */

enum { BATCH_MAX = 4, CROPS_OF_CALIBRATION = 24, WHOLE_SHARE = 8 };

struct pace {
    uint32_t batch; /* crops of a step */
    double epochs;  /* crops of an image */
    double steps_least;
    double steps_most;
    double whole_rate; /* that the whole-number stage begins with */
    uint32_t networks; /* that are taught one by one, of the finder that comes of it */
    uint32_t views;    /* as in struct finder_model: */
    uint32_t places;
    bool pooled;
    uint32_t gate_depth; /* layers before a gate, where one is learnt; 0: none */
};
static const struct pace usual_pace = {BATCH_MAX, 30, 1200, 6000, 5e-4, 1, 1, 0, false, 3};
/* What a block stands out by in a dense load takes many steps to learn, and steps of two crops
 * teach as much as steps of four, in half the time. After so many a network has settled: the
 * whole-number stage must not throw it out again (5e-4 costs it a tenth of its loss). Of the places
 * where one look finds most, the third or fourth is the last that ever becomes the first by all
 * (bench/TRUCKS.md). */
static const struct pace far_pace = {2, 120, 2400, 90000, 1e-4, 2, 4, 6, true, 0};

static const double peak_rate = 4e-3;
static const double decay = 1e-3;
static const float first_heat = -4.0f; /* logit: objects are rare */

/* Wider layers find little more and cost with the square; with 8 and 16 channels a hundredth of the
 * objects is lost. */
enum { NARROW = 12, WIDE = 32 };

static const struct convnet_layer layers[] = {
    {.side = 3, .stride = 2, .dilation = 1, .in = FINDER_CHANNELS, .out = NARROW},
    {.side = 3, .stride = 1, .dilation = 1, .in = NARROW, .out = NARROW},
    {.side = 3, .stride = 2, .dilation = 1, .in = NARROW, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 1, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 2, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 4, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 2, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 1, .in = WIDE, .out = WIDE},
    {.side = 1, .stride = 1, .dilation = 1, .in = WIDE, .out = FINDER_OUTPUTS},
};
/* For calibrated images: what a lump is shows by the load around it, so a cell sees 172 pixels. */
static const struct convnet_layer far_layers[] = {
    {.side = 3, .stride = 2, .dilation = 1, .in = FINDER_CHANNELS_MAX, .out = NARROW},
    {.side = 3, .stride = 1, .dilation = 1, .in = NARROW, .out = NARROW},
    {.side = 3, .stride = 2, .dilation = 1, .in = NARROW, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 1, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 2, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 4, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 8, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 4, .in = WIDE, .out = WIDE},
    {.side = 3, .stride = 1, .dilation = 1, .in = WIDE, .out = WIDE},
    {.side = 1, .stride = 1, .dilation = 1, .in = WIDE, .out = FINDER_OUTPUTS},
};
enum {
    LAYERS = sizeof layers / sizeof layers[0],
    FAR_LAYERS = sizeof far_layers / sizeof far_layers[0],
};

static const struct pace *pace_of(const struct finder_set *set)
{
    return set->calibrated ? &far_pace : &usual_pace;
}

uint32_t finder_layers(bool material, struct convnet_layer out[CONVNET_LAYERS_MAX])
{
    const struct convnet_layer *from = material ? far_layers : layers;
    uint32_t count = material ? FAR_LAYERS : LAYERS;
    memcpy(out, from, count * sizeof *from);
    return count;
}

void finder_look(bool material, struct finder_model *model)
{
    const struct pace *pace = material ? &far_pace : &usual_pace;
    model->views = pace->views;
    model->places = pace->places;
    model->pooled = pace->pooled;
}

uint32_t finder_networks(bool material)
{
    return material ? far_pace.networks : usual_pace.networks;
}

struct training {
    const struct finder_train_conf *conf;
    struct convnet_train train;
    struct convnet_team crew;
    struct team *team;
    float *workspace;
    float *target_numbers;
    uint16_t *target_owners;
    struct finder_target targets[BATCH_MAX];
    struct finder_crop_space spaces[BATCH_MAX];
    double losses[BATCH_MAX];
    double centres;
    double objects;
    uint32_t *order; /* of the images taken */
    uint32_t order_count;
    uint32_t side;
    uint32_t batch; /* crops of a step */
    uint64_t step;  /* of all stages: gives each crop its stream */
    uint64_t steps_total;
    uint32_t drawn[BATCH_MAX];
};

static void training_close(struct training *self)
{
    team_close(&self->team);
    for (int i = 0; i < BATCH_MAX; i++) {
        finder_crop_fini(&self->spaces[i]);
    }
    free(self->workspace);
    free(self->target_numbers);
    free(self->target_owners);
    free(self->order);
}

static struct err list_images(struct training *self)
{
    const struct finder_set *set = self->conf->set;
    uint64_t objects = 0;
    self->order = calloc((size_t)set->image_count + 1, sizeof *self->order);
    if (self->order == NULL) {
        return err_make(ERR_MEMORY, "finder_train");
    }
    for (uint32_t i = 0; i < set->image_count; i++) {
        if (self->conf->taken == NULL || self->conf->taken[i] != 0) {
            self->order[self->order_count++] = i;
            objects += set->images[i].truth_count;
        }
    }
    return objects == 0 ? err_make(ERR_ARGUMENT, "finder_train: no image has a mark") : err_none;
}

static struct err make_room(struct training *self, double box)
{
    struct convnet_plan plan = {.batch = self->batch, .height = self->side, .width = self->side};
    plan.layer_count = finder_layers(self->conf->set->calibrated, plan.layers);
    size_t bytes = (convnet_train_workspace_floats(&plan) * sizeof(float) + 63) / 64 * 64;
    uint32_t cells_side = (uint32_t)finder_cells(self->side);
    size_t cells = (size_t)cells_side * cells_side;
    self->workspace = aligned_alloc(64, bytes);
    self->target_numbers = calloc((size_t)2 * self->batch * cells, sizeof(float));
    self->target_owners = calloc(self->batch * cells, sizeof(uint16_t));
    if (self->workspace == NULL || self->target_numbers == NULL || self->target_owners == NULL) {
        return err_make(ERR_MEMORY, "finder_train");
    }
    for (size_t i = 0; i < self->batch; i++) {
        self->targets[i] =
            (struct finder_target){.height = cells_side,
                                   .width = cells_side,
                                   .box = (float)box,
                                   .heat = self->target_numbers + 2 * i * cells,
                                   .weight = self->target_numbers + (2 * i + 1) * cells,
                                   .owner = self->target_owners + i * cells};
        struct err err = finder_crop_init(&self->spaces[i], self->side);
        if (err_is(err)) {
            return err;
        }
    }
    struct err err = team_open(self->conf->threads, &self->team);
    if (err_is(err)) {
        return err;
    }
    self->crew = (struct convnet_team){team_run, self->team};
    convnet_train_init(&self->train, &plan, &self->crew, self->conf->seed, self->workspace);
    self->train.layers[plan.layer_count - 1].offset[0] = first_heat;
    return err_none;
}

/* ---- one step */

static void draw_part(void *argument, size_t part)
{
    struct training *self = argument;
    struct finder_crop_space *space = &self->spaces[part];
    struct rng rng;
    rng_init(&rng, self->conf->seed, UINT64_C(1000) + self->step * self->batch + part);
    finder_crop_draw(self->conf->set, self->drawn[part], self->side, &rng, space,
                     self->train.inputs[part]);
    finder_target_set(&self->targets[part], space->truths, space->truth_count);
}

static void loss_part(void *argument, size_t part)
{
    struct training *self = argument;
    self->losses[part] =
        finder_loss(&self->targets[part], self->spaces[part].truths,
                    convnet_train_result(&self->train, (uint32_t)part), self->centres,
                    self->objects, convnet_train_result_gradient(&self->train, (uint32_t)part));
}

/* Passes through all images in ever new orders. */
static void choose(struct training *self, uint64_t step)
{
    for (uint32_t i = 0; i < self->batch; i++) {
        uint64_t at = (step * self->batch + i) % self->order_count;
        if (at == 0) {
            struct rng rng;
            rng_init(&rng, self->conf->seed, UINT64_C(1) << 40 | (step * self->batch + i));
            for (uint32_t k = self->order_count - 1; k > 0; k--) {
                uint32_t other = (uint32_t)rng_below(&rng, k + 1);
                uint32_t kept = self->order[k];
                self->order[k] = self->order[other];
                self->order[other] = kept;
            }
        }
        self->drawn[i] = self->order[at];
    }
}

static void draw_batch(struct training *self)
{
    choose(self, self->step);
    team_run(self->team, draw_part, self, self->batch);
    self->step++;
}

static double learn_batch(struct training *self, const struct convnet_descent *descent)
{
    draw_batch(self);
    self->centres = 0;
    self->objects = 0;
    for (uint32_t i = 0; i < self->batch; i++) {
        self->centres += self->targets[i].centres;
        self->objects += self->targets[i].objects;
    }
    self->centres = self->centres > 1 ? self->centres : 1;
    self->objects = self->objects > 1 ? self->objects : 1;
    convnet_train_forward(&self->train);
    team_run(self->team, loss_part, self, self->batch);
    convnet_train_backward(&self->train);
    convnet_train_descend(&self->train, descent);
    double loss = 0;
    for (uint32_t i = 0; i < self->batch; i++) {
        loss += self->losses[i];
    }
    if (self->conf->progress != NULL) {
        self->conf->progress(self->conf->argument, self->step, self->steps_total);
    }
    return loss;
}

/* Mean loss of the last 1 / share of the steps. */
static double learn(struct training *self, double peak, uint64_t steps, uint64_t share)
{
    double sum = 0;
    uint64_t counted = 0;
    for (uint64_t step = 0; step < steps; step++) {
        struct convnet_descent descent = convnet_descent_cycle(peak, decay, step, steps);
        double loss = learn_batch(self, &descent);
        if (step >= steps - steps / share - 1) {
            sum += loss;
            counted++;
        }
    }
    return sum / (double)counted;
}

/* The same batches again for every layer. */
static void draw_again(void *argument, struct convnet_train *train, uint32_t batch)
{
    struct training *self = argument;
    (void)train;
    uint64_t step = self->step;
    self->step = (UINT64_C(1) << 32) + batch;
    for (uint32_t i = 0; i < self->batch; i++) {
        self->drawn[i] = self->order[(batch * self->batch + i) % self->order_count];
    }
    team_run(self->team, draw_part, self, self->batch);
    self->step = step;
}

static struct err export(struct training *self, double box, struct finder_model *out)
{
    struct convnet shape;
    memset(&shape, 0, sizeof shape);
    shape.layer_count = finder_layers(self->conf->set->calibrated, shape.layers);
    struct finder_model model;
    struct err err = finder_model_init(&model, &shape, 1);
    if (err_is(err)) {
        return err;
    }
    convnet_train_export(&self->train, &model.nets[0]);
    model.input = self->conf->set->input;
    model.box = box;
    model.reduction = self->conf->set->reduction;
    finder_look(self->conf->set->calibrated, &model);
    model.slope = 1;
    model.offset = 0;
    err = finder_model_settle(&model);
    if (err_is(err)) {
        finder_model_fini(&model);
        return err;
    }
    *out = model;
    return err_none;
}

/* After the training, so that no step of it depends on whether there will be one. */
static struct err learn_gate(const struct training *self, struct finder_model *model,
                             struct finder_gate_report *report)
{
    const struct finder_set *set = self->conf->set;
    uint32_t depth = pace_of(set)->gate_depth;
    if (depth == 0) {
        return err_none;
    }
    struct err err = finder_gate_learn(set, self->conf->taken, depth, model, report);
    if (err_is(err)) {
        finder_model_fini(model);
    }
    return err;
}

static uint64_t steps_of(const struct training *self)
{
    const struct pace *pace = pace_of(self->conf->set);
    double epochs = self->conf->epochs > 0 ? self->conf->epochs : pace->epochs;
    double steps = ceil(epochs * self->order_count / self->batch);
    if (self->conf->epochs > 0) {
        return steps > 1 ? (uint64_t)steps : 1;
    }
    steps = steps > pace->steps_least ? steps : pace->steps_least;
    return (uint64_t)(steps < pace->steps_most ? steps : pace->steps_most);
}

MUST_USE struct err finder_train(const struct finder_train_conf *conf, struct finder_model *out,
                                 struct finder_train_report *report)
{
    struct training *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "finder_train");
    }
    blas_use_one_thread();
    self->conf = conf;
    self->side = finder_set_crop_side(conf->set);
    self->batch = pace_of(conf->set)->batch;
    double box = finder_set_box(conf->set);
    struct err err = list_images(self);
    err = err_is(err) ? err : make_room(self, box);
    if (!err_is(err)) {
        uint64_t steps = steps_of(self);
        uint64_t whole_steps = steps / WHOLE_SHARE + 1;
        self->steps_total = steps + whole_steps;
        memset(&report->gate, 0, sizeof report->gate);
        report->images = self->order_count;
        report->steps = self->steps_total;
        report->loss = learn(self, peak_rate, steps, 20);
        convnet_train_fold(&self->train);
        convnet_train_calibrate(&self->train, draw_again, self, CROPS_OF_CALIBRATION / self->batch);
        report->whole_loss = learn(self, pace_of(conf->set)->whole_rate, whole_steps, 5);
        err = export(self, box, out);
        if (!err_is(err)) {
            err = learn_gate(self, out, &report->gate);
        }
    }
    training_close(self);
    free(self);
    return err;
}
