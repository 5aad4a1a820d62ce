/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* |q - b|^2 = |q|^2 + (|b|^2 - 2 q.b): |q|^2 is the same for the whole row, so the search minimises
 * the bracket. SGEMM writes -2 q.b for a tile of queries and bank rows, and the epilogue adds the
 * norms and takes the minimum while the tile is still in the cache. Only when a tile beats the
 * minimum so far is it read again for the index, which is rare after the first tiles.
 *
 * The epilogue does one addition and exact comparisons, so all paths agree to the bit. Every SGEMM
 * of a bank tile has the same shape, the last query tile being filled with zeros: see KERNELS.md.
 */

/* QUERY_TILE is a multiple of the row block of every SGEMM kernel in use (8 and 16), so a query
 * meets the same inner loop wherever it stands. QUERY_TILE x BANK_TILE floats are 512 KiB: half of
 * a second-level cache of 1 MiB. Smaller tiles pay for packing, larger ones fall out of the cache.
 */
enum { QUERY_TILE = 256, BANK_TILE = 512 };

void nearest_squared_norms(const float *restrict rows, size_t row_count, size_t dimension_count,
                           size_t stride, float *restrict norms)
{
    for (size_t i = 0; i < row_count; i++) {
        const float *row = rows + i * stride;
        double sum = 0;
        for (size_t j = 0; j < dimension_count; j++) {
            sum += (double)row[j] * (double)row[j];
        }
        norms[i] = (float)sum;
    }
}

size_t nearest_workspace_floats(size_t dimension_count)
{
    return (size_t)QUERY_TILE * (BANK_TILE + dimension_count + 1);
}

enum nearest_path nearest_path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        return NEAREST_AVX512;
    }
    if (__builtin_cpu_supports("avx2")) {
        return NEAREST_AVX2;
    }
#endif
    return NEAREST_PORTABLE;
}

/* The least of products[j] + norms[j]; INFINITY when none is below it; NaN is passed over. */
static float least_portable(const float *products, const float *norms, size_t count)
{
    float least = INFINITY;
    for (size_t j = 0; j < count; j++) {
        float value = products[j] + norms[j];
        least = value < least ? value : least;
    }
    return least;
}

#if defined(__x86_64__)
/* MINPS returns its second operand when either is NaN: the running minimum stays second. */
__attribute__((target("avx2"))) static float least_avx2(const float *products, const float *norms,
                                                        size_t count)
{
    __m256 first = _mm256_set1_ps(INFINITY);
    __m256 second = first;
    size_t j = 0;
    for (; j + 16 <= count; j += 16) {
        __m256 a = _mm256_add_ps(_mm256_loadu_ps(products + j), _mm256_loadu_ps(norms + j));
        __m256 b = _mm256_add_ps(_mm256_loadu_ps(products + j + 8), _mm256_loadu_ps(norms + j + 8));
        first = _mm256_min_ps(a, first);
        second = _mm256_min_ps(b, second);
    }
    float lanes[8];
    _mm256_storeu_ps(lanes, _mm256_min_ps(first, second));
    float least = least_portable(products + j, norms + j, count - j);
    for (int k = 0; k < 8; k++) {
        least = lanes[k] < least ? lanes[k] : least;
    }
    return least;
}

__attribute__((target("avx512f"))) static float least_avx512(const float *products,
                                                             const float *norms, size_t count)
{
    __m512 first = _mm512_set1_ps(INFINITY);
    __m512 second = first;
    size_t j = 0;
    for (; j + 32 <= count; j += 32) {
        __m512 a = _mm512_add_ps(_mm512_loadu_ps(products + j), _mm512_loadu_ps(norms + j));
        __m512 b =
            _mm512_add_ps(_mm512_loadu_ps(products + j + 16), _mm512_loadu_ps(norms + j + 16));
        first = _mm512_min_ps(a, first);
        second = _mm512_min_ps(b, second);
    }
    float lanes[16];
    _mm512_storeu_ps(lanes, _mm512_min_ps(first, second));
    float least = least_portable(products + j, norms + j, count - j);
    for (int k = 0; k < 16; k++) {
        least = lanes[k] < least ? lanes[k] : least;
    }
    return least;
}
#endif

