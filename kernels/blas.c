/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/blas.h"

#include <cblas.h>

const char *blas_core_name(void)
{
    return openblas_get_corename();
}

void blas_use_one_thread(void)
{
    openblas_set_num_threads(1);
}
