/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "score/finder.h"

/* "finder_layers": side, stride, dilation, in, out of each layer. "finder_weights", "finder_bias",
 * "finder_scale": those of all layers, one after another, network after network. "finder_input":
 * the version of the planes, struct finder_input, slope, offset, box, reduction, views, networks,
 * places, pooled, depth and share of the gate. "finder_gate": its weights, when it has one. Whole
 * numbers that may be negative lie in arrays of bytes and of u64 as two's complement, as there is
 * no signed type. */

/* Version 1 has no material, nor its number at the end; version 3 has the eight planes of it;
 * version 4 has a number of views after that as well, version 5 what a look at several places by
 * several networks takes, and version 6 a gate. */
enum {
    PLANES_VERSION = 1,
    MATERIAL_VERSION = 3,
    VIEWS_VERSION = 4,
    PLACES_VERSION = 5,
    GATE_VERSION = 6,
};
enum {
    INPUT_NUMBERS = 10,
    MATERIAL_NUMBERS,
    VIEWS_NUMBERS,
    PLACES_NUMBERS = 15,
    GATE_NUMBERS = 17,
};
enum { AT_MATERIAL = 10, AT_VIEWS, AT_NETWORKS, AT_PLACES, AT_POOLED, AT_DEPTH, AT_SHARE };
enum { LAYER_NUMBERS = 5 };

static const struct form {
    uint64_t numbers; /* of "finder_input" */
    double version;   /* the first of them */
} forms[] = {{INPUT_NUMBERS, PLANES_VERSION},
             {MATERIAL_NUMBERS, MATERIAL_VERSION},
             {VIEWS_NUMBERS, VIEWS_VERSION},
             {PLACES_NUMBERS, PLACES_VERSION},
             {GATE_NUMBERS, GATE_VERSION}};

/* ---- reading ---- */

static const struct model_array *find_row(const struct model_file *file, const char *name,
                                          enum model_type type, uint64_t count)
{
    const struct model_array *array = model_file_find(file, name, type);
    bool fits = array != NULL && array->dimensions_count == 1 && array->dimensions[0] == count;
    return fits ? array : NULL;
}

