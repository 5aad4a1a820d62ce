/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOG_FILLER_H
#define BENCH_LOG_FILLER_H

/* Log filler: the entries of a port's day, one after the other, with the fields, texts and sizes
 * that the daemon writes: records received, scores with ten contributions, decisions, officers'
 * actions, outcomes, ticks, the day's coin. They follow from one another as the daemon's do, so
 * that a log of them checks. Everything but the ids follows from the entry's number. One thread. */

#include "oversight/oversight.h"

struct log_filler;

struct log_filler *log_filler_open(void);
void log_filler_close(struct log_filler **self);

/* The next entry but its stamp, as oversight_submit takes it. */
void log_filler_next(struct log_filler *self, struct oversight_draft *draft);
/* Reveals the day's key: the last entry of a log that is to be checked whole. */
void log_filler_reveal(struct log_filler *self, struct oversight_draft *draft);

#endif
