/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_NEAREST_H
#define KERNELS_NEAREST_H

/* Nearest: for every query row the nearest row of a memory bank, by squared Euclidean distance.
 *
 * Tiles of Q B' go through SGEMM into a cache-sized workspace and are reduced at once; the whole
 * distance matrix never exists. SGEMM only selects: every bank row whose rounded distance comes
 * within the proven rounding error of the best is measured again from the difference of the two
 * rows, in double and in a fixed order. So the answer is the nearest row exactly (ties: the lowest
 * index), small distances do not suffer from cancellation, and the bits are the same whatever the
 * batch, the path, the thread count and the BLAS. */

#include <stddef.h>
#include <stdint.h>

enum { NEAREST_NONE = 0x7fffffff }; /* index when there is no finite distance */

struct nearest_bank {
    const float *rows; /* [row_count x stride] */
    size_t row_count;  /* < NEAREST_NONE; 0 is allowed */
    size_t dimension_count;
    size_t stride;              /* >= dimension_count */
    const float *squared_norms; /* [row_count], from nearest_squared_norms */
};

struct nearest_queries {
    const float *rows; /* [row_count x stride] */
    size_t row_count;
    size_t stride; /* >= the bank's dimension_count */
};

/* Which instructions reduce a tile to its minimum. All give the same bits. */
enum nearest_path { NEAREST_PORTABLE, NEAREST_AVX2, NEAREST_AVX512 };

/* The widest path this processor can run. */
enum nearest_path nearest_path_best(void);

/* norms[i] = sum of squares of row i, summed in double, rounded once. */
void nearest_squared_norms(const float *restrict rows, size_t row_count, size_t dimension_count,
                           size_t stride, float *restrict norms);

size_t nearest_workspace_floats(void);

/* index[i] and squared_distance[i] for every query row. A query without a finite distance (NaN or
 * infinity in it, a squared norm beyond the range of float, or an empty bank) gets NEAREST_NONE and
 * INFINITY; it does not touch the others. A bank row with a NaN never wins. A bank of many rows
 * closer to each other than rounding can tell (duplicates) is searched rightly but slowly: select a
 * coreset first. Uses nearest_path_best(). */
void nearest_search(const struct nearest_bank *bank, const struct nearest_queries *queries,
                    float *restrict workspace, uint32_t *restrict index,
                    float *restrict squared_distance);

/* The same with a chosen path, which this processor must be able to run. */
void nearest_search_by(enum nearest_path path, const struct nearest_bank *bank,
                       const struct nearest_queries *queries, float *restrict workspace,
                       uint32_t *restrict index, float *restrict squared_distance);
#endif
