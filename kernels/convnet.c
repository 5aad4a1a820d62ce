/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet.h"

#include <math.h>
#include <string.h>

#include "kernels/convnet_row.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Rows are made when the layer after needs them, last layer first: each layer keeps a ring of the
 * rows that the next one still looks at, with as many zero pixels to either side as its taps reach,
 * so no inner loop asks where the border is. A whole network of a hundred channels at 160 columns
 * lives in the second-level cache. */

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

static uint32_t strided(uint32_t count, uint32_t stride)
{
    return (count - 1) / stride + 1;
}

void convnet_output_size(const struct convnet *net, uint32_t height, uint32_t width,
                         uint32_t *out_height, uint32_t *out_width)
{
    for (uint32_t i = 0; i < net->layer_count; i++) {
        height = strided(height, net->layers[i].stride);
        width = strided(width, net->layers[i].stride);
    }
    *out_height = height;
    *out_width = width;
}

/* ---- packing: a layer is its weights, biases and scales, each padded to whole quads ---- */

static size_t aligned(size_t bytes)
{
    return (bytes + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT * CONVNET_ALIGNMENT;
}

static size_t quads_of(uint32_t channels)
{
    return (channels + CONVNET_QUAD - 1) / CONVNET_QUAD;
}

static size_t packed_weights_bytes(const struct convnet_layer *layer)
{
    return aligned(quads_of(layer->out) * CONVNET_QUAD * layer->side * layer->side * layer->in);
}

/* Of the biases, and of the scales. */
static size_t packed_numbers_bytes(const struct convnet_layer *layer)
{
    return aligned(quads_of(layer->out) * CONVNET_QUAD * sizeof(int32_t));
}

static size_t packed_layer_bytes(const struct convnet_layer *layer)
{
    return packed_weights_bytes(layer) + 2 * packed_numbers_bytes(layer);
}

size_t convnet_packed_bytes(const struct convnet *net)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < net->layer_count; i++) {
        bytes += packed_layer_bytes(&net->layers[i]);
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
        at += packed_weights_bytes(layer);
        memcpy(at, layer->bias, layer->out * sizeof *layer->bias);
        at += packed_numbers_bytes(layer);
        memcpy(at, layer->scale, layer->out * sizeof *layer->scale);
        at += packed_numbers_bytes(layer);
    }
}

/* ---- rings of rows ---- */

/* The rows that layer i reads; the last ring does not exist: results go to the caller. */
struct ring {
    uint8_t *rows;      /* [row_count][row_bytes], and a row of zeros behind them */
    size_t row_count;   /* kept: row y of the layer lies at y % row_count */
    size_t row_bytes;   /* group after group */
    size_t group_bytes; /* pad + width + pad + slack pixels */
    size_t pad;         /* zero pixels to either side */
    uint32_t width;
    uint32_t height;
    uint32_t made; /* rows made so far */
};

struct run {
    const struct convnet *net;
    convnet_row_make *make;
    const struct convnet_image *image;
    size_t out_row_floats;
    struct ring rings[CONVNET_LAYERS_MAX];
    const uint8_t *packed[CONVNET_LAYERS_MAX];
};

static size_t reach_of(const struct convnet_layer *layer)
{
    return layer->side == 3 ? layer->dilation : 0;
}

static size_t ring_bytes(const struct ring *ring)
{
    return (ring->row_count + 1) * ring->row_bytes;
}

static struct ring shape_ring(const struct convnet_layer *layer, uint32_t height, uint32_t width)
{
    struct ring ring = {
        .row_count = 2 * reach_of(layer) + 1,
        .pad = reach_of(layer),
        .width = width,
        .height = height,
    };
    ring.group_bytes = aligned((2 * ring.pad + width + CONVNET_ROW_SLACK) * CONVNET_QUAD);
    ring.row_bytes = layer->in / CONVNET_QUAD * ring.group_bytes;
    return ring;
}

size_t convnet_workspace_bytes(const struct convnet *net, uint32_t width)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < net->layer_count; i++) {
        struct ring ring = shape_ring(&net->layers[i], 1, width);
        bytes += ring_bytes(&ring);
        width = strided(width, net->layers[i].stride);
    }
    return bytes;
}

/* A row of the image into groups. */
static void take_image_row(const struct run *run, const struct ring *ring, uint8_t *row)
{
    size_t channels = run->net->layers[0].in;
    const uint8_t *pixels = run->image->pixels + (size_t)ring->made * ring->width * channels;
    for (size_t group = 0; group < channels / CONVNET_QUAD; group++) {
        uint8_t *to = row + group * ring->group_bytes + ring->pad * CONVNET_QUAD;
        if (channels == CONVNET_QUAD) {
            memcpy(to, pixels, (size_t)ring->width * CONVNET_QUAD);
            continue;
        }
        for (size_t x = 0; x < ring->width; x++) {
            memcpy(to + x * CONVNET_QUAD, pixels + x * channels + group * CONVNET_QUAD,
                   CONVNET_QUAD);
        }
    }
}

