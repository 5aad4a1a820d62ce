/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/finder.h"
#include "tests/score/finder_fixture.h"

/* ---- planes ---- */

enum { ROOM = 90 * 130 };
static float high_pixels[ROOM];
static float low_pixels[ROOM];
static uint8_t valid[ROOM];
static uint8_t planes[ROOM * FINDER_CHANNELS];

static struct working draw_working(uint64_t seed, size_t width, size_t height)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < width * height; i++) {
        high_pixels[i] = (float)(rng_uniform(&rng) * 1.4 - 0.2);
        low_pixels[i] = (float)((double)high_pixels[i] * (0.7 + rng_uniform(&rng)));
        valid[i] = rng_below(&rng, 8) != 0;
        if (valid[i] == 0 && rng_below(&rng, 2) == 0) {
            high_pixels[i] = NAN;
        }
    }
    return (struct working){
        .pixels = high_pixels, .valid = valid, .width = width, .height = height, .factor = 1};
}

static double hold(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static double level_of(const struct finder_input *input, float attenuation)
{
    return hold(255 * (double)attenuation / input->a_max, 0, 255);
}

static double local_mean(const struct finder_input *input, const struct working *working, size_t x0,
                         size_t y0)
{
    double sum = 0, count = 0;
    for (size_t y = 0; y < working->height; y++) {
        for (size_t x = 0; x < working->width; x++) {
            bool near = llabs((long long)x - (long long)x0) <= FINDER_LOCAL_RADIUS &&
                        llabs((long long)y - (long long)y0) <= FINDER_LOCAL_RADIUS;
            if (near && working->valid[y * working->width + x] != 0) {
                sum += level_of(input, working->pixels[y * working->width + x]);
                count++;
            }
        }
    }
    return sum / count;
}

static void assert_planes(const struct finder_input *input, const struct working *working,
                          const float *low, const uint8_t *got)
{
    for (size_t i = 0; i < working->width * working->height; i++, got += FINDER_CHANNELS) {
        if (working->valid[i] == 0) {
            assert_memory_equal(got, "\0\0\0\0", FINDER_CHANNELS);
            continue;
        }
        double level = level_of(input, working->pixels[i]);
        double mean = local_mean(input, working, i % working->width, i / working->width);
        double contrast = hold(128 + input->contrast * (level - mean), 0, 255);
        /* The level is rounded to a sixteenth on the way. */
        assert_true(fabs(level - got[0]) <= 0.5 + 1.0 / 32 + 1e-3);
        assert_true(fabs(contrast - got[1]) <= 0.5 + input->contrast / 32 + 1e-3);
        assert_int_equal(got[3], 255);
        double a = (double)working->pixels[i];
        if (low == NULL || a <= input->ratio_least) {
            assert_int_equal(got[2], 0);
        } else {
            double share =
                ((double)low[i] / a - input->ratio_low) / (input->ratio_high - input->ratio_low);
            assert_true(fabs(hold(1 + 254 * share, 1, 255) - got[2]) <= 0.5 + 1e-3);
        }
    }
}

/* Property: planes are what finder.h says, pixel by pixel, at sizes below and above the window. */
static void planes_of_any_size_follow_their_definition(void **state)
{
    (void)state;
    const size_t sizes[][2] = {{1, 1}, {1, 40}, {37, 1}, {16, 17}, {33, 34}, {130, 5}, {61, 90}};
    struct finder_input input = finder_input_default(IMAGE_DISPLAY);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct working working = draw_working(i, sizes[i][0], sizes[i][1]);
        void *workspace = calloc(finder_planes_workspace_bytes(working.width), 1);
        assert_non_null(workspace);
        memset(planes, 0xa5, sizeof planes);
        finder_planes(&input, &working, NULL, workspace, planes);
        assert_planes(&input, &working, NULL, planes);
        /* A used workspace changes nothing. */
        finder_planes(&input, &working, low_pixels, workspace, planes);
        assert_planes(&input, &working, low_pixels, planes);
        assert_int_equal(planes[working.width * working.height * FINDER_CHANNELS], 0xa5);
        free(workspace);
        input = finder_input_default(IMAGE_TRANSMISSION);
        input.a_max = 0.9;
    }
}

