/* SPDX-License-Identifier: Apache-2.0 */
/* A finder out of a model file that may say anything: a sound one is taken, and the input
 * overwrites numbers, lengths and names in it. The first byte says which sound one: planes, views,
 * networks, whether it looks at places and pools, and when it looks once, whether it has a gate;
 * the next two how large the image is that it is asked about; then come records (model_edit.h).
 * What is then taken must give boxes within the image, best first, with finite logits. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/rng.h"
#include "score/finder.h"
#include "tests/fuzz/model_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count);

enum { HEADER = 3, SIDE_MAX = 80 };

static void make_file(uint8_t which, struct model_file *file)
{
    uint32_t channels = (which & 4) != 0 ? FINDER_CHANNELS_MAX : FINDER_CHANNELS;
    const struct convnet shape = {
        .layers = {{.side = 3, .stride = 2, .dilation = 1, .in = channels, .out = 4},
                   {.side = 3, .stride = 2, .dilation = 1, .in = 4, .out = 8},
                   {.side = 1, .stride = 1, .dilation = 1, .in = 8, .out = FINDER_OUTPUTS}},
        .layer_count = 3};
    struct finder_model model;
    struct rng rng;
    rng_init(&rng, 1, 0);
    must(!err_is(finder_model_init(&model, &shape, 1 + (which >> 3 & 3))));
    for (uint32_t l = 0; l < model.networks * shape.layer_count; l++) {
        struct convnet_layer *layer =
            &model.nets[l / shape.layer_count].layers[l % shape.layer_count];
        for (size_t i = 0; i < convnet_weight_count(layer); i++) {
            layer->weights[i] = (int8_t)((int)rng_below(&rng, 127) - 63);
        }
        for (size_t i = 0; i < layer->out; i++) {
            layer->scale[i] = 0.003f;
        }
    }
    model.input = finder_input_default(IMAGE_TRANSMISSION);
    model.input.material = channels == FINDER_CHANNELS_MAX ? 400 : 0;
    model.box = 12;
    model.reduction = 1;
    model.views = 1U << (which & 3) % 3;
    model.places = (which & 32) != 0 ? 2 : 0;
    model.pooled = (which & 64) != 0;
    if ((which & 128) != 0 && model.networks == 1 && model.views == 1) {
        must(!err_is(finder_model_set_gate(&model, 2, 4)));
        int8_t *weights = model.gate.net.layers[0].weights;
        for (size_t i = 0; i < convnet_weight_count(&model.gate.net.layers[0]); i++) {
            weights[i] = (int8_t)((int)rng_below(&rng, 127) - 63);
        }
    }
    must(!err_is(finder_model_settle(&model)) && !err_is(finder_add(&model, file)));
    finder_model_fini(&model);
}

/* Every pixel valid but a stripe; attenuations of air to lead. */
static void ask(const struct finder_model *model, size_t width, size_t height)
{
    static float high[SIDE_MAX * SIDE_MAX], low[SIDE_MAX * SIDE_MAX];
    static uint8_t valid[SIDE_MAX * SIDE_MAX];
    struct rng rng;
    rng_init(&rng, width, height);
    for (size_t i = 0; i < width * height; i++) {
        high[i] = (float)(rng_uniform(&rng) * 9 - 0.5);
        low[i] = high[i] * (float)(0.8 + rng_uniform(&rng));
        valid[i] = i % 11 != 0;
    }
    const struct working working = {
        .pixels = high, .valid = valid, .width = width, .height = height, .factor = 2};
    const struct image image = {.width = (uint32_t)width * 2, .height = (uint32_t)height * 2};
    struct finder_space space;
    struct finder_box boxes[FINDER_BOXES_MAX];
    memset(&space, 0, sizeof space);
    must(!err_is(finder_space_fit(&space, model, width, height)));
    uint32_t count = finder_run(&space, model, &working, low, &image, boxes);
    must(count <= FINDER_BOXES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        must(boxes[i].x < image.width && boxes[i].width >= 1 && boxes[i].y < image.height &&
             boxes[i].height >= 1);
        must(boxes[i].width <= image.width - boxes[i].x &&
             boxes[i].height <= image.height - boxes[i].y);
        must(isfinite(boxes[i].logit) && (i == 0 || boxes[i].heat <= boxes[i - 1].heat));
    }
    finder_space_fini(&space);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t bytes_count)
{
    static struct model_file file;
    struct finder_model model;
    bool found = false;
    if (bytes_count < HEADER) {
        return 0;
    }
    model_file_init(&file);
    make_file(bytes[0], &file);
    for (size_t at = HEADER; at + MODEL_EDIT_BYTES <= bytes_count; at += MODEL_EDIT_BYTES) {
        model_edit(&file.arrays[bytes[at] % file.arrays_count], bytes + at);
    }
    struct err err = finder_read(&file, &found, &model);
    must(bytes_count >= HEADER + MODEL_EDIT_BYTES || found); /* the sound one */
    must(!err_is(err) || (err.code == ERR_MODEL_UNREADABLE && !found));
    if (found) {
        ask(&model, 1 + bytes[1] % SIDE_MAX, 1 + bytes[2] % SIDE_MAX);
        finder_model_fini(&model);
    }
    model_file_fini(&file);
    return 0;
}
