/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCORE_CARGO_FIXTURE_H
#define TESTS_SCORE_CARGO_FIXTURE_H

/* Cargo fixture: drawn dual-energy containers whose load differs by HS chapter, and a model of
 * consistency of them. Header only. */

#include <math.h>

#include "kernels/rng.h"
#include "score/train_consistency.h"
#include "tests/score/synthetic.h"

/* Ratio of the energies and what a wedge makes of it: Z 6 at 1.18, 13 at 1.11, 26 at 1.02. */
struct cargo_kind {
    uint32_t chapter;
    const char *hs_code;
    double attenuation;
    double ratio;
    int period;    /* of stacks, pixels */
    double gap;    /* attenuation between them, share */
    double height; /* share of the box */
};
static const struct cargo_kind cargo_kinds[] = {
    {8, "080390", 0.9, 1.17, 24, 0.3, 0.85},
    {61, "610910", 0.35, 1.18, 11, 0.8, 0.95},
    {72, "720851", 2.2, 1.02, 60, 0.1, 0.35},
    {84, "848340", 1.1, 1.065, 40, 0.4, 0.7},
};
enum { CARGO_KINDS = 4, CARGO_TRAINING = 40 };

static const struct material_step cargo_wedge[] = {
    {6, 10, 0.59, 0.5}, {6, 100, 5.9, 5},    {13, 10, 0.555, 0.5},
    {13, 100, 5.55, 5}, {26, 10, 0.51, 0.5}, {26, 100, 5.1, 5},
};
enum { CARGO_STEPS = sizeof cargo_wedge / sizeof cargo_wedge[0] };

static inline void cargo_put(uint8_t *out, int at, double attenuation, struct rng *rng)
{
    double counts = 60000 * exp(-attenuation) + 60 * rng_normal(rng);
    uint16_t value = (uint16_t)(counts < 1 ? 1 : counts > 65535 ? 65535 : counts);
    out[2 * at] = (uint8_t)value;
    out[2 * at + 1] = (uint8_t)(value >> 8);
}

/* The load of a kind, as no two are alike: depth, height, phase and length are drawn. */
static inline void cargo_draw(const struct cargo_kind *kind, uint64_t seed, uint8_t *high,
                              uint8_t *low)
{
    struct rng rng;
    rng_init(&rng, seed, kind->chapter);
    double depth = kind->attenuation * (0.9 + 0.2 * rng_uniform(&rng));
    int top = 165 - (int)(130 * kind->height * (0.9 + 0.1 * rng_uniform(&rng)));
    int right = 300 + (int)rng_below(&rng, 35);
    int phase = (int)rng_below(&rng, (uint64_t)kind->period);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            bool box = x >= 60 && x < 340 && y >= 30 && y < 170;
            bool load = x >= 66 && x < right && y >= top && y < 165;
            bool gap = (x + phase) % kind->period < kind->period / 8 + 1;
            double wall = box ? 0.08 : 0;
            double goods = load ? depth * (gap ? kind->gap : 1) : 0;
            cargo_put(high, y * WIDTH + x, wall + goods, &rng);
            cargo_put(low, y * WIDTH + x, 1.05 * wall + kind->ratio * goods, &rng);
        }
    }
}

static inline void cargo_images(struct image images[2])
{
    images[0] = synthetic_image();
    images[1] = synthetic_image();
    images[0].energy = ENERGY_HIGH;
    images[1].energy = ENERGY_LOW;
}

/* Forty loads of every kind, looked at in this height. */
static inline void cargo_train(const char *directory, bool dual, uint32_t working_height,
                               struct train_report *report)
{
    static uint8_t high[WIDTH * HEIGHT * 2];
    static uint8_t low[WIDTH * HEIGHT * 2];
    struct image images[2];
    const struct train_consistency_conf conf = {.scanner_type = "test-portal",
                                                .working_height = working_height,
                                                .seed = 1,
                                                .wedge = cargo_wedge,
                                                .wedge_count = CARGO_STEPS};
    struct train_consistency *self = NULL;
    cargo_images(images);
    assert_good(train_consistency_open(&conf, &self));
    for (uint64_t i = 0; i < (uint64_t)CARGO_TRAINING * CARGO_KINDS; i++) {
        const struct cargo_kind *kind = &cargo_kinds[i % CARGO_KINDS];
        cargo_draw(kind, 1000 + i, high, low);
        const struct train_image image = {.image = &images[0],
                                          .pixels = high,
                                          .name = "drawn",
                                          .low_image = dual ? &images[1] : NULL,
                                          .low_pixels = dual ? low : NULL};
        assert_good(train_consistency_add(self, &image, kind->chapter));
    }
    assert_good(train_consistency_write(self, directory, report));
    train_consistency_close(&self);
}

#endif
