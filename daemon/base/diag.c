/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

/* Lines go out by one write(2) each, so that lines of several threads and processes never mix. */

enum { DIAG_LINES_PER_SECOND_MAX = 200, DIAG_LINE_BYTES = 1024 };

static const char *const diag_event_names[DIAG_EVENT_COUNT] = {
#define DIAG(event) #event,
#include "base/diag_table.h"
#undef DIAG
};
static const char *const diag_level_names[] = {"err", "warn", "info", "debug"};

static _Atomic int diag_highest = DIAG_INFO;

/* diag_lock guards diag_rates. */
static pthread_mutex_t diag_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int64_t second;
    uint32_t lines_count;
    uint32_t dropped_count;
} diag_rates[DIAG_EVENT_COUNT];

void diag_set_level(enum diag_level highest_shown)
{
    atomic_store(&diag_highest, (int)highest_shown);
}

/* Returns false when the line is over the limit; *dropped is what the last second dropped and
 * nobody has told yet. */
static bool diag_admit(enum diag_event event, uint32_t *dropped)
{
    int64_t second = clock_monotonic_ns() / NS_PER_S;
    bool admitted = true;
    *dropped = 0;
    must(pthread_mutex_lock(&diag_lock) == 0);
    if (diag_rates[event].second != second) {
        *dropped = diag_rates[event].dropped_count;
        diag_rates[event].second = second;
        diag_rates[event].lines_count = 0;
        diag_rates[event].dropped_count = 0;
    }
    if (diag_rates[event].lines_count >= DIAG_LINES_PER_SECOND_MAX) {
        diag_rates[event].dropped_count++;
        admitted = false;
    } else {
        diag_rates[event].lines_count++;
    }
    must(pthread_mutex_unlock(&diag_lock) == 0);
    return admitted;
}

static void diag_write(const char *line, int line_bytes)
{
    if (line_bytes > 0) {
        ssize_t written = write(STDERR_FILENO, line, (size_t)line_bytes);
        (void)written; /* nowhere left to complain */
    }
}

void diag_line(enum diag_level level, enum diag_event event, const char *format, ...)
{
    must(event >= 0 && event < DIAG_EVENT_COUNT);
    if ((int)level > atomic_load(&diag_highest)) {
        return;
    }
    uint32_t dropped;
    if (!diag_admit(event, &dropped)) {
        return;
    }
    char line[DIAG_LINE_BYTES];
    if (dropped > 0) {
        int bytes = snprintf(line, sizeof line, "warn event=%s dropped_lines=%u\n",
                             diag_event_names[event], dropped);
        diag_write(line, bytes);
    }
    int used = snprintf(line, sizeof line, "%s event=%s ", diag_level_names[level],
                        diag_event_names[event]);
    must(used > 0 && used < DIAG_LINE_BYTES);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
    va_end(arguments);
    if (more < 0) {
        more = 0;
    }
    used += more;
    if (used > DIAG_LINE_BYTES - 2) { /* cut, but still one line */
        used = DIAG_LINE_BYTES - 2;
    }
    for (int i = 0; i < used;
         i++) { /* a value with a line feed in it must not become a second line */
        if ((unsigned char)line[i] < 0x20) {
            line[i] = ' ';
        }
    }
    line[used] = '\n';
    diag_write(line, used + 1);
}
