/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

/* Progress: one line on standard error that is written over, ten times a second at most, and only
 * when that is a terminal: "training  42% (1900 of 4523), 3 min left". Main thread. */

#include <stdint.h>

void progress_show(const char *what, uint64_t done, uint64_t total);
#endif
