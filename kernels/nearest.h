/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_NEAREST_H
#define KERNELS_NEAREST_H

/* Nearest: for every query row the nearest rows of a memory bank, by squared Euclidean distance.
 *
 * Fast arithmetic only makes a shortlist: products of bytes when the bank was packed and the
 * processor has instructions for them, otherwise SGEMM by tiles. Every bank row whose estimate
 * comes within the proven error of the best is measured again from the difference of the two rows,
 * in double and in a fixed order. So the answer is the nearest row exactly (ties: the lowest
 * index), small distances do not suffer from cancellation, and the bits are the same whatever the
 * batch, the path, the thread count and the BLAS. The distance matrix never exists. */

#include <stddef.h>
#include <stdint.h>

#include "kernels/cache.h"

enum {
    NEAREST_NONE = 0x7fffffff,          /* index when there is no finite distance */
    NEAREST_WANTED_MAX = 16,            /* nearest rows of one query */
    NEAREST_PACKED_DIMENSIONS_MAX = 512 /* a wider bank is searched without bytes */
};

struct nearest_packed; /* a bank in bytes; read-only, may be shared by threads */

struct nearest_bank {
    const float *rows; /* [row_count x stride] */
    size_t row_count;  /* < NEAREST_NONE; 0 is allowed */
    size_t dimension_count;
    size_t stride;                       /* >= dimension_count */
    const float *squared_norms;          /* [row_count], from nearest_squared_norms */
    const struct nearest_packed *packed; /* from nearest_pack; NULL: search without */
    const struct cache *cache; /* that tiles are made for; NULL: the usual. Not in the result */
};

struct nearest_queries {
    const float *rows; /* [row_count x stride] */
    size_t row_count;
    size_t stride; /* >= the bank's dimension_count */
};

/* Which instructions make the shortlist. All give the same bits. The first three go through SGEMM
 * and differ in how a tile is reduced; the others multiply bytes, if the bank is packed. */
enum nearest_path {
    NEAREST_PORTABLE,
    NEAREST_AVX2,
    NEAREST_AVX512,
    NEAREST_AVX512_VNNI,
    NEAREST_AMX
};

/* The fastest path this processor can run. */
enum nearest_path nearest_path_best(void);

/* For a process that the system has allowed the state of AMX tiles: without that their first use is
 * the end of the process. From here on NEAREST_AMX is the best path, if the processor has tiles of
 * bytes and they multiply known bytes right; returns whether. Any thread, any time. */
int nearest_amx_allow(void);

/* Whether it multiplies bytes, so that a bank is worth packing for it. */
int nearest_path_packs(enum nearest_path path);

/* norms[i] = sum of squares of row i, summed in double, rounded once. */
void nearest_squared_norms(const float *restrict rows, size_t row_count, size_t dimension_count,
                           size_t stride, float *restrict norms);

/* Bytes of memory for nearest_pack(): about 1.3 times row_count * dimension_count, rounded up to
 * multiples of 64 each. */
size_t nearest_pack_bytes(size_t row_count, size_t dimension_count);

/* The bank in bytes, in the caller's memory, which must live as long as the result and the bank's
 * rows; for the bank's `packed`. Once, when the bank is made or read. */
const struct nearest_packed *nearest_pack(const struct nearest_bank *bank, void *memory);

size_t nearest_workspace_floats(void);

/* index[i] and squared_distance[i] for every query row. A query without a finite distance (NaN or
 * infinity in it, a squared norm beyond the range of float, or an empty bank) gets NEAREST_NONE and
 * INFINITY; it does not touch the others. A bank row with a NaN never wins. A bank of many rows
 * closer to each other than rounding can tell (duplicates) is searched rightly but slowly: select a
 * coreset first. Uses nearest_path_best(). */
void nearest_search(const struct nearest_bank *bank, const struct nearest_queries *queries,
                    float *restrict workspace, uint32_t *restrict index,
                    float *restrict squared_distance);

/* The same for the `wanted` nearest rows, 1..NEAREST_WANTED_MAX: index and squared_distance are
 * [queries x wanted], nearest first, of equal distances the lower index first; NEAREST_NONE and
 * INFINITY where the bank has no more. */
void nearest_search_several(const struct nearest_bank *bank, const struct nearest_queries *queries,
                            size_t wanted, float *restrict workspace, uint32_t *restrict index,
                            float *restrict squared_distance);

/* What the two above do, by a chosen path, which this processor must be able to run. */
struct nearest_request {
    enum nearest_path path;
    size_t wanted;
};
void nearest_search_by(const struct nearest_request *request, const struct nearest_bank *bank,
                       const struct nearest_queries *queries, float *restrict workspace,
                       uint32_t *restrict index, float *restrict squared_distance);
#endif
