/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/overlay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WIDTH 40u
#define HEIGHT 20u

static uint8_t rgb[WIDTH * HEIGHT * 3 + 1];

static struct overlay fresh(void)
{
    memset(rgb, 100, sizeof rgb);
    rgb[WIDTH * HEIGHT * 3] = 7; /* guard */
    return (struct overlay){rgb, WIDTH, HEIGHT};
}

static const uint8_t *at(uint32_t x, uint32_t y)
{
    return rgb + 3 * (y * WIDTH + x);
}

static void box_is_an_outline_clipped_to_the_image(void **unused)
{
    (void)unused;
    struct overlay overlay = fresh();
    overlay_paint_box(&overlay, &(struct overlay_box){5, 5, 10, 8});
    assert_int_equal(at(5, 5)[1], 230);
    assert_int_equal(at(14, 12)[1], 230);
    assert_int_equal(at(8, 8)[1], 100);
    assert_int_equal(at(15, 5)[1], 100);
    static const struct overlay_box outside[] = {{WIDTH - 1, HEIGHT - 1, 100, 100},
                                                 {0, 0, UINT32_MAX, UINT32_MAX},
                                                 {UINT32_MAX, UINT32_MAX, UINT32_MAX, 1},
                                                 {3, 3, 0, 0},
                                                 {3, 3, 1, 1},
                                                 {3, 3, 1, 9}};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        overlay_paint_box(&overlay, &outside[i]);
    }
    assert_int_equal(at(WIDTH - 1, HEIGHT - 1)[1], 230);
    assert_int_equal(rgb[WIDTH * HEIGHT * 3], 7);
}

static void map_paints_only_above_its_clear_level(void **unused)
{
    (void)unused;
    struct overlay overlay = fresh();
    const float cells[4] = {0.0f, 20.0f, 40.0f, __builtin_nanf("")};
    overlay_paint_map(&overlay, &(struct overlay_map){cells, 4, 1, 20.0f, 30.0f});
    assert_int_equal(at(2, 2)[0], 100);                   /* below */
    assert_int_equal(at(12, 2)[0], 100);                  /* just there */
    assert_true(at(22, 2)[0] > 180 && at(22, 2)[1] < 60); /* far above: red */
    assert_int_equal(at(32, 19)[0], 100);                 /* not seen */
}

/* Attenuating is dark for every meaning, and steel behind steel is not all black in linear
 * transmission. */
static void image_attenuating_is_dark_whatever_its_meaning(void **unused)
{
    (void)unused;
    static uint8_t pixels[2 * WIDTH * HEIGHT];
    struct overlay overlay = fresh();
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
        pixels[i] = i % WIDTH < WIDTH / 2 ? 20 : 220;
    }
    struct image image = {.width = WIDTH, .height = HEIGHT, .bits = 8, .meaning = PIXEL_DISPLAY};
    overlay_paint_image(&overlay, &image, pixels);
    assert_true(at(0, 0)[0] < at(WIDTH - 1, 0)[0]);
    image.meaning = PIXEL_DISPLAY_INVERTED;
    overlay_paint_image(&overlay, &image, pixels);
    assert_true(at(0, 0)[0] > at(WIDTH - 1, 0)[0]);
    image = (struct image){.width = WIDTH,
                           .height = HEIGHT,
                           .bits = 16,
                           .meaning = PIXEL_TRANSMISSION,
                           .air_level = 60000,
                           .dark_level = 100};
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
        uint32_t x = i % WIDTH;
        uint32_t level = x < 13 ? 60000 : x < 26 ? 2000 : 500; /* air, 3 % and 0.7 % of it */
        pixels[2 * i] = (uint8_t)level;
        pixels[2 * i + 1] = (uint8_t)(level >> 8);
    }
    overlay_paint_image(&overlay, &image, pixels);
    assert_true(at(0, 0)[0] > 250);
    assert_true(at(15, 0)[0] > at(30, 0)[0] + 40);
    assert_int_equal(rgb[WIDTH * HEIGHT * 3], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(box_is_an_outline_clipped_to_the_image),
        cmocka_unit_test(map_paints_only_above_its_clear_level),
        cmocka_unit_test(image_attenuating_is_dark_whatever_its_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
