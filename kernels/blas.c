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

void blas_use_one_thread(void)
{
    /* The library maps its workspace at the first product that needs one, which must not be the
     * first batch. It is kept for whichever thread calls next. */
    enum { SIDE = 64 };
    double a[SIDE * SIDE] = {0};
    double b[SIDE * SIDE] = {0};
    openblas_set_num_threads(1);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1.0, a, SIDE, a, SIDE,
                0.0, b, SIDE);
}
