/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "kernels/rng.h"
#include "score/image_quality.h"

/* Each thing that goes wrong with a scanner moves its own number, and only that. */

enum { WIDTH = 500, HEIGHT = 300 };
static uint8_t pixels[WIDTH * HEIGHT];
static struct image_quality_space space;

static int open_space(void **state)
{
    (void)state;
    assert_good(image_quality_init(&space));
    return 0;
}

static int close_space(void **state)
{
    (void)state;
    image_quality_fini(&space);
    return 0;
}

/* Blocks of different grey with edges that are `blur` pixels wide, and noise. */
static void draw(int blur, double noise, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            double into = (x % 40) < blur ? (double)(x % 40) / blur : 1;
            int block = x / 40 + y / 75;
            double from = 40 + 45 * ((block + 3) % 5);
            double to = 40 + 45 * ((block + 4) % 5);
            double value = from + (to - from) * into + noise * rng_normal(&rng);
            pixels[y * WIDTH + x] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
}

static struct image_quality measure(void)
{
    struct image image = {
        .width = WIDTH, .height = HEIGHT, .bits = 8, .meaning = PIXEL_DISPLAY, .payload_bytes = 1};
    struct image_quality out;
    image_quality_measure(&space, &image, pixels, &out);
    return out;
}

static void blur_lowers_sharpness(void **state)
{
    (void)state;
    double before = 2;
    for (int blur = 2; blur <= 32; blur *= 2) { /* an edge of one or two pixels is sharp */
        draw(blur, 0.5, 3);
        struct image_quality found = measure();
        assert_true(found.sharpness < before);
        assert_int_equal(found.dead_rows, 0);
        assert_int_equal(found.dead_columns, 0);
        before = found.sharpness;
    }
}

/* Noise is told within a third of what was drawn. */
static void noise_is_found_beside_edges(void **state)
{
    (void)state;
    for (int noise = 1; noise <= 8; noise *= 2) {
        draw(4, noise, 5);
        struct image_quality found = measure();
        double told = 180 / found.contrast_to_noise;
        assert_true(told > 0.66 * noise && told < 1.5 * noise);
    }
}

static void dead_lines_are_counted(void **state)
{
    (void)state;
    draw(4, 2, 7);
    for (int x = 0; x < WIDTH; x++) {
        pixels[100 * WIDTH + x] = 255;
        pixels[101 * WIDTH + x] = 255;
        pixels[211 * WIDTH + x] = 0;
    }
    struct image_quality rows = measure();
    assert_int_equal(rows.dead_rows, 3);
    assert_int_equal(rows.dead_columns, 0);
    draw(4, 2, 7);
    for (int y = 0; y < HEIGHT; y++) {
        pixels[y * WIDTH + 240] = 255;
    }
    struct image_quality columns = measure();
    assert_int_equal(columns.dead_columns, 1);
    assert_int_equal(columns.dead_rows, 0);
}

/* Half a line is a strut, and a black margin is no dead line. */
static void strut_and_margin_are_not_dead(void **state)
{
    (void)state;
    draw(4, 2, 7);
    for (int x = 0; x < WIDTH / 2; x++) {
        pixels[100 * WIDTH + x] = 255;
    }
    for (int y = 0; y < HEIGHT; y++) {
        memset(pixels + y * WIDTH, 0, 40);
    }
    struct image_quality found = measure();
    assert_int_equal(found.dead_rows, 0);
    assert_int_equal(found.dead_columns, 0);
    assert_true(found.saturated_share > 0.07 && found.saturated_share < 0.09);
}

static void flat_image_has_nothing_to_see(void **state)
{
    (void)state;
    for (int grey = 0; grey < 256; grey += 51) {
        memset(pixels, grey, sizeof pixels);
        struct image_quality found = measure();
        assert_true(found.sharpness == 0 && found.contrast_to_noise == 0);
        assert_int_equal(found.dead_rows + found.dead_columns, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blur_lowers_sharpness),
        cmocka_unit_test(noise_is_found_beside_edges),
        cmocka_unit_test(dead_lines_are_counted),
        cmocka_unit_test(strut_and_margin_are_not_dead),
        cmocka_unit_test(flat_image_has_nothing_to_see),
    };
    return cmocka_run_group_tests(tests, open_space, close_space);
}
