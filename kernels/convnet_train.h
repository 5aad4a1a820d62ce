/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CONVNET_TRAIN_H
#define KERNELS_CONVNET_TRAIN_H

/* Convnet_train: makes the networks of convnet.h, in two stages that share one set of weights.
 *
 * First floats: convolution, batch normalisation and ReLU in every hidden layer, a plain
 * convolution with bias at the end. convnet_train_fold() then folds the normalisation into weights
 * and biases, and from there on every pass goes through the whole numbers that the exported network
 * will use: weights rounded to -63..63 steps of their output channel, activations to 0..255 steps,
 * with the gradient passed straight through (Jacob et al. 2018, arXiv:1712.05877).
 * Descent is AdamW (Loshchilov and Hutter 2019) with the rate the caller gives.
 *
 * Images and their results are float, channels last: [height][width][channels]. Each image of a
 * batch is one part of the team's work, and sums over images are made in the order of the images:
 * the bits of a model do not depend on the team. They depend on the build and the BLAS core.
 * Nothing is allocated; the workspace is the caller's. */

#include <stddef.h>
#include <stdint.h>

#include "kernels/convnet.h"

enum { CONVNET_BATCH_MAX = 16 };

/* The counts must be what convnet_validate calls sound. Weights and scales are not looked at. */
struct convnet_plan {
    struct convnet_layer layers[CONVNET_LAYERS_MAX]; /* side, stride, dilation, in, out */
    uint32_t layer_count;
    uint32_t batch; /* images of one step, 1..CONVNET_BATCH_MAX */
    uint32_t height;
    uint32_t width;
};

/* Who does the parts of a step: run() calls work(argument, part) once for every part below
 * part_count, in any order or side by side, and returns when all are done. NULL: this thread. */
struct convnet_team {
    void (*run)(void *self, void (*work)(void *argument, size_t part), void *argument,
                size_t part_count);
    void *self;
};

/* A layer's learnt numbers lie one after another: weights [out][side][side][in], then gain and
 * offset [out] each (hidden, before folding) or bias [out] (the gains are then not used). */
struct convnet_train_layer {
    uint32_t in_height, in_width;
    uint32_t height, width; /* of the result */
    size_t taps;            /* side * side * in */
    size_t weight_count;    /* out * taps */
    float *weights;
    float *gain;
    float *offset;
    float *mean; /* running mean and variance of the sums */
    float *variance;
    float *batch_mean; /* of this batch, and 1 / standard deviation */
    float *batch_inverse;
    float *rounded;                    /* weights as the whole-number network has them */
    float *step;                       /* [out]: what one step of a weight is worth */
    float span;                        /* activations of the result are 0..span after folding */
    float *sums[CONVNET_BATCH_MAX];    /* results of the convolution, one image each */
    float *results[CONVNET_BATCH_MAX]; /* what the next layer sees; the last layer's are its sums */
    float *backward[CONVNET_BATCH_MAX]; /* gradient of results, then of sums */
    float *gradient[CONVNET_BATCH_MAX]; /* of the learnt numbers, one image's share */
    double *moments[CONVNET_BATCH_MAX]; /* [2][out] */
};

struct convnet_train {
    struct convnet_plan plan;
    const struct convnet_team *team;
    struct convnet_train_layer layers[CONVNET_LAYERS_MAX];
    float *inputs[CONVNET_BATCH_MAX];  /* [height][width][in], 0..1: filled by the caller */
    float *columns[CONVNET_BATCH_MAX]; /* of the convolution in work */
    float *learnt;                     /* all layers' numbers, learnt_count of them */
    float *first_moment;
    float *second_moment;
    size_t learnt_count;
    uint64_t steps_done;
    int folded;
    uint32_t layer; /* in work */
};

size_t convnet_train_workspace_floats(const struct convnet_plan *plan);

/* The workspace is aligned to 64 bytes. Weights are uniform within +- 1 / sqrt(taps). */
void convnet_train_init(struct convnet_train *self, const struct convnet_plan *plan,
                        const struct convnet_team *team, uint64_t seed, float *workspace);

/* From self->inputs to the results of the last layer, with the statistics of this batch. */
void convnet_train_forward(struct convnet_train *self);
/* [height][width][out] of one image, and where its gradient is to be put before
 * convnet_train_backward(). */
const float *convnet_train_result(const struct convnet_train *self, uint32_t image);
float *convnet_train_result_gradient(struct convnet_train *self, uint32_t image);
void convnet_train_backward(struct convnet_train *self);

struct convnet_descent {
    double rate;
    double momentum; /* beta1 */
    double decay;
};
void convnet_train_descend(struct convnet_train *self, const struct convnet_descent *descent);

/* Rate and momentum of step `step` of `steps`: one cycle (Smith and Topin 2018), cosine up over the
 * first 15% from a 25th of the peak, and down to nearly nothing. */
struct convnet_descent convnet_descent_cycle(double peak, double decay, uint64_t step,
                                             uint64_t steps);

/* Folds the normalisation; the spans of all layers are 0 until convnet_train_calibrate(). */
void convnet_train_fold(struct convnet_train *self);
/* Sets each layer's span, from the first to the last: the one with the least mean squared error
 * among shares of the highest activation, for the batches that `next` puts into self->inputs.
 * next(argument, self, batch) is called batches times for each layer. */
void convnet_train_calibrate(struct convnet_train *self,
                             void (*next)(void *argument, struct convnet_train *self,
                                          uint32_t batch),
                             void *argument, uint32_t batches);

/* The learnt network in whole numbers; the arrays of `out` have the plan's sizes. Folded and
 * calibrated only. The result is sound. */
void convnet_train_export(struct convnet_train *self, struct convnet *out);

#endif
