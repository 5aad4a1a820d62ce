/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "kernels/ref/nearest_ref.h"
#include "tests/kernels/draw.h"

#if !defined(NEAREST_TESTS_OF_AMX)
#define NEAREST_TESTS_OF_AMX
#endif

struct found {
    uint32_t *index;
    float *distance;
};

static struct nearest_bank make_bank(uint64_t seed, size_t rows, size_t dimensions, size_t stride)
{
    float *matrix = draw_matrix(seed, rows, dimensions, stride);
    float *norms = draw_room(rows, sizeof *norms);
    nearest_squared_norms(matrix, rows, dimensions, stride, norms);
    struct nearest_bank bank = {.rows = matrix,
                                .row_count = rows,
                                .dimension_count = dimensions,
                                .stride = stride,
                                .squared_norms = norms};
    /* On a multiple of 64 the result stands at the front: it is what free() takes. */
    size_t bytes = (nearest_pack_bytes(rows, dimensions) + 63) / 64 * 64;
    bank.packed = nearest_pack(&bank, aligned_alloc(64, bytes));
    return bank;
}

/* After a change of its rows. */
static void renew(struct nearest_bank *bank)
{
    nearest_squared_norms(bank->rows, bank->row_count, bank->dimension_count, bank->stride,
                          (float *)(uintptr_t)bank->squared_norms);
    bank->packed = nearest_pack(bank, (void *)(uintptr_t)bank->packed);
}

static void free_bank(struct nearest_bank *bank)
{
    free((void *)(uintptr_t)bank->rows);
    free((void *)(uintptr_t)bank->squared_norms);
    free((void *)(uintptr_t)bank->packed);
}

static struct found search_several(enum nearest_path path, size_t wanted,
                                   const struct nearest_bank *bank, const float *queries,
                                   size_t count, size_t stride)
{
    struct found found = {draw_room(count * wanted, sizeof(uint32_t)),
                          draw_room(count * wanted, sizeof(float))};
    float *workspace = draw_room(nearest_workspace_floats(), sizeof(float));
    struct nearest_queries rows = {queries, count, stride};
    struct nearest_request request = {.path = path, .wanted = wanted};
    nearest_search_by(&request, bank, &rows, workspace, found.index, found.distance);
    free(workspace);
    return found;
}

static struct found search(enum nearest_path path, const struct nearest_bank *bank,
                           const float *queries, size_t count, size_t stride)
{
    return search_several(path, 1, bank, queries, count, stride);
}

static void free_found(struct found *found)
{
    free(found->index);
    free(found->distance);
}

/* The answer is the reference's, exactly: indices and correctly rounded distances. */
static void check_several(size_t wanted, const struct nearest_bank *bank, const float *queries,
                          size_t count, size_t stride, const struct found *found)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t index[NEAREST_WANTED_MAX];
        double distance[NEAREST_WANTED_MAX];
        nearest_ref_several(bank, queries + i * stride, wanted, index, distance);
        for (size_t k = 0; k < wanted; k++) {
            assert_int_equal(found->index[i * wanted + k], index[k]);
            assert_true(found->distance[i * wanted + k] == (float)distance[k]);
        }
    }
}

static void check_against_reference(const struct nearest_bank *bank, const float *queries,
                                    size_t count, size_t stride, const struct found *found)
{
    check_several(1, bank, queries, count, stride, found);
}

/* On every path of this machine, for one and for several. */
static void check_all_paths(const struct nearest_bank *bank, const float *queries, size_t count,
                            size_t stride)
{
    static const size_t wanted[] = {1, 3, NEAREST_WANTED_MAX};
    for (size_t w = 0; w < 3; w++) {
        struct found first =
            search_several(NEAREST_PORTABLE, wanted[w], bank, queries, count, stride);
        check_several(wanted[w], bank, queries, count, stride, &first);
        for (int path = NEAREST_AVX2; path <= (int)nearest_path_best(); path++) {
            struct found found =
                search_several((enum nearest_path)path, wanted[w], bank, queries, count, stride);
            assert_memory_equal(found.index, first.index, count * wanted[w] * sizeof(uint32_t));
            assert_memory_equal(found.distance, first.distance, count * wanted[w] * sizeof(float));
            free_found(&found);
        }
        free_found(&first);
    }
}

