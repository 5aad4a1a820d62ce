/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/convnet_gated.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/ref/convnet_ref.h"
#include "tests/kernels/draw.h"
#include "tests/kernels/draw_net.h"

enum { GUARD = 64, UNTOUCHED = 0x5a };

/* Strides only where all of the image is looked at. */
static struct convnet draw_gated(struct rng *rng, struct convnet_gate *gate)
{
    struct convnet_layer layers[CONVNET_LAYERS_MAX];
    uint32_t count = 2 + (uint32_t)rng_below(rng, 6);
    uint32_t in = 4 * (1 + (uint32_t)rng_below(rng, 2));
    gate->depth = 1 + (uint32_t)rng_below(rng, count - 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t out = 4 * (1 + (uint32_t)rng_below(rng, 5));
        layers[i] =
            (struct convnet_layer){.side = rng_below(rng, 3) == 0 ? 1 : 3,
                                   .stride = i < gate->depth ? 1 + (uint32_t)rng_below(rng, 2) : 1,
                                   .dilation = 1 + (uint32_t)rng_below(rng, i % 3 == 0 ? 9 : 3),
                                   .in = in,
                                   .out = i + 1 == count ? 1 + (uint32_t)rng_below(rng, 6) : out};
        in = layers[i].out;
    }
    struct convnet net = draw_net_make(layers, count);
    draw_net_numbers(&net, rng);
    const struct convnet_layer own = {.side = rng_below(rng, 4) == 0 ? 1 : 3,
                                      .stride = 1,
                                      .dilation = 1 + (uint32_t)rng_below(rng, 3),
                                      .in = layers[gate->depth].in,
                                      .out = 1};
    gate->net = draw_net_make(&own, 1);
    draw_net_numbers(&gate->net, rng);
    return net;
}

/* The network that the gate is the last layer of, by its definition. */
static float *promise_of(const struct convnet *net, const struct convnet_gate *gate,
                         const struct convnet_image *image)
{
    struct convnet first = *net;
    first.layer_count = gate->depth + 1;
    first.layers[gate->depth] = gate->net.layers[0];
    return draw_net_results(&first, image);
}

/* Spots, stripes, nothing or everything. */
static void draw_wanted(struct rng *rng, uint8_t *wanted, uint32_t height, uint32_t width)
{
    uint64_t kind = rng_below(rng, 6);
    uint64_t one_in = kind < 3 ? 40 : 3;
    for (uint32_t i = 0; i < height * width; i++) {
        bool spot = rng_below(rng, one_in) == 0;
        wanted[i] = kind == 4 ? 1 : kind == 5 ? 0 : kind == 3 ? i % width % 19 < 2 : spot;
    }
}

static void run(enum convnet_path path, const struct convnet *net, struct convnet_gate *gate,
                const struct convnet_image *image, const uint8_t *wanted, const float *all,
                const float *promise)
{
    uint32_t height, width, outputs = net->layers[net->layer_count - 1].out;
    convnet_output_size(net, image->height, image->width, &height, &width);
    size_t cells = (size_t)height * width;
    size_t bytes = convnet_gated_bytes(net, gate, image->height, image->width);
    size_t packed_bytes = convnet_packed_bytes(net);
    size_t gate_bytes = convnet_packed_bytes(&gate->net);
    assert_int_equal(bytes % CONVNET_ALIGNMENT, 0);
    uint8_t *packed = aligned_alloc(CONVNET_ALIGNMENT, packed_bytes);
    uint8_t *gate_packed = aligned_alloc(CONVNET_ALIGNMENT, gate_bytes);
    uint8_t *space = aligned_alloc(CONVNET_ALIGNMENT, bytes + GUARD);
    float *got_promise = draw_room(cells, sizeof *got_promise);
    float *got = draw_room(cells * outputs, sizeof *got);
    assert_true(packed != NULL && gate_packed != NULL && space != NULL);
    memset(space, 0xa5, bytes + GUARD);
    memset(got, UNTOUCHED, cells * outputs * sizeof *got);
    convnet_pack(net, packed);
    convnet_pack(&gate->net, gate_packed);
    gate->packed = gate_packed;
    convnet_glance(path, net, packed, gate, image, space, got_promise);
    convnet_look(space, wanted, got);
    assert_memory_equal(got_promise, promise, cells * sizeof *promise);
    for (uint32_t i = 0; i < cells; i++) {
        float untouched[CONVNET_CHANNELS_MAX];
        memset(untouched, UNTOUCHED, sizeof untouched);
        const float *right = wanted[i] != 0 ? all + (size_t)i * outputs : untouched;
        assert_memory_equal(got + (size_t)i * outputs, right, outputs * sizeof *got);
    }
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(space[bytes + i], 0xa5);
    }
    free(packed);
    free(gate_packed);
    free(space);
    free(got_promise);
    free(got);
}

