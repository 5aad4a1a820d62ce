/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet_train.h"

#include <math.h>
#include <string.h>

#include "kernels/convnet_parts.h"
#include "kernels/rng.h"

/* A pass is a row of phases, one a layer; in each the images of the batch are the parts, and
 * between two phases the caller adds up what the images give, in their order. */

enum { ALIGN_FLOATS = 16 };

static const double running_share = 0.1; /* of the newest batch in the running statistics */

static size_t aligned(size_t floats)
{
    return (floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

/* Hands out pieces of the workspace; from NULL it only counts. */
struct piece {
    float *base;
    size_t used;
};

static float *take(struct piece *piece, size_t floats)
{
    float *out = piece->base == NULL ? NULL : piece->base + piece->used;
    piece->used += aligned(floats);
    return out;
}

static void measure(struct convnet_train *self)
{
    uint32_t height = self->plan.height;
    uint32_t width = self->plan.width;
    self->learnt_count = 0;
    for (uint32_t i = 0; i < self->plan.layer_count; i++) {
        const struct convnet_layer *planned = &self->plan.layers[i];
        struct convnet_train_layer *layer = &self->layers[i];
        layer->in_height = height;
        layer->in_width = width;
        height = (height + planned->stride - 1) / planned->stride;
        width = (width + planned->stride - 1) / planned->stride;
        layer->height = height;
        layer->width = width;
        layer->taps = (size_t)planned->side * planned->side * planned->in;
        layer->weight_count = planned->out * layer->taps;
        self->learnt_count += layer->weight_count + 2 * (size_t)planned->out;
    }
}

static void take_layer(struct convnet_train *self, uint32_t index, struct piece *piece)
{
    struct convnet_train_layer *layer = &self->layers[index];
    size_t out = self->plan.layers[index].out;
    size_t floats = (size_t)layer->height * layer->width * out;
    layer->mean = take(piece, out);
    layer->variance = take(piece, out);
    layer->batch_mean = take(piece, out);
    layer->batch_inverse = take(piece, out);
    layer->step = take(piece, out);
    layer->rounded = take(piece, layer->weight_count);
    for (uint32_t i = 0; i < self->plan.batch; i++) {
        layer->sums[i] = take(piece, floats);
        layer->results[i] = convnet_is_last(self, index) ? layer->sums[i] : take(piece, floats);
        layer->backward[i] = take(piece, floats);
        layer->gradient[i] = take(piece, layer->weight_count + 2 * out);
        layer->moments[i] = (double *)(void *)take(piece, 4 * out);
    }
}

static size_t take_all(struct convnet_train *self, float *base)
{
    struct piece piece = {base, 0};
    measure(self);
    self->learnt = take(&piece, self->learnt_count);
    self->first_moment = take(&piece, self->learnt_count);
    self->second_moment = take(&piece, self->learnt_count);
    size_t columns = 0;
    for (uint32_t i = 0; i < self->plan.layer_count; i++) {
        struct convolution shape = convnet_shape(self, i);
        size_t floats = convolution_columns_floats(&shape);
        columns = floats > columns ? floats : columns;
        take_layer(self, i, &piece);
    }
    for (uint32_t i = 0; i < self->plan.batch; i++) {
        self->inputs[i] =
            take(&piece, (size_t)self->plan.height * self->plan.width * self->plan.layers[0].in);
        self->columns[i] = take(&piece, columns);
    }
    return piece.used;
}

size_t convnet_train_workspace_floats(const struct convnet_plan *plan)
{
    struct convnet_train counted = {.plan = *plan};
    return take_all(&counted, NULL);
}

void convnet_train_init(struct convnet_train *self, const struct convnet_plan *plan,
                        const struct convnet_team *team, uint64_t seed, float *workspace)
{
    memset(self, 0, sizeof *self);
    self->plan = *plan;
    self->team = team;
    size_t used = take_all(self, workspace);
    memset(workspace, 0, used * sizeof *workspace);
    float *at = self->learnt;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        struct convnet_train_layer *layer = &self->layers[i];
        struct rng rng;
        rng_init(&rng, seed, i);
        double bound = 1.0 / sqrt((double)layer->taps);
        layer->weights = at;
        layer->gain = at + layer->weight_count;
        layer->offset = layer->gain + plan->layers[i].out;
        at = layer->offset + plan->layers[i].out;
        for (size_t w = 0; w < layer->weight_count; w++) {
            layer->weights[w] = (float)(bound * (2.0 * rng_uniform(&rng) - 1.0));
        }
        for (uint32_t o = 0; o < plan->layers[i].out; o++) {
            layer->gain[o] = 1.0f;
            layer->variance[o] = 1.0f;
        }
    }
}

void convnet_run_parts(struct convnet_train *self, void (*work)(void *argument, size_t part))
{
    if (self->team != NULL) {
        self->team->run(self->team->self, work, self, self->plan.batch);
        return;
    }
    for (uint32_t part = 0; part < self->plan.batch; part++) {
        work(self, part);
    }
}

/* ---- forwards */

/* Sums and sums of squares of each channel: floats along a row, doubles over the rows. */
static void add_moments(const struct convnet_train_layer *layer, uint32_t out, size_t part)
{
    double *moments = layer->moments[part];
    memset(moments, 0, 2 * (size_t)out * sizeof *moments);
    for (uint32_t y = 0; y < layer->height; y++) {
        float sums[2][CONVNET_CHANNELS_MAX] = {{0}};
        const float *row = layer->sums[part] + (size_t)y * layer->width * out;
        for (uint32_t x = 0; x < layer->width; x++, row += out) {
            for (uint32_t o = 0; o < out; o++) {
                sums[0][o] += row[o];
                sums[1][o] += row[o] * row[o];
            }
        }
        for (uint32_t o = 0; o < out; o++) {
            moments[o] += (double)sums[0][o];
            moments[out + o] += (double)sums[1][o];
        }
    }
}

/* results = max(0, sums * factor + shift), channel by channel. */
static void rectify(const struct convnet_train_layer *layer, uint32_t out, size_t part)
{
    float factor[CONVNET_CHANNELS_MAX];
    float shift[CONVNET_CHANNELS_MAX];
    for (uint32_t o = 0; o < out; o++) {
        factor[o] = layer->gain[o] * layer->batch_inverse[o];
        shift[o] = layer->offset[o] - layer->batch_mean[o] * factor[o];
    }
    const float *sums = layer->sums[part];
    float *results = layer->results[part];
    for (size_t p = 0; p < (size_t)layer->height * layer->width; p++) {
        for (uint32_t o = 0; o < out; o++) {
            float value = sums[p * out + o] * factor[o] + shift[o];
            results[p * out + o] = value > 0 ? value : 0;
        }
    }
}

/* The same after folding: sums become whole steps of span / 255. A span of 0 is not yet known:
 * then only the ReLU. */
static void rectify_folded(const struct convnet_train_layer *layer, uint32_t out, size_t part)
{
    float step = layer->span / 255.0f;
    float inverse = layer->span > 0 ? 255.0f / layer->span : 0;
    float *sums = layer->sums[part];
    float *results = layer->results[part];
    for (size_t p = 0; p < (size_t)layer->height * layer->width; p++) {
        for (uint32_t o = 0; o < out; o++) {
            float value = sums[p * out + o] + layer->offset[o];
            sums[p * out + o] = value;
            value = value > 0 ? value : 0;
            if (inverse > 0) {
                float steps = rintf(value * inverse);
                value = (steps < 255.0f ? steps : 255.0f) * step;
            }
            results[p * out + o] = value;
        }
    }
}

static void finish_layer(const struct convnet_train *self, uint32_t index, size_t part)
{
    const struct convnet_train_layer *layer = &self->layers[index];
    uint32_t out = self->plan.layers[index].out;
    if (convnet_is_last(self, index)) {
        for (size_t p = 0; p < (size_t)layer->height * layer->width; p++) {
            for (uint32_t o = 0; o < out; o++) {
                layer->sums[part][p * out + o] += layer->offset[o];
            }
        }
    } else if (self->folded) {
        rectify_folded(layer, out, part);
    } else {
        rectify(layer, out, part);
    }
}

/* Finishes the layer before, whose statistics are known now, and convolves. */
static void forward_part(void *argument, size_t part)
{
    struct convnet_train *self = argument;
    uint32_t index = self->layer;
    if (index > 0) {
        finish_layer(self, index - 1, part);
    }
    if (index == self->plan.layer_count) {
        return;
    }
    struct convnet_train_layer *layer = &self->layers[index];
    struct convolution shape = convnet_shape(self, index);
    convolution_forward(&shape, convnet_input(self, index, part),
                        self->folded ? layer->rounded : layer->weights, self->columns[part],
                        layer->sums[part]);
    if (!self->folded && !convnet_is_last(self, index)) {
        add_moments(layer, shape.out, part);
    }
}

static void settle_statistics(struct convnet_train *self, uint32_t index)
{
    struct convnet_train_layer *layer = &self->layers[index];
    uint32_t out = self->plan.layers[index].out;
    double count = (double)self->plan.batch * layer->height * layer->width;
    for (uint32_t o = 0; o < out; o++) {
        double sum = 0, squares = 0;
        for (uint32_t part = 0; part < self->plan.batch; part++) {
            sum += layer->moments[part][o];
            squares += layer->moments[part][out + o];
        }
        double mean = sum / count;
        double variance = squares / count - mean * mean;
        variance = variance > 0 ? variance : 0;
        layer->batch_mean[o] = (float)mean;
        layer->batch_inverse[o] = (float)(1.0 / sqrt(variance + CONVNET_VARIANCE_FLOOR));
        layer->mean[o] += (float)running_share * ((float)mean - layer->mean[o]);
        layer->variance[o] += (float)running_share * ((float)variance - layer->variance[o]);
    }
}

/* The step is wide enough for the bias, too, to be a
 * whole number of steps within CONVNET_BIAS_MAX. */
void convnet_round_weights(struct convnet_train *self, uint32_t index)
{
    struct convnet_train_layer *layer = &self->layers[index];
    double input_step = index == 0 ? 1.0 / 255.0 : (double)self->layers[index - 1].span / 255.0;
    for (uint32_t o = 0; o < self->plan.layers[index].out; o++) {
        const float *weights = layer->weights + o * layer->taps;
        float *rounded = layer->rounded + o * layer->taps;
        double highest = 0;
        for (size_t t = 0; t < layer->taps; t++) {
            double size = fabs((double)weights[t]);
            highest = size > highest ? size : highest;
        }
        double step = highest / CONVNET_WEIGHT_MAX;
        double for_bias = input_step > 0 ? fabs((double)layer->offset[o]) /
                                               (input_step * (CONVNET_BIAS_MAX - 1.0))
                                         : 0;
        step = step > for_bias ? step : for_bias;
        step = step > 1e-12 ? step : 1e-12;
        layer->step[o] = (float)step;
        for (size_t t = 0; t < layer->taps; t++) {
            rounded[t] = rintf(weights[t] / layer->step[o]);
            rounded[t] = rounded[t] > CONVNET_WEIGHT_MAX ? CONVNET_WEIGHT_MAX : rounded[t];
            rounded[t] = rounded[t] < -CONVNET_WEIGHT_MAX ? -CONVNET_WEIGHT_MAX : rounded[t];
            rounded[t] *= layer->step[o];
        }
    }
}

void convnet_train_forward(struct convnet_train *self)
{
    for (uint32_t i = 0; i <= self->plan.layer_count; i++) {
        self->layer = i;
        if (self->folded && i < self->plan.layer_count) {
            convnet_round_weights(self, i);
        }
        convnet_run_parts(self, forward_part);
        if (!self->folded && i + 1 < self->plan.layer_count) {
            settle_statistics(self, i);
        }
    }
}

const float *convnet_train_result(const struct convnet_train *self, uint32_t image)
{
    return self->layers[self->plan.layer_count - 1].sums[image];
}

float *convnet_train_result_gradient(struct convnet_train *self, uint32_t image)
{
    return self->layers[self->plan.layer_count - 1].backward[image];
}
