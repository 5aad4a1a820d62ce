/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/nearest_ref.h"

#include <math.h>

double nearest_ref_distance(const float *query, const float *row, size_t dimension_count)
{
    double sum = 0;
    for (size_t j = 0; j < dimension_count; j++) {
        sum += ((double)query[j] - (double)row[j]) * ((double)query[j] - (double)row[j]);
    }
    return sum;
}

uint32_t nearest_ref_search(const struct nearest_bank *bank, const float *query,
                            double *squared_distance)
{
    uint32_t index = NEAREST_NONE;
    *squared_distance = INFINITY;
    for (size_t i = 0; i < bank->row_count; i++) {
        double distance =
            nearest_ref_distance(query, bank->rows + i * bank->stride, bank->dimension_count);
        if (distance < *squared_distance) {
            *squared_distance = distance;
            index = (uint32_t)i;
        }
    }
    return index;
}

void nearest_ref_several(const struct nearest_bank *bank, const float *query, size_t wanted,
                         uint32_t *index, double *squared_distance)
{
    for (size_t k = 0; k < wanted; k++) {
        index[k] = NEAREST_NONE;
        squared_distance[k] = INFINITY;
        for (size_t i = 0; i < bank->row_count; i++) {
            double distance =
                nearest_ref_distance(query, bank->rows + i * bank->stride, bank->dimension_count);
            int after = k == 0 || distance > squared_distance[k - 1] ||
                        (distance >= squared_distance[k - 1] && i > index[k - 1]);
            if (after && distance < squared_distance[k]) {
                squared_distance[k] = distance;
                index[k] = (uint32_t)i;
            }
        }
    }
}
