/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>

#include "kernels/rng.h"
#include "score/finder.h"
#include "score/finder_set.h"
#include "tests/score/finder_fixture.h"

enum { ROOM = 70 * 90 };
static float high_pixels[ROOM];
static float low_pixels[ROOM];
static uint8_t valid[ROOM];
static uint8_t planes[ROOM * FINDER_CHANNELS_MAX + 1];

static const struct finder_input input = {.a_max = 6,
                                          .contrast = 3,
                                          .ratio_low = 1.02,
                                          .ratio_high = 1.22,
                                          .ratio_least = 0.3,
                                          .material = 300};

static struct working draw_working(uint64_t seed, size_t width, size_t height)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < width * height; i++) {
        high_pixels[i] = (float)(rng_uniform(&rng) * 0.6 + (double)(i / width % 16 < 8 ? 0 : 3));
        low_pixels[i] = (float)((double)high_pixels[i] * (1.05 + 0.14 * rng_uniform(&rng)));
        valid[i] = rng_below(&rng, 8) != 0;
        if (valid[i] == 0 && rng_below(&rng, 2) == 0) {
            low_pixels[i] = NAN;
        }
    }
    return (struct working){
        .pixels = high_pixels, .valid = valid, .width = width, .height = height, .factor = 1};
}

struct around {
    double high;
    double low;
    double excess;
    double count;
};

/* Sums over the valid pixels not further than `radius`. */
static struct around look_around(const struct working *working, size_t x0, size_t y0, size_t radius)
{
    struct around sum = {0, 0, 0, 0};
    for (size_t y = y0 > radius ? y0 - radius : 0; y <= y0 + radius && y < working->height; y++) {
        for (size_t x = x0 > radius ? x0 - radius : 0; x <= x0 + radius && x < working->width;
             x++) {
            size_t i = y * working->width + x;
            if (valid[i] != 0) {
                sum.high += (double)high_pixels[i];
                sum.low += (double)low_pixels[i];
                sum.excess += (double)low_pixels[i] -
                              (input.ratio_low + input.ratio_high) / 2 * (double)high_pixels[i];
                sum.count++;
            }
        }
    }
    return sum;
}

