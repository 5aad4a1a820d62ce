/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cache.h"

#include <string.h>

#include "kernels/nearest_scan.h"
#include "kernels/patch.h"
#include "tests/kernels/draw.h"

/* Caches of small and large processors, and one of which nothing is known. */
static const struct cache caches[] = {{32 << 10, 256 << 10},  {48 << 10, 1 << 20},
                                      {64 << 10, 512 << 10},  {48 << 10, 2 << 20},
                                      {16 << 10, 128 << 10},  {0, 0},
                                      {128 << 10, 16u << 20}, {1, 1}};
enum { CACHES = sizeof caches / sizeof caches[0] };

static void cache_is_held_within_its_bounds(void **state)
{
    (void)state;
    struct cache unknown = cache_bounded(&caches[5]);
    struct cache huge = cache_bounded(&(struct cache){SIZE_MAX, SIZE_MAX});
    struct cache tiny = cache_bounded(&(struct cache){1, 1});
    struct cache usual = cache_bounded(NULL);
    assert_memory_equal(&usual, &unknown, sizeof usual);
    assert_true(unknown.first_bytes == CACHE_FIRST_USUAL);
    assert_true(unknown.second_bytes == CACHE_SECOND_USUAL);
    assert_true(huge.first_bytes == CACHE_FIRST_MOST && huge.second_bytes == CACHE_SECOND_MOST);
    assert_true(tiny.first_bytes == CACHE_FIRST_LEAST && tiny.second_bytes == CACHE_SECOND_LEAST);
}

/* Whatever the cache and the depth: within the arrays, and beside a group within the first level
 * wherever more than the least tile would be. */
static void nearest_tiles_fit_cache_and_arrays(void **state)
{
    (void)state;
    for (size_t i = 0; i < CACHES; i++) {
        struct cache cache = cache_bounded(&caches[i]);
        for (size_t depth = NEAREST_DEPTH; depth <= NEAREST_PACKED_DIMENSIONS_MAX;
             depth += NEAREST_DEPTH) {
            struct nearest_tiles tiles = nearest_tiles_of(&caches[i], depth);
            assert_in_range(tiles.byte_queries, NEAREST_PAD, NEAREST_TILE);
            assert_int_equal(tiles.byte_queries % NEAREST_PAD, 0);
            assert_in_range(tiles.queries, 1, NEAREST_PRODUCT_QUERIES);
            assert_true(tiles.rows > 0 && tiles.queries * tiles.rows <= NEAREST_PRODUCTS_MAX);
            assert_true(tiles.byte_queries == NEAREST_PAD ||
                        (tiles.byte_queries + NEAREST_GROUP) * depth <= cache.first_bytes);
            assert_true(tiles.queries * tiles.rows * sizeof(float) <= cache.second_bytes / 2);
        }
    }
    /* The sizes of the machine that they were chosen on. */
    struct nearest_tiles known = nearest_tiles_of(&caches[1], 128);
    assert_int_equal(known.byte_queries, 240);
    assert_int_equal(known.queries, 256);
    assert_int_equal(known.rows, 512);
    assert_true(nearest_tiles_of(&caches[0], 128).byte_queries < 240);
}

enum { QUERIES = 530, BANK = 1100, WANTED = 3 };

struct answer {
    uint32_t index[QUERIES * WANTED];
    float distance[QUERIES * WANTED];
};

/* Property: index and distance have the same bits for tiles of every cache, on every path. */
static void check_nearest(size_t dimensions)
{
    static struct answer first, other;
    float *rows = draw_matrix(dimensions, BANK, dimensions, dimensions);
    float *queries = draw_matrix(1, QUERIES, dimensions, dimensions);
    float *norms = draw_room(BANK, sizeof *norms);
    void *memory = draw_room(nearest_pack_bytes(BANK, dimensions), 1);
    float *workspace = draw_room(nearest_workspace_floats(), sizeof *workspace);
    /* Near ties, so that rounding has something to decide. */
    for (size_t i = 0; i < BANK / 16; i++) {
        memcpy(rows + (BANK - 1 - i) * dimensions, rows + i * dimensions,
               dimensions * sizeof *rows);
        rows[(BANK - 1 - i) * dimensions] += 1e-6f;
    }
    nearest_squared_norms(rows, BANK, dimensions, dimensions, norms);
    struct nearest_bank bank = {.rows = rows,
                                .row_count = BANK,
                                .dimension_count = dimensions,
                                .stride = dimensions,
                                .squared_norms = norms};
    bank.packed = nearest_pack(&bank, memory);
    struct nearest_queries all = {queries, QUERIES, dimensions};
    struct nearest_request request = {.path = nearest_path_best(), .wanted = WANTED};
    nearest_search_by(&request, &bank, &all, workspace, first.index, first.distance);
    for (int path = NEAREST_PORTABLE; path <= (int)nearest_path_best(); path++) {
        for (size_t i = 0; i < CACHES; i++) {
            request.path = (enum nearest_path)path;
            bank.cache = &caches[i];
            memset(&other, 0, sizeof other);
            nearest_search_by(&request, &bank, &all, workspace, other.index, other.distance);
            assert_memory_equal(&other, &first, sizeof first);
        }
    }
    free(rows);
    free(queries);
    free(norms);
    free(memory);
    free(workspace);
}

static void nearest_tiles_of_any_cache_give_the_same_bits(void **state)
{
    (void)state;
    check_nearest(64);
    check_nearest(100);
}

/* Property: an embedding has the same bits for tiles of every cache. */
static void embed_tiles_of_any_cache_give_the_same_bits(void **state)
{
    (void)state;
    enum { INPUTS = 260, OUTPUTS = 64, ROWS = 300 };
    float *weights = draw_matrix(3, INPUTS, OUTPUTS, OUTPUTS);
    float *bias = draw_matrix(4, 1, OUTPUTS, OUTPUTS);
    float *features = draw_matrix(5, ROWS, INPUTS, INPUTS);
    float *first = draw_room(ROWS * OUTPUTS, sizeof *first);
    float *other = draw_room(ROWS * OUTPUTS, sizeof *other);
    struct patch_projection projection = {
        .feature_count = INPUTS, .embedding_count = OUTPUTS, .weights = weights, .bias = bias};
    double *workspace = draw_room(patch_embed_workspace_doubles(&projection), sizeof *workspace);
    patch_embed(&projection, features, ROWS, INPUTS, workspace, first);
    for (size_t i = 0; i < CACHES; i++) {
        projection.cache = &caches[i];
        memset(other, 0, ROWS * OUTPUTS * sizeof *other);
        patch_embed(&projection, features, ROWS, INPUTS, workspace, other);
        assert_memory_equal(other, first, ROWS * OUTPUTS * sizeof *first);
    }
    free(weights);
    free(bias);
    free(features);
    free(first);
    free(other);
    free(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_is_held_within_its_bounds),
        cmocka_unit_test(nearest_tiles_fit_cache_and_arrays),
        cmocka_unit_test(nearest_tiles_of_any_cache_give_the_same_bits),
        cmocka_unit_test(embed_tiles_of_any_cache_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
