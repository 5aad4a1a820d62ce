/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/convnet_train_ref.h"

#include <math.h>
#include <stdlib.h>

struct picture_of {
    double *numbers; /* [batch][height][width][channels] */
    size_t height, width, channels;
};

static double at(const struct picture_of *of, size_t image, ptrdiff_t y, ptrdiff_t x, size_t c)
{
    if (y < 0 || x < 0 || (size_t)y >= of->height || (size_t)x >= of->width) {
        return 0;
    }
    return of
        ->numbers[((image * of->height + (size_t)y) * of->width + (size_t)x) * of->channels + c];
}

static double sum_at(const struct convnet_layer *layer, const double *weights,
                     const struct picture_of *in, size_t image, const size_t place[3])
{
    ptrdiff_t half = layer->side / 2;
    double sum = 0;
    for (size_t i = 0; i < layer->side; i++) {
        for (size_t j = 0; j < layer->side; j++) {
            ptrdiff_t y = (ptrdiff_t)(place[0] * layer->stride) +
                          ((ptrdiff_t)i - half) * (ptrdiff_t)layer->dilation;
            ptrdiff_t x = (ptrdiff_t)(place[1] * layer->stride) +
                          ((ptrdiff_t)j - half) * (ptrdiff_t)layer->dilation;
            for (size_t c = 0; c < layer->in; c++) {
                sum += at(in, image, y, x, c) *
                       weights[((place[2] * layer->side + i) * layer->side + j) * layer->in + c];
            }
        }
    }
    return sum;
}

static void normalise(struct picture_of *of, size_t batch, const double *gain, const double *offset)
{
    size_t pixels = batch * of->height * of->width;
    for (size_t o = 0; o < of->channels; o++) {
        double mean = 0, variance = 0;
        for (size_t p = 0; p < pixels; p++) {
            mean += of->numbers[p * of->channels + o] / (double)pixels;
        }
        for (size_t p = 0; p < pixels; p++) {
            double away = of->numbers[p * of->channels + o] - mean;
            variance += away * away / (double)pixels;
        }
        for (size_t p = 0; p < pixels; p++) {
            double *number = &of->numbers[p * of->channels + o];
            double value = (*number - mean) / sqrt(variance + 1e-5) * gain[o] + offset[o];
            *number = value > 0 ? value : 0;
        }
    }
}

double ref_convnet_train_sum(const struct convnet_plan *plan, const float *const *inputs,
                             const double *learnt, const double *coefficients)
{
    size_t pixels = (size_t)plan->height * plan->width * plan->layers[0].in;
    struct picture_of in = {calloc(plan->batch * pixels, sizeof(double)), plan->height, plan->width,
                            plan->layers[0].in};
    for (size_t i = 0; in.numbers != NULL && i < plan->batch * pixels; i++) {
        in.numbers[i] = (double)inputs[i / pixels][i % pixels];
    }
    for (uint32_t index = 0; in.numbers != NULL && index < plan->layer_count; index++) {
        const struct convnet_layer *layer = &plan->layers[index];
        size_t taps = (size_t)layer->side * layer->side * layer->in;
        struct picture_of out = {NULL, (in.height + layer->stride - 1) / layer->stride,
                                 (in.width + layer->stride - 1) / layer->stride, layer->out};
        size_t count = out.height * out.width * out.channels;
        out.numbers = calloc(plan->batch * count, sizeof(double));
        const double *gain = learnt + layer->out * taps;
        const double *offset = gain + layer->out;
        int last = index + 1 == plan->layer_count;
        for (size_t i = 0; out.numbers != NULL && i < plan->batch * count; i++) {
            size_t inside = i % count;
            const size_t place[3] = {inside / (out.width * out.channels),
                                     inside / out.channels % out.width, inside % out.channels};
            out.numbers[i] = sum_at(layer, learnt, &in, i / count, place) +
                             (last ? offset[inside % out.channels] : 0);
        }
        if (out.numbers != NULL && !last) {
            normalise(&out, plan->batch, gain, offset);
        }
        free(in.numbers);
        in = out;
        learnt = offset + layer->out;
    }
    size_t count = in.height * in.width * in.channels;
    double sum = in.numbers == NULL ? NAN : 0;
    for (size_t i = 0; in.numbers != NULL && i < plan->batch * count; i++) {
        sum += in.numbers[i] * coefficients[i % count];
    }
    free(in.numbers);
    return sum;
}
