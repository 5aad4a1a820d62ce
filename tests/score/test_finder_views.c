/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/finder_views.h"
#include "tests/score/finder_fixture.h"

enum { SIDE_MAX = 70, CELLS_MAX = 20 * 20, CHANNELS = FINDER_CHANNELS_MAX };
static uint8_t planes[SIDE_MAX * SIDE_MAX * CHANNELS];
static uint8_t mirrored_planes[SIDE_MAX * SIDE_MAX * CHANNELS];
static float cells[CELLS_MAX * FINDER_OUTPUTS];
static float again[CELLS_MAX * FINDER_OUTPUTS];

static struct convnet_image draw_planes(uint64_t seed, uint32_t width, uint32_t height)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < (size_t)width * height * CHANNELS; i++) {
        planes[i] = (uint8_t)rng_below(&rng, 256);
    }
    return (struct convnet_image){planes, height, width};
}

static uint32_t cells_of(uint32_t pixels)
{
    return (pixels + 3) / 4;
}

/* ---- the twin: each view drawn pixel by pixel, each cell looked up by the place it covers ---- */

struct seen {
    uint32_t width;
    uint32_t height;
    float *cells;
};

/* By one network. Pixel (x, y) of the view is this one of the image, or none. */
static struct seen see(const struct finder_model *model, uint32_t network,
                       const struct convnet_image *image, bool mirrored, uint32_t push)
{
    uint32_t channels = model->nets[0].layers[0].in;
    uint32_t whole = cells_of(image->width) * 4;
    uint32_t width = (mirrored ? whole : image->width) + push;
    uint32_t height = image->height + push;
    uint8_t *drawn = calloc((size_t)width * height, channels);
    assert_non_null(drawn);
    for (uint32_t y = push; y < height; y++) {
        for (uint32_t x = push; x < width; x++) {
            uint32_t from = mirrored ? whole - 1 - (x - push) : x - push;
            if (from < image->width) {
                memcpy(drawn + ((size_t)y * width + x) * channels,
                       image->pixels + ((size_t)(y - push) * image->width + from) * channels,
                       channels);
            }
        }
    }
    struct seen seen = {cells_of(width), cells_of(height), NULL};
    seen.cells = calloc((size_t)seen.width * seen.height * FINDER_OUTPUTS, sizeof(float));
    size_t bytes = convnet_workspace_bytes(&model->nets[0], width);
    void *net = aligned_alloc(CONVNET_ALIGNMENT, (bytes + 63) / 64 * 64);
    assert_true(seen.cells != NULL && net != NULL);
    struct convnet_image view = {drawn, height, width};
    convnet_run_by(CONVNET_PORTABLE, &model->nets[network], model->packed[network], &view, net,
                   seen.cells);
    free(net);
    free(drawn);
    return seen;
}

/* The hottest of the view's cells that cover a pixel of the image's cell (x, y). */
static float heat_over(const struct seen *seen, uint32_t image_cells, bool mirrored, uint32_t push,
                       uint32_t x, uint32_t y)
{
    float heat = -INFINITY;
    for (uint32_t v = 0; v < seen->width * seen->height; v++) {
        for (uint32_t pixel = 0; pixel < 16; pixel++) {
            uint32_t px = x * 4 + pixel % 4, py = y * 4 + pixel / 4;
            uint32_t vx = (mirrored ? image_cells * 4 - 1 - px : px) + push, vy = py + push;
            bool covers = vx / 4 == v % seen->width && vy / 4 == v / seen->width;
            float other = seen->cells[(size_t)v * FINDER_OUTPUTS];
            heat = covers && other > heat ? other : heat;
        }
    }
    return heat;
}

static struct seen seen_by[FINDER_NETWORKS_MAX][FINDER_VIEWS_MAX];

