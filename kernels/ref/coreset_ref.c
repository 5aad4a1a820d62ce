/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/coreset_ref.h"

#include <math.h>

static double distance(const struct coreset_rows *rows, size_t a, size_t b)
{
    double sum = 0;
    for (size_t j = 0; j < rows->dimension_count; j++) {
        double difference =
            (double)rows->rows[a * rows->stride + j] - (double)rows->rows[b * rows->stride + j];
        sum += difference * difference;
    }
    return sqrt(sum);
}

double coreset_ref_radius(const struct coreset_rows *rows, const uint32_t *chosen,
                          size_t chosen_count)
{
    double radius = 0;
    for (size_t i = 0; i < rows->row_count; i++) {
        double least = INFINITY;
        for (size_t k = 0; k < chosen_count; k++) {
            least = fmin(least, distance(rows, i, chosen[k]));
        }
        radius = fmax(radius, least);
    }
    return radius;
}
