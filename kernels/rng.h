/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_RNG_H
#define KERNELS_RNG_H

/* Rng: repeatable pseudo-random numbers for simulation and training. NOT for keys, salts or the
 * random arm, which need a keyed PRF.
 *
 * xoshiro256++ 1.0 (Blackman and Vigna 2019), its state filled by splitmix64 from (seed, stream).
 * Integers and uniforms are the same everywhere; normal and Poisson draws go through libm and are
 * the same for one build. The state is the caller's; nothing is shared between threads. */

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

/* One step of splitmix64: advances *state. */
uint64_t rng_splitmix(uint64_t *state);

/* Different streams of one seed are independent for all practical purposes: give every pixel, scan
 * or thread its own, and results do not depend on the order of work. */
void rng_init(struct rng *self, uint64_t seed, uint64_t stream);

uint64_t rng_next(struct rng *self);

/* In 0 <= u < 1, 53 random bits. */
double rng_uniform(struct rng *self);

/* In 0..bound-1 without bias (Lemire 2019); bound > 0. */
uint64_t rng_below(struct rng *self, uint64_t bound);

/* Standard normal (Marsaglia's polar method). */
double rng_normal(struct rng *self);

/* Above this mean rng_poisson rounds mean + sqrt(mean) * normal: skewness there is below 1/32. */
#define RNG_POISSON_NORMAL_MEAN 1024.0

/* Poisson count of the given mean: inversion below 12, Hoermann's PTRS (1993) up to
 * RNG_POISSON_NORMAL_MEAN, the normal approximation above. mean <= 0 or NaN gives 0. */
double rng_poisson(struct rng *self, double mean);
#endif