/* What a cell should have: the sums of each view over the networks, then those of the views. */
static void expect(const struct finder_model *model, uint32_t columns, uint32_t x, uint32_t y,
                   float cell[FINDER_OUTPUTS])
{
    float heats[FINDER_VIEWS_MAX] = {0}, own[2][FINDER_OUTPUTS] = {{0}};
    for (uint32_t n = 0; n < model->networks; n++) {
        const struct seen *seen = seen_by[n];
        for (uint32_t v = 0; v < model->views; v++) {
            heats[v] += heat_over(&seen[v], columns, v % 2 == 1, v / 2 * 2, x, y);
        }
        for (int k = 1; k < FINDER_OUTPUTS; k++) {
            size_t other = (size_t)y * seen[1].width + columns - 1 - x;
            own[0][k] += seen[0].cells[((size_t)y * columns + x) * FINDER_OUTPUTS + (size_t)k];
            own[1][k] +=
                (k == 3 ? -1.0f : 1.0f) * seen[1].cells[other * FINDER_OUTPUTS + (size_t)k];
        }
    }
    cell[0] =
        ((heats[0] + heats[1]) + (heats[2] + heats[3])) / (float)(model->networks * model->views);
    for (int k = 1; k < FINDER_OUTPUTS; k++) {
        cell[k] = model->views == 1 ? own[0][k] / (float)model->networks
                                    : (own[0][k] + own[1][k]) / (float)(2 * model->networks);
    }
}

static void assert_views(const struct finder_model *model, const struct convnet_image *image,
                         const float *got)
{
    uint32_t columns = cells_of(image->width), rows = cells_of(image->height);
    for (uint32_t i = 0; i < 4 * model->networks; i++) {
        seen_by[i / 4][i % 4] = see(model, i / 4, image, i % 2 == 1, i % 4 / 2 * 2);
    }
    for (uint32_t i = 0; i < columns * rows; i++) {
        float cell[FINDER_OUTPUTS];
        expect(model, columns, i % columns, i / columns, cell);
        for (size_t k = 0; k < FINDER_OUTPUTS; k++) {
            assert_true(got[i * FINDER_OUTPUTS + k] == cell[k]);
        }
        if (model->views == 1 && model->networks == 1) {
            assert_memory_equal(got + (size_t)i * FINDER_OUTPUTS,
                                seen_by[0][0].cells + (size_t)i * FINDER_OUTPUTS, sizeof cell);
        }
    }
    for (uint32_t i = 0; i < 4 * model->networks; i++) {
        free(seen_by[i / 4][i % 4].cells);
    }
}

/* Property: a cell is the mean of its views by all networks, at every remainder of width and height
 * by cells. */
static void cells_are_means_of_views_and_networks(void **state)
{
    (void)state;
    const uint32_t counts[] = {1, 2, 4};
    for (uint32_t round = 0; round < 48; round++) {
        struct finder_model model = finder_fixture_joint(round, round % 2 == 0 ? 8 : 4,
                                                         1 + round / 3 % FINDER_NETWORKS_MAX);
        model.views = counts[round % 3];
        uint32_t width = round < 8 ? 1 + round : 30 + round * 5 % 37;
        uint32_t height = round < 8 ? 8 - round : 20 + round * 7 % 41;
        struct convnet_image image = draw_planes(round, width, height);
        finder_fixture_views(&model, &image, cells);
        assert_views(&model, &image, cells);
        finder_model_fini(&model);
    }
}

/* Property: a mirrored image has mirrored cells, to the bit. */
static void mirrored_image_has_mirrored_cells(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 8; round++) {
        struct finder_model model = finder_fixture_joint(90 + round, CHANNELS, 1 + round / 2);
        model.views = round % 2 == 0 ? 2 : 4;
        uint32_t width = 4 + 4 * round, height = 31 + round;
        struct convnet_image image = draw_planes(90 + round, width, height);
        for (uint32_t i = 0; i < width * height; i++) {
            uint32_t to = i / width * width + (width - 1 - i % width);
            memcpy(mirrored_planes + (size_t)to * CHANNELS, planes + (size_t)i * CHANNELS,
                   CHANNELS);
        }
        struct convnet_image mirrored = {mirrored_planes, height, width};
        finder_fixture_views(&model, &image, cells);
        finder_fixture_views(&model, &mirrored, again);
        for (uint32_t i = 0; i < width / 4 * cells_of(height); i++) {
            uint32_t to = i / (width / 4) * (width / 4) + (width / 4 - 1 - i % (width / 4));
            const float *a = cells + (size_t)i * FINDER_OUTPUTS;
            const float *b = again + (size_t)to * FINDER_OUTPUTS;
            assert_true(a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[4] == b[4]);
            assert_true(a[3] == -b[3]);
        }
        finder_model_fini(&model);
    }
}

