/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNELS_DRAW_TREES_H
#define TESTS_KERNELS_DRAW_TREES_H

/* Draw trees: models of oblivious trees at random, and rows that meet their borders. Header only.
 */

#include <math.h>

#include "kernels/oblivious.h"
#include "tests/kernels/draw.h"

/* A model with room for `borders` borders. */
static inline struct oblivious_model make_room(uint32_t features, uint32_t trees, uint32_t depth,
                                               size_t borders)
{
    struct oblivious_model model = {.feature_count = features, .tree_count = trees, .depth = depth};
    model.border_first = draw_room((size_t)features + 1, sizeof(uint32_t));
    model.borders = draw_room(borders, sizeof(float));
    model.split_features = draw_room(oblivious_split_count(&model), sizeof(uint16_t));
    model.split_bins = draw_room(oblivious_split_count(&model), 1);
    model.nodes = draw_room(oblivious_node_count(&model), sizeof(int32_t));
    return model;
}

static inline void free_model(struct oblivious_model *model)
{
    free(model->border_first);
    free(model->borders);
    free(model->split_features);
    free(model->split_bins);
    free(model->nodes);
}

/* Borders are small multiples of 1/8, so that drawn values meet them exactly. */
static inline struct oblivious_model draw_model(uint64_t seed, uint32_t features, uint32_t trees,
                                                uint32_t depth)
{
    struct oblivious_model model =
        make_room(features, trees, depth, (size_t)features * OBLIVIOUS_BORDERS_MAX);
    struct rng rng;
    rng_init(&rng, seed, 0);
    uint32_t count = 0;
    for (uint32_t j = 0; j < features; j++) {
        model.border_first[j] = count;
        uint32_t borders = (uint32_t)rng_below(&rng, OBLIVIOUS_BORDERS_MAX + 1);
        borders = j % 3 == 0 ? borders : borders % 12;
        borders = j == 0 ? OBLIVIOUS_BORDERS_MAX : borders;
        for (uint32_t k = 0; k < borders; k++) {
            model.borders[count++] = ((float)k - (float)(borders / 2)) / 8;
        }
    }
    model.border_first[features] = count;
    for (size_t i = 0; i < oblivious_split_count(&model); i++) {
        uint32_t j = (uint32_t)rng_below(&rng, features);
        uint32_t borders = model.border_first[j + 1] - model.border_first[j];
        model.split_features[i] = (uint16_t)j;
        model.split_bins[i] = (uint8_t)(1 + rng_below(&rng, borders + 1));
    }
    for (size_t i = 0; i < oblivious_node_count(&model); i++) {
        int is_node = i % ((size_t)2 << depth) != 0;
        model.nodes[i] = is_node ? (int32_t)rng_below(&rng, 1 << 20) - (1 << 19) : 0;
    }
    model.bias = -12345;
    return model;
}

static inline float *draw_rows(uint64_t seed, size_t rows, size_t features, size_t stride)
{
    float *values = draw_matrix(seed, rows, features, stride);
    struct rng rng;
    rng_init(&rng, seed, 1);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < features; j++) {
            float *value = values + i * stride + j;
            const float odd[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e38f, -NAN, 1e-42f};
            uint64_t kind = rng_below(&rng, 20);
            *value = kind < 7 ? odd[kind] : *value;
            *value = kind > 12 ? roundf(*value * 8) / 8 : *value * 4;
        }
    }
    return values;
}

#endif