/* ---- model file ---- */

static void model_written_and_read_is_the_same(void **state)
{
    (void)state;
    struct model_file file;
    struct finder_model model = finder_fixture(1), again;
    bool found = true;
    model_file_init(&file);
    assert_good(finder_read(&file, &found, &again));
    assert_false(found);
    assert_good(finder_add(&model, &file));
    assert_good(finder_read(&file, &found, &again));
    assert_true(found);
    assert_memory_equal(&model.input, &again.input, sizeof model.input);
    assert_true(again.slope == 0.5 && again.offset == -1.25);
    assert_true(again.box == 12 && again.reduction == 1 && again.views == 1);
    assert_int_equal(convnet_packed_bytes(&model.nets[0]), convnet_packed_bytes(&again.nets[0]));
    assert_memory_equal(model.packed[0], again.packed[0], convnet_packed_bytes(&model.nets[0]));
    finder_model_fini(&again);
    finder_model_fini(&model);
    model_file_fini(&file);
}

/* One number of one array, made wrong. */
struct breakage {
    const char *array;
    size_t index;
    double value; /* u64 arrays: as int64 */
    const char *why;
};

static void put_value(struct model_array *array, size_t index, double value)
{
    switch (array->type) {
    case MODEL_F32:
        ((float *)array->values)[index] = (float)value;
        break;
    case MODEL_F64:
        ((double *)array->values)[index] = value;
        break;
    case MODEL_U64:
        ((uint64_t *)array->values)[index] = (uint64_t)(int64_t)value;
        break;
    case MODEL_U8:
        ((uint8_t *)array->values)[index] = (uint8_t)(int8_t)value;
        break;
    }
}

static struct model_array *array_of(struct model_file *file, const char *name)
{
    for (uint32_t i = 0; i < file->arrays_count; i++) {
        if (strcmp(file->arrays[i].name, name) == 0) {
            return &file->arrays[i];
        }
    }
    fail_msg("no array %s", name);
    return NULL;
}

static void assert_refused(const struct model_file *file, const char *why)
{
    struct finder_model model;
    bool found = false;
    struct err err = finder_read(file, &found, &model);
    assert_int_equal(err.code, ERR_MODEL_UNREADABLE);
    assert_non_null(strstr(err.where, why));
    assert_false(found);
}

