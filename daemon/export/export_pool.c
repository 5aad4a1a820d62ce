/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct pool_work {
    const struct export_pool *pool;
    uint32_t columns_count; /* compared: up to the column under work */
    uint64_t *order;        /* rows, sorted by these columns */
    struct pool_cell *cells;
};

/* A run of rows in `order` that agree. */
struct pool_cell {
    const char *value; /* of the column under work */
    uint64_t start;
    uint64_t count;
};

static const char *const *pool_row(const struct export_pool *self, uint64_t row)
{
    return self->cells + row * self->columns_count;
}

static int pool_compare(const struct export_pool *self, uint32_t columns_count, uint64_t a,
                        uint64_t b)
{
    int difference = 0;
    for (uint32_t c = 0; c < columns_count && difference == 0; c++) {
        difference = strcmp(pool_row(self, a)[c], pool_row(self, b)[c]);
    }
    return difference;
}

static int pool_compare_rows(const void *a, const void *b, void *arg)
{
    const struct pool_work *work = arg;
    return pool_compare(work->pool, work->columns_count, *(const uint64_t *)a,
                        *(const uint64_t *)b);
}

static int pool_compare_cells(const void *a, const void *b)
{
    const struct pool_cell *left = a;
    const struct pool_cell *right = b;
    return left->count != right->count ? (left->count > right->count) - (left->count < right->count)
                                       : strcmp(left->value, right->value);
}

/* Rows order[from] .. order[to - 1] agree in all coarser columns. */
static void pool_parent(const struct pool_work *work, uint64_t from, uint64_t to)
{
    const struct export_pool *self = work->pool;
    uint32_t column = work->columns_count - 1;
    uint64_t cells_count = 0;
    for (uint64_t i = from; i < to; i++) {
        const char *value = pool_row(self, work->order[i])[column];
        if (i == from || strcmp(value, work->cells[cells_count - 1].value) != 0) {
            work->cells[cells_count++] = (struct pool_cell){value, i, 0};
        }
        work->cells[cells_count - 1].count++;
    }
    qsort(work->cells, cells_count, sizeof *work->cells, pool_compare_cells);
    uint64_t pooled = 0;
    for (uint64_t i = 0; i < cells_count; i++) {
        const struct pool_cell *cell = &work->cells[i];
        bool needed = cell->count < self->k || (pooled > 0 && pooled < self->k);
        for (uint64_t r = cell->start; needed && r < cell->start + cell->count; r++) {
            for (uint32_t c = column; c < self->columns_count; c++) {
                self->cells[work->order[r] * self->columns_count + c] = EXPORT_POOLED;
            }
        }
        pooled += needed ? cell->count : 0;
    }
}

static void pool_column(struct pool_work *work, uint32_t column)
{
    const struct export_pool *self = work->pool;
    work->columns_count = column + 1;
    qsort_r(work->order, self->rows_count, sizeof *work->order, pool_compare_rows, work);
    uint64_t from = 0;
    for (uint64_t i = 1; i <= self->rows_count; i++) {
        if (i == self->rows_count ||
            pool_compare(self, column, work->order[from], work->order[i]) != 0) {
            pool_parent(work, from, i);
            from = i;
        }
    }
}

bool export_pool(const struct export_pool *self, bool *whole_is_small)
{
    must(self->columns_count >= 1 && self->columns_count <= EXPORT_POOL_COLUMNS_MAX);
    *whole_is_small = self->rows_count < self->k;
    struct pool_work work = {.pool = self};
    work.order = calloc((size_t)self->rows_count + 1, sizeof *work.order);
    work.cells = calloc((size_t)self->rows_count + 1, sizeof *work.cells);
    bool got = work.order != NULL && work.cells != NULL;
    for (uint64_t i = 0; got && i < self->rows_count; i++) {
        work.order[i] = i;
    }
    for (uint32_t column = self->columns_count; got && column-- > 0 && self->rows_count > 0;) {
        pool_column(&work, column);
    }
    free(work.order);
    free(work.cells);
    return got;
}
