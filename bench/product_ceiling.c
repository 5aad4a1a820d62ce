/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/product_ceiling.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "kernels/convnet.h"
#include "kernels/nearest.h"

/* Of this thread: time in which others had the core does not count. */
static double processor_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Sums that do not wait for each other, by hand, so that no compiler shortens the chain. */

#if defined(__x86_64__)
#include <immintrin.h>

enum { ROUNDS = 4000000, CHAINS = 16 };

#define SIXTEEN(step)                                                                         \
    step("0") step("1") step("2") step("3") step("4") step("5") step("6") step("7") step("8") \
        step("9") step("10") step("11") step("12") step("13") step("14") step("15")
#define FLOAT_WIDE(number) "vfmadd231ps %%zmm16, %%zmm17, %%zmm" number "\n\t"
#define FLOAT_NARROW(number) "vfmadd231ps %%ymm15, %%ymm15, %%ymm" number "\n\t"
#define BYTE_WIDE(number) "vpdpbusd %%zmm16, %%zmm17, %%zmm" number "\n\t"

#define EIGHT_TWICE(step)                                                                     \
    step("0") step("1") step("2") step("3") step("4") step("5") step("6") step("7") step("0") \
        step("1") step("2") step("3") step("4") step("5") step("6") step("7")
#define BYTE_HALF(number) "%{vex%} vpdpbusd %%ymm15, %%ymm15, %%ymm" number "\n\t"
#define BYTE_AVX2(number)                      \
    "vpmaddubsw %%ymm15, %%ymm15, %%ymm14\n\t" \
    "vpmaddwd %%ymm15, %%ymm14, %%ymm14\n\t"   \
    "vpaddd %%ymm14, %%ymm" number ", %%ymm" number "\n\t"

/* `repeats` times 16 instructions of `operations` each. */
#define RATE(instructions, operations)                                                             \
    do {                                                                                           \
        double began_s = processor_s();                                                            \
        for (size_t i = 0; i < ROUNDS; i++) {                                                      \
            __asm__ volatile(instructions ::                                                       \
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
                                   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",    \
                                   "xmm15");                                                       \
        }                                                                                          \
        return (double)ROUNDS * CHAINS * (operations) / (processor_s() - began_s);                 \
    } while (0)

__attribute__((target("avx512f"))) static double float_wide(void)
{
    RATE("vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\t" SIXTEEN(
             FLOAT_WIDE),
         2 * 16);
}

/* The factor is the last sum: 16 chains, of which one does not matter. */
__attribute__((target("avx2,fma"))) static double float_narrow(void)
{
    RATE("vxorps %%ymm15, %%ymm15, %%ymm15\n\t" SIXTEEN(FLOAT_NARROW), 2 * 8);
}

__attribute__((target("avx512f,avx512vnni"))) static double byte_wide(void)
{
    RATE("vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\t" SIXTEEN(
             BYTE_WIDE),
         2 * 64);
}

/* Eight sums are enough to hide the latency of an addition; VPDPBUSD takes all sixteen, of which
 * one does not matter. */
__attribute__((target("avx2"))) static double byte_half(void)
{
    RATE("vpxor %%ymm15, %%ymm15, %%ymm15\n\t" SIXTEEN(BYTE_HALF), 2 * 32);
}

__attribute__((target("avx2"))) static double byte_avx2(void)
{
    RATE("vpxor %%ymm15, %%ymm15, %%ymm15\n\t" EIGHT_TWICE(BYTE_AVX2), 2 * 32);
}

__attribute__((target("amx-tile,amx-int8"))) static double tile_bytes(void)
{
    enum { TILES = 4, TILE_ROUNDS = ROUNDS / 16 };
    static const struct {
        uint8_t palette;
        uint8_t reserved[15];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } full = {
        .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&full);
    double began_s = processor_s();
    for (size_t i = 0; i < TILE_ROUNDS; i++) {
        _tile_dpbsud(0, 4, 5);
        _tile_dpbsud(1, 4, 5);
        _tile_dpbsud(2, 4, 5);
        _tile_dpbsud(3, 4, 5);
    }
    double took_s = processor_s() - began_s;
    _tile_release();
    return (double)TILE_ROUNDS * TILES * 2 * 16 * 16 * 64 / took_s;
}
#endif

double product_ceiling(enum product_ceiling which)
{
#if defined(__x86_64__)
    if (which == PRODUCT_CEILING_FLOAT && __builtin_cpu_supports("avx512f")) {
        return float_wide();
    }
    if (which == PRODUCT_CEILING_FLOAT && __builtin_cpu_supports("fma")) {
        return float_narrow();
    }
    if (which == PRODUCT_CEILING_BYTE && __builtin_cpu_supports("avx512vnni")) {
        return byte_wide();
    }
    if (which == PRODUCT_CEILING_BYTE_HALF && convnet_path_runs(CONVNET_AVX_VNNI)) {
        return byte_half();
    }
    if (which == PRODUCT_CEILING_BYTE_AVX2 && __builtin_cpu_supports("avx2")) {
        return byte_avx2();
    }
    if (which == PRODUCT_CEILING_TILE && nearest_path_best() == NEAREST_AMX) {
        return tile_bytes();
    }
#endif
    (void)which;
    return 0;
}
