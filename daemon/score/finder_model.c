/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "finder_layers": side, stride, dilation, in, out of each layer. "finder_weights", "finder_bias",
 * "finder_scale": those of all layers, one after another, network after network. "finder_input":
 * the version of the planes, struct finder_input, slope, offset, box, reduction, views, networks,
 * places, pooled. Whole numbers that may be negative lie in arrays of bytes and of u64 as two's
 * complement, as there is no signed type. */

/* Version 1 has no material, nor its number at the end; version 3 has the eight planes of it;
 * version 4 has a number of views after that as well, and version 5 what a look at several places
 * by several networks takes. */
enum { PLANES_VERSION = 1, MATERIAL_VERSION = 3, VIEWS_VERSION = 4, PLACES_VERSION = 5 };
enum { INPUT_NUMBERS = 10, MATERIAL_NUMBERS, VIEWS_NUMBERS, PLACES_NUMBERS = 15 };
enum { AT_MATERIAL = 10, AT_VIEWS, AT_NETWORKS, AT_PLACES, AT_POOLED };
enum { LAYER_NUMBERS = 5 };

static const struct form {
    uint64_t numbers; /* of "finder_input" */
    double version;   /* the first of them */
} forms[] = {{INPUT_NUMBERS, PLANES_VERSION},
             {MATERIAL_NUMBERS, MATERIAL_VERSION},
             {VIEWS_NUMBERS, VIEWS_VERSION},
             {PLACES_NUMBERS, PLACES_VERSION}};

/* Beyond these the numbers are no sensible model's, and sums of them could become infinite. */
static const double number_max = 1e6;

static bool counts_fit(const struct convnet *net)
{
    uint32_t stride = 1;
    for (uint32_t i = 0; i < net->layer_count; i++) {
        stride *= net->layers[i].stride;
    }
    bool planes_fit =
        net->layers[0].in == FINDER_CHANNELS || net->layers[0].in == FINDER_CHANNELS_MAX;
    return planes_fit && stride == FINDER_CELL &&
           net->layers[net->layer_count - 1].out == FINDER_OUTPUTS;
}

/* The counts alone: the arrays are all zero while convnet_validate() looks at them. */
static enum convnet_fault check_counts(const struct convnet *shape)
{
    static int8_t weights[9 * CONVNET_CHANNELS_MAX * CONVNET_CHANNELS_MAX];
    static int32_t bias[CONVNET_CHANNELS_MAX];
    static float scale[CONVNET_CHANNELS_MAX];
    struct convnet net = *shape;
    for (uint32_t i = 0; i < CONVNET_LAYERS_MAX; i++) {
        net.layers[i].weights = weights;
        net.layers[i].bias = bias;
        net.layers[i].scale = scale;
    }
    return convnet_validate(&net);
}

struct totals {
    size_t weights;
    size_t outputs;
};

/* Of so many networks. */
static struct totals totals_of(const struct convnet *net, uint32_t networks)
{
    struct totals totals = {0, 0};
    for (uint32_t i = 0; i < net->layer_count; i++) {
        totals.weights += networks * convnet_weight_count(&net->layers[i]);
        totals.outputs += (size_t)networks * net->layers[i].out;
    }
    return totals;
}

