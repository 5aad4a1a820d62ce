/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/rng.h"

#include <math.h>

/* The generator is the reference code of xoshiro256++ 1.0 (public domain, prng.di.unimi.it). Draws
 * keep nothing back between calls (the polar method's second value is thrown away), so the state
 * alone says what comes next. */

uint64_t rng_splitmix(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = *state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

void rng_init(struct rng *self, uint64_t seed, uint64_t stream)
{
    /* The stream is mixed before it meets the seed: (1, 2) and (2, 1) must not meet. */
    uint64_t stream_state = stream ^ UINT64_C(0x6a09e667f3bcc909);
    uint64_t state = seed ^ rng_splitmix(&stream_state);
    for (int i = 0; i < 4; i++) {
        self->state[i] = rng_splitmix(&state);
    }
}

static uint64_t rotate_left(uint64_t value, int count)
{
    return (value << count) | (value >> (64 - count));
}

uint64_t rng_next(struct rng *self)
{
    uint64_t *s = self->state;
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double rng_uniform(struct rng *self)
{
    return (double)(rng_next(self) >> 11) * 0x1.0p-53;
}

uint64_t rng_below(struct rng *self, uint64_t bound)
{
    /* Lemire's multiply and reject: the low half tells whether the draw falls into the excess. */
    __extension__ typedef unsigned __int128 wide;
    uint64_t excess = (UINT64_C(0) - bound) % bound;
    wide product;
    do {
        product = (wide)rng_next(self) * bound;
    } while ((uint64_t)product < excess);
    return (uint64_t)(product >> 64);
}

double rng_normal(struct rng *self)
{
    double u, v, square;
    do {
        u = 2.0 * rng_uniform(self) - 1.0;
        v = 2.0 * rng_uniform(self) - 1.0;
        square = u * u + v * v;
    } while (square >= 1.0 || square <= 0.0);
    return u * sqrt(-2.0 * log(square) / square);
}

static double poisson_by_products(struct rng *self, double mean)
{
    double limit = exp(-mean);
    double product = rng_uniform(self);
    double count = 0;
    while (product > limit) {
        product *= rng_uniform(self);
        count += 1;
    }
    return count;
}

/* Hoermann, "The transformed rejection method for generating Poisson random variables", 1993. */
static double poisson_by_rejection(struct rng *self, double mean)
{
    double log_mean = log(mean);
    double b = 0.931 + 2.53 * sqrt(mean);
    double a = -0.059 + 0.02483 * b;
    double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    double squeeze = 0.9277 - 3.6224 / (b - 2);
    int sign; /* lgamma itself writes a global */
    for (;;) {
        double u = rng_uniform(self) - 0.5;
        double v = 1.0 - rng_uniform(self);
        double us = 0.5 - fabs(u);
        double count = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= squeeze) {
            return count;
        }
        if (count < 0 || (us < 0.013 && v > us)) {
            continue;
        }
        if (log(v * inverse_alpha / (a / (us * us) + b)) <=
            count * log_mean - mean - lgamma_r(count + 1, &sign)) {
            return count;
        }
    }
}

double rng_poisson(struct rng *self, double mean)
{
    if (!(mean > 0)) {
        return 0;
    }
    if (mean < 12) {
        return poisson_by_products(self, mean);
    }
    if (mean <= RNG_POISSON_NORMAL_MEAN) {
        return poisson_by_rejection(self, mean);
    }
    double count = floor(mean + sqrt(mean) * rng_normal(self) + 0.5);
    return count > 0 ? count : 0;
}
