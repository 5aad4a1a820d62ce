/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORK_H
#define WORK_H

/* Work: what one life of the process does with the log: open, compare with the ledger, submit from
 * several threads, publish, close. A new feature of the log is tested against crashes by using it
 * in work_live. */

#include <stdbool.h>
#include <stdint.h>

#include "oversight/oversight.h"

#include "ledger.h"
#include "sim_random.h"

#define WORK_WAL "/var/log/wal"
#define WORK_LOG "/var/log/public"
#define WORK_PUBLIC WORK_LOG "/2026"
#define WORK_PACKS "/var/log/packs"
#define WORK_ORIGIN "oversight.test/port/2026"

#define WORK_SUBMITTERS_MAX 3u
#define WORK_WINDOW 24u

/* How a life is lived; chosen before it begins. */
struct work_habit {
    uint32_t submitters;
    uint32_t alone;     /* drafts that main submits one by one before the others begin */
    uint32_t drafts;    /* of each submitter */
    uint32_t batch_max; /* drafts in one call */
    uint32_t tiny;      /* of 256: drafts of the least size */
    uint32_t big;       /* of 256: drafts with a long private record */
    uint32_t queue_entries;
    int64_t checkpoint_interval_ns;
    int64_t publish_grace_ns;
    bool looks;     /* opens, reads and closes only */
    bool may_break; /* the reader may find damage where opening does not look */
    uint32_t opens; /* the log is closed and opened again in the same life */
};

struct work {
    struct ledger ledger;
    struct sim_random random;
    struct sign_key key;
    struct note_vkey vkey;
    struct work_habit habit;
    uint32_t submitters_ever;
    uint64_t retired; /* segments */
    struct oversight *log;
    bool opened;        /* oversight_open returned without error in this life */
    struct err refusal; /* what it returned */
    uint64_t size;      /* of the log when it was closed; valid with closed */
    bool closed;
    bool broke;         /* the reader found damage, with habit.may_break */
    struct err failure; /* oversight_failure when it was closed */
};

void work_init(struct work *self, uint64_t seed);
void work_fini(struct work *self);
void work_choose_habit(struct work *self);
/* A quiet end: every draft comes back, everything is published. */
void work_choose_last_habit(struct work *self);
/* Nothing is submitted. */
void work_choose_look(struct work *self, bool may_break);
/* For sim_machine_live. */
void work_live(void *work);
/* The life is over, however it ended. */
void work_forget(struct work *self);

#endif