/* Row y of layer `at`, from the rows of its input, which are there. */
static struct convnet_row describe_row(const struct run *run, uint32_t at, uint32_t y)
{
    const struct convnet_layer *layer = &run->net->layers[at];
    const struct ring *in = &run->rings[at];
    const uint8_t *packed = run->packed[at];
    struct convnet_row row = {
        .stride = layer->stride,
        .width = strided(in->width, layer->stride),
        .quad_count = quads_of(layer->out),
        .weights = (const int8_t *)packed,
        .bias = (const void *)(packed + packed_weights_bytes(layer)),
        .scale = (const void *)(packed + packed_weights_bytes(layer) + packed_numbers_bytes(layer)),
        .out_count = layer->out,
    };
    for (uint32_t tap = 0; tap < layer->side * layer->side; tap++) {
        int64_t i = (int64_t)(tap / layer->side) - layer->side / 2;
        int64_t j = (int64_t)(tap % layer->side) - layer->side / 2;
        int64_t from = (int64_t)y * layer->stride + i * layer->dilation;
        size_t place =
            from < 0 || from >= in->height ? in->row_count : (size_t)from % in->row_count;
        size_t left = (size_t)((int64_t)in->pad + j * layer->dilation);
        const uint8_t *pixels = in->rows + place * in->row_bytes + left * CONVNET_QUAD;
        for (size_t group = 0; group < layer->in / CONVNET_QUAD; group++) {
            row.words[row.word_count++] = pixels + group * in->group_bytes;
        }
    }
    return row;
}

/* A path may have written beyond the last pixel: there the next layer must find zeros. */
static void clear_right(const struct ring *ring, size_t groups, uint8_t *row)
{
    for (size_t group = 0; group < groups; group++) {
        memset(row + group * ring->group_bytes + (ring->pad + ring->width) * CONVNET_QUAD, 0,
               ring->pad * CONVNET_QUAD);
    }
}

/* The last input row that row y of the layer looks at. */
static uint32_t last_needed(const struct convnet_layer *layer, const struct ring *in, uint32_t y)
{
    size_t last = (size_t)y * layer->stride + reach_of(layer);
    return last < in->height ? (uint32_t)last : in->height - 1;
}

/* Makes the next row of ring `at`: of the image (0), or by the layer before it. Its own input is
 * there. */
static void make_ring_row(struct run *run, uint32_t at)
{
    struct ring *ring = &run->rings[at];
    uint8_t *to = ring->rows + ring->made % ring->row_count * ring->row_bytes;
    if (at == 0) {
        take_image_row(run, ring, to);
    } else {
        struct convnet_row row = describe_row(run, at - 1, ring->made);
        row.bytes = to + ring->pad * CONVNET_QUAD;
        row.quad_bytes = ring->group_bytes;
        run->make(&row);
        clear_right(ring, row.quad_count, to);
    }
    ring->made++;
}

/* Rows of ring `last` up to `until`, and of all rings before it what those need. Goes down to the
 * first ring that lacks a row, makes one, and comes up again: a recursion without the calls. */
static void make_rows(struct run *run, uint32_t last, uint32_t until)
{
    uint32_t wanted[CONVNET_LAYERS_MAX];
    uint32_t at = last;
    wanted[last] = until;
    for (;;) {
        struct ring *ring = &run->rings[at];
        if (ring->made > wanted[at]) {
            if (at == last) {
                return;
            }
            at++;
            continue;
        }
        if (at > 0) {
            uint32_t need = last_needed(&run->net->layers[at - 1], &run->rings[at - 1], ring->made);
            if (run->rings[at - 1].made <= need) {
                wanted[at - 1] = need;
                at--;
                continue;
            }
        }
        make_ring_row(run, at);
    }
}

static void start(struct run *run, const void *packed, void *workspace)
{
    uint8_t *at = workspace;
    const uint8_t *numbers = packed;
    uint32_t height = run->image->height;
    uint32_t width = run->image->width;
    for (uint32_t i = 0; i < run->net->layer_count; i++) {
        const struct convnet_layer *layer = &run->net->layers[i];
        run->rings[i] = shape_ring(layer, height, width);
        run->rings[i].rows = at;
        /* Pads, the row of zeros, and what is read beyond a row and never used. */
        memset(at, 0, ring_bytes(&run->rings[i]));
        at += ring_bytes(&run->rings[i]);
        run->packed[i] = numbers;
        numbers += packed_layer_bytes(layer);
        height = strided(height, layer->stride);
        width = strided(width, layer->stride);
    }
    run->out_row_floats = (size_t)width * run->net->layers[run->net->layer_count - 1].out;
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
               __builtin_cpu_supports("avx512vnni");
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

static convnet_row_make *make_of(enum convnet_path path)
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

void convnet_run_by(enum convnet_path path, const struct convnet *net, const void *restrict packed,
                    const struct convnet_image *image, void *restrict workspace,
                    float *restrict out)
{
    struct run run = {.net = net, .make = make_of(path), .image = image};
    uint32_t last = net->layer_count - 1;
    start(&run, packed, workspace);
    uint32_t height = strided(run.rings[last].height, net->layers[last].stride);
    for (uint32_t y = 0; y < height; y++) {
        make_rows(&run, last, last_needed(&net->layers[last], &run.rings[last], y));
        struct convnet_row row = describe_row(&run, last, y);
        row.floats = out + (size_t)y * run.out_row_floats;
        run.make(&row);
    }
}

void convnet_run(const struct convnet *net, const void *restrict packed,
                 const struct convnet_image *image, void *restrict workspace, float *restrict out)
{
    convnet_run_by(convnet_path_best(), net, packed, image, workspace, out);
}