static size_t packed_bytes(const struct convnet *shape)
{
    return (convnet_packed_bytes(shape) + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT *
           CONVNET_ALIGNMENT;
}

/* Storage: what is packed of each network, then biases, scales and weights of all. */
static void lay_out(struct finder_model *self, size_t outputs)
{
    size_t packed = packed_bytes(&self->nets[0]);
    uint8_t *storage = self->storage;
    int32_t *bias = (int32_t *)(void *)(storage + self->networks * packed);
    float *scale = (float *)(bias + outputs);
    int8_t *weights = (int8_t *)(scale + outputs);
    for (uint32_t n = 0; n < self->networks; n++) {
        self->packed[n] = storage + n * packed;
        for (uint32_t i = 0; i < self->nets[n].layer_count; i++) {
            struct convnet_layer *layer = &self->nets[n].layers[i];
            layer->weights = weights;
            layer->bias = bias;
            layer->scale = scale;
            weights += convnet_weight_count(layer);
            bias += layer->out;
            scale += layer->out;
        }
    }
}

MUST_USE struct err finder_model_init(struct finder_model *self, const struct convnet *shape,
                                      uint32_t networks)
{
    if (check_counts(shape) != CONVNET_SOUND || !counts_fit(shape)) {
        return err_make(ERR_ARGUMENT, "finder: layers that do not fit each other or the planes");
    }
    if (networks < 1 || networks > FINDER_NETWORKS_MAX) {
        return err_make(ERR_ARGUMENT, "finder: number of networks");
    }
    struct totals totals = totals_of(shape, networks);
    size_t bytes = networks * packed_bytes(shape) +
                   totals.outputs * (sizeof(int32_t) + sizeof(float)) + totals.weights;
    size_t whole = (bytes + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT * CONVNET_ALIGNMENT;
    uint8_t *storage = aligned_alloc(CONVNET_ALIGNMENT, whole);
    if (storage == NULL) {
        return err_make(ERR_MEMORY, "finder");
    }
    memset(storage, 0, whole);
    *self = (struct finder_model){.networks = networks, .views = 1, .slope = 1, .storage = storage};
    for (uint32_t n = 0; n < networks; n++) {
        self->nets[n] = *shape;
    }
    lay_out(self, totals.outputs);
    return err_none;
}

void finder_model_fini(struct finder_model *self)
{
    free(self->storage);
    memset(self, 0, sizeof *self);
}

MUST_USE struct err finder_copy(const struct finder_model *self, struct finder_model *out)
{
    return finder_join(&self, 1, out);
}

static bool same_layers(const struct convnet *one, const struct convnet *other)
{
    bool same = one->layer_count == other->layer_count;
    for (uint32_t i = 0; same && i < one->layer_count; i++) {
        const struct convnet_layer *a = &one->layers[i], *b = &other->layers[i];
        same = a->side == b->side && a->stride == b->stride && a->dilation == b->dilation &&
               a->in == b->in && a->out == b->out;
    }
    return same;
}

static bool same_input(const struct finder_input *one, const struct finder_input *other)
{
    return one->a_max == other->a_max && one->contrast == other->contrast &&
           one->ratio_low == other->ratio_low && one->ratio_high == other->ratio_high &&
           one->ratio_least == other->ratio_least && one->material == other->material;
}

static bool join_alike(const struct finder_model *one, const struct finder_model *other)
{
    return same_layers(&one->nets[0], &other->nets[0]) && same_input(&one->input, &other->input) &&
           one->box == other->box && one->reduction == other->reduction &&
           one->views == other->views && one->places == other->places &&
           one->pooled == other->pooled;
}

/* The numbers of all networks of `from` into those of `to` from network `first` on. */
static void copy_networks(const struct finder_model *from, struct finder_model *to, uint32_t first)
{
    struct totals totals = totals_of(&from->nets[0], from->networks);
    const struct convnet_layer *source = &from->nets[0].layers[0];
    struct convnet_layer *target = &to->nets[first].layers[0];
    memcpy(target->weights, source->weights, totals.weights);
    memcpy(target->bias, source->bias, totals.outputs * sizeof *source->bias);
    memcpy(target->scale, source->scale, totals.outputs * sizeof *source->scale);
}

MUST_USE struct err finder_join(const struct finder_model *const *parts, uint32_t count,
                                struct finder_model *out)
{
    uint32_t networks = 0;
    for (uint32_t i = 0; i < count && networks <= FINDER_NETWORKS_MAX; i++) {
        networks += parts[i]->networks;
        if (!join_alike(parts[0], parts[i])) {
            return err_make(ERR_ARGUMENT, "finder: networks for different images");
        }
    }
    if (networks < 1 || networks > FINDER_NETWORKS_MAX) {
        return err_make(ERR_ARGUMENT, "finder: number of networks");
    }
    struct finder_model joined;
    struct err err = finder_model_init(&joined, &parts[0]->nets[0], networks);
    if (err_is(err)) {
        return err;
    }
    for (uint32_t i = 0, first = 0; i < count; first += parts[i++]->networks) {
        copy_networks(parts[i], &joined, first);
    }
    joined.input = parts[0]->input;
    joined.box = parts[0]->box;
    joined.reduction = parts[0]->reduction;
    joined.views = parts[0]->views;
    joined.places = parts[0]->places;
    joined.pooled = parts[0]->pooled;
    joined.slope = parts[0]->slope;
    joined.offset = parts[0]->offset;
    err = finder_model_settle(&joined);
    if (err_is(err)) {
        finder_model_fini(&joined);
        return err;
    }
    *out = joined;
    return err_none;
}

static bool within(double value, double low, double high)
{
    return value >= low && value <= high; /* NaN is not */
}

static bool input_is_sound(const struct finder_input *input)
{
    return within(input->a_max, 1e-3, 100) && within(input->contrast, 0, 1000) &&
           within(input->ratio_least, 1e-3, 100) && within(input->ratio_low, 0, 100) &&
           within(input->ratio_high, input->ratio_low + 1e-3, 101) &&
           within(input->material, 0, number_max);
}

static struct err check_network(const struct convnet *net)
{
    switch (convnet_validate(net)) {
    case CONVNET_SOUND:
        break;
    case CONVNET_COUNTS:
        return err_make(ERR_MODEL_UNREADABLE, "finder: layers that do not fit each other");
    case CONVNET_WEIGHTS:
        return err_make(ERR_MODEL_UNREADABLE, "finder: a weight or bias out of range");
    case CONVNET_SCALES:
        return err_make(ERR_MODEL_UNREADABLE, "finder: a scale that is negative or not finite");
    }
    const struct convnet_layer *head = &net->layers[net->layer_count - 1];
    for (uint32_t i = 0; i < head->out; i++) {
        /* |sum| < 2^24, so what comes out is finite. */
        if ((double)head->scale[i] > number_max) {
            return err_make(ERR_MODEL_UNREADABLE, "finder: a scale of the last layer out of range");
        }
    }
    return err_none;
}

MUST_USE struct err finder_model_settle(struct finder_model *self)
{
    for (uint32_t n = 0; n < self->networks; n++) {
        struct err err = check_network(&self->nets[n]);
        if (err_is(err)) {
            return err;
        }
    }
    if (!input_is_sound(&self->input) ||
        self->nets[0].layers[0].in != finder_channels(&self->input)) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: constants of its planes out of range");
    }
    if (!within(self->slope, 1e-6, number_max) || !within(self->offset, -number_max, number_max)) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: calibration out of range");
    }
    if (!within(self->box, 1, WORKING_HEIGHT_MAX) ||
        !within(self->reduction, 1, FINDER_REDUCTION_MAX)) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: size of objects or reduction");
    }
    if (self->views != 1 && self->views != 2 && self->views != 4) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: views of an image");
    }
    if (self->places > FINDER_PLACES_MAX) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: places of an image");
    }
    size_t packed = packed_bytes(&self->nets[0]);
    for (uint32_t n = 0; n < self->networks; n++) {
        convnet_pack(&self->nets[n], (uint8_t *)self->storage + n * packed);
    }
    return err_none;
}

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

