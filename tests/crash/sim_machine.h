/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

/* Sim machine: one simulated computer: a disk, a clock, a process that lives until it ends, is
 * killed or loses power, and the plan of what goes wrong in this life.
 *
 * There is one machine, because the calls of the product have no place for a handle. A run is a
 * pure function of the seed: sim_machine_trace tells two runs apart. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim_disk.h"

#define SIM_NEVER UINT64_MAX

enum sim_error {
    SIM_ERROR_NONE,
    SIM_ERROR_ONCE,   /* one call fails with EIO */
    SIM_ERROR_ALWAYS, /* every call that reaches the device fails with EIO from then on */
    SIM_ERROR_FULL,   /* what needs new space fails with ENOSPC from then on */
    SIM_ERROR_SHORT,  /* one write is cut short; the rest of it goes well */
    SIM_ERROR_LOST, /* one sync fails, what it should have written is lost, the next one "works" */
    SIM_ERRORS
};

/* What happens in one life of the process; steps are counted from its start. */
struct sim_plan {
    uint64_t crash_at;   /* SIM_NEVER: not at all */
    const char *crashes; /* NULL, or only the steps of the thread of this name that change the disk
                          * count */
    uint64_t error_at;
    enum sim_error error;
};

enum sim_call {
    SIM_OPEN,
    SIM_CLOSE,
    SIM_READ,
    SIM_WRITE,
    SIM_SYNC, /* fsync, fdatasync, and the second half of an O_DSYNC write */
    SIM_NAME, /* anything that changes names */
    SIM_LOOK, /* fstat, lseek, access, flock, listing */
    SIM_PASS  /* the call has done its work and has not returned yet: cannot fail */
};

/* A new machine with this disk (taken over), for the run of this seed. */
void sim_machine_build(uint64_t seed, struct sim_disk **disk);
void sim_machine_scrap(void);
struct sim_disk *sim_machine_disk(void);
struct sim_random *sim_machine_random(void);
/* The file system refuses O_DIRECT; for the whole life of the machine. */
void sim_machine_refuse_direct(bool refuses);
bool sim_machine_refuses_direct(void);

/* Somebody sets the clock of the day: it stands this far from where it would be. */
void sim_machine_set_clock(int64_t shift_ns);

/* Run one life: true when start() returned, false when the process was killed at crash_at. Its
 * descriptors, locks and memory are gone in any case; that nothing leaked is checked when it ended
 * by itself. The disk stays as the kernel sees it: sim_disk_power_cut may follow. */
bool sim_machine_live(const struct sim_plan *plan, void (*start)(void *), void *argument);
/* Steps of this life so far. */
uint64_t sim_machine_steps(void);
/* Has an injected error been returned since the life began, or since the log was opened anew?
 * *by_committer: to the thread "commit", by a call that it depends on. */
bool sim_machine_failed(bool *by_committer);
void sim_machine_opens_anew(void);

/* For the calls: a step of the running thread. Returns 0, or the errno that the call must fail
 * with. May exchange the thread; does not return from a crash. */
int sim_machine_step(enum sim_call call, const struct sim_file *file, bool needs_space);
/* The write that was just admitted takes only part of its bytes. */
bool sim_machine_cuts_write(void);
/* A failed sync loses what it should have written. */
bool sim_machine_loses(void);
void sim_machine_note(const void *bytes, uint64_t bytes_count);
uint64_t sim_machine_trace(void);

/* Tell every step on standard output, for people who repeat a run. */
void sim_machine_tell(bool tells);
bool sim_machine_tells(void);

/* Something that must never happen did: says what, prints the one line that repeats the run, ends
 * the program with status 1. */
_Noreturn void sim_violated(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The line that sim_violated prints; borrowed for ever. */
void sim_repeat_is(const char *line);

/* For the calls: -1 and errno. */
static inline int sim_fail(int os_errno)
{
    errno = os_errno;
    return -1;
}

/* sim_call.c, sim_name.c */
void sim_calls_reset(void);
uint32_t sim_calls_open_count(void);
void sim_listings_reset(void);
uint32_t sim_listings_open_count(void);

#endif
