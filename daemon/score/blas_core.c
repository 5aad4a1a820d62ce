/* SPDX-License-Identifier: Apache-2.0 */
#include "score/blas_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "kernels/blas.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* The guard variable carries what the library had chosen before, so that health can tell. Its
 * presence means: started again already. Without it a library that ignores OPENBLAS_CORETYPE would
 * make the program start itself for ever. */
static const char guard_name[] = "TRIAGED_BLAS_CORE_WAS";
static const char core_name[] = "OPENBLAS_CORETYPE";

static char core_text[128] = "not looked at";

/* x86 cores of OpenBLAS by the width of their SGEMM kernels. What is missing here counts as narrow:
 * then a wanted core is always better, which is what the fall-back to Prescott needs. */
static int core_width(const char *core)
{
    static const struct {
        const char *name;
        int width;
    } widths[] = {{"Haswell", 2},  {"Zen", 2},        {"Excavator", 2},
                  {"SkylakeX", 3}, {"Cooperlake", 4}, {"SapphireRapids", 4}};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        if (strcasecmp(core, widths[i].name) == 0) {
            return widths[i].width;
        }
    }
    return core[0] == '\0' ? 0 : 1;
}

#if defined(__x86_64__)
/* The bits of XCR0 that say the operating system saves XMM and YMM (0x6), and the AVX-512 state as
 * well (0xe6). */
static unsigned long long saved_registers(void)
{
    unsigned eax = 0;
    unsigned edx = 0;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return (unsigned long long)edx << 32 | eax;
}

struct blas_core_processor blas_core_detect(void)
{
    struct blas_core_processor found = {0};
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (!__get_cpuid(0, &a, &b, &c, &d)) {
        return found;
    }
    found.amd = b == signature_AMD_ebx;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0) {
        return found;
    }
    bool fma = (c & bit_FMA) != 0;
    unsigned long long saved = saved_registers();
    if ((saved & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        return found;
    }
    found.avx2_fma = fma && (b & bit_AVX2) != 0;
    const unsigned wide = bit_AVX512F | bit_AVX512CD | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    found.avx512 = found.avx2_fma && (saved & 0xe6) == 0xe6 && (b & wide) == wide;
    if (found.avx512 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
        found.avx512_bf16 = (a & (1u << 5)) != 0;
    }
    return found;
}
#else
struct blas_core_processor blas_core_detect(void)
{
    return (struct blas_core_processor){0};
}
#endif

const char *blas_core_wanted(const struct blas_core_processor *processor)
{
    if (processor->avx512_bf16) {
        return "Cooperlake";
    }
    if (processor->avx512) {
        return "SkylakeX";
    }
    if (processor->avx2_fma) {
        return processor->amd ? "Zen" : "Haswell";
    }
    return "";
}

bool blas_core_is_better(const char *wanted, const char *running)
{
    return core_width(wanted) > core_width(running);
}

/* Returns only when it could not be done. */
static void start_again(char **argv, const char *wanted, const char *running)
{
    if (setenv(guard_name, running, 1) != 0 || setenv(core_name, wanted, 1) != 0) {
        return;
    }
    execv("/proc/self/exe", argv);
    unsetenv(core_name);
    unsetenv(guard_name);
}

void blas_core_force(char **argv)
{
    struct blas_core_processor processor = blas_core_detect();
    const char *wanted = blas_core_wanted(&processor);
    const char *running = blas_core_name();
    const char *before = getenv(guard_name);
    const char *asked = getenv(core_name);
    bool better = blas_core_is_better(wanted, running);
    if (better && before == NULL && asked == NULL) {
        start_again(argv, wanted, running);
    }
    /* A library built without Cooperlake ignores the wish: SkylakeX is in every build that has
     * AVX-512 at all. */
    if (better && before != NULL && asked != NULL && strcmp(asked, "Cooperlake") == 0) {
        char was[32];
        (void)snprintf(was, sizeof was, "%s", before);
        start_again(argv, "SkylakeX", was);
        setenv(guard_name, was, 1);
    }
    before = getenv(guard_name);
    if (before != NULL) {
        (void)snprintf(core_text, sizeof core_text, "%s, forced (the library had chosen %s)",
                       running, before);
    } else if (asked != NULL) {
        (void)snprintf(core_text, sizeof core_text, "%s, as the environment asks", running);
    } else {
        (void)snprintf(core_text, sizeof core_text, "%s, the library's own choice", running);
    }
    blas_use_one_thread();
}

const char *blas_core_text(void)
{
    return core_text;
}