/* Odd shapes around the tile and vector sizes, leading dimensions larger than the columns. */
static void nearest_odd_shapes_match_reference(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {
        {1, 1, 1},      {3, 5, 7},      {33, 17, 31},  {300, 511, 64}, {257, 513, 3},
        {64, 1025, 20}, {5, 1100, 260}, {47, 1, 63},   {49, 63, 65},   {241, 65, 127},
        {7, 129, 128},  {2, 200, 2},    {11, 90, 512}, {11, 90, 513}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t count = shapes[s][0];
        size_t dimensions = shapes[s][2];
        size_t query_stride = dimensions + 3;
        struct nearest_bank bank = make_bank(s, shapes[s][1], dimensions, dimensions + 5);
        float *queries = draw_matrix(s + 100, count, dimensions, query_stride);
        check_all_paths(&bank, queries, count, query_stride);
        free(queries);
        free_bank(&bank);
    }
}

/* Every path this machine has gives the same bits. */
static void nearest_paths_agree_to_the_bit(void **state)
{
    (void)state;
    struct nearest_bank bank = make_bank(7, 1037, 48, 48);
    float *queries = draw_matrix(8, 301, 48, 48);
    queries[5 * 48] = NAN;
    struct found portable = search(NEAREST_PORTABLE, &bank, queries, 301, 48);
    for (int path = NEAREST_AVX2; path <= (int)nearest_path_best(); path++) {
        struct found vector = search((enum nearest_path)path, &bank, queries, 301, 48);
        assert_memory_equal(portable.index, vector.index, 301 * sizeof(uint32_t));
        assert_memory_equal(portable.distance, vector.distance, 301 * sizeof(float));
        free_found(&vector);
    }
    free_found(&portable);
    free(queries);
    free_bank(&bank);
}

/* A query's answer does not depend on what else is in the batch or where it stands. The bank is
 * full of near ties (differences of an ulp), so a changed inner loop would change winners. */
static void nearest_batch_split_gives_same_bits(void **state)
{
    (void)state;
    enum { COUNT = 700, DIMENSIONS = 64, BANK = 1300 };
    struct nearest_bank bank = make_bank(11, BANK, DIMENSIONS, DIMENSIONS);
    float *rows = (float *)(uintptr_t)bank.rows;
    for (size_t i = 1; i < BANK; i += 2) {
        for (size_t j = 0; j < DIMENSIONS; j++) {
            rows[i * DIMENSIONS + j] = nextafterf(rows[(i - 1) * DIMENSIONS + j], 10.0f);
        }
    }
    renew(&bank);
    float *queries = draw_matrix(12, COUNT, DIMENSIONS, DIMENSIONS);
    memcpy(queries, rows + 40 * DIMENSIONS, 200 * DIMENSIONS * sizeof *queries);
    struct found whole = search(nearest_path_best(), &bank, queries, COUNT, DIMENSIONS);
    check_against_reference(&bank, queries, COUNT, DIMENSIONS, &whole);
    static const size_t splits[] = {1, 3, 8, 100, 255, 256, 257, 699};
    for (size_t s = 0; s < sizeof splits / sizeof *splits; s++) {
        for (size_t first = 0; first < COUNT; first += splits[s] * 7) {
            size_t count = first + splits[s] <= COUNT ? splits[s] : COUNT - first;
            struct found part =
                search(nearest_path_best(), &bank, queries + first * DIMENSIONS, count, DIMENSIONS);
            assert_memory_equal(part.index, whole.index + first, count * sizeof(uint32_t));
            assert_memory_equal(part.distance, whole.distance + first, count * sizeof(float));
            free_found(&part);
        }
    }
    free_found(&whole);
    free(queries);
    free_bank(&bank);
}

static void nearest_equal_rows_lowest_index_wins(void **state)
{
    (void)state;
    struct nearest_bank bank = make_bank(21, 1200, 16, 16);
    float *rows = (float *)(uintptr_t)bank.rows;
    static const size_t copies[] = {1199, 1030, 600, 511, 40, 13};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        memcpy(rows + copies[i] * 16, rows, 16 * sizeof *rows);
    }
    memcpy(rows + 9 * 16, rows, 16 * sizeof *rows);
    float *query = draw_room(16, sizeof *query);
    memcpy(query, rows, 16 * sizeof *query);
    rows[0] = 1e10f; /* row 0 itself moves away: 9 is now the first of its copies */
    renew(&bank);
    for (int path = 0; path <= (int)nearest_path_best(); path++) {
        struct found found = search((enum nearest_path)path, &bank, query, 1, 16);
        assert_int_equal(found.index[0], 9);
        assert_true(found.distance[0] == 0.0f);
        free_found(&found);
    }
    free(query);
    free_bank(&bank);
}

