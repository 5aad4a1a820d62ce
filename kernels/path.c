/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/path.h"

/* Asked anew each time: the compiler's own table, filled before main(), answers with a load. */

enum path path_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        return PATH_AVX512;
    }
    if (__builtin_cpu_supports("avx2")) {
        return PATH_AVX2;
    }
#endif
    return PATH_PORTABLE;
}
