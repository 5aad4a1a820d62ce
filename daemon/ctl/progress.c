/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/progress.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

/* The estimate takes what is left to go as fast as what is done. */

static int64_t shown_ns;
static int64_t began_ns;
static uint64_t done_before;

static void put_left(FILE *out, const char *pad, uint64_t done, uint64_t total, int64_t now_ns)
{
    double seconds = (double)(now_ns - began_ns) / NS_PER_S;
    double left = done > 0 ? seconds * (double)(total - done) / (double)done : 0;
    if (seconds < 3 || done == total) {
        (void)fprintf(out, "%s%s%s%s%s", pad, pad, pad, pad, pad);
    } else if (left < 90) {
        (void)fprintf(out, ", %.0f s left%s", left, pad);
    } else {
        (void)fprintf(out, ", %.0f min left%s", left / 60, pad);
    }
}

static void put_share(FILE *out, const char *what, uint64_t done, uint64_t total)
{
    double share = total == 0 ? 1.0 : (double)done / (double)total;
    (void)fprintf(out, "%s %3.0f%% (%" PRIu64 " of %" PRIu64 ")", what, 100.0 * share, done, total);
}

/* Written over, so that what is shorter than the text before covers it. */
static void put_on_terminal(FILE *out, const struct progress *now)
{
    bool is_last = now->done == now->total;
    if (!is_last && now->now_ns - shown_ns < NS_PER_S / 10) {
        return;
    }
    shown_ns = now->now_ns;
    (void)fputc('\r', out);
    put_share(out, now->what, now->done, now->total);
    put_left(out, "   ", now->done, now->total, now->now_ns);
    (void)fputs(is_last ? "\n" : "", out);
}

/* The end is told of what was told before. */
static void put_in_file(FILE *out, const struct progress *now)
{
    bool told = shown_ns > began_ns;
    int64_t since_ns = now->now_ns - (told ? shown_ns : began_ns);
    bool is_due = now->done == now->total ? told : since_ns >= PROGRESS_LINE_S * NS_PER_S;
    if (!is_due) {
        return;
    }
    shown_ns = now->now_ns;
    put_share(out, now->what, now->done, now->total);
    put_left(out, "", now->done, now->total, now->now_ns);
    (void)fputc('\n', out);
    (void)fflush(out);
}

void progress_put(FILE *out, bool terminal, const struct progress *now)
{
    if (began_ns == 0 || now->done < done_before) {
        began_ns = now->now_ns;
    }
    done_before = now->done == now->total ? UINT64_MAX : now->done;
    if (terminal) {
        put_on_terminal(out, now);
    } else {
        put_in_file(out, now);
    }
}

void progress_show(const char *what, uint64_t done, uint64_t total)
{
    const struct progress now = {what, done, total, clock_monotonic_ns()};
    progress_put(stderr, isatty(STDERR_FILENO) != 0, &now);
}