/* A model of one view keeps the file that it always had; another says how many. */
static void views_are_in_the_model_file(void **state)
{
    (void)state;
    const uint64_t numbers[] = {0, 11, 12, 0, 12};
    for (uint32_t views = 1; views <= FINDER_VIEWS_MAX; views *= 2) {
        struct model_file file;
        struct finder_model model = finder_fixture_of(views, CHANNELS), read;
        bool found = false;
        model.views = views;
        model_file_init(&file);
        assert_good(finder_add(&model, &file));
        assert_int_equal(model_file_find(&file, "finder_input", MODEL_F64)->dimensions[0],
                         numbers[views]);
        assert_good(finder_read(&file, &found, &read));
        assert_true(found && read.views == views && read.input.material == model.input.material);
        finder_model_fini(&read);
        assert_good(finder_copy(&model, &read));
        assert_int_equal(read.views, views);
        finder_model_fini(&read);
        finder_model_fini(&model);
        model_file_fini(&file);
    }
}

/* What reading says of the model's file, with another value for one number of its input. */
static struct err read_changed(const struct finder_model *model, size_t number, double value)
{
    struct model_file file;
    struct finder_model read;
    bool found = false;
    model_file_init(&file);
    assert_good(finder_add(model, &file));
    const struct model_array *input = model_file_find(&file, "finder_input", MODEL_F64);
    ((double *)input->values)[number] = value;
    struct err err = finder_read(&file, &found, &read);
    if (found) {
        finder_model_fini(&read);
    }
    model_file_fini(&file);
    return err;
}

static void other_counts_of_views_are_refused(void **state)
{
    (void)state;
    const double wrong[] = {0, 3, 5, 8, 2.5, -1, 1e300, NAN};
    struct finder_model model = finder_fixture_of(1, CHANNELS);
    model.views = 2;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err = read_changed(&model, 11, wrong[i]);
        assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
        assert_non_null(strstr(err.where, "views"));
    }
    finder_model_fini(&model);
}

/* Any number of them, of any number of views; the numbers of each stay apart. */
static void networks_are_in_the_model_file(void **state)
{
    (void)state;
    for (uint32_t networks = 2; networks <= FINDER_NETWORKS_MAX; networks++) {
        struct model_file file;
        struct finder_model model = finder_fixture_joint(networks, CHANNELS, networks), read;
        bool found = false;
        model.views = 1U << networks % 3;
        model.places = networks * 5 % 17;
        model.pooled = networks % 2 == 0;
        model_file_init(&file);
        assert_good(finder_add(&model, &file));
        assert_int_equal(model_file_find(&file, "finder_input", MODEL_F64)->dimensions[0], 15);
        assert_good(finder_read(&file, &found, &read));
        assert_true(found && read.networks == networks && read.views == model.views);
        assert_true(read.places == model.places && read.pooled == model.pooled);
        for (uint32_t n = 0; n < networks; n++) {
            size_t bytes = convnet_packed_bytes(&model.nets[n]);
            assert_memory_equal(model.packed[n], read.packed[n], bytes);
            assert_memory_not_equal(model.packed[n], read.packed[(n + 1) % networks], bytes);
        }
        finder_model_fini(&read);
        finder_model_fini(&model);
        model_file_fini(&file);
    }
}

static void other_counts_of_networks_are_refused(void **state)
{
    (void)state;
    const double wrong[] = {0, 1, 3, 5, 2.5, -1, 1e300, NAN}; /* other weights than 1 or 3 have */
    struct finder_model model = finder_fixture_joint(1, CHANNELS, 2), none;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err = read_changed(&model, 12, wrong[i]);
        assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
        assert_non_null(strstr(err.where, i == 1 || i == 2 ? "weights" : "number of networks"));
    }
    /* A second network is looked at as closely as the first. */
    model.nets[1].layers[1].weights[3] = -128;
    struct err err = finder_model_settle(&model);
    assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
    finder_model_fini(&model);
    struct convnet shape = finder_fixture_shape(CHANNELS);
    assert_int_equal(finder_model_init(&none, &shape, 0).code, ERR_ARGUMENT);
    assert_int_equal(finder_model_init(&none, &shape, FINDER_NETWORKS_MAX + 1).code, ERR_ARGUMENT);
}

/* One network may look at places or pool as well; how, is refused when it is no such thing. */
static void other_looks_are_refused(void **state)
{
    (void)state;
    const double wrong[2][5] = {{-1, FINDER_PLACES_MAX + 1, 2.5, 1e300, NAN},
                                {2, -1, 0.5, 1e300, NAN}};
    const char *const why[2] = {"places", "pooled"};
    struct finder_model model = finder_fixture_of(1, CHANNELS);
    model.places = FINDER_PLACES_MAX;
    assert_good(read_changed(&model, 14, 1));
    for (size_t i = 0; i < 10; i++) {
        struct err err = read_changed(&model, 13 + i / 5, wrong[i / 5][i % 5]);
        assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
        assert_non_null(strstr(err.where, why[i / 5]));
    }
    finder_model_fini(&model);
}

