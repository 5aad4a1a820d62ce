/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCORE_SYNTHETIC_H
#define TESTS_SCORE_SYNTHETIC_H

/* Synthetic: small drawn scans, and an appearance model of them. Header only. */

#include <math.h>

#include "kernels/rng.h"
#include "score/train.h"
#include "tests/score/fixture.h"

enum {
    WIDTH = 400,
    HEIGHT = 200,
    ANOMALY_X = 240,
    ANOMALY_Y = 96,
    ANOMALY_SIDE = 40,
    TRAINING_IMAGES = 25
};

/* A load of boxes in 16-bit transmission: a grid whose phase and depth the seed picks, with noise.
 * `fill` scales the attenuation. With `anomaly` a disc of another material lies in it. */
static inline void synthetic_draw(uint8_t *out, uint64_t seed, double fill, bool anomaly)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    double phase = rng_uniform(&rng) * 20;
    double depth = 0.8 + 0.2 * rng_uniform(&rng);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            double attenuation =
                fill * depth * (1.2 + 0.3 * sin((x + phase) * 0.3) + 0.2 * sin((y + phase) * 0.2));
            double dx = x - ANOMALY_X;
            double dy = y - ANOMALY_Y;
            if (anomaly && dx * dx + dy * dy < ANOMALY_SIDE * ANOMALY_SIDE / 4.0) {
                attenuation += 1.5 + 0.5 * cos(dx * 1.1) * cos(dy * 0.9);
            }
            double counts = 60000 * exp(-attenuation) + 100 * rng_normal(&rng);
            uint16_t value = (uint16_t)(counts < 0 ? 0 : counts > 65535 ? 65535 : counts);
            out[2 * (y * WIDTH + x)] = (uint8_t)value;
            out[2 * (y * WIDTH + x) + 1] = (uint8_t)(value >> 8);
        }
    }
}

static inline struct image synthetic_image(void)
{
    return (struct image){.width = WIDTH,
                          .height = HEIGHT,
                          .bits = 16,
                          .meaning = PIXEL_TRANSMISSION,
                          .payload_bytes = WIDTH * HEIGHT * 2,
                          .pixel_pitch_mm = 5,
                          .air_level = 60000};
}

static inline struct scan synthetic_scan(const struct image *image)
{
    return (struct scan){.scan_id = "S-1",
                         .mode = MODE_TRUCK,
                         .site = "north",
                         .lane = "1",
                         .scanner = "gate 1",
                         .scanner_type = "test-portal",
                         .images = image,
                         .images_count = 1};
}

static inline void synthetic_train(const char *scanner_type, const char *directory,
                                   struct train_report *report)
{
    static uint8_t pixels[WIDTH * HEIGHT * 2];
    struct train_appearance_conf conf = {.scanner_type = scanner_type,
                                         .bank_patches_max = 256,
                                         .dimensions = 24,
                                         .working_height = 200,
                                         .seed = 5};
    struct train_appearance *self = NULL;
    struct image image = synthetic_image();
    assert_good(train_appearance_open(&conf, &self));
    for (uint64_t i = 0; i < TRAINING_IMAGES; i++) {
        double fill = 0.5 + 0.04 * (double)i;
        synthetic_draw(pixels, 100 + i, fill, false);
        /* The mass that the regression should find: proportional to the attenuation. */
        struct train_image training = {.image = &image,
                                       .pixels = pixels,
                                       .name = "synthetic",
                                       .declared_mass_kg = 10000 * fill};
        assert_good(train_appearance_add(self, &training));
    }
    assert_good(train_appearance_write(self, directory, report));
    train_appearance_close(&self);
}

#endif
