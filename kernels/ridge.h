/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_RIDGE_H
#define KERNELS_RIDGE_H

/* Ridge: weighted least squares with a penalty (Hoerl and Kennard 1970, Technometrics 12(1)):
 *
 *   the b and c that make  sum_i w_i (x_i b + c - y_i)^2 + l2 |b|^2  least
 *
 * from any number of rows, of which only sums of products are kept. Double; sums in the order of
 * the rows given at once, so another division into blocks differs by rounding. One thread. */

#include <stddef.h>

struct ridge {
    size_t features; /* 1..RIDGE_FEATURES_MAX */
    double *sums;    /* [features + 2][features + 2], upper half */
};
#define RIDGE_FEATURES_MAX ((size_t)1 << 12)

size_t ridge_doubles(size_t features);
/* `space` has so many doubles and stays the caller's. */
void ridge_init(struct ridge *self, size_t features, double *space);
/* rows[count][features + 2], each sqrt(w) times (x, 1, y). count < 2^31 */
void ridge_add(struct ridge *self, const double *rows, size_t count);
/* out[features + 1]: b, then c. l2 > 0. Uses up the sums. 0: rows that are not finite, or no row.
 */
int ridge_solve(struct ridge *self, double l2, double *out);

#endif
