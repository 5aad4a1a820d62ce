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

static bool is_last(const struct progress *now)
{
    return now->done == now->total;
}

/* With so many blanks behind, five times as many where there is nothing to estimate. */
static void put(FILE *out, const struct progress *now, int blanks)
{
    double share = now->total == 0 ? 1.0 : (double)now->done / (double)now->total;
    double seconds = (double)(now->now_ns - began_ns) / NS_PER_S;
    double left =
        now->done > 0 ? seconds * (double)(now->total - now->done) / (double)now->done : 0;
    (void)fprintf(out, "%s %3.0f%% (%" PRIu64 " of %" PRIu64 ")", now->what, 100.0 * share,
                  now->done, now->total);
    if (seconds < 3 || is_last(now)) {
        (void)fprintf(out, "%*s", 5 * blanks, "");
    } else if (left < 90) {
        (void)fprintf(out, ", %.0f s left%*s", left, blanks, "");
    } else {
        (void)fprintf(out, ", %.0f min left%*s", left / 60, blanks, "");
    }
    shown_ns = now->now_ns;
}

/* Written over, so that blanks cover what was longer before. */
static void put_on_terminal(FILE *out, const struct progress *now)
{
    if (!is_last(now) && now->now_ns - shown_ns < NS_PER_S / 10) {
        return;
    }
    (void)fputc('\r', out);
    put(out, now, 3);
    (void)fputs(is_last(now) ? "\n" : "", out);
}

/* The end is told of what was told before. */
static void put_in_file(FILE *out, const struct progress *now)
{
    bool told = shown_ns > began_ns;
    int64_t since_ns = now->now_ns - (told ? shown_ns : began_ns);
    bool is_due = is_last(now) ? told : since_ns >= PROGRESS_LINE_S * NS_PER_S;
    if (is_due) {
        put(out, now, 0);
        (void)fputc('\n', out);
        (void)fflush(out);
    }
}

void progress_put(FILE *out, bool terminal, const struct progress *now)
{
    if (began_ns == 0 || now->done < done_before) {
        began_ns = now->now_ns;
    }
    done_before = is_last(now) ? UINT64_MAX : now->done;
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

void progress_tell(void *what, uint64_t done, uint64_t total)
{
    progress_show(what, done, total);
}
