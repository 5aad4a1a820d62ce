/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "score/finder_gate.h"
#include "score/finder_gate_train.h"
#include "score/finder_map.h"
#include "tests/score/finder_fixture.h"

enum { SIDE = 96, CELLS = SIDE / FINDER_CELL, ALL = CELLS * CELLS };
static float pixels[SIDE * SIDE];
static uint8_t valid[SIDE * SIDE];

/* ---- which cells pass */

static uint8_t planes_of_it[SIDE * SIDE * FINDER_CHANNELS];

/* The last plane alone says what is valid. */
static struct convnet_image draw_valid(struct rng *rng, uint32_t width, uint32_t height, bool whole)
{
    for (uint32_t i = 0; i < width * height; i++) {
        bool hole = i % width / FINDER_CELL % 5 == 2 || rng_below(rng, 3) == 0;
        memset(planes_of_it + (size_t)i * FINDER_CHANNELS, whole || !hole ? 255 : 0,
               FINDER_CHANNELS);
    }
    return (struct convnet_image){planes_of_it, height, width};
}

static int higher_first(const void *a, const void *b)
{
    float one = *(const float *)a, other = *(const float *)b;
    return one < other ? 1 : one > other ? -1 : 0;
}

/* By the sorted promises of the valid cells. */
static void choose_by_order(const struct convnet_image *image, uint32_t share, const float *promise,
                            uint8_t *wanted)
{
    const size_t width = finder_cells(image->width), height = finder_cells(image->height);
    size_t count = 0;
    float order[ALL];
    for (size_t i = 0; i < width * height; i++) {
        if (finder_map_is_valid(image, FINDER_CHANNELS, i % width, i / width)) {
            order[count++] = promise[i];
        }
    }
    qsort(order, count, sizeof *order, higher_first);
    size_t rank = width * height / share > 16 ? width * height / share : 16;
    memset(wanted, 0, width * height);
    for (size_t i = 0; i < width * height && count > 0; i++) {
        bool asked = finder_map_is_valid(image, FINDER_CHANNELS, i % width, i / width) &&
                     promise[i] >= order[(rank < count ? rank : count) - 1];
        for (size_t k = 0; k < width * height && asked; k++) {
            bool near = labs((long)(k % width) - (long)(i % width)) <= 1 &&
                        labs((long)(k / width) - (long)(i / width)) <= 1;
            wanted[k] |= near;
        }
    }
}

/* Property: on any promises, many of them equal, with and without invalid cells. */
static void the_most_promising_cells_and_their_neighbours_pass(void **state)
{
    (void)state;
    static const uint32_t shares[] = {2, 5, 16, 64, 300};
    struct rng rng;
    rng_init(&rng, 9, 0);
    for (uint32_t round = 0; round < 150; round++) {
        uint32_t width = 1 + (uint32_t)rng_below(&rng, SIDE), share = shares[round % 5];
        uint32_t height = 1 + (uint32_t)rng_below(&rng, SIDE);
        struct convnet_image image = draw_valid(&rng, width, height, round % 3 == 0);
        size_t cells = finder_cells(width) * finder_cells(height);
        float promise[ALL], kept[ALL];
        uint8_t wanted[ALL], by_order[ALL];
        for (size_t i = 0; i < cells; i++) {
            float level = (float)rng_below(&rng, round % 2 == 0 ? 20 : 1000000) - 9;
            promise[i] = kept[i] = round % 7 == 0 ? 0.0f : level;
        }
        const struct finder_gate_buffers buffers = {NULL, promise, wanted};
        finder_gate_choose(&image, FINDER_CHANNELS, share, &buffers);
        choose_by_order(&image, share, kept, by_order);
        assert_memory_equal(wanted, by_order, cells);
    }
}

static void where_nothing_is_valid_nothing_passes(void **state)
{
    (void)state;
    float promise[ALL] = {1, 2, 3};
    uint8_t wanted[ALL];
    memset(wanted, 1, sizeof wanted);
    memset(planes_of_it, 0, sizeof planes_of_it);
    const struct convnet_image image = {planes_of_it, SIDE, SIDE};
    const struct finder_gate_buffers buffers = {NULL, promise, wanted};
    finder_gate_choose(&image, FINDER_CHANNELS, 64, &buffers);
    for (size_t i = 0; i < ALL; i++) {
        assert_int_equal(wanted[i], 0);
    }
}

