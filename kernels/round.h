/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_ROUND_H
#define KERNELS_ROUND_H

/* Round: how attenuations become whole numbers, with the same bits on every path. */

#include <stdint.h>
#include <string.h>

#include "kernels/path.h"

/* Rounds 0..2^22, ties to even: adding 2^23 leaves no room for a fraction. */
PATH_BODY uint32_t round_even(float value)
{
    float shifted = value + 0x1p23f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits & 0x7fffff;
}

PATH_BODY float round_hold(float value, float low, float high)
{
    float above = value > low ? value : low; /* NaN: low */
    return above < high ? above : high;
}

#endif
