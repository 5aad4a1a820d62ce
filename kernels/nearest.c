/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest.h"

#include <cblas.h>
#include <float.h>
#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* |q - b|^2 = |q|^2 + (|b|^2 - 2 q.b). SGEMM writes -2 q.b for a tile of queries and bank rows, and
 * the epilogue adds the norms and takes the minimum of each query's stretch while the tile is still
 * in the cache. Only when that minimum could beat the best distance so far, rounding considered, is
 * the stretch looked at again and its contenders measured exactly; that is rare after the first
 * tiles.
 *
 * Why not trust SGEMM's minimum: OpenBLAS rounds an element differently by its position in the tile
 * (Haswell kernels do, in groups of 6 and 16), so winners of near ties would change with the batch.
 */

/* QUERY_TILE x BANK_TILE floats are 512 KiB: half of a second-level cache of 1 MiB. Smaller tiles
 * pay for packing, larger ones fall out of the cache. */
enum { QUERY_TILE = 256, BANK_TILE = 512 };

static double squared_norm(const float *row, size_t dimension_count)
{
    double sum = 0;
    for (size_t j = 0; j < dimension_count; j++) {
        sum += (double)row[j] * (double)row[j];
    }
    return sum;
}

void nearest_squared_norms(const float *restrict rows, size_t row_count, size_t dimension_count,
                           size_t stride, float *restrict norms)
{
    for (size_t i = 0; i < row_count; i++) {
        norms[i] = (float)squared_norm(rows + i * stride, dimension_count);
    }
}

size_t nearest_workspace_floats(void)
{
    return (size_t)QUERY_TILE * BANK_TILE;
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

static double measure(const float *query, const float *row, size_t dimension_count)
{
    double sum = 0;
    for (size_t j = 0; j < dimension_count; j++) {
        double difference = (double)query[j] - (double)row[j];
        sum += difference * difference;
    }
    return sum;
}

/* The best of one query so far. */
struct best {
    double squared_norm; /* of the query; INFINITY when it can have no answer */
    double distance;     /* squared, exact to double */
    uint32_t index;
};

/* One query's stretch of a tile: bank rows first .. first + count - 1. */
struct stretch {
    const float *products; /* -2 q.b */
    const float *norms;
    size_t first;
    size_t count;
    double norm_max; /* largest finite entry of norms */
};

/* No row of the stretch whose rounded bracket lies above this can be nearer than the best. The
 * error of a bracket is at most (D + 4) u (|b|^2 + 2 |q| |b|), underflow aside: SGEMM in any order
 * with or without FMA, the rounded norm, the addition. */
static float contender_limit(const struct best *best, const struct stretch *stretch,
                             size_t dimension_count)
{
    double rounding = ((double)dimension_count + 4) * 0x1.02p-24;
    double error =
        rounding * (stretch->norm_max + 2 * sqrt(stretch->norm_max) * sqrt(best->squared_norm)) +
        (double)dimension_count * (double)FLT_MIN;
    double limit = (best->distance - best->squared_norm) + error;
    return limit < (double)FLT_MAX ? nextafterf((float)limit, INFINITY) : FLT_MAX;
}

/* Measure the stretch's contenders. The smallest bracket goes first, as it usually shuts the others
 * out; after that the order does not matter, because equal distances go to the lower index. */
static void measure_contenders(const struct nearest_bank *bank, const float *query,
                               const struct stretch *stretch, float least, struct best *best)
{
    float limit = least;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t j = 0; j < stretch->count; j++) {
            if (!(stretch->products[j] + stretch->norms[j] <= limit)) {
                continue;
            }
            uint32_t index = (uint32_t)(stretch->first + j);
            double distance =
                measure(query, bank->rows + (size_t)index * bank->stride, bank->dimension_count);
            if (distance < best->distance || (distance <= best->distance && index < best->index)) {
                best->distance = distance;
                best->index = index;
            }
        }
        limit = contender_limit(best, stretch, bank->dimension_count);
    }
}

static double largest_finite(const float *norms, size_t count)
{
    double largest = 0;
    for (size_t j = 0; j < count; j++) {
        if (isfinite(norms[j]) && (double)norms[j] > largest) {
            largest = (double)norms[j];
        }
    }
    return largest;
}

/* All bank rows against at most QUERY_TILE queries. */
static void search_tile(enum nearest_path path, const struct nearest_bank *bank,
                        const struct nearest_queries *tile, float *products, struct best *best)
{
    for (size_t first = 0; first < bank->row_count; first += BANK_TILE) {
        size_t left = bank->row_count - first;
        struct stretch stretch = {.norms = bank->squared_norms + first,
                                  .first = first,
                                  .count = left < BANK_TILE ? left : BANK_TILE};
        stretch.norm_max = largest_finite(stretch.norms, stretch.count);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)tile->row_count,
                    (int)stretch.count, (int)bank->dimension_count, -2.0f, tile->rows,
                    (int)tile->stride, bank->rows + first * bank->stride, (int)bank->stride, 0.0f,
                    products, BANK_TILE);
        for (size_t i = 0; i < tile->row_count; i++) {
            stretch.products = products + i * BANK_TILE;
            float least = least_by(path, stretch.products, stretch.norms, stretch.count);
            if (best[i].squared_norm <= (double)FLT_MAX &&
                least <= contender_limit(&best[i], &stretch, bank->dimension_count)) {
                measure_contenders(bank, tile->rows + i * tile->stride, &stretch, least, &best[i]);
            }
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
    struct best best[QUERY_TILE];
    for (size_t first = 0; first < queries->row_count; first += QUERY_TILE) {
        size_t left = queries->row_count - first;
        struct nearest_queries tile = {.rows = queries->rows + first * queries->stride,
                                       .row_count = left < QUERY_TILE ? left : QUERY_TILE,
                                       .stride = queries->stride};
        for (size_t i = 0; i < tile.row_count; i++) {
            double norm = squared_norm(tile.rows + i * tile.stride, bank->dimension_count);
            best[i] = (struct best){isnan(norm) ? INFINITY : norm, INFINITY, NEAREST_NONE};
        }
        search_tile(path, bank, &tile, workspace, best);
        for (size_t i = 0; i < tile.row_count; i++) {
            int found = best[i].distance <= (double)FLT_MAX;
            index[first + i] = found ? best[i].index : (uint32_t)NEAREST_NONE;
            squared_distance[first + i] = found ? (float)best[i].distance : INFINITY;
        }
    }
}