static void a_rank_is_that_of_the_sorted_values(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3, 0);
    for (uint32_t round = 0; round < 50; round++) {
        float values[200], order[200];
        size_t count = 1 + rng_below(&rng, 200);
        for (size_t i = 0; i < count; i++) {
            values[i] = order[i] =
                round % 2 == 0 ? (float)rng_normal(&rng) * 1e20f : (float)rng_below(&rng, 9) - 4.0f;
        }
        qsort(order, count, sizeof *order, higher_first);
        for (size_t rank = 1; rank <= count; rank++) {
            assert_true(finder_gate_at_rank(values, count, rank) == order[rank - 1]);
        }
    }
}

/* ---- a model with one */

static struct finder_model gated_fixture(uint64_t seed, uint32_t share)
{
    struct finder_model model = finder_fixture(seed);
    struct rng rng;
    rng_init(&rng, seed, 1);
    assert_good(finder_model_set_gate(&model, 2, share));
    struct convnet_layer *gate = &model.gate.net.layers[0];
    for (size_t i = 0; i < convnet_weight_count(gate); i++) {
        gate->weights[i] = (int8_t)((int)rng_below(&rng, 127) - 63);
    }
    assert_good(finder_model_settle(&model));
    return model;
}

static struct working draw_image(uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        pixels[i] = (float)rng_uniform(&rng);
        valid[i] = i % SIDE < SIDE - 20;
    }
    return (struct working){
        .pixels = pixels, .valid = valid, .width = SIDE, .height = SIDE, .factor = 1};
}

/* Cells that pass are those of the model without a gate; boxes stand at them alone. */
static void what_passes_has_the_cells_of_the_whole_look(void **state)
{
    (void)state;
    const struct image image = {.width = SIDE, .height = SIDE};
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct finder_model model = gated_fixture(seed, 32);
        struct finder_model whole = model;
        whole.gate.depth = 0;
        struct finder_space space = {0}, other = {0};
        struct finder_box boxes[FINDER_BOXES_MAX];
        struct working working = draw_image(seed);
        assert_good(finder_space_fit(&space, &model, SIDE, SIDE));
        assert_good(finder_space_fit(&other, &whole, SIDE, SIDE));
        uint32_t count = finder_run(&space, &model, &working, NULL, &image, boxes);
        uint32_t passed = 0;
        (void)finder_run(&other, &whole, &working, NULL, &image,
                         (struct finder_box[FINDER_BOXES_MAX]){{0}});
        float hottest = FINDER_COLD;
        for (size_t i = 0; i < ALL; i++) {
            const float *cell = space.cells + i * FINDER_OUTPUTS;
            if (space.wanted[i] != 0) {
                assert_memory_equal(cell, other.cells + i * FINDER_OUTPUTS,
                                    FINDER_OUTPUTS * sizeof *cell);
                hottest = fmaxf(hottest, cell[0]);
                passed++;
            } else {
                assert_true(cell[0] == FINDER_COLD);
            }
        }
        assert_in_range(passed, ALL / 32, ALL / 2);
        assert_true(count > 0 && boxes[0].heat <= (double)hottest);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(boxes[i].heat > -1e6 && isfinite(boxes[i].logit));
        }
        finder_space_fini(&space);
        finder_space_fini(&other);
        finder_model_fini(&model);
    }
}

static void a_file_keeps_it(void **state)
{
    (void)state;
    static struct model_file file;
    struct finder_model model = gated_fixture(4, 77), copy, back;
    bool found = false;
    model_file_init(&file);
    assert_good(finder_add(&model, &file));
    assert_good(finder_read(&file, &found, &back));
    assert_true(found);
    assert_good(finder_copy(&back, &copy));
    const struct finder_model *read[] = {&back, &copy};
    for (size_t i = 0; i < 2; i++) {
        const struct convnet_layer *gate = &read[i]->gate.net.layers[0];
        assert_int_equal(read[i]->gate.depth, 2);
        assert_int_equal(read[i]->gate_share, 77);
        assert_memory_equal(gate->weights, model.gate.net.layers[0].weights,
                            convnet_weight_count(gate));
    }
    finder_model_fini(&model);
    finder_model_fini(&copy);
    finder_model_fini(&back);
    model_file_fini(&file);
}

static void assert_refused(struct finder_model *model, const char *words)
{
    struct err err = finder_model_settle(model);
    assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
    assert_non_null(strstr(err.where, words));
}

