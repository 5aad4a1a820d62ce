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

static void put_left(uint64_t done, uint64_t total, int64_t now_ns)
{
    double seconds = (double)(now_ns - began_ns) / NS_PER_S;
    double left = done > 0 ? seconds * (double)(total - done) / (double)done : 0;
    if (seconds < 3 || done == total) {
        (void)fputs("               ", stderr);
    } else if (left < 90) {
        (void)fprintf(stderr, ", %.0f s left   ", left);
    } else {
        (void)fprintf(stderr, ", %.0f min left ", left / 60);
    }
}

void progress_show(const char *what, uint64_t done, uint64_t total)
{
    int64_t now_ns = clock_monotonic_ns();
    bool is_last = done == total;
    if (began_ns == 0 || done < done_before) {
        began_ns = now_ns;
    }
    done_before = is_last ? UINT64_MAX : done;
    if (!isatty(STDERR_FILENO) || (!is_last && now_ns - shown_ns < NS_PER_S / 10)) {
        return;
    }
    shown_ns = now_ns;
    double share = total == 0 ? 1.0 : (double)done / (double)total;
    (void)fprintf(stderr, "\r%s %3.0f%% (%" PRIu64 " of %" PRIu64 ")", what, 100.0 * share, done,
                  total);
    put_left(done, total, now_ns);
    (void)fputs(is_last ? "\n" : "", stderr);
}
