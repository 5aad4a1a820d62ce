/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KERNELS_DRAW_H
#define TESTS_KERNELS_DRAW_H

/* Draw: repeatable random matrices for the kernel tests. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernels/rng.h"

/* calloc that a test may rely on; freed by the test. */
static inline void *draw_room(size_t count, size_t element_bytes)
{
    void *room = calloc(count > 0 ? count : 1, element_bytes);
    assert_non_null(room);
    return room;
}

/* rows x stride floats: the first `columns` of each row standard normal, the rest a value that
 * spoils every result it gets into. */
static inline float *draw_matrix(uint64_t seed, size_t rows, size_t columns, size_t stride)
{
    float *matrix = draw_room(rows * stride, sizeof *matrix);
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < stride; j++) {
            matrix[i * stride + j] = j < columns ? (float)rng_normal(&rng) : 1e30f;
        }
    }
    return matrix;
}
#endif
