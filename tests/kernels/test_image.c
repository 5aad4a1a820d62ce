/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/image.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/image_ref.h"
#include "tests/kernels/draw.h"

static const struct image_calibration linear = {
    .meaning = IMAGE_TRANSMISSION, .air_level = 60000, .dark_level = 200, .floor = 1e-4f};
static const struct image_calibration display = {.meaning = IMAGE_DISPLAY, .white_level = 255};

/* Every 16-bit count: within 1e-6 * (1 + A) of the twin, and never rising with the count. */
static void calibrate_every_count_matches_reference(void **state)
{
    (void)state;
    uint16_t *raw = draw_room(65536, sizeof *raw);
    float *out = draw_room(65536, sizeof *out);
    for (size_t i = 0; i < 65536; i++) {
        raw[i] = (uint16_t)i;
    }
    image_calibrate_u16(&linear, raw, 65536, out);
    for (size_t i = 0; i < 65536; i++) {
        double expected = image_ref_calibrate(&linear, (double)i);
        assert_true(fabs((double)out[i] - expected) <= 1e-6 * (1 + fabs(expected)));
        assert_true(i == 0 || out[i] <= out[i - 1]);
    }
    assert_true(out[0] == out[200] && fabsf(out[0] - 9.2103404f) < 1e-5f);
    assert_true(out[60000] == 0.0f && out[65535] < 0.0f);
    free(raw);
    free(out);
}

static void calibrate_display_meanings_mirror_each_other(void **state)
{
    (void)state;
    struct image_calibration inverted = {.meaning = IMAGE_DISPLAY_INVERTED, .white_level = 255};
    uint8_t raw[256];
    float dark_attenuates[256];
    float bright_attenuates[256];
    for (int i = 0; i < 256; i++) {
        raw[i] = (uint8_t)i;
    }
    image_calibrate_u8(&display, raw, 256, dark_attenuates);
    image_calibrate_u8(&inverted, raw, 256, bright_attenuates);
    for (int i = 0; i < 256; i++) {
        assert_true(fabsf(dark_attenuates[i] - bright_attenuates[255 - i]) < 1e-6f);
    }
    assert_true(dark_attenuates[0] == 1.0f && dark_attenuates[255] == 0.0f);
    image_calibrate_u8(&linear, raw, 0, dark_attenuates);
    assert_true(dark_attenuates[0] == 1.0f);
}

static void reduce_odd_size_matches_reference(void **state)
{
    (void)state;
    float *pixels = draw_matrix(1, 17, 23, 29);
    uint8_t *valid = draw_room(17 * 23, 1);
    for (size_t i = 0; i < 17 * 23; i++) {
        valid[i] = i % 3 != 0;
    }
    struct image_view image = {pixels, 23, 17, 29};
    for (size_t factor = 1; factor <= 25; factor += 4) {
        size_t width = image_reduced_count(23, factor);
        size_t height = image_reduced_count(17, factor);
        float *reduced = draw_room(width * height, sizeof *reduced);
        image_reduce_box(&image, valid, factor, reduced, NULL);
        for (size_t i = 0; i < width * height; i++) {
            double expected = image_ref_cell(&image, valid, factor, i % width, i / width);
            assert_true(fabs((double)reduced[i] - expected) < 1e-6 || isnan(expected));
        }
        free(reduced);
    }
    free(pixels);
    free(valid);
}

/* Cells: half valid is valid, less is not, none holds 0. */
static void reduce_validity_needs_half_of_a_cell(void **state)
{
    (void)state;
    const float pixels[12] = {1, 2, 5, NAN, NAN, NAN, 3, NAN, NAN, NAN, NAN, NAN};
    const uint8_t valid[12] = {1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0};
    struct image_view image = {pixels, 6, 2, 6};
    float reduced[3];
    uint8_t kept[3];
    image_reduce_box(&image, valid, 2, reduced, kept);
    assert_true(reduced[0] == 2.0f && kept[0] == 1);
    assert_true(reduced[1] == 5.0f && kept[1] == 0);
    assert_true(reduced[2] == 0.0f && kept[2] == 0);
    assert_int_equal(image_reduce_factor(4026, 799, 1024, 512), 4);
    assert_int_equal(image_reduce_factor(10, 10, 10, 10), 1);
    assert_int_equal(image_reduce_factor(11, 1, 10, 10), 2);
}

