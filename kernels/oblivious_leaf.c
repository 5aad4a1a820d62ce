/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/oblivious_grow.h"

/* A leaf beyond 8 logit would be a fault of the options, not knowledge. */
static const double leaf_max_logit = 8.0;

/* The first split is the lowest bit while growing and the highest in a model. */
static uint32_t reverse_bits(uint32_t value, uint32_t count)
{
    uint32_t reversed = 0;
    for (uint32_t k = 0; k < count; k++) {
        reversed = reversed << 1 | ((value >> k) & 1);
    }
    return reversed;
}

void oblivious_step_leaves(const struct oblivious_grower *self, int32_t *nodes)
{
    const struct oblivious_options *options = self->options;
    size_t leaf_count = (size_t)1 << options->depth;
    int64_t sums[2 * LEAVES_MAX] = {0};
    double values[2 * LEAVES_MAX];
    for (size_t i = 0; i < leaf_count; i++) {
        sums[leaf_count + i] = self->leaves[reverse_bits((uint32_t)i, options->depth)].sum;
    }
    for (size_t i = leaf_count - 1; i >= 1; i--) {
        sums[i] = sums[2 * i] + sums[2 * i + 1];
    }
    for (size_t i = 1; i < 2 * leaf_count; i++) {
        double g = oblivious_packed_gradient(sums[i]) * self->gradient_unit;
        double h = oblivious_packed_hessian(sums[i]) * self->hessian_unit;
        int has_own = i == 1 || (h > 0 && h >= options->hessian_min);
        values[i] = has_own ? g / (h + options->l2) : values[i / 2];
    }
    for (size_t i = leaf_count; i < 2 * leaf_count; i++) {
        double step = options->learning_rate * values[i];
        step = step > leaf_max_logit ? leaf_max_logit : step;
        step = step < -leaf_max_logit ? -leaf_max_logit : step;
        nodes[i] = (int32_t)lrint(step / OBLIVIOUS_LOGIT);
    }
}

void oblivious_raise_leaves(const struct oblivious_grower *self, const uint16_t *features,
                            int32_t *nodes)
{
    uint32_t depth = self->options->depth;
    uint32_t leaf_count = 1U << depth;
    for (uint32_t level = 0; level < depth; level++) {
        uint32_t bit = 1U << (depth - 1 - level);
        if (!self->columns[features[level]].rising) {
            continue;
        }
        for (uint32_t i = leaf_count; i < 2 * leaf_count; i++) {
            if ((i & bit) != 0 && nodes[i] < nodes[i - bit]) {
                nodes[i] = nodes[i - bit];
            }
        }
    }
}

void oblivious_expect_nodes(double *weights, uint32_t depth, int32_t *nodes)
{
    size_t leaf_count = (size_t)1 << depth;
    double sums[2 * LEAVES_MAX] = {0};
    for (size_t i = leaf_count; i < 2 * leaf_count; i++) {
        sums[i] = weights[i] * nodes[i];
    }
    for (size_t i = leaf_count - 1; i >= 1; i--) {
        weights[i] = weights[2 * i] + weights[2 * i + 1];
        sums[i] = sums[2 * i] + sums[2 * i + 1];
        double middle = ((double)nodes[2 * i] + (double)nodes[2 * i + 1]) / 2;
        nodes[i] = (int32_t)lrint(weights[i] > 0 ? sums[i] / weights[i] : middle);
    }
    nodes[0] = 0;
}
