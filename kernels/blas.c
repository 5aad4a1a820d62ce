/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/blas.h"

#include <string.h>

#include <cblas.h>

const char *blas_core_name(void)
{
    return openblas_get_corename();
}

void blas_version(char *out, size_t out_bytes)
{
    /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": the first two words. */
    const char *text = openblas_get_config();
    size_t count = strcspn(text, " ");
    count += text[count] == ' ' ? 1 + strcspn(text + count + 1, " ") : 0;
    count = count < out_bytes - 1 ? count : out_bytes - 1;
    memcpy(out, text, count);
    out[count] = '\0';
}

static void multiply_something(void)
{
    enum { SIDE = 128 };
    static const double a[SIDE * SIDE];
    double b[SIDE * SIDE];
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1.0, a, SIDE, a, SIDE,
                0.0, b, SIDE);
}

/* The library maps a workspace at the first product that needs one (some cores need none up to 100
 * x 100 x 100), which must not be in the first batch. Its own threads take one each as they start,
 * and if they start late they take the one that was meant for us: the first product makes them
 * start, the second maps ours. */
void blas_use_one_thread(void)
{
    multiply_something();
    openblas_set_num_threads(1);
    multiply_something();
}
