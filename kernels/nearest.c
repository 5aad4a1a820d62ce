/* SPDX-License-Identifier: Apache-2.0 */
#include <cblas.h>

#include "kernels/nearest_scan.h"

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

double nearest_squared_norm(const float *row, size_t dimension_count)
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
        norms[i] = (float)nearest_squared_norm(rows + i * stride, dimension_count);
    }
}

/* The products first, then what has been found. Doubles stand at the front of both. */
enum {
    FOUND_FLOATS =
        NEAREST_PRODUCT_QUERIES * NEAREST_WANTED_MAX * (int)sizeof(struct nearest_found) / 4
};

size_t nearest_workspace_floats(void)
{
    size_t products = (size_t)NEAREST_PRODUCTS_MAX + FOUND_FLOATS + 2;
    size_t tile = nearest_tile_floats();
    return products > tile ? products : tile;
}

enum nearest_path nearest_path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        return nearest_amx_ready() ? NEAREST_AMX : NEAREST_AVX512_VNNI;
    }
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
    if (path >= NEAREST_AVX512) {
        return least_avx512(products, norms, count);
    }
    if (path == NEAREST_AVX2) {
        return least_avx2(products, norms, count);
    }
#endif
    (void)path;
    return least_portable(products, norms, count);
}

double nearest_measure(const float *query, const float *row, size_t dimension_count)
{
    double sum = 0;
    for (size_t j = 0; j < dimension_count; j++) {
        double difference = (double)query[j] - (double)row[j];
        sum += difference * difference;
    }
    return sum;
}

/* One query and what it has found so far. */
struct search {
    const float *query;
    double squared_norm; /* INFINITY when it can have no answer */
    struct nearest_hold hold;
};

/* One query's stretch of a tile: bank rows first .. first + count - 1. */
struct stretch {
    const float *products; /* -2 q.b */
    const float *norms;
    size_t first;
    size_t count;
    double norm_max; /* largest finite entry of norms */
};

/* No row of the stretch whose rounded bracket lies above this can be nearer than the farthest held.
 * The error of a bracket is at most (D + 4) u (|b|^2 + 2 |q| |b|), underflow aside: SGEMM in any
 * order with or without FMA, the rounded norm, the addition. */
static float contender_limit(const struct search *search, const struct stretch *stretch,
                             size_t dimension_count)
{
    double farthest = search->hold.found[search->hold.wanted - 1].distance;
    double rounding = ((double)dimension_count + 4) * 0x1.02p-24;
    double error =
        rounding * (stretch->norm_max + 2 * sqrt(stretch->norm_max) * sqrt(search->squared_norm)) +
        (double)dimension_count * (double)FLT_MIN;
    double limit = (farthest - search->squared_norm) + error;
    return limit < (double)FLT_MAX ? nextafterf((float)limit, INFINITY) : FLT_MAX;
}

/* Measure the stretch's contenders. The smallest bracket goes first, as it usually shuts the others
 * out; after that the order does not matter, because equal distances go to the lower index. */
static void measure_contenders(const struct nearest_bank *bank, const struct search *search,
                               const struct stretch *stretch, float least)
{
    float limit = least;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t j = 0; j < stretch->count; j++) {
            if (!(stretch->products[j] + stretch->norms[j] <= limit)) {
                continue;
            }
            size_t index = stretch->first + j;
            struct nearest_found fresh = {.index = (uint32_t)index, .exact = 1};
            fresh.distance = nearest_measure(search->query, bank->rows + index * bank->stride,
                                             bank->dimension_count);
            nearest_hold_keep(&search->hold, &fresh);
        }
        limit = contender_limit(search, stretch, bank->dimension_count);
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

/* All bank rows, `rows_at_once` of them, against the queries of a tile. */
static void search_tile(enum nearest_path path, const struct nearest_bank *bank,
                        const struct nearest_queries *tile, size_t rows_at_once, float *products,
                        const struct search *searches)
{
    for (size_t first = 0; first < bank->row_count; first += rows_at_once) {
        size_t left = bank->row_count - first;
        struct stretch stretch = {.norms = bank->squared_norms + first,
                                  .first = first,
                                  .count = left < rows_at_once ? left : rows_at_once};
        stretch.norm_max = largest_finite(stretch.norms, stretch.count);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)tile->row_count,
                    (int)stretch.count, (int)bank->dimension_count, -2.0f, tile->rows,
                    (int)tile->stride, bank->rows + first * bank->stride, (int)bank->stride, 0.0f,
                    products, (int)rows_at_once);
        for (size_t i = 0; i < tile->row_count; i++) {
            stretch.products = products + i * rows_at_once;
            float least = least_by(path, stretch.products, stretch.norms, stretch.count);
            if (searches[i].squared_norm <= (double)FLT_MAX &&
                least <= contender_limit(&searches[i], &stretch, bank->dimension_count)) {
                measure_contenders(bank, &searches[i], &stretch, least);
            }
        }
    }
}

/* index and squared_distance of one query. */
static void tell(const struct nearest_hold *hold, uint32_t *index, float *squared_distance)
{
    for (size_t j = 0; j < hold->wanted; j++) {
        int found = hold->found[j].distance <= (double)FLT_MAX;
        index[j] = found ? hold->found[j].index : (uint32_t)NEAREST_NONE;
        squared_distance[j] = found ? (float)hold->found[j].distance : INFINITY;
    }
}

