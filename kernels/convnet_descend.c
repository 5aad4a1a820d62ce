/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet_train.h"

#include <math.h>
#include <string.h>

#include "kernels/convnet_parts.h"

static const double second_decay = 0.999;
static const double divisor_floor = 1e-8;
/* As the widely used implementation of the cycle has them. */
static const double rise_share = 0.15;
static const double first_divisor = 25.0;
static const double last_divisor = 1e4; /* of the first rate */
static const double momentum_high = 0.95;
static const double momentum_low = 0.85;

static double between(double from, double to, double share)
{
    return to + (from - to) / 2 * (1 + cos(acos(-1.0) * share));
}

struct convnet_descent convnet_descent_cycle(double peak, double decay, uint64_t step,
                                             uint64_t steps)
{
    double top = rise_share * (double)steps - 1;
    double last = (double)steps - 1;
    double first = peak / first_divisor;
    struct convnet_descent out = {.decay = decay};
    if (top > 0 && (double)step <= top) {
        out.rate = between(first, peak, (double)step / top);
        out.momentum = between(momentum_high, momentum_low, (double)step / top);
        return out;
    }
    double share = last > top ? ((double)step - top) / (last - top) : 1;
    out.rate = between(peak, first / last_divisor, share);
    out.momentum = between(momentum_low, momentum_high, share);
    return out;
}

struct adam {
    float rate, shrink;
    float momentum;
    float second_share;   /* 1 - second_decay */
    float root_of_second; /* of the second moment's bias correction */
    float first_factor;   /* rate / bias correction of the first moment */
};

static void descend_some(struct convnet_train *self, const struct adam *adam, size_t from,
                         const float *const *gradients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float gradient = 0;
        for (uint32_t part = 0; part < self->plan.batch; part++) {
            gradient += gradients[part][i];
        }
        float *first = &self->first_moment[from + i];
        float *second = &self->second_moment[from + i];
        float *learnt = &self->learnt[from + i];
        *first += (1.0f - adam->momentum) * (gradient - *first);
        *second += adam->second_share * (gradient * gradient - *second);
        *learnt *= adam->shrink;
        *learnt -= adam->first_factor * *first /
                   (sqrtf(*second) / adam->root_of_second + (float)divisor_floor);
    }
}

void convnet_train_descend(struct convnet_train *self, const struct convnet_descent *descent)
{
    double steps = (double)++self->steps_done;
    struct adam adam = {
        .shrink = (float)(1 - descent->rate * descent->decay),
        .momentum = (float)descent->momentum,
        .second_share = (float)(1 - second_decay),
        .root_of_second = (float)sqrt(1 - pow(second_decay, steps)),
        .first_factor = (float)(descent->rate / (1 - pow(descent->momentum, steps))),
    };
    size_t from = 0;
    for (uint32_t i = 0; i < self->plan.layer_count; i++) {
        const struct convnet_train_layer *layer = &self->layers[i];
        size_t count = layer->weight_count + 2 * (size_t)self->plan.layers[i].out;
        descend_some(self, &adam, from, (const float *const *)layer->gradient, count);
        from += count;
    }
}

void convnet_train_fold(struct convnet_train *self)
{
    for (uint32_t i = 0; i + 1 < self->plan.layer_count; i++) {
        struct convnet_train_layer *layer = &self->layers[i];
        for (uint32_t o = 0; o < self->plan.layers[i].out; o++) {
            double inverse = 1.0 / sqrt((double)layer->variance[o] + CONVNET_VARIANCE_FLOOR);
            float factor = (float)((double)layer->gain[o] * inverse);
            for (size_t t = 0; t < layer->taps; t++) {
                layer->weights[o * layer->taps + t] *= factor;
            }
            layer->offset[o] -= layer->mean[o] * factor;
            layer->gain[o] = 1.0f;
        }
    }
    memset(self->first_moment, 0, self->learnt_count * sizeof(float));
    memset(self->second_moment, 0, self->learnt_count * sizeof(float));
    self->steps_done = 0;
    self->folded = 1;
}

/* ---- spans */

enum { HISTOGRAM_CELLS = 2048, SHARES = 64 };

