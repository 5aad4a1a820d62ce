/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_BLAS_H
#define KERNELS_BLAS_H

/* Blas: which kernels the BLAS library runs on, and on how many threads. The only functions here
 * that touch the library's own state; the choice of a better core is daemon/score/blas_core.h. */

#include <stddef.h>

/* The core type the library chose for this process ("Haswell", "SkylakeX", "Prescott", ...);
 * static. */
const char *blas_core_name(void);

/* "OpenBLAS 0.3.21": name and version; cut at out_bytes. */
void blas_version(char *out, size_t out_bytes);

/* From here on the library works in the calling thread alone, and has the workspace of one caller
 * at a time: it allocates no more. Results must not depend on how a product is split. */
void blas_use_one_thread(void);

#endif
