/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_ROUND_H
#define SCORE_FINDER_ROUND_H

/* Finder round: how the planes of a finder become whole numbers, with the same bits everywhere. */

#include <stdint.h>
#include <string.h>

/* Rounds 0..2^22, ties to even: adding 2^23 leaves no room for a fraction. */
static inline uint32_t finder_round(float value)
{
    float shifted = value + 0x1p23f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits & 0x7fffff;
}

static inline float finder_hold(float value, float low, float high)
{
    float above = value > low ? value : low; /* NaN: low */
    return above < high ? above : high;
}

#endif
