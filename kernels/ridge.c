/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ridge.h"

#include <cblas.h>
#include <lapack.h>
#include <math.h>
#include <string.h>

size_t ridge_doubles(size_t features)
{
    return (features + 2) * (features + 2);
}

void ridge_init(struct ridge *self, size_t features, double *space)
{
    *self = (struct ridge){features, space};
    memset(space, 0, ridge_doubles(features) * sizeof *space);
}

void ridge_add(struct ridge *self, const double *rows, size_t count)
{
    const int side = (int)self->features + 2;
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, side, (int)count, 1, rows, side, 1,
                self->sums, side);
}

int ridge_solve(struct ridge *self, double l2, double *out)
{
    const size_t side = self->features + 2;
    int order = (int)side - 1, columns = 1, stride = (int)side, info = 0;
    for (size_t i = 0; i < self->features; i++) {
        self->sums[i * side + i] += l2;
    }
    for (size_t i = 0; i + 1 < side; i++) {
        out[i] = self->sums[i * side + side - 1];
    }
    /* The upper half by rows is the lower one by columns, as LAPACK counts. */
    LAPACK_dposv("L", &order, &columns, self->sums, &stride, out, &order, &info);
    int finite = info == 0;
    for (size_t i = 0; i + 1 < side; i++) {
        finite = finite && isfinite(out[i]);
    }
    return finite;
}