static float highest_sum(const struct convnet_train *self, uint32_t index)
{
    const struct convnet_train_layer *layer = &self->layers[index];
    size_t count = convnet_numbers(self, index);
    float highest = 0;
    for (uint32_t part = 0; part < self->plan.batch; part++) {
        for (size_t i = 0; i < count; i++) {
            float value = layer->sums[part][i];
            highest = value > highest ? value : highest;
        }
    }
    return highest;
}

static void add_histogram(const struct convnet_train *self, uint32_t index, float highest,
                          uint64_t *histogram)
{
    const struct convnet_train_layer *layer = &self->layers[index];
    size_t count = convnet_numbers(self, index);
    float factor = (float)HISTOGRAM_CELLS / highest;
    for (uint32_t part = 0; part < self->plan.batch; part++) {
        for (size_t i = 0; i < count; i++) {
            float value = layer->sums[part][i] * factor;
            if (value > 0) {
                size_t cell = (size_t)value;
                histogram[cell < HISTOGRAM_CELLS ? cell : HISTOGRAM_CELLS - 1]++;
            }
        }
    }
}

/* Rounding costs a twelfth of a squared step each, cutting off the squared excess. */
static float best_span(const uint64_t *histogram, double highest)
{
    double best = highest;
    double least = INFINITY;
    for (int share = 1; share <= SHARES; share++) {
        double span = highest * share / SHARES;
        double step = span / 255;
        double cost = 0;
        for (int cell = 0; cell < HISTOGRAM_CELLS; cell++) {
            double excess = (cell + 0.5) / HISTOGRAM_CELLS * highest - span;
            double each = excess > 0 ? excess * excess : step * step / 12;
            cost += each * (double)histogram[cell];
        }
        if (cost < least) {
            least = cost;
            best = span;
        }
    }
    return (float)best;
}

void convnet_train_calibrate(struct convnet_train *self,
                             void (*next)(void *argument, struct convnet_train *self,
                                          uint32_t batch),
                             void *argument, uint32_t batches)
{
    static const float span_min = 1e-6f; /* of a layer that never speaks */
    for (uint32_t index = 0; index + 1 < self->plan.layer_count; index++) {
        uint64_t histogram[HISTOGRAM_CELLS] = {0};
        float highest = 0;
        for (uint32_t batch = 0; batch < 2 * batches; batch++) {
            next(argument, self, batch < batches ? batch : batch - batches);
            convnet_train_forward(self);
            if (batch < batches) {
                float now = highest_sum(self, index);
                highest = now > highest ? now : highest;
            } else if (highest > span_min) {
                add_histogram(self, index, highest, histogram);
            }
        }
        float span = highest > span_min ? best_span(histogram, (double)highest) : span_min;
        self->layers[index].span = span > span_min ? span : span_min;
    }
}

void convnet_train_export(struct convnet_train *self, struct convnet *out)
{
    double input_step = 1.0 / 255.0;
    out->layer_count = self->plan.layer_count;
    for (uint32_t i = 0; i < self->plan.layer_count; i++) {
        convnet_round_weights(self, i);
        const struct convnet_train_layer *layer = &self->layers[i];
        struct convnet_layer *to = &out->layers[i];
        const struct convnet_layer *planned = &self->plan.layers[i];
        to->side = planned->side;
        to->stride = planned->stride;
        to->dilation = planned->dilation;
        to->in = planned->in;
        to->out = planned->out;
        int spans = !convnet_is_last(self, i) && layer->span > 0;
        double result_step = spans ? (double)layer->span / 255.0 : 1.0;
        for (uint32_t o = 0; o < planned->out; o++) {
            double step = (double)layer->step[o];
            for (size_t t = 0; t < layer->taps; t++) {
                to->weights[o * layer->taps + t] =
                    (int8_t)lrint((double)layer->rounded[o * layer->taps + t] / step);
            }
            to->bias[o] = (int32_t)lrint((double)layer->offset[o] / (step * input_step));
            to->scale[o] = (float)(step * input_step / result_step);
        }
        input_step = result_step;
    }
}
