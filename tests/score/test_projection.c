/* SPDX-License-Identifier: Apache-2.0 */
#include "score/projection.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A threat of attenuation ln 2 at the high and ln 4 at the low energy: halves and quarters. */
enum { SIDE = 40, THREAT = 10 };
static const double air = 60000, dark = 1000;

static struct image image_of(uint32_t width, uint32_t height, double pitch_mm, enum energy energy)
{
    return (struct image){.width = width,
                          .height = height,
                          .bits = 16,
                          .meaning = PIXEL_TRANSMISSION,
                          .energy = energy,
                          .pixel_pitch_mm = pitch_mm,
                          .air_level = 60000,
                          .dark_level = 1000};
}

static void put16(uint8_t *pixels, size_t at, double value)
{
    unsigned whole = (unsigned)(value + 0.5);
    pixels[2 * at] = (uint8_t)whole;
    pixels[2 * at + 1] = (uint8_t)(whole >> 8);
}

static double get16(const uint8_t *pixels, size_t at)
{
    return pixels[2 * at] | (unsigned)pixels[2 * at + 1] << 8;
}

static struct projection_threat threat_of(double pitch_mm, const char *mass)
{
    static uint8_t low[2 * THREAT * THREAT], high[2 * THREAT * THREAT];
    for (size_t i = 0; i < (size_t)THREAT * THREAT; i++) {
        put16(low, i, dark + (air - dark) / 4);
        put16(high, i, dark + (air - dark) / 2);
    }
    const struct image images[2] = {image_of(THREAT, THREAT, pitch_mm, ENERGY_LOW),
                                    image_of(THREAT, THREAT, pitch_mm, ENERGY_HIGH)};
    const void *const pixels[2] = {low, high};
    const struct field other = {"mass_kg", mass};
    const struct scan scan = {
        .images = images, .images_count = 2, .other = &other, .other_count = 1};
    struct projection_threat threat;
    assert_false(err_is(projection_take(&scan, pixels, &threat)));
    return threat;
}

/* T' = T T_threat at each energy, and nothing outside of the box is touched. */
static void apply_multiplies_transmissions(void **state)
{
    (void)state;
    static uint8_t pixels[2 * SIDE * SIDE], before[2 * SIDE * SIDE];
    struct projection_threat threat = threat_of(4, "12.5");
    assert_true(threat.mass_kg == 12.5 && threat.images_count == 2);
    for (uint32_t which = 0; which < 2; which++) {
        struct image image = image_of(SIDE, SIDE, 4, which == 0 ? ENERGY_HIGH : ENERGY_LOW);
        for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
            put16(pixels, i, dark + (air - dark) * (0.2 + 0.7 * (double)i / (SIDE * SIDE)));
        }
        memcpy(before, pixels, sizeof pixels);
        struct projection_box box = projection_size(&threat, &image);
        assert_int_equal(box.width, THREAT);
        box.x = 7;
        box.y = 21;
        projection_apply(&threat, which, &image, &box, 0, NULL, pixels);
        for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
            size_t x = i % SIDE, y = i / SIDE;
            bool within = x >= 7 && x < 17 && y >= 21 && y < 31;
            double share = !within ? 1 : which == 0 ? 0.5 : 0.25;
            double wanted = dark + (get16(before, i) - dark) * share;
            assert_true(fabs(get16(pixels, i) - wanted) <= (within ? 1.0 : 0.0));
        }
    }
    projection_threat_fini(&threat);
}

/* The sum of attenuation times area is what it weighs: kept whatever the pitch of the scan. */
static void apply_keeps_the_mass_at_another_pitch(void **state)
{
    (void)state;
    static uint8_t pixels[2 * SIDE * SIDE];
    struct projection_threat threat = threat_of(4, "1");
    static const double pitches[] = {2.5, 3.2, 4, 5.7, 10};
    for (size_t p = 0; p < sizeof pitches / sizeof pitches[0]; p++) {
        struct image image = image_of(SIDE, SIDE, pitches[p], ENERGY_HIGH);
        for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
            put16(pixels, i, air);
        }
        struct projection_box box = projection_size(&threat, &image);
        projection_apply(&threat, 0, &image, &box, 0, NULL, pixels);
        double sum = 0;
        for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
            sum -= log((get16(pixels, i) - dark) / (air - dark));
        }
        double wanted = log(2.0) * THREAT * THREAT * 4 * 4;
        assert_true(fabs(sum * pitches[p] * pitches[p] / wanted - 1) < 1e-3);
    }
    projection_threat_fini(&threat);
}

