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

/* Buffers of exactly the bytes that are asked for: a sanitizer sees one too many. */
static void run(const struct finder_model *model, const struct convnet_image *image, float *out)
{
    uint32_t channels = model->net.layers[0].in;
    size_t count = finder_view_cells(image->width, image->height);
    size_t net = convnet_workspace_bytes(&model->net, image->width + FINDER_VIEW_MARGIN);
    net = (net + CONVNET_ALIGNMENT - 1) / CONVNET_ALIGNMENT * CONVNET_ALIGNMENT;
    struct finder_view_buffers buffers = {
        .planes = malloc(finder_view_planes_bytes(channels, image->width, image->height)),
        .cells = malloc(count * FINDER_OUTPUTS * sizeof(float)),
        .heats = malloc(count * sizeof(float)),
        .net = aligned_alloc(CONVNET_ALIGNMENT, net),
    };
    assert_true(buffers.planes != NULL && buffers.cells != NULL && buffers.heats != NULL &&
                buffers.net != NULL);
    memset(buffers.planes, 0xa5, finder_view_planes_bytes(channels, image->width, image->height));
    finder_views_run(model, image, &buffers, out);
    free(buffers.planes);
    free(buffers.cells);
    free(buffers.heats);
    free(buffers.net);
}

/* ---- the twin: each view drawn pixel by pixel, each cell looked up by the place it covers ---- */

struct seen {
    uint32_t width;
    uint32_t height;
    float *cells;
};

/* Pixel (x, y) of the view is this one of the image, or none. */
static struct seen see(const struct finder_model *model, const struct convnet_image *image,
                       bool mirrored, uint32_t push)
{
    uint32_t channels = model->net.layers[0].in;
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
    size_t bytes = convnet_workspace_bytes(&model->net, width);
    void *net = aligned_alloc(CONVNET_ALIGNMENT, (bytes + 63) / 64 * 64);
    assert_true(seen.cells != NULL && net != NULL);
    struct convnet_image view = {drawn, height, width};
    convnet_run_by(CONVNET_PORTABLE, &model->net, model->packed, &view, net, seen.cells);
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

static void assert_views(const struct finder_model *model, const struct convnet_image *image,
                         const float *got)
{
    uint32_t columns = cells_of(image->width), rows = cells_of(image->height);
    struct seen seen[4];
    for (uint32_t i = 0; i < 4; i++) {
        seen[i] = see(model, image, i % 2 == 1, i / 2 * 2);
    }
    for (uint32_t i = 0; i < columns * rows; i++) {
        uint32_t x = i % columns, y = i / columns;
        float heats[4] = {0};
        for (uint32_t v = 0; v < model->views; v++) {
            heats[v] = heat_over(&seen[v], columns, v % 2 == 1, v / 2 * 2, x, y);
        }
        const float *own = seen[0].cells + (size_t)i * FINDER_OUTPUTS;
        const float *other =
            seen[1].cells + ((size_t)y * seen[1].width + columns - 1 - x) * FINDER_OUTPUTS;
        const float *cell = got + (size_t)i * FINDER_OUTPUTS;
        assert_true(cell[0] ==
                    ((heats[0] + heats[1]) + (heats[2] + heats[3])) / (float)model->views);
        if (model->views == 1) {
            assert_memory_equal(cell, own, FINDER_OUTPUTS * sizeof(float));
            continue;
        }
        assert_true(cell[1] == (own[1] + other[1]) / 2 && cell[2] == (own[2] + other[2]) / 2);
        assert_true(cell[3] == (own[3] - other[3]) / 2 && cell[4] == (own[4] + other[4]) / 2);
    }
    for (uint32_t i = 0; i < 4; i++) {
        free(seen[i].cells);
    }
}

/* Property: a cell is the mean of its views, at every remainder of width and height by cells. */
static void cells_are_means_of_views(void **state)
{
    (void)state;
    const uint32_t counts[] = {1, 2, 4};
    for (uint32_t round = 0; round < 48; round++) {
        struct finder_model model = finder_fixture_of(round, round % 2 == 0 ? 8 : 4);
        model.views = counts[round % 3];
        uint32_t width = round < 8 ? 1 + round : 30 + round * 5 % 37;
        uint32_t height = round < 8 ? 8 - round : 20 + round * 7 % 41;
        struct convnet_image image = draw_planes(round, width, height);
        run(&model, &image, cells);
        assert_views(&model, &image, cells);
        finder_model_fini(&model);
    }
}

/* Property: a mirrored image has mirrored cells, to the bit. */
static void mirrored_image_has_mirrored_cells(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 8; round++) {
        struct finder_model model = finder_fixture_of(90 + round, CHANNELS);
        model.views = round % 2 == 0 ? 2 : 4;
        uint32_t width = 4 + 4 * round, height = 31 + round;
        struct convnet_image image = draw_planes(90 + round, width, height);
        for (uint32_t i = 0; i < width * height; i++) {
            uint32_t to = i / width * width + (width - 1 - i % width);
            memcpy(mirrored_planes + (size_t)to * CHANNELS, planes + (size_t)i * CHANNELS,
                   CHANNELS);
        }
        struct convnet_image mirrored = {mirrored_planes, height, width};
        run(&model, &image, cells);
        run(&model, &mirrored, again);
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

static void other_counts_of_views_are_refused(void **state)
{
    (void)state;
    const double wrong[] = {0, 3, 5, 8, 2.5, -1, 1e300, NAN};
    struct finder_model model = finder_fixture_of(1, CHANNELS);
    model.views = 2;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct model_file file;
        struct finder_model read;
        bool found = false;
        model_file_init(&file);
        assert_good(finder_add(&model, &file));
        const struct model_array *input = model_file_find(&file, "finder_input", MODEL_F64);
        ((double *)input->values)[11] = wrong[i];
        struct err err = finder_read(&file, &found, &read);
        assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
        assert_non_null(strstr(err.where, "views"));
        model_file_fini(&file);
    }
    finder_model_fini(&model);
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_means_of_views),
        cmocka_unit_test(mirrored_image_has_mirrored_cells),
        cmocka_unit_test(views_are_in_the_model_file),
        cmocka_unit_test(other_counts_of_views_are_refused),
        cmocka_unit_test(space_grows_with_the_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