/* The expanded form would lose everything here: norms of 3e6 and a distance of 3e-6. */
static void nearest_small_distance_far_from_origin_keeps_digits(void **state)
{
    (void)state;
    float bank_rows[4] = {1000.0f, 1000.0f, 1000.0f, 500.0f};
    float norms[1];
    nearest_squared_norms(bank_rows, 1, 4, 4, norms);
    struct nearest_bank bank = {bank_rows, 1, 4, 4, norms, NULL, NULL};
    float query[4] = {1000.0009765625f, 1000.0f, 1000.0f, 500.0f};
    struct found found = search(nearest_path_best(), &bank, query, 1, 4);
    assert_true(found.distance[0] == 0x1p-20f);
    free_found(&found);
}

static void nearest_nan_and_infinity_stay_in_their_row(void **state)
{
    (void)state;
    struct nearest_bank bank = make_bank(31, 70, 12, 12);
    float *rows = (float *)(uintptr_t)bank.rows;
    float *queries = draw_matrix(32, 20, 12, 12);
    struct found before = search(nearest_path_best(), &bank, queries, 20, 12);
    uint32_t loser = before.index[2];
    queries[3 * 12 + 4] = NAN;
    queries[4 * 12] = INFINITY;
    queries[5 * 12 + 11] = 3e38f;
    struct found after = search(nearest_path_best(), &bank, queries, 20, 12);
    for (size_t i = 0; i < 20; i++) {
        if (i >= 3 && i <= 5) {
            assert_int_equal(after.index[i], NEAREST_NONE);
            assert_true(isinf(after.distance[i]));
        } else {
            assert_int_equal(after.index[i], before.index[i]);
        }
    }
    rows[loser * 12 + 1] = NAN;
    renew(&bank);
    struct found without = search(nearest_path_best(), &bank, queries, 20, 12);
    for (size_t i = 0; i < 20; i++) {
        assert_int_not_equal(without.index[i], loser);
    }
    assert_int_not_equal(without.index[2], NEAREST_NONE);
    free_found(&before);
    free_found(&after);
    free_found(&without);
    free(queries);
    free_bank(&bank);
}

static void nearest_empty_bank_or_batch_answers_nothing(void **state)
{
    (void)state;
    struct nearest_bank bank = make_bank(41, 0, 4, 4);
    float queries[8] = {0};
    struct found found = search(nearest_path_best(), &bank, queries, 2, 4);
    assert_int_equal(found.index[0], NEAREST_NONE);
    assert_true(isinf(found.distance[1]));
    free_found(&found);
    found = search(nearest_path_best(), &bank, queries, 0, 4);
    assert_int_equal(found.index[0], 0); /* untouched */
    free_found(&found);
    free_bank(&bank);
}

/* Rows that bytes cannot tell apart: all alike, clusters that differ in the last digits, everything
 * far from the origin. The search notices and goes through SGEMM; the answer is the same. */
static void nearest_crowded_banks_match_reference(void **state)
{
    (void)state;
    enum { BANK = 900, COUNT = 60, DIMENSIONS = 24 };
    for (int kind = 0; kind < 4; kind++) {
        struct nearest_bank bank = make_bank(50, BANK, DIMENSIONS, DIMENSIONS);
        float *rows = (float *)(uintptr_t)bank.rows;
        float *queries = draw_matrix(51, COUNT, DIMENSIONS, DIMENSIONS);
        for (size_t i = 0; i < (size_t)BANK * DIMENSIONS; i++) {
            size_t j = i % DIMENSIONS;
            static const float spreads[] = {0, 1e-6f, 1e-3f, 1};
            float centre = kind == 3 ? 1000 : (float)(1 + j) * (i / DIMENSIONS % 2 == 0 ? 1 : -1);
            rows[i] = centre + spreads[kind] * rows[i];
        }
        for (size_t i = 0; kind == 3 && i < (size_t)COUNT * DIMENSIONS; i++) {
            queries[i] += 1000;
        }
        renew(&bank);
        check_all_paths(&bank, queries, COUNT, DIMENSIONS);
        free(queries);
        free_bank(&bank);
    }
}

/* Every size of number that float has, in one bank: subnormal, tiny, ordinary, near the limit where
 * bytes are no longer used, beyond it. */
