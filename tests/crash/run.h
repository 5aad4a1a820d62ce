/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUN_H
#define RUN_H

/* Run: one simulated history of one log: lives that end in a crash, an error or peacefully, and
 * what must hold after each. A run is a pure function of its seed. */

#include <stdbool.h>
#include <stdint.h>

#include "sim_machine.h"
#include "work.h"

enum run_mode { RUN_CRASH, RUN_ERROR, RUN_ROT, RUN_MODES };

struct run_counts {
    uint64_t runs;
    uint64_t crashes; /* lives that did not end by themselves */
    uint64_t power_cuts;
    uint64_t kills;
    uint64_t while_opening; /* of the crashes: before oversight_open returned */
    uint64_t errors;        /* returned to the product */
    uint64_t retired;       /* segments */
    uint64_t refusals;      /* oversight_open after an error or rot */
    uint64_t rot_harmless;  /* opened, and everything promised is there */
    uint64_t rot_late;      /* opened, and the reader stops with an error */
    uint64_t trace;         /* of all runs together */
};

struct run {
    struct work work;
    struct run_counts *counts;
    struct ledger_checkpoint seen; /* public when the last life ended; valid with has_seen */
    bool has_seen;
    bool may_retire; /* there is a segment that can go */
    bool killed;     /* the last life, and the power stayed */
};

/* Make the disks that runs begin with: an empty one, one whose next groups fill a segment and a
 * tile, one that has more than a tile and a second segment, one with a segment that may go. Once,
 * before the first run. */
void run_prepare(void);
/* Returns the trace of the run. */
uint64_t run_once(enum run_mode mode, uint64_t seed, struct run_counts *counts);

/* ---- for the modes ---- */

void run_begin(struct run *self, uint64_t seed, struct run_counts *counts);
void run_end(struct run *self);
/* One life by this plan, and what must hold when it is over. True when it ended by itself. */
bool run_live(struct run *self, const struct sim_plan *plan);
/* The process is dead; perhaps the power goes too. */
void run_stop(struct run *self, bool power_goes);
/* Quiet lives: everything promised is there, and all of it is public. */
void run_last(struct run *self);
uint64_t run_choose_step(struct run *self);

/* rot.c */
void run_rot(struct run *self);

#endif
