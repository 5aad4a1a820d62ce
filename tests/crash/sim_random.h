/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

/* Sim random: the one source of chance of a simulated run (splitmix64). Same seed, same numbers, on
 * every machine. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_random_next(struct sim_random *self)
{
    uint64_t z = self->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A stream of its own for every purpose, so that one more number drawn for the disk does not change
 * what the submitters do. */
static inline struct sim_random sim_random_make(uint64_t seed, uint64_t purpose)
{
    struct sim_random self = {seed * UINT64_C(0xd1342543de82ef95) + purpose};
    self.state = sim_random_next(&self) ^ purpose << 32;
    return self;
}

/* 0 .. bound - 1; bound > 0. */
static inline uint64_t sim_random_below(struct sim_random *self, uint64_t bound)
{
    return sim_random_next(self) % bound; /* bounds are small: the bias is too */
}

static inline bool sim_random_one_in(struct sim_random *self, uint64_t count)
{
    return sim_random_below(self, count) == 0;
}

/* True share times of 256. */
static inline bool sim_random_share(struct sim_random *self, uint32_t share)
{
    return (sim_random_next(self) & 255) < share;
}

static inline void sim_random_fill(struct sim_random *self, void *out, size_t out_bytes)
{
    uint8_t *at = out;
    while (out_bytes >= 8) {
        uint64_t word = sim_random_next(self);
        memcpy(at, &word, 8);
        at += 8;
        out_bytes -= 8;
    }
    uint64_t word = sim_random_next(self);
    memcpy(at, &word, out_bytes);
}

#endif
