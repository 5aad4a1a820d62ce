/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_PROGRESS_H
#define VERIFY_PROGRESS_H

/* Verify progress: a bar on standard error, drawn a few times a second. One thread. */

#include <stdbool.h>
#include <stdint.h>

struct verify_progress {
    bool shown;
    const char *name; /* borrowed */
    const char *unit;
    uint64_t count;
    int64_t began_ns;
    int64_t drawn_ns; /* 0: nothing yet */
};

/* shown false: the calls below do nothing. */
void verify_progress_init(struct verify_progress *self, bool shown, const char *name,
                          const char *unit, uint64_t count);
void verify_progress_show(struct verify_progress *self, uint64_t done);
/* Takes the bar away again. */
void verify_progress_end(struct verify_progress *self);

#endif
