/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/coreset.h"

#include <math.h>

#include "kernels/rng.h"

/* Each choice is one pass over all rows that updates the distance to the nearest chosen one and
 * finds the next farthest. Distances come from differences, not from norms and products: near
 * duplicates are what the selection has to tell apart. The pass is bound by memory, not by
 * arithmetic. */

enum { LANES = 16 };

static float squared_distance(const float *a, const float *b, size_t count)
{
    float sums[LANES] = {0};
    size_t j = 0;
    for (; j + LANES <= count; j += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            float difference = a[j + k] - b[j + k];
            sums[k] += difference * difference;
        }
    }
    for (size_t k = 0; j + k < count; k++) {
        float difference = a[j + k] - b[j + k];
        sums[k] += difference * difference;
    }
    double sum = 0;
    for (size_t k = 0; k < LANES; k++) {
        sum += (double)sums[k];
    }
    return (float)sum;
}

size_t coreset_workspace_floats(size_t row_count)
{
    return row_count;
}

static int row_is_usable(const struct coreset_rows *rows, size_t i)
{
    const float *row = rows->rows + i * rows->stride;
    for (size_t j = 0; j < rows->dimension_count; j++) {
        if (!isfinite(row[j])) {
            return 0;
        }
    }
    return 1;
}

/* Mark unusable rows with -1, which no farthest row can have, and return the usable count. */
static size_t mark_usable(const struct coreset_rows *rows, float *farness)
{
    size_t usable = 0;
    for (size_t i = 0; i < rows->row_count; i++) {
        int kept = row_is_usable(rows, i);
        farness[i] = kept ? INFINITY : -1.0f;
        usable += (size_t)kept;
    }
    return usable;
}

static size_t nth_usable(const float *farness, size_t wanted)
{
    size_t i = 0;
    for (;; i++) {
        if (farness[i] >= 0 && wanted-- == 0) {
            return i;
        }
    }
}

static size_t add_centre(const struct coreset_rows *rows, size_t centre, float *farness)
{
    const float *centre_row = rows->rows + centre * rows->stride;
    size_t farthest = centre;
    farness[centre] = 0;
    for (size_t i = 0; i < rows->row_count; i++) {
        if (farness[i] > 0) {
            float distance =
                squared_distance(rows->rows + i * rows->stride, centre_row, rows->dimension_count);
            farness[i] = distance < farness[i] ? distance : farness[i];
        }
        farthest = farness[i] > farness[farthest] ? i : farthest;
    }
    return farthest;
}

size_t coreset_select(const struct coreset_rows *rows, size_t wanted_count, uint64_t seed,
                      float *restrict workspace, const struct coreset_result *out)
{
    size_t usable = mark_usable(rows, workspace);
    if (usable == 0 || wanted_count == 0) {
        return 0;
    }
    struct rng rng;
    rng_init(&rng, seed, 0);
    size_t centre = nth_usable(workspace, (size_t)rng_below(&rng, usable));
    size_t count = 0;
    while (count < wanted_count) {
        size_t farthest = add_centre(rows, centre, workspace);
        out->chosen[count] = (uint32_t)centre;
        if (out->radii != NULL) {
            out->radii[count] = sqrt((double)workspace[farthest]);
        }
        count++;
        if (!(workspace[farthest] > 0)) {
            break;
        }
        centre = farthest;
    }
    return count;
}
