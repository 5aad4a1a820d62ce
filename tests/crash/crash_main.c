/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/diag.h"

#include "run.h"

/* oversight_crash --seed N --runs M [--mode crash|error|rot] [--twice] [--trace] [--progress]
 *
 * Run i has the seed N + i. The first run in which something happens that must never happen ends
 * the program with status 1 and one line that repeats that run. What the simulated disk may do, and
 * how to soak: CRASH.md. */

struct options {
    uint64_t seed;
    uint64_t runs;
    enum run_mode mode;
    bool twice;
    bool trace;
    bool progress;
};

static const char *const mode_names[RUN_MODES] = {"crash", "error", "rot"};
static char repeat[160];

int __real_clock_gettime(clockid_t id, struct timespec *out);
_Noreturn void __wrap_must_failed(const char *expression, const char *file, int line);

void __wrap_must_failed(const char *expression, const char *file, int line)
{
    sim_violated("must(%s) at %s:%d", expression, file, line);
}

/* A fault of memory in the product is a failure like others; on a stack of its own. */
static void on_fault(int signal_number)
{
    static const char what[] = "violated: the program was struck by a signal\n";
    ssize_t ignored = write(STDOUT_FILENO, what, sizeof what - 1);
    ignored = write(STDOUT_FILENO, repeat, strlen(repeat));
    ignored = write(STDOUT_FILENO, "\n", 1);
    (void)ignored;
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void watch_faults(void)
{
    static uint8_t stack[65536];
    stack_t where = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    (void)sigaltstack(&where, NULL);
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
    (void)sigaction(SIGABRT, &action, NULL);
}

static double seconds_now(void)
{
    struct timespec now;
    (void)__real_clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool options_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool options_mode(const char *text, enum run_mode *out)
{
    for (int i = 0; i < RUN_MODES; i++) {
        if (strcmp(text, mode_names[i]) == 0) {
            *out = (enum run_mode)i;
            return true;
        }
    }
    return false;
}

static bool options_read(int count, char **words, struct options *out)
{
    *out = (struct options){.seed = 1, .runs = 1000};
    for (int i = 1; i < count; i++) {
        bool more = i + 1 < count;
        if (strcmp(words[i], "--twice") == 0) {
            out->twice = true;
        } else if (strcmp(words[i], "--trace") == 0) {
            out->trace = true;
        } else if (strcmp(words[i], "--progress") == 0) {
            out->progress = true;
        } else if (strcmp(words[i], "--seed") == 0 && more) {
            if (!options_number(words[++i], &out->seed)) {
                return false;
            }
        } else if (strcmp(words[i], "--runs") == 0 && more) {
            if (!options_number(words[++i], &out->runs)) {
                return false;
            }
        } else if (strcmp(words[i], "--mode") != 0 || !more ||
                   !options_mode(words[++i], &out->mode)) {
            return false;
        }
    }
    return true;
}

static void counts_print(const struct options *options, const struct run_counts *counts,
                         double seconds)
{
    (void)printf("%s: %llu runs from seed %llu, trace %016llx: %llu crashes (%llu while opening), "
                 "%llu power cuts, %llu kills, %llu errors, %llu refusals, %llu segments retired",
                 mode_names[options->mode], (unsigned long long)counts->runs,
                 (unsigned long long)options->seed, (unsigned long long)counts->trace,
                 (unsigned long long)counts->crashes, (unsigned long long)counts->while_opening,
                 (unsigned long long)counts->power_cuts, (unsigned long long)counts->kills,
                 (unsigned long long)counts->errors, (unsigned long long)counts->refusals,
                 (unsigned long long)counts->retired);
    if (options->mode == RUN_ROT) {
        (void)printf(", %llu harmless, %llu found by the reader",
                     (unsigned long long)counts->rot_harmless,
                     (unsigned long long)counts->rot_late);
    }
    (void)printf("; %.1f s of one core\n", seconds);
    (void)fflush(stdout);
}

int main(int count, char **words)
{
    struct options options;
    if (!options_read(count, words, &options)) {
        (void)fprintf(stderr, "usage: oversight_crash [--seed N] [--runs M] "
                              "[--mode crash|error|rot] [--twice] [--trace] [--progress]\n");
        return 2;
    }
    const char *name = strrchr(words[0], '/') == NULL ? words[0] : strrchr(words[0], '/') + 1;
    /* megabytes are taken and given back in every run: keep their pages */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    (void)snprintf(repeat, sizeof repeat, "repeat: %s --runs 0", name);
    sim_repeat_is(repeat);
    watch_faults();
    diag_set_level((enum diag_level) - 1); /* errors are what is simulated here */
    uint8_t digest[HASH_BYTES];
    sha256_of("", 0,
              digest); /* what a library keeps for ever is taken before anything is counted */
    if (!sign_init()) {
        return 2;
    }
    run_prepare();
    sim_machine_tell(options.trace);
    struct run_counts counts = {0};
    double begun = seconds_now();
    for (uint64_t i = 0; i < options.runs; i++) {
        (void)snprintf(repeat, sizeof repeat, "repeat: %s --seed %llu --runs 1 --mode %s%s", name,
                       (unsigned long long)(options.seed + i), mode_names[options.mode],
                       options.twice ? " --twice" : "");
        uint64_t trace = run_once(options.mode, options.seed + i, &counts);
        counts.trace = counts.trace * 31 + trace;
        if (options.twice && run_once(options.mode, options.seed + i, &counts) != trace) {
            sim_violated("the same seed gave two different runs");
        }
        if (options.progress && (i + 1) % 1000 == 0) {
            counts_print(&options, &counts, seconds_now() - begun);
        }
    }
    counts_print(&options, &counts, seconds_now() - begun);
    return 0;
}