static double hold(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* Attenuations are rounded to 2^-12 on the way. */
static void assert_near(double expected, uint8_t got)
{
    assert_true(fabs(hold(expected, 0, 255) - got) <= 0.5 + 0.2);
}

static void assert_pixel(const struct working *working, size_t i, bool has_low)
{
    static const size_t radii[3] = {3, 8, FINDER_MATERIAL_RADIUS};
    static const double rises[3] = {2.6, 1.3, 1};
    static const int rise_planes[3] = {4, 5, 1};
    const uint8_t *got = planes + i * FINDER_CHANNELS_MAX;
    if (valid[i] == 0) {
        assert_memory_equal(got, "\0\0\0\0\0\0\0\0", FINDER_CHANNELS_MAX);
        return;
    }
    double own = (double)high_pixels[i];
    size_t x = i % working->width, y = i / working->width;
    struct around near = look_around(working, x, y, 1);
    assert_near(255 * own / input.a_max, got[0]);
    assert_int_equal(got[7], 255);
    for (int k = 0; k < 3; k++) {
        struct around around = look_around(working, x, y, radii[k]);
        double level = own - around.high / around.count;
        double excess_gain = input.material * (k == 1 ? 3 : 1);
        double over = has_low ? near.excess / near.count - around.excess / around.count : 0;
        assert_near(128 + rises[k] * input.contrast * 255 / input.a_max * level,
                    got[rise_planes[k]]);
        if (k > 0) {
            assert_near(128 + excess_gain * over, got[k == 1 ? 6 : 3]);
        }
    }
    double least = near.high / near.count - input.ratio_least;
    double share = (near.low / near.high - input.ratio_low) / (input.ratio_high - input.ratio_low);
    /* By the limit it may go either way. */
    assert_true((has_low && least > -1e-3) || got[2] == 0);
    if (has_low && least > 1e-3) {
        assert_true(fabs(hold(1 + 254 * share, 1, 255) - got[2]) <= 0.5 + 2);
    }
}

/* Property: planes are what finder.h says, at sizes below and above the windows, with and
 * without a low-energy image, in a workspace that was used before. */
static void material_of_any_size_follows_its_definition(void **state)
{
    (void)state;
    const size_t sizes[][2] = {{1, 1}, {1, 40}, {37, 1}, {16, 17}, {33, 34}, {70, 5}, {61, 90}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct working working = draw_working(s, sizes[s][0], sizes[s][1]);
        size_t count = working.width * working.height;
        void *workspace = calloc(finder_planes_workspace_bytes(working.width), 1);
        assert_non_null(workspace);
        for (int round = 0; round < 3; round++) {
            memset(planes, 0xa5, sizeof planes);
            finder_planes(&input, &working, round == 1 ? NULL : low_pixels, workspace, planes);
            for (size_t i = 0; i < count; i++) {
                assert_pixel(&working, i, round != 1);
            }
            assert_int_equal(planes[count * FINDER_CHANNELS_MAX], 0xa5);
        }
        free(workspace);
    }
}

/* An organic lump and a steel one that weaken the beam alike: plane 1 cannot tell them apart, plane
 * 3 puts them on either side of what they lie in. */
static void organic_and_steel_stand_on_either_side(void **state)
{
    (void)state;
    enum { WIDTH = 70, HEIGHT = 60 };
    struct working working = {
        .pixels = high_pixels, .valid = valid, .width = WIDTH, .height = HEIGHT, .factor = 1};
    memset(valid, 1, sizeof valid);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        size_t x = i % WIDTH, y = i / WIDTH;
        bool organic = y >= 24 && y < 36 && x >= 10 && x < 22;
        bool steel = y >= 24 && y < 36 && x >= 48 && x < 60;
        high_pixels[i] = 2.0f + (organic || steel ? 0.5f : 0.0f);
        low_pixels[i] = 2.0f * 1.13f + (organic ? 0.59f : steel ? 0.54f : 0.0f);
    }
    void *workspace = calloc(finder_planes_workspace_bytes(WIDTH), 1);
    assert_non_null(workspace);
    struct finder_input plain = input;
    plain.ratio_low = 1.03;
    plain.ratio_high = 1.23;
    finder_planes(&plain, &working, low_pixels, workspace, planes);
    const uint8_t *organic = planes + ((size_t)30 * WIDTH + 16) * FINDER_CHANNELS_MAX;
    const uint8_t *steel = planes + ((size_t)30 * WIDTH + 53) * FINDER_CHANNELS_MAX;
    assert_int_equal(organic[1], steel[1]);
    assert_true(organic[3] > 128 + 4 && steel[3] < 128 - 4);
    assert_true(organic[2] > steel[2] + 4);
    free(workspace);
}

/* One image with one object, adapted to. */
static struct finder_set set_of(const struct working *working, const struct finder_truth *truth)
{
    struct finder_set set;
    finder_set_init(&set, IMAGE_TRANSMISSION, 1);
    assert_good(finder_set_add(&set, &(struct finder_set_add){.working = working,
                                                              .low_pixels = low_pixels,
                                                              .truths = truth,
                                                              .truth_count = 1}));
    assert_good(finder_set_adapt(&set));
    return set;
}

/* Crops of calibrated scans that stand on a floor: what lies above stays above, and attenuations
 * keep their unit to a percent. */