/* One and two make three, in their order; with those for other images nothing is made. */
static void finders_join(void **state)
{
    (void)state;
    struct finder_model one = finder_fixture_of(1, CHANNELS), joined;
    struct finder_model two = finder_fixture_joint(2, CHANNELS, 2);
    const struct finder_model *parts[] = {&one, &two, &two};
    two.slope = 7;
    assert_good(finder_join(parts, 2, &joined));
    assert_true(joined.networks == 3 && joined.slope == one.slope && joined.box == one.box);
    size_t bytes = convnet_packed_bytes(&one.nets[0]);
    assert_memory_equal(joined.packed[0], one.packed[0], bytes);
    assert_memory_equal(joined.packed[1], two.packed[0], bytes);
    assert_memory_equal(joined.packed[2], two.packed[1], bytes);
    finder_model_fini(&joined);
    assert_int_equal(finder_join(parts, 3, &joined).code, ERR_ARGUMENT); /* five */
    assert_int_equal(finder_join(parts, 0, &joined).code, ERR_ARGUMENT);
    double *const numbers[] = {&two.input.a_max,
                               &two.input.contrast,
                               &two.input.ratio_low,
                               &two.input.ratio_high,
                               &two.input.ratio_least,
                               &two.input.material,
                               &two.box};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        double kept = *numbers[i];
        *numbers[i] += 0.25;
        assert_int_equal(finder_join(parts, 2, &joined).code, ERR_ARGUMENT);
        *numbers[i] = kept;
    }
    two.views = 4;
    assert_int_equal(finder_join(parts, 2, &joined).code, ERR_ARGUMENT);
    two.views = one.views;
    two.reduction++;
    assert_int_equal(finder_join(parts, 2, &joined).code, ERR_ARGUMENT);
    two.reduction--;
    two.places++;
    assert_int_equal(finder_join(parts, 2, &joined).code, ERR_ARGUMENT);
    two.places--;
    two.pooled = true;
    assert_int_equal(finder_join(parts, 2, &joined).code, ERR_ARGUMENT);
    one.pooled = true;
    one.places = two.places = 7;
    assert_good(finder_join(parts, 2, &joined));
    assert_true(joined.pooled && joined.places == 7);
    finder_model_fini(&joined);
    finder_model_fini(&two);
    two = finder_fixture_of(2, FINDER_CHANNELS);
    assert_int_equal(finder_join(parts, 2, &joined).code, ERR_ARGUMENT);
    finder_model_fini(&two);
    finder_model_fini(&one);
}

/* What one view made room for is not enough for four of the same size. */
static void space_grows_with_the_views(void **state)
{
    (void)state;
    struct finder_space space = {0};
    struct finder_model model = finder_fixture_of(5, CHANNELS);
    assert_good(finder_space_fit(&space, &model, 40, 30));
    assert_null(space.view_planes);
    model.views = 4;
    assert_good(finder_space_fit(&space, &model, 40, 30));
    assert_non_null(space.view_planes);
    const uint8_t *there = space.planes;
    assert_good(finder_space_fit(&space, &model, 40, 30));
    assert_ptr_equal(space.planes, there);
    model.views = 1; /* keeps what it has */
    assert_good(finder_space_fit(&space, &model, 40, 30));
    assert_non_null(space.view_planes);
    finder_space_fini(&space);
    finder_model_fini(&model);
    model = finder_fixture_joint(5, CHANNELS, 2);
    assert_good(finder_space_fit(&space, &model, 40, 30));
    assert_non_null(space.view_planes);
    finder_space_fini(&space);
    finder_model_fini(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_means_of_views_and_networks),
        cmocka_unit_test(mirrored_image_has_mirrored_cells),
        cmocka_unit_test(views_are_in_the_model_file),
        cmocka_unit_test(other_counts_of_views_are_refused),
        cmocka_unit_test(networks_are_in_the_model_file),
        cmocka_unit_test(other_counts_of_networks_are_refused),
        cmocka_unit_test(other_looks_are_refused),
        cmocka_unit_test(finders_join),
        cmocka_unit_test(space_grows_with_the_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
