/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ridge.h"

#include <math.h>

#include "tests/kernels/draw.h"

enum { FEATURES = 7, ROWS = 300, SIDE = FEATURES + 2 };

static double rows[ROWS * SIDE];
static double roots[ROWS];

/* y of a line, and noise; weights of 0.1 to 2. */
static void draw_rows(uint64_t seed, double noise)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < ROWS; i++) {
        double *row = rows + i * SIDE;
        roots[i] = sqrt(0.1 + 1.9 * rng_uniform(&rng));
        double y = 3 + noise * rng_normal(&rng);
        for (size_t k = 0; k < FEATURES; k++) {
            double x = rng_normal(&rng) + (double)k;
            y += ((double)k - 2) * x;
            row[k] = roots[i] * x;
        }
        row[FEATURES] = roots[i];
        row[FEATURES + 1] = roots[i] * y;
    }
}

static void fit(double l2, size_t block, double *out)
{
    double *space = draw_room(ridge_doubles(FEATURES), sizeof *space);
    struct ridge ridge;
    ridge_init(&ridge, FEATURES, space);
    for (size_t first = 0; first < ROWS; first += block) {
        ridge_add(&ridge, rows + first * SIDE, first + block < ROWS ? block : ROWS - first);
    }
    assert_int_equal(ridge_solve(&ridge, l2, out), 1);
    free(space);
}

/* Property: at the least the derivative by each coefficient is 0; that of the constant has no
 * penalty. */
static void the_sum_of_squares_is_least(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const double l2 = seed % 2 == 0 ? 0.01 : 50;
        double b[FEATURES + 1], slope[FEATURES + 1] = {0};
        draw_rows(seed, 2);
        fit(l2, ROWS, b);
        for (size_t i = 0; i < ROWS; i++) {
            const double *row = rows + i * SIDE;
            double off = -row[FEATURES + 1];
            for (size_t k = 0; k <= FEATURES; k++) {
                off += b[k] * row[k];
            }
            for (size_t k = 0; k <= FEATURES; k++) {
                slope[k] += off * row[k];
            }
        }
        for (size_t k = 0; k <= FEATURES; k++) {
            assert_true(fabs(slope[k] + (k < FEATURES ? l2 * b[k] : 0)) < 1e-8);
        }
    }
}

static void a_line_without_noise_is_found(void **state)
{
    (void)state;
    double b[FEATURES + 1];
    draw_rows(77, 0);
    fit(1e-9, ROWS, b);
    for (size_t k = 0; k < FEATURES; k++) {
        assert_true(fabs(b[k] - ((double)k - 2)) < 1e-9);
    }
    assert_true(fabs(b[FEATURES] - 3) < 1e-9);
}

static void blocks_of_rows_add_up(void **state)
{
    (void)state;
    double whole[FEATURES + 1], parts[FEATURES + 1];
    draw_rows(5, 1);
    fit(1, ROWS, whole);
    fit(1, 37, parts);
    for (size_t k = 0; k <= FEATURES; k++) {
        assert_true(fabs(whole[k] - parts[k]) < 1e-12 * (1 + fabs(whole[k])));
    }
}

static void without_rows_or_with_wild_ones_nothing_is_solved(void **state)
{
    (void)state;
    double b[FEATURES + 1];
    double *space = draw_room(ridge_doubles(FEATURES), sizeof *space);
    struct ridge ridge;
    ridge_init(&ridge, FEATURES, space);
    assert_int_equal(ridge_solve(&ridge, 1, b), 0);
    draw_rows(6, 1);
    const double wild[] = {NAN, INFINITY, 1e200};
    for (size_t i = 0; i < 3; i++) {
        rows[3 * SIDE + 2] = wild[i];
        ridge_init(&ridge, FEATURES, space);
        ridge_add(&ridge, rows, ROWS);
        assert_int_equal(ridge_solve(&ridge, 1, b), 0);
    }
    free(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_of_squares_is_least),
        cmocka_unit_test(a_line_without_noise_is_found),
        cmocka_unit_test(blocks_of_rows_add_up),
        cmocka_unit_test(without_rows_or_with_wild_ones_nothing_is_solved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
