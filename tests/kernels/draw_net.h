/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNELS_DRAW_NET_H
#define TESTS_KERNELS_DRAW_NET_H

/* Draw net: random networks of given layers, images for them, and what they make of these. */

#include <math.h>
#include <string.h>

#include "kernels/ref/convnet_ref.h"
#include "tests/kernels/draw.h"

static inline struct convnet draw_net_make(const struct convnet_layer *layers, uint32_t count)
{
    struct convnet net = {.layer_count = count};
    for (uint32_t i = 0; i < count; i++) {
        struct convnet_layer *layer = &net.layers[i];
        *layer = layers[i];
        layer->weights = draw_room(convnet_weight_count(layer), 1);
        layer->bias = draw_room(layer->out, sizeof *layer->bias);
        layer->scale = draw_room(layer->out, sizeof *layer->scale);
    }
    return net;
}

static inline void draw_net_free(struct convnet *net)
{
    for (uint32_t i = 0; i < net->layer_count; i++) {
        free(net->layers[i].weights);
        free(net->layers[i].bias);
        free(net->layers[i].scale);
    }
}

/* Scales that spread the results over the whole range of bytes, both ends included. */
static inline void draw_net_numbers(struct convnet *net, struct rng *rng)
{
    for (uint32_t l = 0; l < net->layer_count; l++) {
        struct convnet_layer *layer = &net->layers[l];
        size_t inputs = convnet_weight_count(layer) / layer->out;
        for (size_t i = 0; i < convnet_weight_count(layer); i++) {
            layer->weights[i] = (int8_t)((int)rng_below(rng, 127) - 63);
        }
        for (size_t i = 0; i < layer->out; i++) {
            layer->bias[i] = (int32_t)rng_below(rng, 20001) - 8000;
            layer->scale[i] = (float)(rng_uniform(rng) * 0.1 / sqrt((double)inputs));
        }
    }
}

static inline uint8_t *draw_net_image(struct rng *rng, const struct convnet *net,
                                      struct convnet_image *image)
{
    size_t count = (size_t)image->height * image->width * net->layers[0].in;
    uint8_t *pixels = draw_room(count, 1);
    for (size_t i = 0; i < count; i++) {
        pixels[i] = (uint8_t)rng_below(rng, 256);
    }
    image->pixels = pixels;
    return pixels;
}

static inline size_t draw_net_count(const struct convnet *net, const struct convnet_image *image)
{
    uint32_t height, width;
    convnet_output_size(net, image->height, image->width, &height, &width);
    return (size_t)height * width * net->layers[net->layer_count - 1].out;
}

/* By the definition; the caller frees. */
static inline float *draw_net_results(const struct convnet *net, const struct convnet_image *image)
{
    float *results = draw_room(draw_net_count(net, image), sizeof *results);
    void *space = draw_room(convnet_ref_workspace_bytes(net, image->height, image->width), 1);
    assert_int_equal(convnet_validate(net), CONVNET_SOUND);
    convnet_ref(net, image, space, results);
    free(space);
    return results;
}

#endif