/* How many networks the row speaks of; 0 when it may not. */
static uint32_t networks_of(const double *numbers, const struct form *form)
{
    if (form->numbers < PLACES_NUMBERS) {
        return 1;
    }
    double networks = numbers[AT_NETWORKS];
    bool fits = within(networks, 1, FINDER_NETWORKS_MAX) && (uint32_t)networks == networks;
    return fits ? (uint32_t)networks : 0;
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
    out->reduction = within(numbers[9], 1, FINDER_REDUCTION_MAX) ? (uint32_t)numbers[9] : 0;
    double views = form->numbers >= VIEWS_NUMBERS ? numbers[AT_VIEWS] : 1;
    bool whole = views == 1 || views == 2 || views == 4; /* else settling refuses it */
    out->views = whole ? (uint32_t)views : 0;
    if (form->numbers >= PLACES_NUMBERS) {
        double places = numbers[AT_PLACES], pooled = numbers[AT_POOLED];
        bool fits = within(places, 0, FINDER_PLACES_MAX) && (uint32_t)places == places;
        out->places = fits ? (uint32_t)places : FINDER_PLACES_MAX + 1;
        out->pooled = pooled == 1;
        if (pooled != 0 && pooled != 1) {
            return err_make(ERR_MODEL_UNREADABLE, "finder: whether heats are pooled");
        }
    }
    return err_none;
}

/* Into the arrays of a model that has room for them. */
static struct err read_numbers(const struct model_file *file, struct finder_model *out)
{
    struct totals totals = totals_of(&out->nets[0], out->networks);
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
    struct totals totals = totals_of(&self->nets[0], self->networks);
    uint64_t bias[FINDER_NETWORKS_MAX * CONVNET_LAYERS_MAX * CONVNET_CHANNELS_MAX];
    for (size_t i = 0; i < totals.outputs; i++) {
        bias[i] = (uint64_t)(int64_t)first->bias[i];
    }
    const struct finder_input *in = &self->input;
    bool several = self->networks > 1 || self->places > 0 || self->pooled;
    size_t form = several ? 3 : self->views > 1 ? 2 : in->material > 0;
    const double input[PLACES_NUMBERS] = {
        forms[form].version, in->a_max,   in->contrast,   in->ratio_low, in->ratio_high,
        in->ratio_least,     self->slope, self->offset,   self->box,     self->reduction,
        in->material,        self->views, self->networks, self->places,  self->pooled};
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
    return err_is(err) ? err
                       : model_file_add(file, "finder_input", MODEL_F64, input_shape, 1, input);
}