static void set_block(uint8_t *raw, size_t width, const size_t box[4], uint8_t grey)
{
    for (size_t y = box[1]; y < box[3]; y++) {
        memset(raw + y * width + box[0], grey, box[2] - box[0]);
    }
}

static size_t mask_display(const uint8_t *raw, size_t width, size_t height, uint8_t *valid)
{
    float *pixels = draw_room(width * height, sizeof *pixels);
    uint32_t *workspace = draw_room(image_valid_mask_workspace_words(width, height), 4);
    image_calibrate_u8(&display, raw, width * height, pixels);
    struct image_view image = {pixels, width, height, width};
    struct image_mask_rule rule = image_mask_rule_default(&display);
    size_t count = image_valid_mask(&image, &rule, workspace, valid);
    free(workspace);
    free(pixels);
    return count;
}

enum { WIDTH = 90, HEIGHT = 60 };

/* Black bars go, with stray bright pixels in them; a black load that touches a bar stays. */
static void mask_bars_are_cut_and_black_load_stays(void **state)
{
    (void)state;
    uint8_t raw[WIDTH * HEIGHT];
    uint8_t valid[WIDTH * HEIGHT];
    memset(raw, 200, sizeof raw);
    set_block(raw, WIDTH, (const size_t[4]){0, 0, 12, HEIGHT}, 1);
    set_block(raw, WIDTH, (const size_t[4]){85, 0, WIDTH, HEIGHT}, 0);
    set_block(raw, WIDTH, (const size_t[4]){12, 20, 50, 50}, 0);
    raw[30 * WIDTH + 4] = 90;
    size_t count = mask_display(raw, WIDTH, HEIGHT, valid);
    assert_int_equal(count, (85 - 12) * HEIGHT);
    assert_int_equal(valid[30 * WIDTH + 20], 1);
    assert_int_equal(valid[30 * WIDTH + 4], 0);
    assert_int_equal(valid[30 * WIDTH + 86], 0);
}

/* Corners of a rotated picture: triangles in all four corners, with compression noise in them. All
 * of the black goes, and no more than three pixels around it. */
static void mask_rotation_corners_are_cut(void **state)
{
    (void)state;
    uint8_t raw[WIDTH * HEIGHT];
    uint8_t valid[WIDTH * HEIGHT];
    size_t edge = 0;
    for (size_t y = 0; y < HEIGHT; y++) {
        for (size_t x = 0; x < WIDTH; x++) {
            size_t from_left = x < WIDTH - 1 - x ? x : WIDTH - 1 - x;
            size_t from_top = y < HEIGHT - 1 - y ? y : HEIGHT - 1 - y;
            int corner = 2 * from_left + from_top < 18;
            raw[y * WIDTH + x] = corner ? (uint8_t)(x * y % 5 * 6) : (uint8_t)(120 + 7 * x % 90);
            edge += 2 * from_left + from_top < 18 + 3 * 3;
        }
    }
    set_block(raw, WIDTH, (const size_t[4]){40, 25, 60, 40}, 0);
    size_t count = mask_display(raw, WIDTH, HEIGHT, valid);
    assert_in_range(count, WIDTH * HEIGHT - edge, WIDTH * HEIGHT);
    assert_int_equal(valid[30 * WIDTH + 50], 1);
    for (size_t y = 0; y < HEIGHT; y++) {
        for (size_t x = 0; x < WIDTH; x++) {
            size_t from_left = x < WIDTH - 1 - x ? x : WIDTH - 1 - x;
            size_t from_top = y < HEIGHT - 1 - y ? y : HEIGHT - 1 - y;
            assert_true(2 * from_left + from_top >= 18 || !valid[y * WIDTH + x]);
        }
    }
}

