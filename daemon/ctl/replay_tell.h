/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_REPLAY_TELL_H
#define CTL_REPLAY_TELL_H

/* Replay tell: what a replay found, as a table and sentences or as JSON. Main thread. */

#include "ctl/replay_run.h"

struct replay_teller;

/* inputs_suffice: scores replayed from their inputs alone are good enough for exit code 0.
 * rows_max: lines of the table that are shown; the summary counts all. NULL: no memory. */
struct replay_teller *replay_teller_open(bool json, bool inputs_suffice, uint64_t rows_max);
void replay_teller_close(struct replay_teller **self);
/* For struct replay_run: teller is a struct replay_teller. */
void replay_teller_finding(void *teller, const struct replay_finding *finding);
void replay_teller_progress(void *teller, uint64_t done, uint64_t total);
/* The tables of this file do not say what its entries say. */
void replay_teller_table(struct replay_teller *self, const char *path, const char *table);
/* This file could not be read, or not to its end. */
void replay_teller_unread(struct replay_teller *self, const char *path, struct err err);
/* Everything is done: prints. Returns the exit code. */
int replay_teller_finish(struct replay_teller *self, const struct replay_run *run);

#endif