static bool has_any(const struct model_file *file)
{
    for (uint32_t i = 0; i < file->arrays_count; i++) {
        if (strncmp(file->arrays[i].name, "finder_", strlen("finder_")) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_layers(const struct model_file *file, struct convnet *out)
{
    const struct model_array *layers = model_file_find(file, "finder_layers", MODEL_U64);
    if (layers == NULL || layers->dimensions_count != 2 || layers->dimensions[0] < 1 ||
        layers->dimensions[0] > CONVNET_LAYERS_MAX || layers->dimensions[1] != LAYER_NUMBERS) {
        return false;
    }
    memset(out, 0, sizeof *out);
    out->layer_count = (uint32_t)layers->dimensions[0];
    const uint64_t *numbers = layers->values;
    for (uint32_t i = 0; i < out->layer_count; i++, numbers += LAYER_NUMBERS) {
        for (uint32_t k = 0; k < LAYER_NUMBERS; k++) {
            if (numbers[k] > UINT32_MAX) {
                return false;
            }
        }
        out->layers[i] = (struct convnet_layer){.side = (uint32_t)numbers[0],
                                                .stride = (uint32_t)numbers[1],
                                                .dilation = (uint32_t)numbers[2],
                                                .in = (uint32_t)numbers[3],
                                                .out = (uint32_t)numbers[4]};
    }
    return true;
}

/* The row of "finder_input" and what form it has; NULL without one. */
static const double *find_input(const struct model_file *file, const struct form **form)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct model_array *input =
            find_row(file, "finder_input", MODEL_F64, forms[i].numbers);
        if (input != NULL) {
            *form = &forms[i];
            return input->values;
        }
    }
    return NULL;
}

/* A whole number from `least` on, else what no model has. NaN is none. */
static uint32_t whole_or_none(double number, uint32_t least, uint32_t most)
{
    bool fits = number >= least && number <= most && (uint32_t)number == number;
    return fits ? (uint32_t)number : UINT32_MAX;
}

/* How many networks the row speaks of. */
static uint32_t networks_of(const double *numbers, const struct form *form)
{
    return form->numbers < PLACES_NUMBERS
               ? 1
               : whole_or_none(numbers[AT_NETWORKS], 1, FINDER_NETWORKS_MAX);
}

static struct err read_input(const double *numbers, const struct form *form,
                             struct finder_model *out)
{
    if (numbers[0] != form->version) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: made for other planes than these");
    }
    bool has_material = form->numbers > INPUT_NUMBERS;
    if (form->version == MATERIAL_VERSION && !(numbers[AT_MATERIAL] > 0)) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: constants of its planes out of range");
    }
    out->input =
        (struct finder_input){numbers[1], numbers[2], numbers[3],
                              numbers[4], numbers[5], has_material ? numbers[AT_MATERIAL] : 0};
    out->slope = numbers[6];
    out->offset = numbers[7];
    out->box = numbers[8];
    bool reduces = numbers[9] >= 1 && numbers[9] <= FINDER_REDUCTION_MAX;
    out->reduction = reduces ? (uint32_t)numbers[9] : 0;
    double views = form->numbers >= VIEWS_NUMBERS ? numbers[AT_VIEWS] : 1;
    bool whole = views == 1 || views == 2 || views == 4; /* else settling refuses it */
    out->views = whole ? (uint32_t)views : 0;
    if (form->numbers >= PLACES_NUMBERS) {
        double pooled = numbers[AT_POOLED];
        out->places = whole_or_none(numbers[AT_PLACES], 0, FINDER_PLACES_MAX);
        out->pooled = pooled == 1;
        if (pooled != 0 && pooled != 1) {
            return err_make(ERR_MODEL_UNREADABLE, "finder: whether heats are pooled");
        }
    }
    return err_none;
}

static struct err read_gate(const struct model_file *file, const double *numbers,
                            const struct form *form, struct finder_model *out)
{
    if (form->numbers < GATE_NUMBERS) {
        return err_none;
    }
    uint32_t depth = whole_or_none(numbers[AT_DEPTH], 1, CONVNET_LAYERS_MAX);
    uint32_t share = whole_or_none(numbers[AT_SHARE], 2, FINDER_GATE_SHARE_MAX);
    struct err err = finder_model_set_gate(out, depth, share);
    if (err_is(err)) {
        return err_make(ERR_MODEL_UNREADABLE, err.where);
    }
    struct convnet_layer *layer = &out->gate.net.layers[0];
    const struct model_array *weights =
        find_row(file, "finder_gate", MODEL_U8, convnet_weight_count(layer));
    if (weights == NULL) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: weights of the gate");
    }
    memcpy(layer->weights, weights->values, convnet_weight_count(layer));
    return err_none;
}

/* Into the arrays of a model that has room for them. */
static struct err read_numbers(const struct model_file *file, struct finder_model *out)
{
    struct finder_numbers totals = finder_numbers(out);
    const struct model_array *weights = find_row(file, "finder_weights", MODEL_U8, totals.weights);
    const struct model_array *bias = find_row(file, "finder_bias", MODEL_U64, totals.outputs);
    const struct model_array *scale = find_row(file, "finder_scale", MODEL_F32, totals.outputs);
    if (weights == NULL || bias == NULL || scale == NULL) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: weights, bias or scale");
    }
    struct convnet_layer *first = &out->nets[0].layers[0];
    memcpy(first->weights, weights->values, totals.weights);
    memcpy(first->scale, scale->values, totals.outputs * sizeof(float));
    for (size_t i = 0; i < totals.outputs; i++) {
        uint64_t word = ((const uint64_t *)bias->values)[i];
        /* INT32_MIN is refused by the network's own check. */
        bool fits = word <= (uint64_t)INT32_MAX || word >= (uint64_t) - (int64_t)INT32_MAX;
        first->bias[i] = fits ? (int32_t)(int64_t)word : INT32_MIN;
    }
    return finder_model_settle(out);
}

