/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_DOME_REF_H
#define KERNELS_DOME_REF_H

/* Dome_ref: the plain twin of dome_find(): every pixel is asked whether it is a peak, and its piece
 * grown anew at every level. For pictures of up to DOME_REF_PIXELS. */

#include "kernels/dome.h"

enum { DOME_REF_PIXELS = 1024 };

size_t dome_ref_find(const uint16_t *levels, size_t width, size_t height,
                     const struct dome_rule *rule, size_t dome_count_max, struct dome *domes);
#endif
