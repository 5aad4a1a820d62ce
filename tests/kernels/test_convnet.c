/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet.h"

#include <math.h>
#include <string.h>

#include "tests/kernels/draw.h"
#include "tests/kernels/draw_net.h"

static struct convnet draw_net(struct rng *rng)
{
    struct convnet_layer layers[CONVNET_LAYERS_MAX];
    uint32_t count = 1 + (uint32_t)rng_below(rng, 5);
    uint32_t in = 4 * (1 + (uint32_t)rng_below(rng, 3));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t out = 4 * (1 + (uint32_t)rng_below(rng, rng_below(rng, 8) == 0 ? 16 : 6));
        out = i + 1 == count ? 1 + (uint32_t)rng_below(rng, 9) : out;
        uint32_t dilation = 1 + (uint32_t)rng_below(rng, rng_below(rng, 4) == 0 ? 16 : 4);
        layers[i] = (struct convnet_layer){.side = rng_below(rng, 3) == 0 ? 1 : 3,
                                           .stride = 1 + (uint32_t)rng_below(rng, 2),
                                           .dilation = dilation,
                                           .in = in,
                                           .out = out};
        in = out;
    }
    struct convnet net = draw_net_make(layers, count);
    draw_net_numbers(&net, rng);
    return net;
}

enum { GUARD = 64 };

/* Workspace and results are exactly as large as said: guards behind them stay. What was in the
 * workspace before does not matter. */
static void run_guarded(enum convnet_path path, const struct convnet *net,
                        const struct convnet_image *image, float *out)
{
    size_t packed_bytes = convnet_packed_bytes(net);
    size_t bytes = convnet_workspace_bytes(net, image->width);
    size_t count = draw_net_count(net, image);
    assert_int_equal(packed_bytes % CONVNET_ALIGNMENT, 0);
    assert_int_equal(bytes % CONVNET_ALIGNMENT, 0);
    uint8_t *packed = aligned_alloc(CONVNET_ALIGNMENT, packed_bytes + GUARD);
    uint8_t *workspace = aligned_alloc(CONVNET_ALIGNMENT, bytes + GUARD);
    float *results = draw_room(count + 1, sizeof *results);
    assert_true(packed != NULL && workspace != NULL);
    memset(packed, 0x5a, packed_bytes + GUARD);
    memset(workspace, 0xa5, bytes + GUARD);
    results[count] = 123;
    convnet_pack(net, packed);
    convnet_run_by(path, net, packed, image, workspace, results);
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(workspace[bytes + i], 0xa5);
        assert_int_equal(packed[packed_bytes + i], 0x5a);
    }
    assert_true(results[count] == 123);
    memcpy(out, results, count * sizeof *out);
    free(packed);
    free(workspace);
    free(results);
}

/* Property: every path gives the bits of the definition. */
static void assert_is_reference(const struct convnet *net, const struct convnet_image *image)
{
    size_t count = draw_net_count(net, image);
    float *wanted = draw_net_results(net, image);
    float *got = draw_room(count, sizeof *got);
    for (int path = CONVNET_PORTABLE; path <= (int)CONVNET_VNNI; path++) {
        if (!convnet_path_runs((enum convnet_path)path)) {
            continue;
        }
        run_guarded((enum convnet_path)path, net, image, got);
        assert_memory_equal(got, wanted, count * sizeof *got);
    }
    free(wanted);
    free(got);
}

static void random_networks_give_the_bits_of_the_definition(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 11, 0);
    for (uint32_t i = 0; i < 150; i++) {
        struct convnet net = draw_net(&rng);
        uint32_t most = i % 10 == 0 ? 140 : 40;
        struct convnet_image image = {.height = 1 + (uint32_t)rng_below(&rng, 40),
                                      .width = 1 + (uint32_t)rng_below(&rng, most)};
        uint8_t *pixels = draw_net_image(&rng, &net, &image);
        assert_is_reference(&net, &image);
        free(pixels);
        draw_net_free(&net);
    }
}

/* Every small size, around the widths of registers and tiles, with both strides and a reach beyond
 * the image. */
