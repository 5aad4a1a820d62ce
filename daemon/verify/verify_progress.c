/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

enum { PROGRESS_CELLS = 30 };

void verify_progress_init(struct verify_progress *self, bool shown, const char *name,
                          const char *unit, uint64_t count)
{
    *self = (struct verify_progress){.shown = shown && count > 0,
                                     .name = name,
                                     .unit = unit,
                                     .count = count,
                                     .began_ns = clock_monotonic_ns()};
}

void verify_progress_show(struct verify_progress *self, uint64_t done)
{
    static const char full[] = "##############################";
    int64_t now_ns = self->shown ? clock_monotonic_ns() : 0;
    if (!self->shown || now_ns - self->began_ns < NS_PER_S / 2 ||
        now_ns - self->drawn_ns < NS_PER_S / 10) {
        return;
    }
    self->drawn_ns = now_ns;
    double share = (double)done / (double)self->count;
    double rate = (double)done / ((double)(now_ns - self->began_ns) / 1e9);
    int cells = (int)(share * PROGRESS_CELLS);
    (void)fprintf(stderr,
                  "\r%.40s [%.*s%*s] %3.0f %%  %" PRIu64 " of %" PRIu64
                  " %s, %.0f a second, %.0f s left \033[K",
                  self->name, cells, full, PROGRESS_CELLS - cells, "", share * 100, done,
                  self->count, self->unit, rate, (double)(self->count - done) / rate);
}

void verify_progress_end(struct verify_progress *self)
{
    if (self->shown && self->drawn_ns != 0) {
        (void)fputs("\r\033[K", stderr);
    }
}
