/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_PATH_H
#define KERNELS_PATH_H

/* Path: the sets of instructions for which loops that are plain C everywhere are compiled again.
 *
 * Such a loop is one always-inlined body and a function around it for each path; every path does
 * the same operations in the same order, so all give the same bits. Kernels with instructions of
 * their own have paths of their own (convnet.h, nearest.h, oblivious.h). */

enum path { PATH_PORTABLE, PATH_AVX2, PATH_AVX512 };

/* The widest path this processor can run. */
enum path path_best(void);

#if defined(__x86_64__)
/* No `fma`: a product and a sum must not be rounded as one. AVX-512 has it all the same: sources
 * that multiply floats are compiled with -ffp-contract=off. */
#define PATH_TARGET_AVX2 __attribute__((target("avx2")))
#define PATH_TARGET_AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl")))
#endif
#define PATH_BODY __attribute__((always_inline)) static inline

#endif
