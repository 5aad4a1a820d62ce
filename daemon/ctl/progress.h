/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

/* Progress on standard error: on a terminal one line that is written over, ten times a second at
 * most: "training  42% (1900 of 4523), 3 min left". In a file the same as a line of its own, one a
 * minute, of jobs that take that long: a log says how far it is. Main thread. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PROGRESS_LINE_S = 60 };

void progress_show(const char *what, uint64_t done, uint64_t total);
/* The same for those who call back: `what` is the text. */
void progress_tell(void *what, uint64_t done, uint64_t total);

/* What progress_show() does, with its time and place told. A job begins when `done` is less than
 * before, or the one before has ended. */
struct progress {
    const char *what;
    uint64_t done;
    uint64_t total;
    int64_t now_ns; /* monotonic, > 0 */
};
void progress_put(FILE *out, bool terminal, const struct progress *now);
#endif
