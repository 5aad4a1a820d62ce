/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_BLAS_CORE_H
#define SCORE_BLAS_CORE_H

/* Blas core: some builds of OpenBLAS do not know newer processors and silently fall back to slow
 * kernels. The library decides before main() runs, so the only cure is to start again with
 * OPENBLAS_CORETYPE set.
 *
 * Main thread, before any other thread exists. */

#include <stdbool.h>

/* What the processor can do, as the choice needs it. */
struct blas_core_processor {
    bool amd;
    bool avx2_fma;
    bool avx512; /* F, CD, DQ, BW and VL */
    bool avx512_bf16;
};

/* The instructions of the processor this runs on, as far as the operating system saves their
 * registers. */
struct blas_core_processor blas_core_detect(void);

/* The core type that suits a processor, "" when the library's own choice is as good as any. Pure.
 */
const char *blas_core_wanted(const struct blas_core_processor *processor);

/* True when `wanted` has wider kernels than `running`. Pure. */
bool blas_core_is_better(const char *wanted, const char *running);

/* First thing in main() of every program that scores. When the library runs on lesser kernels than
 * the processor can, and nobody has set OPENBLAS_CORETYPE, sets it and starts the program again
 * with the same arguments (/proc/self/exe); a guard variable allows that once. Then sets BLAS to
 * one thread. When starting again fails, or the library does not know the wanted core, goes on with
 * what runs: slower, not wrong. */
void blas_core_force(char **argv);

/* "SkylakeX, forced (the library had chosen Haswell)"; "Haswell, the library's own choice". Static;
 * after blas_core_force(). */
const char *blas_core_text(void);

#endif