static void model_with_a_broken_number_is_refused_by_name(void **state)
{
    (void)state;
    const struct breakage table[] = {
        {"finder_layers", 0, 2, "layers"}, /* side */
        {"finder_layers", 1, 3, "layers"}, /* stride */
        {"finder_layers", 1, 1, "layers"}, /* strides make 2 */
        {"finder_layers", 2, 0, "layers"}, /* dilation */
        {"finder_layers", 2, 17, "layers"},
        {"finder_layers", 3, 12, "layers"}, /* channels in */
        {"finder_layers", 3, 8, "weights"}, /* planes of material, weights of four */
        {"finder_layers", 4, 6, "layers"},  /* does not fit the next */
        {"finder_layers", 9, 4294967304.0, "layers"},
        {"finder_layers", 14, 4, "layers"},  /* outputs */
        {"finder_layers", 10, 3, "weights"}, /* more weights than there are */
        {"finder_weights", 5, 64, "weight"},
        {"finder_weights", 863, -64, "weight"},
        {"finder_weights", 5, -128, "weight"},
        {"finder_bias", 3, 4194305, "bias"},
        {"finder_bias", 20, -4194305, "bias"},
        {"finder_bias", 3, 4294967296.0, "bias"},
        {"finder_bias", 3, -2147483648.0, "bias"},
        {"finder_scale", 0, -0.1, "scale"},
        {"finder_scale", 7, NAN, "scale"},
        {"finder_scale", 16, INFINITY, "scale"},
        {"finder_scale", 20, 1e30, "scale of the last"},
        {"finder_input", 0, 2, "other planes"},
        {"finder_input", 0, 3, "other planes"},
        {"finder_input", 1, 0, "planes"},
        {"finder_input", 1, NAN, "planes"},
        {"finder_input", 2, -1, "planes"},
        {"finder_input", 3, 1.6, "planes"},
        {"finder_input", 5, 0, "planes"},
        {"finder_input", 6, 0, "calibration"},
        {"finder_input", 7, INFINITY, "calibration"},
        {"finder_input", 8, 0.5, "size"},
        {"finder_input", 8, NAN, "size"},
        {"finder_input", 9, 0, "size"},
        {"finder_input", 9, 65, "size"},
        {"finder_input", 9, NAN, "size"},
        {"finder_input", 9, -1e300, "size"},
    };
    struct finder_model model = finder_fixture(2);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct model_file file;
        model_file_init(&file);
        assert_good(finder_add(&model, &file));
        put_value(array_of(&file, table[i].array), table[i].index, table[i].value);
        assert_refused(&file, table[i].why);
        model_file_fini(&file);
    }
    finder_model_fini(&model);
}

/* Every array shorter or longer by one, of another shape, or under another name. */
static void model_with_a_broken_array_is_refused(void **state)
{
    (void)state;
    const char *const names[] = {"finder_layers", "finder_weights", "finder_bias", "finder_scale",
                                 "finder_input"};
    struct finder_model model = finder_fixture(3);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct model_file file;
        model_file_init(&file);
        assert_good(finder_add(&model, &file));
        struct model_array *array = array_of(&file, names[i]);
        enum { ROOM_BYTES = 1 << 16 }; /* for the row too many */
        array->values = realloc(array->values, ROOM_BYTES);
        assert_non_null(array->values);
        array->dimensions[0]--;
        assert_refused(&file, "finder");
        array->dimensions[0] += 2;
        assert_refused(&file, "finder");
        array->dimensions[0]--;
        array->dimensions_count = array->dimensions_count == 1 ? 2 : 1;
        array->dimensions[1] = 1;
        assert_refused(&file, "finder");
        model_file_fini(&file);
        model_file_init(&file);
        assert_good(finder_add(&model, &file));
        array_of(&file, names[i])->name[7] = '-';
        assert_refused(&file, "finder");
        model_file_fini(&file);
    }
    finder_model_fini(&model);
}

/* ---- boxes ---- */

/* In thousandths: logarithms of the sides, and how far centres lie from their cells', in boxes. */
struct plain {
    int32_t log_width;
    int32_t log_height;
    int32_t right;
    int32_t down;
};

/* heat = plane 0 of the first pixel of a cell, in levels; boxes as asked for, and larger where it
 * is hotter. */
static struct finder_model plain_finder(struct plain plain)
{
    struct convnet shape = {
        .layers = {{.side = 1, .stride = 2, .dilation = 1, .in = 4, .out = 4},
                   {.side = 1, .stride = 2, .dilation = 1, .in = 4, .out = FINDER_OUTPUTS}},
        .layer_count = 2};
    struct finder_model model;
    assert_good(finder_model_init(&model, &shape, 1));
    model.nets[0].layers[0].weights[0] = 1;
    model.nets[0].layers[0].scale[0] = 1;
    model.nets[0].layers[1].weights[0] = 1;
    for (size_t o = 0; o < FINDER_OUTPUTS; o++) {
        model.nets[0].layers[1].scale[o] = o == 0 ? 1 : 0.001f;
    }
    model.nets[0].layers[1].weights[4] = 6;
    model.nets[0].layers[1].weights[8] = 3;
    model.nets[0].layers[1].bias[1] = plain.log_width;
    model.nets[0].layers[1].bias[2] = plain.log_height;
    model.nets[0].layers[1].bias[3] = plain.right;
    model.nets[0].layers[1].bias[4] = plain.down;
    model.box = 12;
    model.reduction = 1;
    model.input = finder_input_default(IMAGE_DISPLAY);
    model.slope = 0.25;
    model.offset = -30;
    assert_good(finder_model_settle(&model));
    return model;
}

