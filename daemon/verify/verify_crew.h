/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_CREW_H
#define VERIFY_CREW_H

/* Verify crew: threads that work on numbered pieces at the same time, and one that takes the
 * results in order. A piece has a slot for its results: slot i mod slots_count of piece i; it is
 * not worked on before the slot is free again, which bounds the memory. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define VERIFY_THREADS_MAX 8u

struct verify_crew;

struct verify_crew_conf {
    void (*work)(void *shared, void *slot, uint64_t index); /* on any of the threads */
    void *shared;                                           /* read only, or locked by itself */
    void *slots;
    size_t slot_bytes;
    uint32_t slots_count; /* more than there are threads, or they wait for one another */
    uint32_t threads_count;
    uint64_t pieces_count;
};

/* As many as there are processors, within 1..VERIFY_THREADS_MAX. */
uint32_t verify_crew_threads(void);
MUST_USE struct err verify_crew_open(const struct verify_crew_conf *conf, struct verify_crew **out);
/* Waits for the next piece; its slot is the caller's until the next call. NULL behind the last. */
void *verify_crew_next(struct verify_crew *self);
/* What is under work is finished, nothing more is begun. Nulls *self; accepts NULL. */
void verify_crew_close(struct verify_crew **self);

#endif