/* White lines of one to three rows over a load are dead, with the row beside them; six are not, nor
 * is a bright line over half the load, nor the air above it. The same for columns. */
static void mask_dead_lines_are_cut_by_width_and_share(void **state)
{
    (void)state;
    uint8_t raw[WIDTH * HEIGHT];
    uint8_t valid[WIDTH * HEIGHT];
    memset(raw, 255, sizeof raw);
    set_block(raw, WIDTH, (const size_t[4]){5, 10, 80, 55}, 110);
    set_block(raw, WIDTH, (const size_t[4]){0, 15, WIDTH, 16}, 255);
    set_block(raw, WIDTH, (const size_t[4]){0, 20, WIDTH, 23}, 240);
    set_block(raw, WIDTH, (const size_t[4]){0, 27, WIDTH, 33}, 255);
    set_block(raw, WIDTH, (const size_t[4]){5, 40, 40, 41}, 255);
    set_block(raw, WIDTH, (const size_t[4]){0, 45, WIDTH, 49}, 118); /* half bright: guard */
    set_block(raw, WIDTH, (const size_t[4]){0, 46, WIDTH, 48}, 250);
    set_block(raw, WIDTH, (const size_t[4]){60, 10, 62, 55}, 200);
    mask_display(raw, WIDTH, HEIGHT, valid);
    static const struct {
        size_t y;
        int dead;
    } rows[] = {{15, 1}, {20, 1}, {21, 1}, {22, 1}, {23, 1}, {24, 0}, {13, 0},
                {14, 1}, {17, 0}, {26, 0}, {27, 0}, {29, 0}, {31, 0}, {40, 0},
                {5, 0},  {52, 0}, {44, 0}, {45, 1}, {47, 1}, {48, 1}, {49, 0}};
    for (size_t x = 57; x < 65; x++) {
        assert_int_equal(valid[52 * WIDTH + x], x < 59 || x > 62);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(valid[rows[i].y * WIDTH + 30], !rows[i].dead);
    }
}

/* Linear image: a channel that reads dark, and one NaN pixel. */
static void mask_dark_channel_and_nan_are_invalid(void **state)
{
    (void)state;
    float *pixels = draw_room(30 * 40, sizeof *pixels);
    for (size_t i = 0; i < 30 * 40; i++) {
        pixels[i] = 0.5f + 0.01f * (float)(i % 7);
    }
    for (size_t x = 0; x < 40; x++) {
        pixels[12 * 40 + x] = -logf(linear.floor);
    }
    pixels[3] = NAN;
    pixels[5] = INFINITY;
    struct image_view image = {pixels, 40, 30, 40};
    struct image_mask_rule rule = image_mask_rule_default(&linear);
    uint8_t valid[30 * 40];
    uint32_t *workspace = draw_room(image_valid_mask_workspace_words(40, 30), 4);
    size_t count = image_valid_mask(&image, &rule, workspace, valid);
    assert_int_equal(count, 30 * 40 - 3 * 40 - 2);
    assert_int_equal(valid[3], 0);
    assert_int_equal(valid[12 * 40 + 9], 0);
    /* One pixel, no pixel: nothing to compare with. */
    struct image_view one = {pixels, 1, 1, 40};
    assert_int_equal(image_valid_mask(&one, &rule, workspace, valid), 1);
    struct image_view none = {pixels, 0, 0, 40};
    assert_int_equal(image_valid_mask(&none, &rule, workspace, valid), 0);
    free(workspace);
    free(pixels);
}