struct mark {
    double heat, left, top, right, bottom; /* in pixels of the original */
};

/* By the definition in finder.h: all peaks, sorted, and what overlaps a better one left out. */
static uint32_t expect_marks(const struct working *working, const struct image *image,
                             struct plain plain, struct mark out[FINDER_BOXES_MAX])
{
    uint32_t count = 0;
    size_t columns = (working->width + 3) / 4, rows = (working->height + 3) / 4;
    static int heat[ROOM];
    static bool taken[ROOM];
    for (size_t i = 0; i < columns * rows; i++) {
        heat[i] = planes[(i / columns * 4 * working->width + i % columns * 4) * FINDER_CHANNELS];
        bool any = false;
        for (size_t p = 0; p < 16; p++) {
            size_t x = i % columns * 4 + p % 4, y = i / columns * 4 + p / 4;
            any = any || (x < working->width && y < working->height &&
                          working->valid[y * working->width + x] != 0);
        }
        taken[i] = !any;
    }
    for (size_t i = 0; i < columns * rows; i++) {
        for (size_t k = 0; k < columns * rows; k++) {
            bool near = llabs((long long)(i % columns) - (long long)(k % columns)) <= 2 &&
                        llabs((long long)(i / columns) - (long long)(k / columns)) <= 2;
            taken[i] = taken[i] || (near && (heat[k] > heat[i] || (heat[k] == heat[i] && k < i)));
        }
    }
    for (int tries = 0; tries < 64 && count < FINDER_BOXES_MAX; tries++) {
        size_t best = columns * rows;
        for (size_t i = 0; i < columns * rows; i++) {
            best = !taken[i] && (best == columns * rows || heat[i] > heat[best]) ? i : best;
        }
        if (best == columns * rows) {
            break;
        }
        taken[best] = true;
        double width = 12 * exp((plain.log_width + 6 * heat[best]) / 1000.0);
        double height = 12 * exp((plain.log_height + 3 * heat[best]) / 1000.0);
        double factor = (double)working->factor;
        double x = (double)(best % columns) * 4 + 2 + 12 * (double)(0.001f * (float)plain.right);
        double y = (double)(best / columns) * 4 + 2 + 12 * (double)(0.001f * (float)plain.down);
        x = fmax(fmin(x, (double)working->width - 0.5), 0.5);
        y = fmax(fmin(y, (double)working->height - 0.5), 0.5);
        double right = fmin(x + width / 2, (double)working->width) * factor;
        double bottom = fmin(y + height / 2, (double)working->height) * factor;
        struct mark mark = {.heat = heat[best],
                            .left = floor(fmax(x - width / 2, 0) * factor),
                            .top = floor(fmax(y - height / 2, 0) * factor),
                            .right = fmin(ceil(right), image->width),
                            .bottom = fmin(ceil(bottom), image->height)};
        bool apart = true;
        for (uint32_t k = 0; k < count; k++) {
            double w = fmin(mark.right, out[k].right) - fmax(mark.left, out[k].left);
            double h = fmin(mark.bottom, out[k].bottom) - fmax(mark.top, out[k].top);
            double both = w > 0 && h > 0 ? w * h : 0;
            double own = (mark.right - mark.left) * (mark.bottom - mark.top);
            double other = (out[k].right - out[k].left) * (out[k].bottom - out[k].top);
            apart = apart && both <= 0.3 * (own + other - both) && both <= 0.6 * fmin(own, other);
        }
        if (apart) {
            out[count++] = mark;
        }
    }
    return count;
}