static void nearest_all_magnitudes_match_reference(void **state)
{
    (void)state;
    enum { BANK = 300, COUNT = 96, DIMENSIONS = 17 };
    static const float sizes[] = {0, 1e-44f, 1e-38f, 1e-30f, 1e-20f, 1, 1e10f, 1e17f, 1e18f};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (size_t most = 1; most <= SIZES; most++) {
        struct nearest_bank bank = make_bank(60 + most, BANK, DIMENSIONS, DIMENSIONS);
        float *rows = (float *)(uintptr_t)bank.rows;
        float *queries = draw_matrix(80 + most, COUNT, DIMENSIONS, DIMENSIONS);
        for (size_t i = 0; i < (size_t)BANK * DIMENSIONS; i++) {
            rows[i] *= sizes[i / DIMENSIONS % most];
        }
        for (size_t i = 0; i < (size_t)COUNT * DIMENSIONS; i++) {
            queries[i] *= sizes[i / DIMENSIONS % SIZES];
        }
        renew(&bank);
        check_all_paths(&bank, queries, COUNT, DIMENSIONS);
        free(queries);
        free_bank(&bank);
    }
}

/* Rows that all have one value, one entry, or nothing; queries among them and beside them. */
static void nearest_constant_rows_match_reference(void **state)
{
    (void)state;
    enum { BANK = 200, DIMENSIONS = 40 };
    struct nearest_bank bank = make_bank(71, BANK, DIMENSIONS, DIMENSIONS);
    float *rows = (float *)(uintptr_t)bank.rows;
    for (size_t i = 0; i < BANK; i++) {
        for (size_t j = 0; j < DIMENSIONS; j++) {
            float constant = (float)((int)i - BANK / 2) * 0.125f;
            rows[i * DIMENSIONS + j] = i % 3 == 0 ? constant : i % 3 == 1 && j == i % DIMENSIONS;
        }
    }
    renew(&bank);
    check_all_paths(&bank, bank.rows, BANK, DIMENSIONS);
    free_bank(&bank);
}

/* What bytes leave out of a row here points along the query, so a bracket is wrong by all of its
 * margin: the nearer row's is too high, the other's too low. Half the margin would lose the nearer
 * one. */
static void nearest_worst_rounding_of_rows_keeps_winner(void **state)
{
    (void)state;
    enum { PAIRS = 70, DIMENSIONS = 64 };
    const float step = 0x1p-7f;
    struct rng rng;
    rng_init(&rng, 91, 0);
    float query[DIMENSIONS];
    for (size_t j = 0; j < DIMENSIONS; j++) {
        query[j] = (rng_next(&rng) & 1 ? 30 : -30) * step;
    }
    struct nearest_bank bank = make_bank(90, 2 * (size_t)PAIRS, DIMENSIONS, DIMENSIONS);
    float *rows = (float *)(uintptr_t)bank.rows;
    for (size_t i = 0; i < 2 * (size_t)PAIRS * DIMENSIONS; i++) {
        size_t row = i / DIMENSIONS;
        size_t column = i % DIMENSIONS;
        float sign = query[column] > 0 ? 1 : -1;
        float whole = (float)(60 + row / 2 % 3);
        float part = row % 2 == 0 ? 0.51f : 0.49f;
        rows[i] = column == 0 ? sign * 127 * step : sign * (whole + part) * step;
    }
    renew(&bank);
    check_all_paths(&bank, query, 1, DIMENSIONS);
    free_bank(&bank);
}

/* The same with what bytes leave out of the query: it points at the nearer of two rows that stand
 * on opposite sides. */
static void nearest_worst_rounding_of_query_keeps_winner(void **state)
{
    (void)state;
    enum { BANK = 200, DIMENSIONS = 64 };
    const float step = 0x1p-7f;
    struct nearest_bank bank = make_bank(92, BANK, DIMENSIONS, DIMENSIONS);
    float *rows = (float *)(uintptr_t)bank.rows;
    float query[DIMENSIONS];
    for (size_t j = 0; j < DIMENSIONS; j++) {
        /* whole numbers with a sum of -30 from column 1 on, and nearly half a step more in each */
        query[j] = ((float)(j % 2 == 0 ? 10 : -10) - (float)(j >= 44) + 0.49f) * step;
    }
    query[0] = 127 * step;
    for (size_t i = 0; i < BANK; i++) {
        for (size_t j = 0; j < DIMENSIONS; j++) {
            rows[i * DIMENSIONS + j] = j == 0 ? 0 : (i % 2 == 0 ? -127 : 127) * step;
        }
    }
    renew(&bank);
    check_all_paths(&bank, query, 1, DIMENSIONS);
    free_bank(&bank);
}