static void every_size_gives_the_bits_of_the_definition(void **state)
{
    (void)state;
    const struct convnet_layer layers[] = {
        {.side = 3, .stride = 2, .dilation = 1, .in = 4, .out = 12},
        {.side = 3, .stride = 1, .dilation = 5, .in = 12, .out = 4},
        {.side = 3, .stride = 2, .dilation = 16, .in = 4, .out = 8},
        {.side = 1, .stride = 1, .dilation = 3, .in = 8, .out = 3},
    };
    struct rng rng;
    rng_init(&rng, 12, 0);
    struct convnet net = draw_net_make(layers, 4);
    draw_net_numbers(&net, &rng);
    for (uint32_t size = 0; size < 230; size++) {
        struct convnet_image image = {.height = 1 + size % 7, .width = 1 + size};
        if (size % 2 == 1) {
            image = (struct convnet_image){.height = 1 + size, .width = 1 + size % 5};
        }
        uint8_t *pixels = draw_net_image(&rng, &net, &image);
        assert_is_reference(&net, &image);
        free(pixels);
    }
    draw_net_free(&net);
}

/* The largest sums of either sign, as many channels as there may be, in every lane: nothing
 * saturates on the way, and results are held within a byte. */
static void extreme_numbers_do_not_saturate(void **state)
{
    (void)state;
    const struct convnet_layer layers[] = {
        {.side = 3, .stride = 1, .dilation = 2, .in = 64, .out = 64},
        {.side = 3, .stride = 1, .dilation = 1, .in = 64, .out = 5},
    };
    struct convnet net = draw_net_make(layers, 2);
    struct convnet_image image = {.height = 9, .width = 50};
    struct rng rng;
    rng_init(&rng, 13, 0);
    uint8_t *pixels = draw_net_image(&rng, &net, &image);
    memset(pixels, 255, (size_t)image.height * image.width * 64);
    for (uint32_t l = 0; l < 2; l++) {
        struct convnet_layer *layer = &net.layers[l];
        size_t inputs = convnet_weight_count(layer) / layer->out;
        for (size_t i = 0; i < convnet_weight_count(layer); i++) {
            layer->weights[i] = (int8_t)(i / inputs % 2 == 0 ? 63 : -63);
        }
        for (size_t o = 0; o < layer->out; o++) {
            layer->bias[o] = o % 4 < 2 ? CONVNET_BIAS_MAX : -CONVNET_BIAS_MAX;
            layer->scale[o] = o % 3 == 0 ? 3e38f : o % 3 == 1 ? 1e-5f : 0;
        }
    }
    assert_is_reference(&net, &image);
    free(pixels);
    draw_net_free(&net);
}

/* Sums that lie exactly between two bytes go to the even one. */
static void halves_go_to_the_even_byte(void **state)
{
    (void)state;
    const struct convnet_layer layers[] = {
        {.side = 1, .stride = 1, .dilation = 1, .in = 4, .out = 4},
        {.side = 1, .stride = 1, .dilation = 1, .in = 4, .out = 1},
    };
    struct convnet net = draw_net_make(layers, 2);
    struct convnet_image image = {.height = 1, .width = 256};
    uint8_t *pixels = draw_room(256, 4);
    float results[256];
    for (size_t x = 0; x < 256; x++) {
        pixels[4 * x] = (uint8_t)x;
    }
    image.pixels = pixels;
    net.layers[0].weights[0] = 1;
    net.layers[0].scale[0] = 0.5f;
    net.layers[1].weights[0] = 1;
    net.layers[1].scale[0] = 1;
    assert_is_reference(&net, &image);
    for (int path = CONVNET_PORTABLE; path <= (int)CONVNET_VNNI; path++) {
        if (!convnet_path_runs((enum convnet_path)path)) {
            continue;
        }
        run_guarded((enum convnet_path)path, &net, &image, results);
        assert_true(results[1] == 0 && results[3] == 2 && results[5] == 2 && results[255] == 128);
    }
    free(pixels);
    draw_net_free(&net);
}

