/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet.h"

#include <math.h>
#include <string.h>

#include "kernels/convnet_rings.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

_Static_assert(9LL * CONVNET_CHANNELS_MAX * CONVNET_WEIGHT_MAX * 255 + CONVNET_BIAS_MAX < 1 << 24,
               "every sum is exact in a float");
_Static_assert(2 * 255 * CONVNET_WEIGHT_MAX <= INT16_MAX, "pairs of products fit 16 bits");

size_t convnet_weight_count(const struct convnet_layer *layer)
{
    return (size_t)layer->out * layer->side * layer->side * layer->in;
}

static int counts_are_sound(const struct convnet *net, uint32_t at)
{
    const struct convnet_layer *layer = &net->layers[at];
    int last = at + 1 == net->layer_count;
    int shape = (layer->side == 1 || layer->side == 3) &&
                (layer->stride == 1 || layer->stride == 2) && layer->dilation >= 1 &&
                layer->dilation <= CONVNET_DILATION_MAX;
    int channels = layer->in >= 1 && layer->in <= CONVNET_CHANNELS_MAX &&
                   layer->in % CONVNET_QUAD == 0 && layer->out >= 1 &&
                   layer->out <= CONVNET_CHANNELS_MAX && (last || layer->out % CONVNET_QUAD == 0);
    return shape && channels && (at == 0 || layer->in == net->layers[at - 1].out);
}

static int weights_are_sound(const struct convnet_layer *layer)
{
    for (size_t i = 0; i < convnet_weight_count(layer); i++) {
        if (layer->weights[i] > CONVNET_WEIGHT_MAX || layer->weights[i] < -CONVNET_WEIGHT_MAX) {
            return 0;
        }
    }
    for (size_t i = 0; i < layer->out; i++) {
        if (layer->bias[i] > CONVNET_BIAS_MAX || layer->bias[i] < -CONVNET_BIAS_MAX) {
            return 0;
        }
    }
    return 1;
}

static int scales_are_sound(const struct convnet_layer *layer)
{
    for (size_t i = 0; i < layer->out; i++) {
        if (!isfinite(layer->scale[i]) || layer->scale[i] < 0) {
            return 0;
        }
    }
    return 1;
}

enum convnet_fault convnet_validate(const struct convnet *net)
{
    if (net->layer_count < 1 || net->layer_count > CONVNET_LAYERS_MAX) {
        return CONVNET_COUNTS;
    }
    for (uint32_t i = 0; i < net->layer_count; i++) {
        if (!counts_are_sound(net, i)) {
            return CONVNET_COUNTS;
        }
    }
    for (uint32_t i = 0; i < net->layer_count; i++) {
        if (!weights_are_sound(&net->layers[i])) {
            return CONVNET_WEIGHTS;
        }
        if (!scales_are_sound(&net->layers[i])) {
            return CONVNET_SCALES;
        }
    }
    return CONVNET_SOUND;
}

void convnet_output_size(const struct convnet *net, uint32_t height, uint32_t width,
                         uint32_t *out_height, uint32_t *out_width)
{
    for (uint32_t i = 0; i < net->layer_count; i++) {
        height = convnet_strided(height, net->layers[i].stride);
        width = convnet_strided(width, net->layers[i].stride);
    }
    *out_height = height;
    *out_width = width;
}

/* ---- packing ---- */

size_t convnet_packed_bytes(const struct convnet *net)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < net->layer_count; i++) {
        bytes += convnet_packed_layer(&net->layers[i]);
    }
    return bytes;
}

static void pack_weights(const struct convnet_layer *layer, int8_t *packed)
{
    size_t taps = (size_t)layer->side * layer->side;
    for (size_t o = 0; o < layer->out; o++) {
        for (size_t tap = 0; tap < taps; tap++) {
            for (size_t c = 0; c < layer->in; c++) {
                size_t quad = o / CONVNET_QUAD;
                size_t group = c / CONVNET_QUAD;
                size_t word = (quad * taps + tap) * (layer->in / CONVNET_QUAD) + group;
                packed[(word * CONVNET_QUAD + o % CONVNET_QUAD) * CONVNET_QUAD + c % CONVNET_QUAD] =
                    layer->weights[(o * taps + tap) * layer->in + c];
            }
        }
    }
}

void convnet_pack(const struct convnet *net, void *restrict packed)
{
    uint8_t *at = packed;
    memset(packed, 0, convnet_packed_bytes(net));
    for (uint32_t i = 0; i < net->layer_count; i++) {
        const struct convnet_layer *layer = &net->layers[i];
        pack_weights(layer, (int8_t *)at);
        at += convnet_packed_weights(layer);
        memcpy(at, layer->bias, layer->out * sizeof *layer->bias);
        at += convnet_packed_numbers(layer);
        memcpy(at, layer->scale, layer->out * sizeof *layer->scale);
        at += convnet_packed_numbers(layer);
    }
}

#if defined(__x86_64__)
/* Leaf 7.1, which compilers' own tables do not all know. */
static int has_avx_vnni(void)
{
    unsigned int eax = 0, ebx, ecx, edx;
    return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) &&
           (eax & 1U << 4) != 0;
}
#endif

int convnet_path_runs(enum convnet_path path)
{
#if defined(__x86_64__)
    if (path == CONVNET_VNNI) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    }
    if (path == CONVNET_AVX_VNNI) {
        return has_avx_vnni();
    }
    if (path == CONVNET_AVX2) {
        return __builtin_cpu_supports("avx2") != 0;
    }
#endif
    return path == CONVNET_PORTABLE;
}

enum convnet_path convnet_path_best(void)
{
    enum convnet_path path = CONVNET_VNNI;
    while (!convnet_path_runs(path)) {
        path--;
    }
    return path;
}

convnet_row_make *convnet_make_of(enum convnet_path path)
{
#if defined(__x86_64__)
    if (path == CONVNET_VNNI) {
        return convnet_row_vnni;
    }
    if (path == CONVNET_AVX_VNNI) {
        return convnet_row_avx_vnni;
    }
    if (path == CONVNET_AVX2) {
        return convnet_row_avx2;
    }
#endif
    (void)path;
    return convnet_row_portable;
}

size_t convnet_workspace_bytes(const struct convnet *net, uint32_t width)
{
    const struct convnet_plan_of_rows plan = {.net = net};
    return convnet_rings_bytes(&plan, 1, width);
}

void convnet_run_by(enum convnet_path path, const struct convnet *net, const void *restrict packed,
                    const struct convnet_image *image, void *restrict workspace,
                    float *restrict out)
{
    const struct convnet_plan_of_rows plan = {
        .net = net, .packed = packed, .image = image, .make = convnet_make_of(path)};
    struct convnet_rings rings;
    convnet_rings_start(&rings, &plan, workspace);
    convnet_rings_finish(&rings, out);
}

void convnet_run(const struct convnet *net, const void *restrict packed,
                 const struct convnet_image *image, void *restrict workspace, float *restrict out)
{
    convnet_run_by(convnet_path_best(), net, packed, image, workspace, out);
}