struct half {
    const struct nearest_bank *bank;
    const float *queries;
    size_t count;
    struct found found;
};

static void *search_half(void *argument)
{
    struct half *half = argument;
    half->found = search_several(nearest_path_best(), 2, half->bank, half->queries, half->count,
                                 half->bank->dimension_count);
    return NULL;
}

/* Threads share a packed bank and split the queries between them. */
static void nearest_threads_give_same_bits(void **state)
{
    (void)state;
    enum { COUNT = 800, SPLIT = 311, DIMENSIONS = 48 };
    struct nearest_bank bank = make_bank(95, 1500, DIMENSIONS, DIMENSIONS);
    float *queries = draw_matrix(96, COUNT, DIMENSIONS, DIMENSIONS);
    struct half whole = {.bank = &bank, .queries = queries, .count = COUNT};
    (void)search_half(&whole);
    struct half halves[2] = {
        {.bank = &bank, .queries = queries, .count = SPLIT},
        {.bank = &bank, .queries = queries + (size_t)SPLIT * DIMENSIONS, .count = COUNT - SPLIT}};
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, search_half, &halves[1]), 0);
    (void)search_half(&halves[0]);
    assert_int_equal(pthread_join(other, NULL), 0);
    for (size_t h = 0; h < 2; h++) {
        size_t at = h == 0 ? 0 : 2 * (size_t)SPLIT;
        size_t bytes = 2 * halves[h].count * sizeof(float);
        assert_memory_equal(halves[h].found.index, whole.found.index + at, bytes);
        assert_memory_equal(halves[h].found.distance, whole.found.distance + at, bytes);
        free_found(&halves[h].found);
    }
    free_found(&whole.found);
    free(queries);
    free_bank(&bank);
}

/* A row that NaN or a norm beyond float keeps out of the packed bank stays out of the answers. */
static void nearest_rows_without_norm_never_win(void **state)
{
    (void)state;
    enum { BANK = 130, DIMENSIONS = 8 };
    struct nearest_bank bank = make_bank(97, BANK, DIMENSIONS, DIMENSIONS);
    float *rows = (float *)(uintptr_t)bank.rows;
    for (size_t i = 0; i < BANK; i += 3) {
        rows[i * DIMENSIONS + i % DIMENSIONS] = i % 2 == 0 ? NAN : i % 9 == 0 ? INFINITY : 3e38f;
    }
    renew(&bank);
    float *queries = draw_matrix(98, 30, DIMENSIONS, DIMENSIONS);
    struct found portable = search_several(NEAREST_PORTABLE, 16, &bank, queries, 30, DIMENSIONS);
    for (int path = NEAREST_AVX2; path <= (int)nearest_path_best(); path++) {
        struct found found =
            search_several((enum nearest_path)path, 16, &bank, queries, 30, DIMENSIONS);
        assert_memory_equal(found.index, portable.index, 480 * sizeof(uint32_t));
        assert_memory_equal(found.distance, portable.distance, 480 * sizeof(float));
        free_found(&found);
    }
    for (size_t i = 0; i < 480; i++) {
        assert_int_not_equal(portable.index[i] % 3, 0);
    }
    free_found(&portable);
    free(queries);
    free_bank(&bank);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NEAREST_TESTS_OF_AMX cmocka_unit_test(nearest_odd_shapes_match_reference),
        cmocka_unit_test(nearest_paths_agree_to_the_bit),
        cmocka_unit_test(nearest_batch_split_gives_same_bits),
        cmocka_unit_test(nearest_equal_rows_lowest_index_wins),
        cmocka_unit_test(nearest_small_distance_far_from_origin_keeps_digits),
        cmocka_unit_test(nearest_nan_and_infinity_stay_in_their_row),
        cmocka_unit_test(nearest_empty_bank_or_batch_answers_nothing),
        cmocka_unit_test(nearest_crowded_banks_match_reference),
        cmocka_unit_test(nearest_all_magnitudes_match_reference),
        cmocka_unit_test(nearest_constant_rows_match_reference),
        cmocka_unit_test(nearest_worst_rounding_of_rows_keeps_winner),
        cmocka_unit_test(nearest_worst_rounding_of_query_keeps_winner),
        cmocka_unit_test(nearest_threads_give_same_bits),
        cmocka_unit_test(nearest_rows_without_norm_never_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
