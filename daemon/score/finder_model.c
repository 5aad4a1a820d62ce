/* SPDX-License-Identifier: Apache-2.0 */
#include "score/finder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* Of so many networks. */
static struct finder_numbers numbers_of(const struct convnet *net, uint32_t networks)
{
    struct finder_numbers totals = {0, 0};
    for (uint32_t i = 0; i < net->layer_count; i++) {
        totals.weights += networks * convnet_weight_count(&net->layers[i]);
        totals.outputs += (size_t)networks * net->layers[i].out;
    }
    return totals;
}

struct finder_numbers finder_numbers(const struct finder_model *model)
{
    return numbers_of(&model->nets[0], model->networks);
}

static size_t packed_bytes(const struct convnet *shape)
{
    return (convnet_packed_bytes(shape) + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT *
           CONVNET_ALIGNMENT;
}

enum { GATE_WEIGHTS_MAX = FINDER_GATE_SIDE * FINDER_GATE_SIDE * CONVNET_CHANNELS_MAX };

/* Of any gate that fits these channels. */
static struct convnet gate_shape(uint32_t channels)
{
    return (struct convnet){
        .layers =
            {{.side = FINDER_GATE_SIDE, .stride = 1, .dilation = 1, .in = channels, .out = 1}},
        .layer_count = 1};
}

static size_t gate_packed_bytes(void)
{
    const struct convnet widest = gate_shape(CONVNET_CHANNELS_MAX);
    return packed_bytes(&widest);
}

/* Storage: what is packed of each network and of the gate, then biases and scales of all, those of
 * the gate, weights of all, and of the gate. */
static void lay_out(struct finder_model *self, size_t outputs)
{
    size_t packed = packed_bytes(&self->nets[0]);
    uint8_t *storage = self->storage;
    uint8_t *gate_packed = storage + self->networks * packed;
    int32_t *bias = (int32_t *)(void *)(gate_packed + gate_packed_bytes());
    float *scale = (float *)(bias + outputs + 1);
    int8_t *weights = (int8_t *)(scale + outputs + 1);
    self->gate.packed = gate_packed;
    self->gate.net = gate_shape(CONVNET_CHANNELS_MAX);
    self->gate.net.layers[0].bias = bias + outputs;
    self->gate.net.layers[0].scale = scale + outputs;
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
    self->gate.net.layers[0].weights = weights;
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
    struct finder_numbers totals = numbers_of(shape, networks);
    size_t bytes = networks * packed_bytes(shape) + gate_packed_bytes() +
                   (totals.outputs + 1) * (sizeof(int32_t) + sizeof(float)) + totals.weights +
                   GATE_WEIGHTS_MAX;
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

MUST_USE struct err finder_model_set_gate(struct finder_model *self, uint32_t depth, uint32_t share)
{
    struct convnet_layer *layer = &self->gate.net.layers[0];
    self->gate.depth = 0;
    self->gate_share = 0;
    if (depth == 0) {
        return err_none;
    }
    if (depth >= self->nets[0].layer_count) {
        return err_make(ERR_ARGUMENT, "finder: a gate behind its layers");
    }
    layer->in = self->nets[0].layers[depth].in;
    memset(layer->weights, 0, GATE_WEIGHTS_MAX);
    *layer->bias = 0;
    *layer->scale = 1; /* the order of the sums is all that matters */
    self->gate.depth = depth;
    self->gate_share = share;
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
    struct finder_numbers totals = finder_numbers(from);
    const struct convnet_layer *source = &from->nets[0].layers[0];
    struct convnet_layer *target = &to->nets[first].layers[0];
    memcpy(target->weights, source->weights, totals.weights);
    memcpy(target->bias, source->bias, totals.outputs * sizeof *source->bias);
    memcpy(target->scale, source->scale, totals.outputs * sizeof *source->scale);
}

static struct err copy_gate(const struct finder_model *from, struct finder_model *to)
{
    struct err err = finder_model_set_gate(to, from->gate.depth, from->gate_share);
    if (!err_is(err) && from->gate.depth > 0) {
        const struct convnet_layer *source = &from->gate.net.layers[0];
        memcpy(to->gate.net.layers[0].weights, source->weights, convnet_weight_count(source));
    }
    return err;
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
    err = copy_gate(parts[0], &joined);
    err = err_is(err) ? err : finder_model_settle(&joined);
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

static struct err check_gate(const struct finder_model *self)
{
    if (self->networks > 1 || self->views > 1) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: a gate of one that looks several times");
    }
    if (!convnet_gate_fits(&self->nets[0], &self->gate)) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: a gate that does not fit its layers");
    }
    if (convnet_validate(&self->gate.net) != CONVNET_SOUND) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: a weight of the gate out of range");
    }
    if (self->gate_share < 2 || self->gate_share > FINDER_GATE_SHARE_MAX) {
        return err_make(ERR_MODEL_UNREADABLE, "finder: share of cells that pass the gate");
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
    if (self->gate.depth > 0) {
        struct err err = check_gate(self);
        if (err_is(err)) {
            return err;
        }
    }
    size_t packed = packed_bytes(&self->nets[0]);
    uint8_t *storage = self->storage;
    for (uint32_t n = 0; n < self->networks; n++) {
        convnet_pack(&self->nets[n], storage + n * packed);
    }
    if (self->gate.depth > 0) {
        convnet_pack(&self->gate.net, storage + self->networks * packed);
    }
    return err_none;
}