static void crops_of_standing_loads_keep_up_and_unit(void **state)
{
    (void)state;
    enum { WIDTH = 112, HEIGHT = 56 };
    struct finder_set set;
    struct finder_crop_space space;
    const struct finder_truth truth = {50, 6, 70, 22};
    const struct working working = {
        .pixels = high_pixels, .valid = valid, .width = WIDTH, .height = HEIGHT, .factor = 1};
    memset(valid, 1, sizeof valid);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        size_t x = i % WIDTH, y = i / WIDTH;
        high_pixels[i] = x >= 50 && x < 70 && y >= 6 && y < 22 ? 3 : 2;
        low_pixels[i] = high_pixels[i] * (x < 56 ? 1.09f : 1.18f);
    }
    set = set_of(&working, &truth);
    assert_true(set.calibrated && set.upright);
    assert_true(fabs(set.input.a_max - 3) < 0.05);
    uint32_t side = finder_set_crop_side(&set), seen = 0;
    float *crop = calloc((size_t)side * side * FINDER_CHANNELS_MAX, sizeof *crop);
    assert_non_null(crop);
    assert_int_equal(side, HEIGHT);
    assert_good(finder_crop_init(&space, side));
    for (uint64_t number = 0; number < 200; number++) {
        struct rng rng;
        rng_init(&rng, 4, number);
        finder_crop_draw(&set, 0, side, &rng, &space, crop);
        for (uint32_t i = 0; i < space.truth_count; i++) {
            const struct finder_truth *box = &space.truths[i];
            float x = (box->left + box->right) / 2, y = (box->top + box->bottom) / 2;
            if (x > 1 && x < (float)side - 1) {
                size_t at = (size_t)y * side + (size_t)x;
                double attenuation = (double)crop[at * FINDER_CHANNELS_MAX] * set.input.a_max;
                assert_true(y < (float)side / 2);
                assert_true(attenuation > 2.95 && attenuation < 3.05);
                seen++;
            }
        }
    }
    assert_true(seen > 100);
    free(crop);
    finder_crop_fini(&space);
    finder_set_fini(&set);
}

/* Low-energy pixels without anything in them: the lowest ratio is 0, and so is what plane 2 begins
 * at. A finder with these constants is one that can be read. */
static void constants_of_dark_low_energies_are_those_of_a_finder(void **state)
{
    (void)state;
    enum { WIDTH = 90, HEIGHT = 70 };
    struct finder_set set;
    const struct finder_truth truth = {50, 6, 70, 22};
    const struct working working = {
        .pixels = high_pixels, .valid = valid, .width = WIDTH, .height = HEIGHT, .factor = 1};
    memset(valid, 1, sizeof valid);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++) {
        high_pixels[i] = 2;
        low_pixels[i] = i % 50 == 0 ? 0.0f : 2 * (i % 2 == 0 ? 1.02f : 1.22f);
    }
    set = set_of(&working, &truth);
    assert_true(set.calibrated);
    assert_true(set.input.ratio_low >= 0 && set.input.ratio_low < 0.001);
    assert_true(set.input.ratio_high > 1.22);
    struct finder_model model = finder_fixture_of(1, FINDER_CHANNELS_MAX);
    model.input = set.input;
    assert_good(finder_model_settle(&model));
    finder_model_fini(&model);
    finder_set_fini(&set);
}

static double *numbers_of(struct model_file *file)
{
    for (uint32_t i = 0; i < file->arrays_count; i++) {
        if (strcmp(file->arrays[i].name, "finder_input") == 0) {
            assert_int_equal(file->arrays[i].dimensions[0], 11);
            return file->arrays[i].values;
        }
    }
    fail_msg("no finder_input");
    return NULL;
}

/* A model of material is read as it was written; of version 1 with its number, or with one out of
 * range, it is refused. */
static void material_in_a_model_file_is_checked(void **state)
{
    (void)state;
    static const double wrong[][2] = {{0, 1},    {0, 2},         {10, 0},  {10, -1},
                                      {10, NAN}, {10, INFINITY}, {10, 1e7}};
    struct model_file file;
    struct finder_model model = finder_fixture_of(1, FINDER_CHANNELS_MAX), again;
    bool found = false;
    model.input = input;
    assert_good(finder_model_settle(&model));
    model_file_init(&file);
    assert_good(finder_add(&model, &file));
    assert_good(finder_read(&file, &found, &again));
    assert_true(found);
    assert_memory_equal(&again.input, &input, sizeof input);
    finder_model_fini(&again);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        double *number = numbers_of(&file) + (size_t)wrong[i][0];
        double kept = *number;
        *number = wrong[i][1];
        assert_int_equal(finder_read(&file, &found, &again).code, ERR_MODEL_UNREADABLE);
        assert_false(found);
        *number = kept;
    }
    finder_model_fini(&model);
    model_file_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(material_of_any_size_follows_its_definition),
        cmocka_unit_test(organic_and_steel_stand_on_either_side),
        cmocka_unit_test(crops_of_standing_loads_keep_up_and_unit),
        cmocka_unit_test(constants_of_dark_low_energies_are_those_of_a_finder),
        cmocka_unit_test(material_in_a_model_file_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
