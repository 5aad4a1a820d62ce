/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCORE_FINDER_FIXTURE_H
#define TESTS_SCORE_FINDER_FIXTURE_H

/* Finder fixture: a finder that has learnt nothing, and an appearance model's file with one in it.
 */

#include "fixture.h"

#include "archive/model_file.h"
#include "kernels/rng.h"
#include "score/finder_views.h"

static inline struct convnet finder_fixture_shape(uint32_t channels)
{
    return (struct convnet){
        .layers = {{.side = 3, .stride = 2, .dilation = 1, .in = channels, .out = 8},
                   {.side = 3, .stride = 2, .dilation = 1, .in = 8, .out = 8},
                   {.side = 1, .stride = 1, .dilation = 1, .in = 8, .out = FINDER_OUTPUTS}},
        .layer_count = 3};
}

/* Random weights, settled; of 8 channels with planes of material. The caller finis. */
static inline struct finder_model finder_fixture_joint(uint64_t seed, uint32_t channels,
                                                       uint32_t networks)
{
    struct convnet shape = finder_fixture_shape(channels);
    struct finder_model model;
    struct rng rng;
    rng_init(&rng, seed, 0);
    assert_good(finder_model_init(&model, &shape, networks));
    for (uint32_t l = 0; l < networks * shape.layer_count; l++) {
        struct convnet_layer *layer =
            &model.nets[l / shape.layer_count].layers[l % shape.layer_count];
        for (size_t i = 0; i < convnet_weight_count(layer); i++) {
            layer->weights[i] = (int8_t)((int)rng_below(&rng, 127) - 63);
        }
        for (size_t i = 0; i < layer->out; i++) {
            layer->bias[i] = (int32_t)rng_below(&rng, 2000) - 1000;
            layer->scale[i] = 0.001f + (float)rng_uniform(&rng) * 0.004f;
        }
    }
    model.input = finder_input_default(IMAGE_DISPLAY);
    model.input.material = channels == FINDER_CHANNELS ? 0 : 400;
    model.box = 12;
    model.reduction = 1;
    model.slope = 0.5;
    model.offset = -1.25;
    assert_good(finder_model_settle(&model));
    return model;
}

static inline struct finder_model finder_fixture_of(uint64_t seed, uint32_t channels)
{
    return finder_fixture_joint(seed, channels, 1);
}

static inline struct finder_model finder_fixture(uint64_t seed)
{
    return finder_fixture_of(seed, FINDER_CHANNELS);
}

/* Buffers of exactly the bytes that are asked for: a sanitizer sees one too many. */
static inline void finder_fixture_views(const struct finder_model *model,
                                        const struct convnet_image *image, float *out)
{
    uint32_t channels = model->nets[0].layers[0].in;
    size_t count = finder_view_cells(image->width, image->height);
    size_t net = convnet_workspace_bytes(&model->nets[0], image->width + FINDER_VIEW_MARGIN);
    net = (net + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT * CONVNET_ALIGNMENT;
    struct finder_view_buffers buffers = {
        .planes = malloc(finder_view_planes_bytes(channels, image->width, image->height)),
        .cells = malloc(count * FINDER_OUTPUTS * sizeof(float)),
        .sums = malloc(finder_view_sums(image->width, image->height) * sizeof(float)),
        .net = aligned_alloc(CONVNET_ALIGNMENT, net),
    };
    assert_true(buffers.planes != NULL && buffers.cells != NULL && buffers.sums != NULL &&
                buffers.net != NULL);
    memset(buffers.planes, 0xa5, finder_view_planes_bytes(channels, image->width, image->height));
    finder_views_run(model, image, &buffers, out);
    free(buffers.planes);
    free(buffers.cells);
    free(buffers.sums);
    free(buffers.net);
}

/* Writes the model file at `path` again, with this finder in it; where it is and its hash. */
static inline void finder_fixture_add(const char *path, const struct finder_model *finder,
                                      const char *folder, char out[FIXTURE_PATH_BYTES],
                                      uint8_t sha256[HASH_BYTES])
{
    struct model_file file;
    assert_good(model_file_read(path, NULL, &file));
    assert_good(finder_add(finder, &file));
    assert_good(model_file_write(&file, folder, out));
    memcpy(sha256, file.sha256, HASH_BYTES);
    model_file_fini(&file);
}

#endif