static void what_is_no_gate_is_refused(void **state)
{
    (void)state;
    struct finder_model model = gated_fixture(4, 64);
    assert_int_equal(finder_model_set_gate(&model, 3, 64).code, ERR_ARGUMENT);
    assert_good(finder_model_set_gate(&model, 1, 64)); /* a stride comes after it */
    assert_refused(&model, "does not fit");
    const uint32_t bad_shares[] = {0, 1, FINDER_GATE_SHARE_MAX + 1};
    for (size_t i = 0; i < 3; i++) {
        assert_good(finder_model_set_gate(&model, 2, bad_shares[i]));
        assert_refused(&model, "share");
    }
    assert_good(finder_model_set_gate(&model, 2, 64));
    model.gate.net.layers[0].weights[5] = 64;
    assert_refused(&model, "weight of the gate");
    model.gate.net.layers[0].weights[5] = 63;
    model.views = 2;
    assert_refused(&model, "several times");
    model.views = 1;
    assert_good(finder_model_settle(&model));
    finder_model_fini(&model);
}

/* ---- one that is learnt */

enum { SPOTS = 4 };

/* Where a spot makes a cell hot: on itself, or so many cells right of it, or both. */
struct where {
    uint32_t beside; /* cells */
    bool itself;
};

/* Heat of a cell by the spot that a tap sees. */
static struct finder_model spot_finder(struct where where)
{
    const struct convnet shape = {
        .layers = {{.side = 1, .stride = 2, .dilation = 1, .in = FINDER_CHANNELS, .out = 4},
                   {.side = 1, .stride = 2, .dilation = 1, .in = 4, .out = 4},
                   {.side = 3, .stride = 1, .dilation = 1, .in = 4, .out = 4},
                   {.side = 1, .stride = 1, .dilation = 1, .in = 4, .out = FINDER_OUTPUTS}},
        .layer_count = 4};
    struct finder_model model;
    assert_good(finder_model_init(&model, &shape, 1));
    for (uint32_t l = 0; l < 4; l++) {
        struct convnet_layer *layer = &model.nets[0].layers[l];
        layer->dilation = l == 2 && where.beside > 0 ? where.beside : 1;
        if (l != 2 || where.itself) {
            layer->weights[(layer->side == 1 ? 0 : 4) * layer->in] = 32;
        }
        if (l == 2 && where.beside > 0) {
            layer->weights[3 * layer->in] = 32; /* the left tap */
        }
        layer->scale[0] = l < 3 ? 1.0f / 32 : 0.001f;
    }
    model.nets[0].layers[3].bias[0] = -32 * 150;
    model.input = finder_input_default(IMAGE_DISPLAY);
    model.box = 6;
    model.reduction = 1;
    assert_good(finder_model_settle(&model));
    return model;
}

/* What a set shows: spots of a cell on noise; marks stand on them, of each `beside_every`-th so
 * many cells right of it, and none on the images that are counted on when they are `bare`. */
struct scenes {
    uint32_t images;
    uint32_t beside;
    uint32_t beside_every; /* 0: none */
    bool bare;
};

static void fill(struct finder_set *set, const struct scenes *scenes)
{
    struct rng rng;
    uint32_t number = 0;
    rng_init(&rng, 12, 0);
    finder_set_init(set, IMAGE_DISPLAY, 1);
    for (uint32_t i = 0; i < scenes->images; i++) {
        struct finder_truth truths[SPOTS];
        memset(valid, 1, sizeof valid);
        for (size_t at = 0; at < SIDE * SIDE; at++) {
            pixels[at] = (float)(0.1 + 0.1 * rng_uniform(&rng));
        }
        for (uint32_t k = 0; k < SPOTS; k++) {
            size_t x = 4 * (1 + rng_below(&rng, CELLS - 9));
            size_t y = 4 * (k * 5 + 1 + rng_below(&rng, 3));
            for (size_t v = 0; v < 16; v++) {
                pixels[(y + v / 4) * SIDE + x + v % 4] = 0.9f;
            }
            bool beside = scenes->beside_every > 0 && number++ % scenes->beside_every == 0;
            float left = (float)(x + (beside ? 4 * scenes->beside : 0));
            truths[k] = (struct finder_truth){left + 1, (float)y + 1, left + 3, (float)y + 3};
        }
        const struct working working = {
            .pixels = pixels, .valid = valid, .width = SIDE, .height = SIDE, .factor = 1};
        const struct finder_set_add add = {.working = &working,
                                           .truths = truths,
                                           .truth_count = scenes->bare && i % 2 == 1 ? 0 : SPOTS};
        assert_good(finder_set_add(set, &add));
    }
}