/* A tile of queries by SGEMM. */
static void search_by_product(const struct nearest_request *request,
                              const struct nearest_bank *bank, const struct nearest_queries *tile,
                              float *workspace, uint32_t *index, float *squared_distance)
{
    struct search searches[NEAREST_PRODUCT_QUERIES];
    struct nearest_tiles tiles = nearest_tiles_of(bank->cache, bank->dimension_count);
    char *found = (char *)(workspace + NEAREST_PRODUCTS_MAX);
    found += (8 - (uintptr_t)found % 8) % 8;
    for (size_t i = 0; i < tile->row_count; i++) {
        const float *query = tile->rows + i * tile->stride;
        double norm = nearest_squared_norm(query, bank->dimension_count);
        searches[i] = (struct search){
            .query = query,
            .squared_norm = isnan(norm) ? INFINITY : norm,
            .hold = {(struct nearest_found *)(void *)found + i * request->wanted, request->wanted}};
        nearest_hold_clear(&searches[i].hold);
    }
    search_tile(request->path, bank, tile, tiles.rows, workspace, searches);
    for (size_t i = 0; i < tile->row_count; i++) {
        tell(&searches[i].hold, index + i * request->wanted,
             squared_distance + i * request->wanted);
    }
}

/* The loops of a path that multiplies bytes, NULL for the others. */
static const struct nearest_loops *loops_of(enum nearest_path path)
{
#if defined(__x86_64__)
    if (path == NEAREST_AMX) {
        return &nearest_loops_amx;
    }
    if (path == NEAREST_AVX512_VNNI) {
        return &nearest_loops_avx512_vnni;
    }
#endif
    (void)path;
    return NULL;
}

#if !defined(__x86_64__)
int nearest_amx_allow(void)
{
    return 0;
}
#endif

int nearest_path_packs(enum nearest_path path)
{
    return loops_of(path) != NULL;
}

static struct nearest_queries queries_from(const struct nearest_queries *all, size_t first,
                                           size_t count_max)
{
    size_t left = all->row_count - first;
    return (struct nearest_queries){.rows = all->rows + first * all->stride,
                                    .row_count = left < count_max ? left : count_max,
                                    .stride = all->stride};
}

/* At most NEAREST_TILE queries by bytes. Queries that bytes cannot say, a norm near the limits of
 * float, go the other way. False: too many rows had to be measured, nothing is told. */
static int search_by_bytes(const struct nearest_request *request, const struct nearest_bank *bank,
                           const struct nearest_queries *queries, float *workspace, uint32_t *index,
                           float *squared_distance)
{
    size_t wanted = request->wanted;
    struct nearest_tile tile = {
        .loops = loops_of(request->path), .bank = bank, .queries = *queries, .wanted = wanted};
    int odd[NEAREST_TILE];
    nearest_tile_place(&tile, workspace);
    if (!nearest_packed_search(&tile)) {
        return 0;
    }
    for (size_t i = 0; i < queries->row_count; i++) {
        struct nearest_hold hold = {tile.found + i * wanted, wanted};
        odd[i] = isinf(tile.square_norms[i]);
        tell(&hold, index + i * wanted, squared_distance + i * wanted);
    }
    for (size_t i = 0; i < queries->row_count; i++) {
        if (odd[i]) {
            struct nearest_queries one = queries_from(queries, i, 1);
            search_by_product(request, bank, &one, workspace, index + i * wanted,
                              squared_distance + i * wanted);
        }
    }
    return 1;
}

void nearest_search(const struct nearest_bank *bank, const struct nearest_queries *queries,
                    float *restrict workspace, uint32_t *restrict index,
                    float *restrict squared_distance)
{
    nearest_search_several(bank, queries, 1, workspace, index, squared_distance);
}

void nearest_search_several(const struct nearest_bank *bank, const struct nearest_queries *queries,
                            size_t wanted, float *restrict workspace, uint32_t *restrict index,
                            float *restrict squared_distance)
{
    struct nearest_request request = {.path = nearest_path_best(), .wanted = wanted};
    nearest_search_by(&request, bank, queries, workspace, index, squared_distance);
}

void nearest_search_by(const struct nearest_request *request, const struct nearest_bank *bank,
                       const struct nearest_queries *queries, float *restrict workspace,
                       uint32_t *restrict index, float *restrict squared_distance)
{
    size_t wanted = request->wanted;
    int bytes =
        loops_of(request->path) != NULL && bank->packed != NULL && bank->packed->group_count > 0;
    const struct nearest_tiles tiles =
        nearest_tiles_of(bank->cache, bytes ? bank->packed->depth : bank->dimension_count);
    size_t first = 0;
    while (first < queries->row_count) {
        struct nearest_queries tile =
            queries_from(queries, first, bytes ? tiles.byte_queries : tiles.queries);
        bytes = bytes && search_by_bytes(request, bank, &tile, workspace, index + first * wanted,
                                         squared_distance + first * wanted);
        if (!bytes) {
            search_by_product(request, bank, &tile, workspace, index + first * wanted,
                              squared_distance + first * wanted);
        }
        first += tile.row_count;
    }
}
