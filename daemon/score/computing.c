/* SPDX-License-Identifier: Apache-2.0 */
#include "score/computing.h"

#include <stdio.h>
#include <string.h>

#include <gnu/libc-version.h>

#include "kernels/blas.h"
#include "score/blas_core.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* A compiler that may fuse or that sums in another order gives other last bits. */
#if defined(__FMA__)
#define FUSES ", may fuse multiply and add"
#else
#define FUSES ""
#endif
#if defined(__OPTIMIZE__)
#define LEVEL ", optimised"
#else
#define LEVEL ", not optimised"
#endif

void score_computing(struct score_computing *out)
{
    char version[32];
    struct blas_core_processor processor = blas_core_detect();
    memset(out, 0, sizeof *out); /* whoever compares may compare the bytes */
    blas_version(version, sizeof version);
    (void)snprintf(out->build, sizeof out->build, "triaged %s, %.40s%s%s", TRIAGED_VERSION,
                   COMPILER, LEVEL, FUSES);
    (void)snprintf(out->blas, sizeof out->blas, "%s %.24s", version, blas_core_name());
    (void)snprintf(out->libm, sizeof out->libm, "glibc %.20s", gnu_get_libc_version());
    (void)snprintf(out->processor, sizeof out->processor, "%s%s%s",
                   processor.avx2_fma ? "avx2 fma" : "plain", processor.avx512 ? " avx512" : "",
                   processor.avx512_bf16 ? " bf16" : "");
}
