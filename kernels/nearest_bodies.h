/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_NEAREST_BODIES_H
#define KERNELS_NEAREST_BODIES_H

/* Nearest_bodies: plain loops of the packed search, to be compiled for several sets of
 * instructions: a function with a target takes them in and the compiler does the rest. Private to
 * kernels/nearest*.c. Sums run in eight lanes, so that they need not be added in order. */

#include <string.h>

#include "kernels/nearest_scan.h"

#define NEAREST_BODY __attribute__((always_inline)) static inline

enum { NEAREST_LANES = 8 };

NEAREST_BODY double nearest_lanes_sum(const double *lanes)
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

NEAREST_BODY double nearest_measure_body(const float *query, const float *row,
                                         size_t dimension_count)
{
    double lanes[NEAREST_LANES] = {0};
    size_t j = 0;
    for (; j + NEAREST_LANES <= dimension_count; j += NEAREST_LANES) {
        for (size_t k = 0; k < NEAREST_LANES; k++) {
            double difference = (double)query[j + k] - (double)row[j + k];
            lanes[k] += difference * difference;
        }
    }
    for (size_t k = 0; j < dimension_count; j++, k++) {
        double difference = (double)query[j] - (double)row[j];
        lanes[k] += difference * difference;
    }
    return nearest_lanes_sum(lanes);
}

/* A query's bytes are its columns times `inverse`, rounded; its columns about bytes times `step`.
 */
struct nearest_scale {
    float step;
    float inverse;
};

/* For a row whose largest entry is `most`. The product must not pass the largest byte by rounding,
 * hence a little less than what `step` says. */
NEAREST_BODY struct nearest_scale nearest_scale_of(float most)
{
    float step = most / (float)NEAREST_BYTE_MOST;
    int sayable = step > 0x1p-100f && step < 0x1p100f;
    return (struct nearest_scale){step,
                                  sayable ? (float)NEAREST_BYTE_MOST * (1 - 0x1p-22f) / most : 0};
}

/* sum: of the query's bytes; square, error: the squared norms of it and of what they leave out. */
NEAREST_BODY void nearest_query_say(struct nearest_tile *tile, size_t query, int32_t sum,
                                    float step, double square, double error)
{
    tile->shifts[query] = -NEAREST_CENTRE * sum;
    tile->scales[query] = step;
    tile->norms[query] = nearest_raise((float)sqrt(square));
    tile->errors[query] = nearest_raise((float)sqrt(error));
    tile->square_norms[query] = square;
}

/* What the group at hand means for every query: coefficient, margin, threshold. */
NEAREST_BODY void nearest_prepare_body(const struct nearest_tile *tile,
                                       const struct nearest_group *group)
{
    const float *restrict norms = tile->norms;
    const float *restrict errors = tile->errors;
    const float *restrict uppers = tile->uppers;
    const float *restrict scales = tile->scales;
    float *restrict coefficients = tile->coefficients;
    float *restrict margins = tile->margins;
    float *restrict thresholds = tile->thresholds;
    const struct nearest_group g = *group;
    for (size_t i = 0; i < tile->padded_count; i++) {
        float norm = norms[i];
        float quantised = errors[i] * g.norm_most + (norm + errors[i]) * g.error_most;
        float rounded = g.norm_most * (g.norm_most + 2 * norm) * 0x1p-22f + norm * norm * 0x1p-36f;
        float margin = (2 * quantised + rounded) * (1 + 0x1p-20f) + FLT_MIN;
        float above = norm * (1 - 0x1p-20f) - FLT_MIN - g.norm_most;
        float below = g.norm_least - norm;
        float gap = above > below ? above : below;
        gap = gap > 0 ? gap : 0;
        float reach = uppers[i] + norm * norm;
        reach += (fabsf(uppers[i]) + norm * norm) * 0x1p-20f + FLT_MIN;
        float threshold = nearest_raise(uppers[i] + margin);
        coefficients[i] = 2 * scales[i] * g.scale;
        margins[i] = margin;
        thresholds[i] = gap * gap * (1 - 0x1p-20f) > reach ? -INFINITY : threshold;
    }
}
#endif
