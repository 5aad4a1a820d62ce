/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_OBLIVIOUS_BLOCK_LANES_H
#define KERNELS_OBLIVIOUS_BLOCK_LANES_H

/* Oblivious_block_lanes: the inner loops of oblivious_block.c, once for each set of instructions.
 * Private to kernels/oblivious_block*.c. The leaf of a row has its first answer in the lowest bit
 * here, so that the answers up to a level are its low bits, and a table of fewer than 16 changes is
 * repeated to fill 16: no index need be shifted. */

#include "kernels/oblivious_block.h"

struct oblivious_block_lanes {
    void (*bin)(const struct oblivious_plan *plan, const float *columns, uint8_t *bins);
    void (*leaves)(const struct oblivious_model *model, const uint8_t *bins, uint8_t *leaves);
    /* contributions = what the splits of each group changed. */
    void (*explain)(const struct oblivious_plan *plan, const uint8_t *leaves,
                    int32_t *contributions);
};

#if defined(__x86_64__)
extern const struct oblivious_block_lanes oblivious_block_avx2;
extern const struct oblivious_block_lanes oblivious_block_avx512;
void oblivious_heaviest_avx512(const int32_t *contributions, uint32_t group_count, uint32_t count,
                               int32_t *parts, int32_t *groups);
#endif

/* Changes of one level in a tree's table, and where they begin in it. Levels count from 1. */
static inline uint32_t oblivious_level_size(uint32_t level)
{
    return level < 4 ? 16 : 1U << level;
}

static inline uint32_t oblivious_level_first(uint32_t level)
{
    return level <= 5 ? 16 * (level - 1) : 64 + (1U << level) - 32;
}
#endif
