/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/convnet_ref.h"

#include <math.h>
#include <string.h>

/* A double holds every sum of products exactly; the scaled one is rounded to float, as the contract
 * says, because sum and scale are floats there. */

static size_t layer_bytes_max(uint32_t height, uint32_t width)
{
    return (size_t)height * width * CONVNET_CHANNELS_MAX;
}

size_t convnet_ref_workspace_bytes(const struct convnet *net, uint32_t height, uint32_t width)
{
    (void)net;
    return 2 * layer_bytes_max(height, width);
}

struct plane {
    const uint8_t *pixels;
    int64_t height;
    int64_t width;
};

static double sum_at(const struct convnet_layer *layer, const struct plane *in, int64_t y,
                     int64_t x, uint32_t output)
{
    double sum = layer->bias[output];
    const int8_t *weight = layer->weights + (size_t)output * layer->side * layer->side * layer->in;
    for (int64_t i = 0; i < layer->side; i++) {
        for (int64_t j = 0; j < layer->side; j++) {
            int64_t row = y * layer->stride + (i - layer->side / 2) * layer->dilation;
            int64_t column = x * layer->stride + (j - layer->side / 2) * layer->dilation;
            int inside = row >= 0 && row < in->height && column >= 0 && column < in->width;
            for (uint32_t c = 0; c < layer->in; c++, weight++) {
                sum += inside ? (double)*weight *
                                    in->pixels[(row * in->width + column) * layer->in + c]
                              : 0;
            }
        }
    }
    return sum;
}

void convnet_ref(const struct convnet *net, const struct convnet_image *image, void *workspace,
                 float *out)
{
    uint8_t *spaces[2] = {workspace,
                          (uint8_t *)workspace + layer_bytes_max(image->height, image->width)};
    struct plane in = {image->pixels, image->height, image->width};
    for (uint32_t l = 0; l < net->layer_count; l++) {
        const struct convnet_layer *layer = &net->layers[l];
        uint8_t *made = spaces[l % 2];
        int64_t height = (in.height + layer->stride - 1) / layer->stride;
        int64_t width = (in.width + layer->stride - 1) / layer->stride;
        for (int64_t at = 0; at < height * width * layer->out; at++) {
            uint32_t output = (uint32_t)(at % layer->out);
            int64_t pixel = at / layer->out;
            double sum = sum_at(layer, &in, pixel / width, pixel % width, output);
            float value = (float)sum * layer->scale[output];
            if (l + 1 == net->layer_count) {
                out[at] = value;
            } else {
                made[at] = (uint8_t)fmin(fmax(rint((double)value), 0), 255);
            }
        }
        in = (struct plane){made, height, width};
    }
}
