/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_THREAD_H
#define SIM_THREAD_H

/* Sim thread: the threads of one simulated process, one running at a time, the next one chosen by
 * the seed; virtual time.
 *
 * pthread_create, pthread_join, mutexes and condition variables of everything linked into this
 * program come here (the linker's --wrap). A thread may be exchanged for another one before each
 * file call and wherever it waits, nowhere else. When every thread waits for a time, the clock
 * jumps there; when every thread waits for another one, the run has failed. */

#include <stdbool.h>
#include <stdint.h>

#include "sim_random.h"

/* Run start(argument) as the first thread of a process, until it returns (true; every other thread
 * must have been joined) or sim_thread_crash is called (false; no thread runs another line). */
bool sim_threads_run(struct sim_random *random, void (*start)(void *), void *argument);
/* From inside: the process ends here. */
_Noreturn void sim_thread_crash(void);
/* Perhaps another thread runs first. */
void sim_thread_yield(void);
bool sim_thread_inside(void);
/* 0 is the first one; stable within a run. */
uint32_t sim_thread_number(void);
/* What pthread_setname_np said; "" otherwise. */
const char *sim_thread_name(void);
/* No exchange while quiet: the checks look without disturbing anything. */
void sim_thread_quiet(bool quiet);

int64_t sim_clock_ns(void); /* since the machine was built; passes on while it is off */
void sim_clock_advance(int64_t ns);
void sim_clock_reset(void);

#endif
