/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/finder.h"

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

static struct convnet small_shape(void)
{
    return (struct convnet){.layers = {{.side = 3, .stride = 2, .dilation = 1, .in = 4, .out = 8},
                                       {.side = 3, .stride = 2, .dilation = 1, .in = 8, .out = 8},
                                       {.side = 1, .stride = 1, .dilation = 1, .in = 8, .out = 3}},
                            .layer_count = 3};
}

static struct finder_model make_model(uint64_t seed)
{
    struct convnet shape = small_shape();
    struct finder_model model;
    struct rng rng;
    rng_init(&rng, seed, 0);
    assert_good(finder_model_init(&model, &shape));
    for (uint32_t l = 0; l < shape.layer_count; l++) {
        struct convnet_layer *layer = &model.net.layers[l];
        for (size_t i = 0; i < convnet_weight_count(layer); i++) {
            layer->weights[i] = (int8_t)((int)rng_below(&rng, 127) - 63);
        }
        for (size_t i = 0; i < layer->out; i++) {
            layer->bias[i] = (int32_t)rng_below(&rng, 2000) - 1000;
            layer->scale[i] = 0.001f + (float)rng_uniform(&rng) * 0.004f;
        }
    }
    model.input = finder_input_default(IMAGE_DISPLAY);
    model.slope = 0.5;
    model.offset = -1.25;
    assert_good(finder_model_settle(&model));
    return model;
}

static void model_written_and_read_is_the_same(void **state)
{
    (void)state;
    struct model_file file;
    struct finder_model model = make_model(1), again;
    bool found = true;
    model_file_init(&file);
    assert_good(finder_read(&file, &found, &again));
    assert_false(found);
    assert_good(finder_add(&model, &file));
    assert_good(finder_read(&file, &found, &again));
    assert_true(found);
    assert_memory_equal(&model.input, &again.input, sizeof model.input);
    assert_true(again.slope == 0.5 && again.offset == -1.25);
    assert_int_equal(convnet_packed_bytes(&model.net), convnet_packed_bytes(&again.net));
    assert_memory_equal(model.packed, again.packed, convnet_packed_bytes(&model.net));
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
        {"finder_layers", 3, 8, "layers"}, /* 8 channels in */
        {"finder_layers", 4, 6, "layers"}, /* does not fit the next */
        {"finder_layers", 9, 4294967304.0, "layers"},
        {"finder_layers", 14, 4, "layers"},  /* outputs */
        {"finder_layers", 10, 3, "weights"}, /* more weights than there are */
        {"finder_weights", 5, 64, "weight"},
        {"finder_weights", 863, -64, "weight"},
        {"finder_weights", 5, -128, "weight"},
        {"finder_bias", 3, 4194305, "bias"},
        {"finder_bias", 18, -4194305, "bias"},
        {"finder_bias", 3, 4294967296.0, "bias"},
        {"finder_bias", 3, -2147483648.0, "bias"},
        {"finder_scale", 0, -0.1, "scale"},
        {"finder_scale", 7, NAN, "scale"},
        {"finder_scale", 16, INFINITY, "scale"},
        {"finder_scale", 18, 1e30, "scale of the last"},
        {"finder_input", 0, 2, "other planes"},
        {"finder_input", 1, 0, "planes"},
        {"finder_input", 1, NAN, "planes"},
        {"finder_input", 2, -1, "planes"},
        {"finder_input", 3, 1.6, "planes"},
        {"finder_input", 5, 0, "planes"},
        {"finder_input", 6, 0, "calibration"},
        {"finder_input", 7, INFINITY, "calibration"},
    };
    struct finder_model model = make_model(2);
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
    struct finder_model model = make_model(3);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct model_file file;
        model_file_init(&file);
        assert_good(finder_add(&model, &file));
        struct model_array *array = array_of(&file, names[i]);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_of_any_size_follow_their_definition),
        cmocka_unit_test(model_written_and_read_is_the_same),
        cmocka_unit_test(model_with_a_broken_number_is_refused_by_name),
        cmocka_unit_test(model_with_a_broken_array_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
