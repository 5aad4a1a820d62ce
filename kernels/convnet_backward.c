/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/convnet_parts.h"

/* The way back. With z = (s - mean) * inverse, y = gain * z + offset, result = max(0, y):
 *   dy = dresult where result > 0;  doffset = sum dy;  dgain = sum dy z
 *   ds = gain * inverse * (dy - doffset / count - z * dgain / count)
 * After folding a gradient passes wherever the sum lies within 0..span. */

/* Where a layer's result is cut off, its gradient ends. */
static void cut(const struct convnet_train *self, uint32_t index, size_t part)
{
    const struct convnet_train_layer *layer = &self->layers[index];
    size_t count = convnet_numbers(self, index);
    float *backward = layer->backward[part];
    if (self->folded) {
        const float *sums = layer->sums[part];
        for (size_t i = 0; i < count; i++) {
            backward[i] = sums[i] > 0 && sums[i] < layer->span ? backward[i] : 0;
        }
        return;
    }
    const float *results = layer->results[part];
    for (size_t i = 0; i < count; i++) {
        backward[i] = results[i] > 0 ? backward[i] : 0;
    }
}

/* moments: sums of dy and of dy z, floats along a row, doubles over the rows. */
static void add_moments(const struct convnet_train *self, uint32_t index, size_t part)
{
    const struct convnet_train_layer *layer = &self->layers[index];
    uint32_t out = self->plan.layers[index].out;
    double *moments = layer->moments[part];
    memset(moments, 0, 2 * (size_t)out * sizeof *moments);
    for (uint32_t y = 0; y < layer->height; y++) {
        float added[2][CONVNET_CHANNELS_MAX] = {{0}};
        size_t at = (size_t)y * layer->width * out;
        for (uint32_t x = 0; x < layer->width; x++, at += out) {
            const float *backward = layer->backward[part] + at;
            const float *sums = layer->sums[part] + at;
            for (uint32_t o = 0; o < out; o++) {
                added[0][o] += backward[o];
                added[1][o] += backward[o] * (sums[o] - layer->batch_mean[o]);
            }
        }
        for (uint32_t o = 0; o < out; o++) {
            moments[o] += (double)added[0][o];
            moments[out + o] += (double)(added[1][o] * layer->batch_inverse[o]);
        }
    }
}

/* The layer's gradient of the results is there: what it means for gain and offset. */
static void cut_part(void *argument, size_t part)
{
    struct convnet_train *self = argument;
    if (!convnet_is_last(self, self->layer)) {
        cut(self, self->layer, part);
    }
    add_moments(self, self->layer, part);
}

/* From gradients of y to those of the sums. */
static void normalise(const struct convnet_train *self, uint32_t index, size_t part)
{
    const struct convnet_train_layer *layer = &self->layers[index];
    uint32_t out = self->plan.layers[index].out;
    double count = (double)self->plan.batch * layer->height * layer->width;
    float factor[CONVNET_CHANNELS_MAX];
    float slope[CONVNET_CHANNELS_MAX];
    float shift[CONVNET_CHANNELS_MAX];
    for (uint32_t o = 0; o < out; o++) {
        double of_offset = 0, of_gain = 0;
        for (uint32_t i = 0; i < self->plan.batch; i++) {
            of_offset += layer->moments[i][o];
            of_gain += layer->moments[i][out + o];
        }
        double inverse = (double)layer->batch_inverse[o];
        double scale = (double)layer->gain[o] * inverse;
        factor[o] = (float)scale;
        slope[o] = (float)(-scale * inverse * of_gain / count);
        shift[o] = (float)(-scale * of_offset / count) - slope[o] * layer->batch_mean[o];
    }
    float *backward = layer->backward[part];
    const float *sums = layer->sums[part];
    for (size_t p = 0; p < (size_t)layer->height * layer->width; p++) {
        for (uint32_t o = 0; o < out; o++) {
            size_t at = p * out + o;
            backward[at] = backward[at] * factor[o] + (sums[at] * slope[o] + shift[o]);
        }
    }
}

static void convolve_part(void *argument, size_t part)
{
    struct convnet_train *self = argument;
    uint32_t index = self->layer;
    struct convnet_train_layer *layer = &self->layers[index];
    struct convolution shape = convnet_shape(self, index);
    float *gradient = layer->gradient[part];
    for (uint32_t o = 0; o < shape.out; o++) {
        int has_gain = !self->folded && !convnet_is_last(self, index);
        gradient[layer->weight_count + o] =
            has_gain ? (float)layer->moments[part][shape.out + o] : 0;
        gradient[layer->weight_count + shape.out + o] = (float)layer->moments[part][o];
    }
    if (!self->folded && !convnet_is_last(self, index)) {
        normalise(self, index, part);
    }
    convolution_of_weights(&shape, convnet_input(self, index, part), layer->backward[part],
                           self->columns[part], gradient);
    if (index > 0) {
        convolution_of_input(&shape, layer->backward[part],
                             self->folded ? layer->rounded : layer->weights, self->columns[part],
                             self->layers[index - 1].backward[part]);
    }
}

void convnet_train_backward(struct convnet_train *self)
{
    for (uint32_t i = self->plan.layer_count; i-- > 0;) {
        self->layer = i;
        convnet_run_parts(self, cut_part);
        convnet_run_parts(self, convolve_part);
    }
}
