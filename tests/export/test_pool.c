/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "export/export_pool.h"

#define ROWS_MAX 400u
#define COLUMNS 3u

static uint64_t count_like(const char *const *cells, uint64_t rows, uint32_t columns,
                           const char *const *like, uint32_t prefix)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < rows; i++) {
        uint32_t c = 0;
        while (c < prefix && strcmp(cells[i * columns + c], like[c]) == 0) {
            c++;
        }
        count += c == prefix;
    }
    return count;
}

static void pool(const char **cells, uint64_t rows, uint32_t columns, uint64_t k, bool small)
{
    const struct export_pool self = {cells, rows, columns, k};
    bool whole_is_small = !small;
    assert_true(export_pool(&self, &whole_is_small));
    assert_int_equal(whole_is_small, small);
}

/* The small cell b is not pooled alone: its neighbour of 6 could be subtracted from 8 otherwise. */
static void small_cell_takes_its_smallest_neighbour_along(void **state)
{
    const char *cells[8 + 9];
    (void)state;
    for (int i = 0; i < 17; i++) {
        cells[i] = i < 2 ? "b" : i < 8 ? "a" : "c";
    }
    pool(cells, 17, 1, 5, false);
    for (int i = 0; i < 17; i++) {
        assert_string_equal(cells[i], i < 8 ? "*" : "c");
    }
}

/* Several small cells that make k together need nobody else. */
static void small_cells_that_are_enough_leave_the_others(void **state)
{
    const char *cells[] = {"a", "a", "b", "b", "b", "c", "c", "c", "c", "c", "c"};
    (void)state;
    pool(cells, 11, 1, 5, false);
    for (int i = 0; i < 11; i++) {
        assert_string_equal(cells[i], i < 5 ? "*" : "c");
    }
}

/* Truck has 7 at two sites on one day; mail has 3 in all, which its own pool cannot mend: the mode
 * goes, and takes the trucks along. */
static void small_coarse_cell_is_pooled_with_all_that_is_finer(void **state)
{
    const char *cells[10 * 2];
    (void)state;
    for (int i = 0; i < 10; i++) {
        cells[2 * i] = i < 7 ? "truck" : "mail";
        cells[2 * i + 1] = i < 7 ? "north" : "south";
    }
    pool(cells, 10, 2, 5, false);
    for (int i = 0; i < 20; i++) {
        assert_string_equal(cells[i], "*");
    }
}

static void too_few_rows_are_told(void **state)
{
    const char *cells[] = {"a", "a", "a", "a"};
    (void)state;
    pool(cells, 4, 1, 5, true);
    assert_string_equal(cells[3], "*");
    pool(cells, 0, 1, 5, true);
}

/* Exactly k is not small. */
static void cell_of_k_stays(void **state)
{
    const char *cells[] = {"a", "a", "a", "b", "b", "b"};
    (void)state;
    pool(cells, 6, 1, 3, false);
    assert_string_equal(cells[0], "a");
    assert_string_equal(cells[5], "b");
}

static void make_rows(unsigned seed, uint64_t rows, const char **cells)
{
    static const char *const words[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    srand(seed);
    for (uint64_t i = 0; i < rows; i++) {
        for (uint32_t c = 0; c < COLUMNS; c++) { /* some common, some rare */
            unsigned word = (unsigned)rand() % 64u;
            cells[i * COLUMNS + c] = words[word < 40 ? word % 2 : word % 8];
        }
    }
}

/* For whatever rows: no cell of fewer than k, a pool has k rows, and values that stay are those of
 * before. */
static void no_small_cell_is_left(void **state)
{
    static const char *cells[ROWS_MAX * COLUMNS];
    static const char *before[ROWS_MAX * COLUMNS];
    uint64_t pooled = 0;
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        uint64_t rows = 20 + seed * 6;
        uint64_t k = 3 + seed % 8;
        make_rows(seed, rows, cells);
        memcpy(before, cells, sizeof cells);
        pool(cells, rows, COLUMNS, k, false);
        for (uint64_t i = 0; i < rows; i++) {
            const char *const *row = &cells[i * COLUMNS];
            assert_true(count_like(cells, rows, COLUMNS, row, COLUMNS) >= k);
            for (uint32_t c = 0; c < COLUMNS; c++) {
                bool star = strcmp(row[c], EXPORT_POOLED) == 0;
                pooled += star;
                assert_true(star || strcmp(row[c], before[i * COLUMNS + c]) == 0);
                assert_true(!star || c + 1 == COLUMNS || strcmp(row[c + 1], EXPORT_POOLED) == 0);
            }
        }
    }
    assert_true(pooled > 1000);
}

/* Whoever knows all totals of before, of a parent and of its published children, can subtract: what
 * is left over is at least k, wherever anything was pooled. */
static void nothing_follows_from_totals(void **state)
{
    static const char *cells[ROWS_MAX * COLUMNS];
    static const char *before[ROWS_MAX * COLUMNS];
    uint64_t checked = 0;
    (void)state;
    for (unsigned seed = 100; seed < 160; seed++) {
        uint64_t rows = 300;
        uint64_t k = 4 + seed % 5;
        make_rows(seed, rows, cells);
        memcpy(before, cells, sizeof cells);
        pool(cells, rows, COLUMNS, k, false);
        for (uint64_t i = 0; i < rows; i++) {
            for (uint32_t c = 0; c < COLUMNS; c++) {
                const char *const *parent = &before[i * COLUMNS]; /* its first c columns */
                if (count_like(cells, rows, COLUMNS, parent, c) !=
                    count_like(before, rows, COLUMNS, parent, c)) {
                    break; /* the parent itself was pooled: its total is of the pool above */
                }
                const char *pool_of_parent[COLUMNS];
                memcpy(pool_of_parent, parent, sizeof pool_of_parent);
                pool_of_parent[c] = EXPORT_POOLED;
                uint64_t left = count_like(cells, rows, COLUMNS, pool_of_parent, c + 1);
                assert_true(left == 0 || left >= k);
                checked += left > 0;
            }
        }
    }
    assert_true(checked > 1000);
}

static void order_of_rows_does_not_matter(void **state)
{
    static const char *cells[ROWS_MAX * COLUMNS];
    static const char *turned[ROWS_MAX * COLUMNS];
    uint64_t rows = 200;
    (void)state;
    make_rows(7, rows, cells);
    for (uint64_t i = 0; i < rows; i++) {
        memcpy(&turned[(rows - 1 - i) * COLUMNS], &cells[i * COLUMNS],
               COLUMNS * sizeof(const char *));
    }
    pool(cells, rows, COLUMNS, 6, false);
    pool(turned, rows, COLUMNS, 6, false);
    for (uint64_t i = 0; i < rows * COLUMNS; i++) {
        uint64_t row = rows - 1 - i / COLUMNS;
        assert_string_equal(cells[i], turned[row * COLUMNS + i % COLUMNS]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_cell_takes_its_smallest_neighbour_along),
        cmocka_unit_test(small_cells_that_are_enough_leave_the_others),
        cmocka_unit_test(small_coarse_cell_is_pooled_with_all_that_is_finer),
        cmocka_unit_test(too_few_rows_are_told),
        cmocka_unit_test(cell_of_k_stays),
        cmocka_unit_test(no_small_cell_is_left),
        cmocka_unit_test(nothing_follows_from_totals),
        cmocka_unit_test(order_of_rows_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