/* The model with the gate that was learnt, for the caller to fini. */
static struct finder_model learn(const struct scenes *scenes, struct where where,
                                 const uint8_t *taken, struct finder_gate_report *report)
{
    struct finder_set set;
    struct finder_model model = spot_finder(where);
    fill(&set, scenes);
    assert_good(finder_gate_learn(&set, taken, 2, &model, report));
    assert_int_equal(report->share, model.gate_share);
    assert_int_equal(model.gate.depth, report->share > 0 ? 2 : 0);
    assert_good(finder_model_settle(&model));
    finder_set_fini(&set);
    return model;
}

/* Half of the images teach, the other half tell. */
static void a_gate_learns_what_its_layers_show(void **state)
{
    (void)state;
    struct finder_gate_report report;
    const struct scenes scenes = {.images = 80};
    struct finder_model model = learn(&scenes, (struct where){.itself = true}, NULL, &report);
    assert_int_equal(report.images, 40);
    assert_int_equal(report.noticed, 40 * SPOTS);
    assert_int_equal(report.lost, 0);
    assert_int_equal(report.share, 256);
    finder_model_fini(&model);
    const struct scenes others = {.images = 80, .bare = true};
    model = learn(&others, (struct where){.itself = true}, NULL, &report);
    assert_int_equal(report.noticed, 0);
    assert_int_equal(report.share, 0);
    finder_model_fini(&model);
}

/* A cell is hot beside the spot: the neighbour's weights say so, in the order of the taps. */
static void a_gate_sees_its_neighbours(void **state)
{
    (void)state;
    struct finder_gate_report report;
    const struct scenes scenes = {.images = 80, .beside = 1, .beside_every = 1};
    struct finder_model model = learn(&scenes, (struct where){.beside = 1}, NULL, &report);
    assert_int_equal(report.lost, 0);
    assert_int_equal(model.gate.net.layers[0].weights[(size_t)3 * 4], CONVNET_WEIGHT_MAX);
    finder_model_fini(&model);
}

static void what_they_do_not_show_makes_no_gate(void **state)
{
    (void)state;
    struct finder_gate_report report;
    const struct scenes scenes = {.images = 80, .beside = 6, .beside_every = 1};
    struct finder_model model = learn(&scenes, (struct where){.beside = 6}, NULL, &report);
    assert_int_equal(report.noticed, 40 * SPOTS);
    assert_true(report.lost > report.noticed / 4);
    assert_int_equal(report.share, 0);
    finder_model_fini(&model);
}

/* Objects that the gate cannot see: one in 40 is too many, one in 160 is not. */
static void one_in_a_hundred_may_be_lost(void **state)
{
    (void)state;
    for (int few = 0; few < 2; few++) {
        struct finder_gate_report report;
        const struct scenes scenes = {
            .images = 160, .beside = 6, .beside_every = few != 0 ? 158 : 39};
        struct finder_model model =
            learn(&scenes, (struct where){.beside = 6, .itself = true}, NULL, &report);
        assert_int_equal(report.noticed, 80 * SPOTS);
        assert_true(report.lost > 0);
        assert_int_equal(report.share > 0, few);
        finder_model_fini(&model);
    }
}

static void too_few_objects_make_no_gate(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 48, 50}; /* of which half are to tell by: 0, 96, 100 */
    for (size_t i = 0; i < 3; i++) {
        uint8_t taken[80] = {0};
        struct finder_gate_report report;
        const struct scenes scenes = {.images = 80};
        memset(taken, 1, counts[i]);
        struct finder_model model = learn(&scenes, (struct where){.itself = true}, taken, &report);
        assert_int_equal(report.noticed, counts[i] / 2 * SPOTS);
        assert_int_equal(report.share > 0, counts[i] == 50);
        finder_model_fini(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_promising_cells_and_their_neighbours_pass),
        cmocka_unit_test(where_nothing_is_valid_nothing_passes),
        cmocka_unit_test(a_rank_is_that_of_the_sorted_values),
        cmocka_unit_test(what_passes_has_the_cells_of_the_whole_look),
        cmocka_unit_test(a_file_keeps_it),
        cmocka_unit_test(what_is_no_gate_is_refused),
        cmocka_unit_test(a_gate_learns_what_its_layers_show),
        cmocka_unit_test(a_gate_sees_its_neighbours),
        cmocka_unit_test(what_they_do_not_show_makes_no_gate),
        cmocka_unit_test(one_in_a_hundred_may_be_lost),
        cmocka_unit_test(too_few_objects_make_no_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