/* Variance that is missing: of light L after transmission T_threat it is L (1 - T_threat) / N. */
static void apply_adds_the_missing_noise(void **state)
{
    (void)state;
    static uint8_t pixels[2 * SIDE * SIDE];
    struct projection_threat threat = threat_of(4, "1");
    struct image image = image_of(SIDE, SIDE, 4, ENERGY_HIGH);
    struct rng rng;
    rng_init(&rng, 3, 0);
    double squares = 0, count = 0;
    for (int round = 0; round < 40; round++) {
        for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
            put16(pixels, i, air);
        }
        struct projection_box box = projection_size(&threat, &image);
        projection_apply(&threat, 0, &image, &box, 10000, &rng, pixels);
        for (size_t i = 0; i < THREAT; i++) {
            double light = (get16(pixels, i) - dark) / (air - dark);
            squares += (light - 0.5) * (light - 0.5);
            count += 1;
        }
    }
    double wanted = 0.5 * 0.5 / 10000;
    assert_true(squares / count > 0.75 * wanted && squares / count < 1.3 * wanted);
    projection_threat_fini(&threat);
}

/* Display grey is multiplied as lightness; inverted grey from the other end. */
static void apply_to_display_multiplies_lightness(void **state)
{
    (void)state;
    for (int inverted = 0; inverted < 2; inverted++) {
        uint8_t threat_pixels[4], pixels[SIDE * SIDE];
        memset(threat_pixels, inverted ? 255 - 102 : 102, sizeof threat_pixels); /* 0.4 of white */
        memset(pixels, inverted ? 255 - 200 : 200, sizeof pixels);
        struct image image = {.width = 2,
                              .height = 2,
                              .bits = 8,
                              .meaning = inverted ? PIXEL_DISPLAY_INVERTED : PIXEL_DISPLAY};
        const void *const given[1] = {threat_pixels};
        const struct scan scan = {.images = &image, .images_count = 1};
        struct projection_threat threat;
        assert_false(err_is(projection_take(&scan, given, &threat)));
        assert_true(isnan(threat.mass_kg));
        struct image target = image;
        target.width = target.height = SIDE;
        struct projection_box box = projection_size(&threat, &target);
        projection_apply(&threat, 0, &target, &box, 0, NULL, pixels);
        assert_int_equal(pixels[0], inverted ? 255 - 80 : 80);
        assert_int_equal(pixels[2], inverted ? 255 - 200 : 200);
        projection_threat_fini(&threat);
    }
}

static void place_is_inside_and_on_something(void **state)
{
    (void)state;
    static uint8_t pixels[2 * SIDE * SIDE];
    struct image image = image_of(SIDE, SIDE, 4, ENERGY_HIGH);
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
        put16(pixels, i, i % SIDE < 25 ? air : dark + (air - dark) / 10);
    }
    struct projection_threat threat = threat_of(4, "1");
    struct rng rng;
    rng_init(&rng, 9, 0);
    for (int i = 0; i < 50; i++) {
        struct projection_box box = projection_size(&threat, &image);
        double background = 0;
        assert_true(projection_place(&image, pixels, &rng, 0.3, &box, &background));
        assert_true(box.x + box.width <= SIDE && box.y + box.height <= SIDE);
        assert_true(box.x + box.width / 2 >= 25 && fabs(background - log(10.0)) < 1e-3);
    }
    memset(pixels, 0xff, sizeof pixels);
    struct projection_box box = projection_size(&threat, &image);
    double background;
    assert_false(projection_place(&image, pixels, &rng, 0.3, &box, &background));
    image.width = THREAT - 1; /* does not fit */
    assert_int_equal(projection_size(&threat, &image).width, 0);
    projection_threat_fini(&threat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apply_multiplies_transmissions),
        cmocka_unit_test(apply_keeps_the_mass_at_another_pitch),
        cmocka_unit_test(apply_adds_the_missing_noise),
        cmocka_unit_test(apply_to_display_multiplies_lightness),
        cmocka_unit_test(place_is_inside_and_on_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
