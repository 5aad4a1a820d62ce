/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_POOL_H
#define EXPORT_POOL_H

/* Export pool: no small cells. Rows have a few columns by which a row could be recognised, coarse
 * ones first (mode, day, site). A cell is what agrees in all of them; cells of fewer than k rows
 * are pooled: the finest column becomes "*" in them, and in so many of their smallest neighbours
 * (which agree in the coarser columns) that the pool has k rows. So nobody who knows the total of
 * a coarser cell learns the small one by subtracting its neighbours from it: what is left over is
 * always the pool. A coarser cell that is small as a whole is pooled with its own neighbours, and
 * all finer columns with it.
 *
 * Pure; the same rows give the same result in any order. */

#include <stdbool.h>
#include <stdint.h>

#define EXPORT_POOLED "*"
#define EXPORT_POOL_COLUMNS_MAX 8u

struct export_pool {
    const char **cells; /* rows_count x columns_count, borrowed texts; pooled in place */
    uint64_t rows_count;
    uint32_t columns_count;
    uint64_t k;
};

/* False without memory. *whole_is_small: fewer than k rows in all, which no pooling can mend; all
 * cells are then pooled, and the caller withholds the rows. */
bool export_pool(const struct export_pool *self, bool *whole_is_small);

#endif