MUST_USE struct err finder_read(const struct model_file *file, bool *found,
                                struct finder_model *out)
{
    struct convnet shape;
    struct finder_model model;
    *found = false;
    if (!has_any(file)) {
        return err_none;
    }
    if (!read_layers(file, &shape)) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: layers");
    }
    const struct form *form = forms;
    const double *input = find_input(file, &form);
    if (input == NULL) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: input");
    }
    struct err err = finder_model_init(&model, &shape, networks_of(input, form));
    if (err_is(err)) {
        return err.code == ERR_ARGUMENT ? err_make(ERR_MODEL_UNREADABLE, err.where) : err;
    }
    err = read_input(input, form, &model);
    err = err_is(err) ? err : read_gate(file, input, form, &model);
    err = err_is(err) ? err : read_numbers(file, &model);
    if (err_is(err)) {
        finder_model_fini(&model);
        return err;
    }
    *out = model;
    *found = true;
    return err_none;
}

/* ---- writing ---- */

static struct err add_layers(const struct convnet *net, struct model_file *file)
{
    uint64_t numbers[CONVNET_LAYERS_MAX][LAYER_NUMBERS];
    const uint64_t shape[2] = {net->layer_count, LAYER_NUMBERS};
    for (uint32_t i = 0; i < net->layer_count; i++) {
        const struct convnet_layer *layer = &net->layers[i];
        const uint64_t row[LAYER_NUMBERS] = {layer->side, layer->stride, layer->dilation, layer->in,
                                             layer->out};
        memcpy(numbers[i], row, sizeof row);
    }
    return model_file_add(file, "finder_layers", MODEL_U64, shape, 2, numbers);
}

MUST_USE struct err finder_add(const struct finder_model *self, struct model_file *file)
{
    const struct convnet_layer *first = &self->nets[0].layers[0]; /* where those of all begin */
    struct finder_numbers totals = finder_numbers(self);
    uint64_t bias[FINDER_NETWORKS_MAX * CONVNET_LAYERS_MAX * CONVNET_CHANNELS_MAX];
    for (size_t i = 0; i < totals.outputs; i++) {
        bias[i] = (uint64_t)(int64_t)first->bias[i];
    }
    const struct finder_input *in = &self->input;
    bool several = self->networks > 1 || self->places > 0 || self->pooled;
    bool gated = self->gate.depth > 0;
    size_t form = gated ? 4 : several ? 3 : self->views > 1 ? 2 : in->material > 0;
    const double input[GATE_NUMBERS] = {
        forms[form].version, in->a_max,        in->contrast,   in->ratio_low, in->ratio_high,
        in->ratio_least,     self->slope,      self->offset,   self->box,     self->reduction,
        in->material,        self->views,      self->networks, self->places,  self->pooled,
        self->gate.depth,    self->gate_share,
    };
    const uint64_t weights_shape[1] = {totals.weights};
    const uint64_t outputs_shape[1] = {totals.outputs};
    const uint64_t input_shape[1] = {forms[form].numbers};
    struct err err = add_layers(&self->nets[0], file);
    err = err_is(err)
              ? err
              : model_file_add(file, "finder_weights", MODEL_U8, weights_shape, 1, first->weights);
    err =
        err_is(err) ? err : model_file_add(file, "finder_bias", MODEL_U64, outputs_shape, 1, bias);
    err = err_is(err)
              ? err
              : model_file_add(file, "finder_scale", MODEL_F32, outputs_shape, 1, first->scale);
    if (!err_is(err) && gated) {
        const struct convnet_layer *gate = &self->gate.net.layers[0];
        const uint64_t gate_shape[1] = {convnet_weight_count(gate)};
        err = model_file_add(file, "finder_gate", MODEL_U8, gate_shape, 1, gate->weights);
    }
    return err_is(err) ? err
                       : model_file_add(file, "finder_input", MODEL_F64, input_shape, 1, input);
}
