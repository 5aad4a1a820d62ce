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
    openblas_set_num_threads(1);
}