static void statistics_of_noise_match_reference(void **state)
{
    (void)state;
    static const double thresholds[4] = {-1, 0, 1, 50};
    float *pixels = draw_matrix(9, 200, 150, 160);
    uint8_t *valid = draw_room(200 * 150, 1);
    for (size_t i = 0; i < 200 * 150; i++) {
        valid[i] = i / 150 != 7 && i % 150 != 149;
    }
    double *sorted = draw_room(200 * 150, sizeof *sorted);
    struct image_view image = {pixels, 150, 200, 160};
    struct image_statistics found;
    image_statistics(&image, valid, thresholds, &found);
    assert_int_equal(found.valid_count, 199 * 149);
    double step = (found.max - found.min) / 4096;
    for (int k = 0; k < IMAGE_QUANTILE_COUNT; k++) {
        double exact = image_ref_quantile(&image, valid, image_quantile_levels[k], sorted);
        assert_true(fabs(found.quantiles[k] - exact) <= step);
    }
    /* Standard normal pixels: the noise estimate and the sd agree with 1. */
    assert_true(fabs(found.sd - 1) < 0.02 && fabs(found.noise - 1) < 0.03);
    assert_true(fabs(found.share_above[1] - 0.5) < 0.02 && found.share_above[3] <= 0);
    assert_true(fabs(found.dead_row_share - 1 / 200.0) < 1e-12);
    assert_true(fabs(found.dead_column_share - 1 / 150.0) < 1e-12);
    free(pixels);
    free(valid);
    free(sorted);
}

/* Property: sums run over the valid pixels in reading order, whatever holes are between them: the
 * same doubles as a loop that asks each pixel. */
static void statistics_of_a_torn_mask_are_those_of_its_pixels(void **state)
{
    (void)state;
    enum { W = 601, H = 37 };
    float *pixels = draw_matrix(5, H, W, W);
    uint8_t *valid = draw_room(W * H, 1);
    double thresholds[4] = {0.5, 0.5, (double)pixels[5] - 1e-12, -2}; /* nearest float: the pixel */
    for (size_t i = 0; i < W * H; i++) {
        valid[i] = i % 7 != 3 && i % W / 50 % 3 != 1 && i / W != 20;
        pixels[i] = valid[i] ? pixels[i] : NAN;
    }
    struct image_view image = {pixels, W, H, W};
    struct image_statistics found;
    image_statistics(&image, valid, thresholds, &found);
    double sum = 0, squares = 0, min = INFINITY, max = -INFINITY;
    size_t count = 0, above[4] = {0};
    for (size_t i = 0; i < W * H; i++) {
        if (valid[i]) {
            sum += (double)pixels[i];
            min = fmin(min, (double)pixels[i]);
            max = fmax(max, (double)pixels[i]);
            count++;
            for (int k = 0; k < 4; k++) {
                above[k] += (double)pixels[i] > thresholds[k];
            }
        }
    }
    double mean = sum / (double)count;
    for (size_t i = 0; i < W * H; i++) {
        double from_mean = valid[i] ? (double)pixels[i] - mean : 0;
        squares += from_mean * from_mean;
    }
    const double expected[5] = {mean, sqrt(squares / (double)count), min, max, (double)count};
    const double told[5] = {found.mean, found.sd, found.min, found.max, (double)found.valid_count};
    assert_memory_equal(told, expected, sizeof told);
    for (int k = 0; k < 4; k++) {
        double share = (double)above[k] / (double)count;
        assert_memory_equal(&found.share_above[k], &share, sizeof share);
    }
    free(pixels);
    free(valid);
}