/* 4000 rows need the room of 40. */
static void workspace_follows_the_width(void **state)
{
    (void)state;
    const struct convnet_layer layers[] = {
        {.side = 3, .stride = 2, .dilation = 1, .in = 4, .out = 12},
        {.side = 3, .stride = 2, .dilation = 1, .in = 12, .out = 32},
        {.side = 3, .stride = 1, .dilation = 16, .in = 32, .out = 32},
        {.side = 3, .stride = 1, .dilation = 4, .in = 32, .out = 3},
    };
    struct convnet net = draw_net_make(layers, 4);
    assert_true(convnet_workspace_bytes(&net, 1500) < 1 << 20);
    assert_true(convnet_workspace_bytes(&net, CONVNET_SIDE_MAX) < 32 << 20);
    struct rng rng;
    rng_init(&rng, 14, 0);
    draw_net_numbers(&net, &rng);
    struct convnet_image image = {.height = 3000, .width = 9};
    uint8_t *pixels = draw_net_image(&rng, &net, &image);
    assert_is_reference(&net, &image);
    free(pixels);
    draw_net_free(&net);
}

struct count_row {
    uint32_t layers, side, stride, dilation, in, out;
};

static void validate_refuses_counts(void **state)
{
    (void)state;
    const struct count_row table[] = {
        {0, 3, 1, 1, 4, 4},  {17, 3, 1, 1, 4, 4}, {2, 2, 1, 1, 4, 4},  {2, 0, 1, 1, 4, 4},
        {2, 5, 1, 1, 4, 4},  {2, 3, 0, 1, 4, 4},  {2, 3, 3, 1, 4, 4},  {2, 3, 1, 0, 4, 4},
        {2, 3, 1, 17, 4, 4}, {2, 3, 1, 1, 0, 4},  {2, 3, 1, 1, 6, 4},  {2, 3, 1, 1, 68, 4},
        {2, 3, 1, 1, 4, 0},  {2, 3, 1, 1, 4, 6},  {2, 3, 1, 1, 4, 68}, {2, 3, 1, 1, 4, 8},
        {1, 3, 1, 1, 4, 65}, {1, 3, 1, 1, 4, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct count_row *row = &table[i];
        struct convnet net = {.layer_count = row->layers};
        net.layers[0] = (struct convnet_layer){.side = row->side,
                                               .stride = row->stride,
                                               .dilation = row->dilation,
                                               .in = row->in,
                                               .out = row->out};
        net.layers[1] =
            (struct convnet_layer){.side = 1, .stride = 1, .dilation = 1, .in = 4, .out = 1};
        assert_int_equal(convnet_validate(&net), CONVNET_COUNTS);
    }
}

static void validate_refuses_numbers(void **state)
{
    (void)state;
    const struct convnet_layer layers[] = {
        {.side = 3, .stride = 1, .dilation = 1, .in = 4, .out = 8},
        {.side = 1, .stride = 1, .dilation = 1, .in = 8, .out = 3},
    };
    struct convnet net = draw_net_make(layers, 2);
    struct convnet_layer *last = &net.layers[1];
    assert_int_equal(convnet_validate(&net), CONVNET_SOUND);
    const int8_t bad_weights[] = {64, -64, 127, -128};
    for (size_t i = 0; i < 4; i++) {
        last->weights[23] = bad_weights[i];
        assert_int_equal(convnet_validate(&net), CONVNET_WEIGHTS);
    }
    last->weights[23] = -63;
    const int32_t bad_biases[] = {CONVNET_BIAS_MAX + 1, -CONVNET_BIAS_MAX - 1, INT32_MAX,
                                  INT32_MIN};
    for (size_t i = 0; i < 4; i++) {
        last->bias[2] = bad_biases[i];
        assert_int_equal(convnet_validate(&net), CONVNET_WEIGHTS);
    }
    last->bias[2] = -CONVNET_BIAS_MAX;
    const float bad_scales[] = {-1e-30f, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 4; i++) {
        last->scale[2] = bad_scales[i];
        assert_int_equal(convnet_validate(&net), CONVNET_SCALES);
    }
    last->scale[2] = 3.4e38f;
    assert_int_equal(convnet_validate(&net), CONVNET_SOUND);
    draw_net_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_give_the_bits_of_the_definition),
        cmocka_unit_test(every_size_gives_the_bits_of_the_definition),
        cmocka_unit_test(extreme_numbers_do_not_saturate),
        cmocka_unit_test(halves_go_to_the_even_byte),
        cmocka_unit_test(workspace_follows_the_width),
        cmocka_unit_test(validate_refuses_counts),
        cmocka_unit_test(validate_refuses_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
