/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CONVNET_PARTS_H
#define KERNELS_CONVNET_PARTS_H

/* What the sources of convnet_train.h share; nobody else includes this. */

#include "kernels/convnet_train.h"
#include "kernels/convolution.h"

/* Added to a variance before its root: of a channel that does not vary. */
#define CONVNET_VARIANCE_FLOOR 1e-5

static inline struct convolution convnet_shape(const struct convnet_train *self, uint32_t index)
{
    const struct convnet_layer *planned = &self->plan.layers[index];
    const struct convnet_train_layer *layer = &self->layers[index];
    return (struct convolution){.side = planned->side,
                                .stride = planned->stride,
                                .dilation = planned->dilation,
                                .in = planned->in,
                                .out = planned->out,
                                .in_height = layer->in_height,
                                .in_width = layer->in_width,
                                .height = layer->height,
                                .width = layer->width};
}

static inline int convnet_is_last(const struct convnet_train *self, uint32_t index)
{
    return index + 1 == self->plan.layer_count;
}

static inline size_t convnet_numbers(const struct convnet_train *self, uint32_t index)
{
    const struct convnet_train_layer *layer = &self->layers[index];
    return (size_t)layer->height * layer->width * self->plan.layers[index].out;
}

static inline const float *convnet_input(const struct convnet_train *self, uint32_t index,
                                         size_t part)
{
    return index == 0 ? self->inputs[part] : self->layers[index - 1].results[part];
}

/* Every image of the batch is a part. */
void convnet_run_parts(struct convnet_train *self, void (*work)(void *argument, size_t part));

/* Weights of a folded layer in steps of their output channel: `rounded` and `step`. */
void convnet_round_weights(struct convnet_train *self, uint32_t index);
#endif
