/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_CORESET_H
#define KERNELS_CORESET_H

/* Coreset: a small subset that covers a large one (greedy k-centre, Gonzalez 1985): each next row
 * is the one farthest from all chosen so far. The largest distance left (the radius) is at most
 * twice the best possible for that many centres. Deterministic: the seed picks the first row, ties
 * go to the lowest index. Meant for training. */

#include <stddef.h>
#include <stdint.h>

struct coreset_rows {
    const float *rows; /* [row_count x stride]; rows holding NaN are never chosen */
    size_t row_count;  /* < 2^31 */
    size_t dimension_count;
    size_t stride;
};

struct coreset_result {
    uint32_t *chosen; /* [wanted_count], in order of choice */
    double *radii;    /* [wanted_count] or NULL: distance (not squared) left after each choice */
};

size_t coreset_workspace_floats(size_t row_count);

/* Choose up to wanted_count rows. Returns how many: fewer when every remaining row equals a chosen
 * one, or when there are fewer usable rows. */
size_t coreset_select(const struct coreset_rows *rows, size_t wanted_count, uint64_t seed,
                      float *restrict workspace, const struct coreset_result *out);
#endif
