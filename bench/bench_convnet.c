/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/figure.h"
#include "bench/product_ceiling.h"
#include "kernels/convnet.h"
#include "kernels/rng.h"

/* The convolutional network on one core: two finders of different width on a 640 x 640 image, each
 * path, beside the rate at which this core multiplies and adds bytes out of registers alone.
 *
 * Usage: bench_convnet [--json] */

enum { ROUNDS = 21, SIDE = 640 };

/* Of this thread: what others run at the same time does not count. */
static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *room(size_t bytes)
{
    size_t whole = (bytes + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT * CONVNET_ALIGNMENT;
    void *made = aligned_alloc(CONVNET_ALIGNMENT, whole);
    bench_check(made != NULL, "no memory for %zu bytes", bytes);
    memset(made, 0, whole);
    return made;
}

/* Products a second of one core, in units of 10^9; 0 where none is known. */
static double peak_of(enum convnet_path path)
{
    static const enum product_ceiling ceilings[] = {[CONVNET_AVX2] = PRODUCT_CEILING_BYTE_AVX2,
                                                    [CONVNET_AVX_VNNI] = PRODUCT_CEILING_BYTE_HALF,
                                                    [CONVNET_VNNI] = PRODUCT_CEILING_BYTE};
    return path == CONVNET_PORTABLE ? 0 : 1e-9 * product_ceiling(ceilings[path]) / 2;
}

/* ---- the networks ---- */

struct shape {
    uint32_t side, stride, dilation, out;
};

static struct convnet make_net(const struct shape *shapes, uint32_t count)
{
    struct convnet net = {.layer_count = count};
    struct rng rng;
    rng_init(&rng, 1, 0);
    for (uint32_t l = 0; l < count; l++) {
        struct convnet_layer *layer = &net.layers[l];
        *layer = (struct convnet_layer){.side = shapes[l].side,
                                        .stride = shapes[l].stride,
                                        .dilation = shapes[l].dilation,
                                        .in = l == 0 ? 4 : shapes[l - 1].out,
                                        .out = shapes[l].out};
        size_t weights = convnet_weight_count(layer);
        layer->weights = room(weights);
        layer->bias = room(layer->out * sizeof *layer->bias);
        layer->scale = room(layer->out * sizeof *layer->scale);
        for (size_t i = 0; i < weights; i++) {
            layer->weights[i] = (int8_t)((int)rng_below(&rng, 127) - 63);
        }
        for (size_t i = 0; i < layer->out; i++) {
            layer->scale[i] = 0.002f;
        }
    }
    return net;
}

static double macs_of(const struct convnet *net, uint32_t height, uint32_t width)
{
    double macs = 0;
    for (uint32_t l = 0; l < net->layer_count; l++) {
        const struct convnet_layer *layer = &net->layers[l];
        height = (height + layer->stride - 1) / layer->stride;
        width = (width + layer->stride - 1) / layer->stride;
        macs += (double)height * width * (double)convnet_weight_count(layer);
    }
    return macs;
}

static const char *const path_names[] = {"plain C", "AVX2", "AVX-VNNI", "AVX-512 VNNI"};

/* A path and its ceiling in turns. */
static void bench_path(const char *name, const struct convnet *net, enum convnet_path path,
                       const struct convnet_image *image, bool as_json)
{
    uint32_t height, width;
    convnet_output_size(net, image->height, image->width, &height, &width);
    void *packed = room(convnet_packed_bytes(net));
    void *workspace = room(convnet_workspace_bytes(net, image->width));
    float *out = room((size_t)height * width * net->layers[net->layer_count - 1].out * sizeof *out);
    double macs = macs_of(net, image->height, image->width);
    struct rounds rate = {.count = 0}, peak = {.count = 0}, time = {.count = 0};
    char label[96], label_ms[96];
    convnet_pack(net, packed);
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_s();
        convnet_run_by(path, net, packed, image, workspace, out);
        double seconds = now_s() - start;
        rounds_add(&rate, 1e-9 * macs / seconds);
        rounds_add(&time, 1e3 * seconds);
        rounds_add(&peak, peak_of(path));
    }
    double ceiling = rounds_median(&peak);
    (void)snprintf(label, sizeof label, "%s, %s", name, path_names[path]);
    (void)snprintf(label_ms, sizeof label_ms, "%s, %.2f GMAC, %s", name, 1e-9 * macs,
                   path_names[path]);
    figure_print(&(struct figure){.name = label,
                                  .value = &rate,
                                  .unit = "GMAC/s",
                                  .peer = ceiling > 0 ? "out of registers" : NULL,
                                  .peer_value = &peak,
                                  .ceiling = ceiling,
                                  .ceiling_name = "registers"},
                 as_json);
    figure_print(&(struct figure){.name = label_ms, .value = &time, .unit = "ms of processor"},
                 as_json);
    free(packed);
    free(workspace);
    free(out);
}

static void bench_net(const char *name, const struct shape *shapes, uint32_t count,
                      const struct convnet_image *image, bool as_json)
{
    struct convnet net = make_net(shapes, count);
    bench_check(convnet_validate(&net) == CONVNET_SOUND, "%s", name);
    for (int path = (int)convnet_path_best(); path >= CONVNET_PORTABLE; path--) {
        if (convnet_path_runs((enum convnet_path)path)) {
            bench_path(name, &net, (enum convnet_path)path, image, as_json);
        }
    }
    for (uint32_t l = 0; l < count; l++) {
        free(net.layers[l].weights);
        free(net.layers[l].bias);
        free(net.layers[l].scale);
    }
}

int main(int argc, char **argv)
{
    static const struct shape narrow[] = {
        {3, 2, 1, 8},  {3, 1, 1, 8},  {3, 2, 1, 16}, {3, 1, 1, 16}, {3, 1, 2, 16},
        {3, 1, 4, 16}, {3, 1, 2, 16}, {3, 1, 1, 16}, {3, 1, 1, 16}, {1, 1, 1, 3}};
    static const struct shape wide[] = {{3, 2, 1, 12}, {3, 1, 1, 12}, {3, 2, 1, 32},
                                        {3, 1, 1, 32}, {3, 1, 2, 32}, {3, 1, 4, 32},
                                        {3, 1, 2, 32}, {3, 1, 1, 32}, {1, 1, 1, 3}};
    bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    uint8_t *pixels = room((size_t)SIDE * SIDE * 4);
    struct rng rng;
    rng_init(&rng, 2, 0);
    for (size_t i = 0; i < (size_t)SIDE * SIDE * 4; i++) {
        pixels[i] = (uint8_t)rng_below(&rng, 256);
    }
    struct convnet_image image = {pixels, SIDE, SIDE};
    figure_head(as_json);
    bench_net("finder 8/16, 640 x 640", narrow, sizeof narrow / sizeof narrow[0], &image, as_json);
    bench_net("finder 12/32, 640 x 640", wide, sizeof wide / sizeof wide[0], &image, as_json);
    free(pixels);
    return 0;
}