/* Property: boxes are the peaks of the heat by their definition, whatever the size of the image,
 * with many equal heats among them. */
static void boxes_are_the_peaks_of_the_heat(void **state)
{
    (void)state;
    struct finder_space space = {0};
    const size_t sizes[][2] = {{1, 1}, {3, 50}, {130, 7}, {128, 90}, {61, 33}, {90, 90}};
    for (uint32_t round = 0; round < 24; round++) {
        size_t width = sizes[round % 6][0], height = sizes[round % 6][1];
        struct working working = draw_working(round, width, height);
        for (size_t i = 0; i < width * height; i++) { /* few levels: many ties */
            float step = floorf(high_pixels[i] * 12) / 12;
            high_pixels[i] = round % 2 == 0 ? step : high_pixels[i];
        }
        if (round % 3 == 2) {
            memset(valid, 0, width * height / 3);
        }
        working.factor = 1 + round % 4;
        struct image image = {
            .width = (uint32_t)(width * working.factor - round % 2 * (working.factor - 1)),
            .height = (uint32_t)(height * working.factor)};
        const struct plain plain = {(int32_t)round * 130 - 500, 1500 - (int32_t)round * 90,
                                    (int32_t)round * 37 - 301, 201 - (int32_t)round * 29};
        struct finder_model model = plain_finder(plain);
        assert_good(finder_space_fit(&space, &model, width, height));
        struct finder_box boxes[FINDER_BOXES_MAX];
        struct mark marks[FINDER_BOXES_MAX];
        uint32_t count = finder_run(&space, &model, &working, NULL, &image, boxes);
        finder_planes(&model.input, &working, NULL, space.rows, planes);
        assert_int_equal(count, expect_marks(&working, &image, plain, marks));
        for (uint32_t i = 0; i < count; i++) {
            assert_true(boxes[i].heat == marks[i].heat);
            assert_true(boxes[i].logit == 0.25 * boxes[i].heat - 30);
            assert_true(boxes[i].x == marks[i].left && boxes[i].y == marks[i].top);
            assert_true(boxes[i].x + boxes[i].width == marks[i].right);
            assert_true(boxes[i].y + boxes[i].height == marks[i].bottom);
        }
        finder_model_fini(&model);
    }
    finder_space_fini(&space);
}

static void image_without_a_valid_pixel_has_no_boxes(void **state)
{
    (void)state;
    struct finder_space space = {0};
    struct working working = draw_working(1, 30, 20);
    struct image image = {.width = 30, .height = 20};
    struct finder_model model = plain_finder((struct plain){0});
    struct finder_box boxes[FINDER_BOXES_MAX];
    memset(valid, 0, sizeof valid);
    assert_good(finder_space_fit(&space, &model, 30, 20));
    assert_int_equal(finder_run(&space, &model, &working, NULL, &image, boxes), 0);
    finder_model_fini(&model);
    finder_space_fini(&space);
}

static void probability_is_that_of_libm(void **state)
{
    (void)state;
    for (double logit = -39; logit < 39; logit += 0.37) {
        double wanted = 1 / (1 + exp(-logit));
        assert_true(fabs(finder_probability(logit) - wanted) <= 1e-13 * wanted);
    }
    assert_true(finder_probability(-1e300) > 0 && finder_probability(1e300) <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_of_any_size_follow_their_definition),
        cmocka_unit_test(model_written_and_read_is_the_same),
        cmocka_unit_test(model_with_a_broken_number_is_refused_by_name),
        cmocka_unit_test(model_with_a_broken_array_is_refused),
        cmocka_unit_test(boxes_are_the_peaks_of_the_heat),
        cmocka_unit_test(image_without_a_valid_pixel_has_no_boxes),
        cmocka_unit_test(probability_is_that_of_libm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