/* The noise of a mask with holes is that of the pixels that stand in nine valid ones. */
static void statistics_noise_asks_for_nine_valid_pixels(void **state)
{
    (void)state;
    enum { W = 540, H = 12 };
    static const double thresholds[4] = {0};
    float *pixels = draw_matrix(6, H, W, W);
    uint8_t *valid = draw_room(W * H, 1);
    for (size_t i = 0; i < W * H; i++) {
        valid[i] = i % 11 != 5;
    }
    struct image_view image = {pixels, W, H, W};
    struct image_statistics found;
    image_statistics(&image, valid, thresholds, &found);
    double sum = 0;
    size_t count = 0;
    for (size_t y = 1; y + 1 < H; y++) {
        for (size_t x = 1; x + 1 < W; x++) {
            const float *at = pixels + y * W + x;
            const uint8_t *of = valid + y * W + x;
            int kept = 1;
            for (int k = 0; k < 9; k++) {
                kept = kept && of[(k / 3 - 1) * W + k % 3 - 1];
            }
            float corners = at[-W - 1] + at[-W + 1] + at[W - 1] + at[W + 1];
            float edges = at[-W] + at[W] + at[-1] + at[1];
            sum += kept ? fabs((double)(corners - 2.0f * edges + 4.0f * at[0])) : 0;
            count += (size_t)kept;
        }
    }
    double noise = sqrt(M_PI / 2) / 6 * sum / (double)count;
    assert_true(count > 0 && fabs(found.noise - noise) < 1e-15);
    free(pixels);
    free(valid);
}

static void statistics_of_nothing_are_zero(void **state)
{
    (void)state;
    static const double thresholds[4] = {0, 0, 0, 0};
    const float pixels[4] = {1, 1, 1, 1};
    const uint8_t valid[4] = {0, 0, 0, 0};
    struct image_view image = {pixels, 2, 2, 2};
    struct image_statistics found;
    image_statistics(&image, valid, thresholds, &found);
    assert_int_equal(found.valid_count, 0);
    assert_true(found.invalid_share >= 1 && found.mean <= 0 && found.dead_row_share >= 1);
    image_statistics(&image, NULL, thresholds, &found);
    assert_true(found.sd <= 0 && found.mean >= 1 && found.quantiles[3] >= 1);
    image.width = 0;
    image_statistics(&image, NULL, thresholds, &found);
    assert_int_equal(found.valid_count, 0);
}

static void dual_ratio_divides_only_where_there_is_load(void **state)
{
    (void)state;
    const float low[6] = {2, 4, 9, 0.1f, 8, 3};
    const float high[6] = {1, 2, 9, 0.01f, 0, 2};
    const uint8_t valid[4] = {1, 1, 1, 1};
    struct image_view low_view = {low, 2, 2, 3};
    struct image_view high_view = {high, 2, 2, 3};
    float ratio[4];
    struct image_ratio found;
    image_dual_ratio(&low_view, &high_view, valid, 0.05f, ratio, &found);
    assert_int_equal(found.pixel_count, 2);
    assert_true(ratio[0] == 2.0f && ratio[1] == 2.0f && ratio[2] == 0.0f && ratio[3] == 0.0f);
    assert_true(fabs(found.mean - 2) < 1e-12 && found.sd < 1e-12);
    image_dual_ratio(&low_view, &high_view, NULL, 100.0f, NULL, &found);
    assert_int_equal(found.pixel_count, 0);
    assert_true(found.mean <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calibrate_every_count_matches_reference),
        cmocka_unit_test(calibrate_display_meanings_mirror_each_other),
        cmocka_unit_test(reduce_odd_size_matches_reference),
        cmocka_unit_test(reduce_validity_needs_half_of_a_cell),
        cmocka_unit_test(mask_bars_are_cut_and_black_load_stays),
        cmocka_unit_test(mask_rotation_corners_are_cut),
        cmocka_unit_test(mask_dead_lines_are_cut_by_width_and_share),
        cmocka_unit_test(mask_dark_channel_and_nan_are_invalid),
        cmocka_unit_test(statistics_of_noise_match_reference),
        cmocka_unit_test(statistics_of_a_torn_mask_are_those_of_its_pixels),
        cmocka_unit_test(statistics_noise_asks_for_nine_valid_pixels),
        cmocka_unit_test(statistics_of_nothing_are_zero),
        cmocka_unit_test(dual_ratio_divides_only_where_there_is_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