/* Property: what is wanted has the bits of the definition, what is not is left alone, on every
 * path, and so has the gate. */
static void wanted_results_have_the_bits_of_the_definition(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5, 0);
    for (uint32_t i = 0; i < 200; i++) {
        struct convnet_gate gate;
        struct convnet net = draw_gated(&rng, &gate);
        struct convnet_image image = {.height = 1 + (uint32_t)rng_below(&rng, 50),
                                      .width =
                                          1 + (uint32_t)rng_below(&rng, i % 4 == 0 ? 300 : 60)};
        uint8_t *pixels = draw_net_image(&rng, &net, &image);
        uint32_t height, width;
        convnet_output_size(&net, image.height, image.width, &height, &width);
        uint8_t *wanted = draw_room((size_t)height * width, 1);
        draw_wanted(&rng, wanted, height, width);
        float *all = draw_net_results(&net, &image);
        float *promise = promise_of(&net, &gate, &image);
        assert_true(convnet_gate_fits(&net, &gate));
        for (int path = CONVNET_PORTABLE; path <= (int)CONVNET_VNNI; path++) {
            if (convnet_path_runs((enum convnet_path)path)) {
                run((enum convnet_path)path, &net, &gate, &image, wanted, all, promise);
            }
        }
        free(pixels);
        free(wanted);
        free(all);
        free(promise);
        draw_net_free(&net);
        draw_net_free(&gate.net);
    }
}

static void products_are_those_of_what_is_wanted(void **state)
{
    (void)state;
    const struct convnet_layer layers[] = {
        {.side = 3, .stride = 2, .dilation = 1, .in = 4, .out = 8},
        {.side = 3, .stride = 1, .dilation = 2, .in = 8, .out = 4},
        {.side = 1, .stride = 1, .dilation = 1, .in = 4, .out = 2},
    };
    const struct convnet_layer own = {.side = 3, .stride = 1, .dilation = 1, .in = 8, .out = 1};
    struct convnet_gate gate = {.depth = 1, .net = draw_net_make(&own, 1)};
    struct convnet net = draw_net_make(layers, 3);
    static uint8_t pixels[40 * 40 * 4], wanted[20 * 20];
    static float promise[20 * 20], out[20 * 20 * 2];
    const struct convnet_image image = {pixels, 40, 40};
    void *space = aligned_alloc(CONVNET_ALIGNMENT, convnet_gated_bytes(&net, &gate, 40, 40));
    void *packed = aligned_alloc(CONVNET_ALIGNMENT, convnet_packed_bytes(&net));
    void *gate_packed = aligned_alloc(CONVNET_ALIGNMENT, convnet_packed_bytes(&gate.net));
    assert_true(space != NULL && packed != NULL && gate_packed != NULL);
    convnet_pack(&net, packed);
    convnet_pack(&gate.net, gate_packed);
    gate.packed = gate_packed;
    wanted[7 * 20 + 5] = wanted[19 * 20 + 19] = 1; /* one of 25 neighbours, one of 9 */
    convnet_glance(CONVNET_PORTABLE, &net, packed, &gate, &image, space, promise);
    convnet_look(space, wanted, out);
    double first = 400.0 * 8 * 36 + 400.0 * 72, close = 2.0 * 4 * 72 + 2.0 * 8;
    assert_true(convnet_gated_products(space) == first + close);
    free(space);
    free(packed);
    free(gate_packed);
    draw_net_free(&net);
    draw_net_free(&gate.net);
}

static void gates_that_do_not_fit_are_told(void **state)
{
    (void)state;
    const struct convnet net = {
        .layers = {{.side = 3, .stride = 2, .dilation = 1, .in = 4, .out = 8},
                   {.side = 3, .stride = 2, .dilation = 1, .in = 8, .out = 12},
                   {.side = 3, .stride = 1, .dilation = 1, .in = 12, .out = 4},
                   {.side = 1, .stride = 1, .dilation = 1, .in = 4, .out = 2}},
        .layer_count = 4};
    const struct convnet_gate good = {
        .depth = 2,
        .net = {.layers = {{.side = 3, .stride = 1, .dilation = 1, .in = 12, .out = 1}},
                .layer_count = 1}};
    struct convnet_gate bad[7] = {good, good, good, good, good, good, good};
    assert_true(convnet_gate_fits(&net, &good));
    bad[0].depth = 0;
    bad[1].depth = 1; /* a stride comes after it */
    bad[2].depth = 4;
    bad[3].net.layers[0].in = 8;
    bad[4].net.layers[0].out = 2;
    bad[5].net.layers[0].stride = 2;
    bad[6].net.layer_count = 2;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(convnet_gate_fits(&net, &bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wanted_results_have_the_bits_of_the_definition),
        cmocka_unit_test(products_are_those_of_what_is_wanted),
        cmocka_unit_test(gates_that_do_not_fit_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