static float least_by(enum nearest_path path, const float *products, const float *norms,
                      size_t count)
{
#if defined(__x86_64__)
    if (path == NEAREST_AVX512) {
        return least_avx512(products, norms, count);
    }
    if (path == NEAREST_AVX2) {
        return least_avx2(products, norms, count);
    }
#endif
    (void)path;
    return least_portable(products, norms, count);
}

static uint32_t first_equal(const float *products, const float *norms, size_t count, float value)
{
    uint32_t j = 0;
    while (j < count && !(products[j] + norms[j] == value)) {
        j++;
    }
    return j;
}

/* All bank rows against one tile of exactly QUERY_TILE queries. */
static void search_tile(enum nearest_path path, const struct nearest_bank *bank,
                        const struct nearest_queries *tile, float *products, float *least,
                        uint32_t *index)
{
    for (size_t i = 0; i < tile->row_count; i++) {
        least[i] = INFINITY;
        index[i] = NEAREST_NONE;
    }
    for (size_t first = 0; first < bank->row_count; first += BANK_TILE) {
        size_t left = bank->row_count - first;
        size_t count = left < BANK_TILE ? left : BANK_TILE;
        const float *norms = bank->squared_norms + first;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, QUERY_TILE, (int)count,
                    (int)bank->dimension_count, -2.0f, tile->rows, (int)tile->stride,
                    bank->rows + first * bank->stride, (int)bank->stride, 0.0f, products,
                    BANK_TILE);
        for (size_t i = 0; i < tile->row_count; i++) {
            const float *row = products + i * BANK_TILE;
            float found = least_by(path, row, norms, count);
            if (found < least[i]) {
                least[i] = found;
                index[i] = (uint32_t)first + first_equal(row, norms, count, found);
            }
        }
    }
}

/* The winner's distance from the difference of the rows: no cancellation, one fixed order. */
static void measure_winners(const struct nearest_bank *bank, const struct nearest_queries *tile,
                            uint32_t *index, float *squared_distance)
{
    for (size_t i = 0; i < tile->row_count; i++) {
        squared_distance[i] = INFINITY;
        if (index[i] == NEAREST_NONE) {
            continue;
        }
        const float *query = tile->rows + i * tile->stride;
        const float *row = bank->rows + (size_t)index[i] * bank->stride;
        double sum = 0;
        for (size_t j = 0; j < bank->dimension_count; j++) {
            double difference = (double)query[j] - (double)row[j];
            sum += difference * difference;
        }
        float distance = (float)sum;
        if (isfinite(distance)) {
            squared_distance[i] = distance;
        } else {
            index[i] = NEAREST_NONE;
        }
    }
}

void nearest_search(const struct nearest_bank *bank, const struct nearest_queries *queries,
                    float *restrict workspace, uint32_t *restrict index,
                    float *restrict squared_distance)
{
    nearest_search_by(nearest_path_best(), bank, queries, workspace, index, squared_distance);
}

void nearest_search_by(enum nearest_path path, const struct nearest_bank *bank,
                       const struct nearest_queries *queries, float *restrict workspace,
                       uint32_t *restrict index, float *restrict squared_distance)
{
    float *products = workspace;
    float *least = products + (size_t)QUERY_TILE * BANK_TILE;
    float *padded = least + QUERY_TILE;
    size_t dimensions = bank->dimension_count;
    for (size_t first = 0; first < queries->row_count; first += QUERY_TILE) {
        size_t left = queries->row_count - first;
        struct nearest_queries tile = {.rows = queries->rows + first * queries->stride,
                                       .row_count = left < QUERY_TILE ? left : QUERY_TILE,
                                       .stride = queries->stride};
        if (left < QUERY_TILE) {
            memset(padded, 0, QUERY_TILE * dimensions * sizeof *padded);
            for (size_t i = 0; i < left; i++) {
                memcpy(padded + i * dimensions, tile.rows + i * tile.stride,
                       dimensions * sizeof *padded);
            }
            tile.rows = padded;
            tile.stride = dimensions;
        }
        search_tile(path, bank, &tile, products, least, index + first);
        measure_winners(bank, &tile, index + first, squared_distance + first);
    }
}
