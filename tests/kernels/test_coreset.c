/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/coreset.h"

#include <math.h>
#include <string.h>

#include "kernels/ref/coreset_ref.h"
#include "tests/kernels/draw.h"

static size_t select_rows(const float *matrix, size_t rows, size_t dimensions, size_t stride,
                          size_t wanted, const struct coreset_result *out)
{
    struct coreset_rows all = {matrix, rows, dimensions, stride};
    float *workspace = draw_room(coreset_workspace_floats(rows), sizeof *workspace);
    size_t count = coreset_select(&all, wanted, 42, workspace, out);
    free(workspace);
    return count;
}

/* After k choices the reported radius is the true one, and the next choice lies at it. */
static void coreset_radii_match_reference_and_fall(void **state)
{
    (void)state;
    enum { ROWS = 257, DIMENSIONS = 19, STRIDE = 23, WANTED = 40 };
    float *matrix = draw_matrix(1, ROWS, DIMENSIONS, STRIDE);
    uint32_t chosen[WANTED];
    double radii[WANTED];
    struct coreset_result result = {chosen, radii};
    assert_int_equal(select_rows(matrix, ROWS, DIMENSIONS, STRIDE, WANTED, &result), WANTED);
    struct coreset_rows all = {matrix, ROWS, DIMENSIONS, STRIDE};
    for (size_t k = 0; k < WANTED; k++) {
        double expected = coreset_ref_radius(&all, chosen, k + 1);
        assert_true(fabs(radii[k] - expected) <= 1e-6 * expected);
        assert_true(k == 0 || radii[k] <= radii[k - 1]);
    }
    free(matrix);
}

static void coreset_duplicates_are_chosen_once(void **state)
{
    (void)state;
    float *matrix = draw_matrix(2, 60, 5, 5);
    for (size_t i = 12; i < 60; i++) {
        memcpy(matrix + i * 5, matrix + (i % 12) * 5, 5 * sizeof *matrix);
    }
    uint32_t chosen[60];
    double radii[60];
    struct coreset_result result = {chosen, radii};
    assert_int_equal(select_rows(matrix, 60, 5, 5, 60, &result), 12);
    assert_true(radii[11] <= 0);
    free(matrix);
}

static void coreset_rows_with_nan_are_never_chosen(void **state)
{
    (void)state;
    float *matrix = draw_matrix(3, 30, 4, 4);
    for (size_t i = 0; i < 30; i += 3) {
        matrix[i * 4 + 2] = i % 2 ? NAN : INFINITY;
    }
    uint32_t chosen[30];
    struct coreset_result result = {chosen, NULL};
    size_t count = select_rows(matrix, 30, 4, 4, 30, &result);
    assert_int_equal(count, 20);
    for (size_t k = 0; k < count; k++) {
        assert_int_not_equal(chosen[k] % 3, 0);
    }
    free(matrix);
}

static void coreset_of_nothing_is_empty(void **state)
{
    (void)state;
    float nothing[2] = {NAN, 1};
    uint32_t chosen[2] = {7, 7};
    double radii[2];
    struct coreset_result result = {chosen, radii};
    assert_int_equal(select_rows(nothing, 0, 2, 2, 2, &result), 0);
    assert_int_equal(select_rows(nothing, 1, 2, 2, 2, &result), 0);
    assert_int_equal(select_rows(nothing + 1, 1, 1, 1, 0, &result), 0);
    assert_int_equal(chosen[0], 7);
    assert_int_equal(select_rows(nothing + 1, 1, 1, 1, 2, &result), 1);
    assert_int_equal(chosen[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coreset_radii_match_reference_and_fall),
        cmocka_unit_test(coreset_duplicates_are_chosen_once),
        cmocka_unit_test(coreset_rows_with_nan_are_never_chosen),
        cmocka_unit_test(coreset_of_nothing_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
