/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/nearest_ref.h"
#include "tests/kernels/draw.h"

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
    bank.packed =
        nearest_pack(&bank, aligned_alloc(64, nearest_pack_bytes(rows, dimensions)));
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

static struct found search(enum nearest_path path, const struct nearest_bank *bank,
                           const float *queries, size_t count, size_t stride)
{
    struct found found = {draw_room(count, sizeof(uint32_t)), draw_room(count, sizeof(float))};
    float *workspace = draw_room(nearest_workspace_floats(), sizeof(float));
    struct nearest_queries rows = {queries, count, stride};
    struct nearest_request request = {path, 1};
    nearest_search_by(&request, bank, &rows, workspace, found.index, found.distance);
    free(workspace);
    return found;
}

static void free_found(struct found *found)
{
    free(found->index);
    free(found->distance);
}

/* The answer is the reference's, exactly: index and correctly rounded distance. */
static void check_against_reference(const struct nearest_bank *bank, const float *queries,
                                    size_t count, size_t stride, const struct found *found)
{
    for (size_t i = 0; i < count; i++) {
        double least;
        uint32_t index = nearest_ref_search(bank, queries + i * stride, &least);
        assert_int_equal(found->index[i], index);
        assert_true(found->distance[i] == (float)least);
    }
}

/* Odd shapes around the tile and vector sizes, leading dimensions larger than the columns. */
static void nearest_odd_shapes_match_reference(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},     {3, 5, 7},      {33, 17, 31},  {300, 511, 64},
                                       {257, 513, 3}, {64, 1025, 20}, {5, 1100, 260}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t count = shapes[s][0];
        size_t dimensions = shapes[s][2];
        size_t query_stride = dimensions + 3;
        struct nearest_bank bank = make_bank(s, shapes[s][1], dimensions, dimensions + 5);
        float *queries = draw_matrix(s + 100, count, dimensions, query_stride);
        struct found found = search(nearest_path_best(), &bank, queries, count, query_stride);
        check_against_reference(&bank, queries, count, query_stride, &found);
        free_found(&found);
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
    struct nearest_bank bank = {bank_rows, 1, 4, 4, norms, NULL};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_odd_shapes_match_reference),
        cmocka_unit_test(nearest_paths_agree_to_the_bit),
        cmocka_unit_test(nearest_batch_split_gives_same_bits),
        cmocka_unit_test(nearest_equal_rows_lowest_index_wins),
        cmocka_unit_test(nearest_small_distance_far_from_origin_keeps_digits),
        cmocka_unit_test(nearest_nan_and_infinity_stay_in_their_row),
        cmocka_unit_test(nearest_empty_bank_or_batch_answers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
