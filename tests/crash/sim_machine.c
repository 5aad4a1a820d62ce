/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"

#include "sim_memory.h"
#include "sim_thread.h"

/* Chance for the disk and the threads, and chance for what the product itself asks of getrandom,
 * are two streams. */

static struct {
    struct sim_disk *disk;
    struct sim_random random;
    struct sim_random entropy;
    struct sim_plan plan;
    uint64_t steps;
    uint64_t steps_to_crash;
    uint64_t trace;
    int64_t shift_ns; /* of the clock of the day */
    uint32_t stays;   /* of 256: a thread goes on after a step */
    bool refuses_direct;
    bool error_due; /* error_at is reached: the next call that can fail does */
    bool error_lasts;
    bool cuts_write;
    bool loses;
    bool failed;
    bool failed_by_committer;
} machine;

static bool tells;
static const char *repeat_line = "repeat: unknown";

ssize_t __wrap_getrandom(void *out, size_t out_bytes, unsigned flags);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);

void sim_repeat_is(const char *line)
{
    repeat_line = line;
}

void sim_violated(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fflush(stderr);
    (void)fputs("violated: ", stdout);
    (void)vprintf(format, arguments);
    (void)printf("\n%s\n", repeat_line);
    (void)fflush(stdout);
    va_end(arguments);
    _exit(1);
}

/* random_uuid7 keeps a pool a thread, and what the run before left of it would make this run
 * another one: make ids until it asks for a fresh pool. */
static void machine_drain_ids(void)
{
    uint8_t id[16];
    uint64_t before = machine.entropy.state;
    while (machine.entropy.state == before) {
        random_uuid7(id);
    }
}

void sim_machine_build(uint64_t seed, struct sim_disk **disk)
{
    sim_machine_scrap();
    memset(&machine, 0, sizeof machine);
    machine.disk = *disk;
    *disk = NULL;
    machine.random = sim_random_make(seed, 1);
    machine.entropy = sim_random_make(seed, 2);
    machine.stays = (uint32_t)sim_random_below(&machine.random, 256);
    machine.trace = seed;
    sim_clock_reset();
    machine_drain_ids();
}

void sim_machine_scrap(void)
{
    sim_disk_close(&machine.disk);
}

struct sim_disk *sim_machine_disk(void)
{
    return machine.disk;
}

struct sim_random *sim_machine_random(void)
{
    return &machine.random;
}

void sim_machine_refuse_direct(bool refuses)
{
    machine.refuses_direct = refuses;
}

bool sim_machine_refuses_direct(void)
{
    return machine.refuses_direct;
}

void sim_machine_set_clock(int64_t shift_ns)
{
    machine.shift_ns = shift_ns;
}

uint64_t sim_machine_steps(void)
{
    return machine.steps;
}

bool sim_machine_failed(bool *by_committer)
{
    *by_committer = machine.failed_by_committer;
    return machine.failed;
}

void sim_machine_opens_anew(void)
{
    machine.failed = false;
    machine.failed_by_committer = false;
}

bool sim_machine_live(const struct sim_plan *plan, void (*start)(void *), void *argument)
{
    machine.plan = *plan;
    machine.steps = 0;
    machine.steps_to_crash = 0;
    machine.error_due = false;
    machine.error_lasts = false;
    machine.cuts_write = false;
    machine.loses = false;
    machine.failed = false;
    machine.failed_by_committer = false;
    bool ended = sim_threads_run(&machine.random, start, argument);
    if (ended && sim_memory_held() != 0) {
        sim_violated("%u allocations were never freed", sim_memory_held());
    }
    if (ended && sim_calls_open_count() != 0) {
        sim_violated("%u descriptors were never closed", sim_calls_open_count());
    }
    sim_calls_reset();
    sim_memory_release();
    return ended;
}

void sim_machine_tell(bool on)
{
    tells = on;
}

bool sim_machine_tells(void)
{
    return tells;
}

static void machine_tell(enum sim_call call, const struct sim_file *file)
{
    static const char *const calls[] = {"open", "close", "read", "write",
                                        "sync", "name",  "look", "pass"};
    if (tells) {
        (void)printf("%6llu %-10s %-5s %s\n", (unsigned long long)machine.steps,
                     sim_thread_name()[0] == '\0' ? "-" : sim_thread_name(), calls[call],
                     file == NULL ? "" : file->name);
    }
}

/* Which calls an error can strike. */
static bool machine_error_strikes(enum sim_call call, bool needs_space)
{
    switch (machine.plan.error) {
    case SIM_ERROR_ONCE:
    case SIM_ERROR_ALWAYS:
        return call != SIM_PASS;
    case SIM_ERROR_FULL:
        return needs_space;
    case SIM_ERROR_SHORT:
        return call == SIM_WRITE;
    case SIM_ERROR_LOST:
        return call == SIM_SYNC;
    case SIM_ERROR_NONE:
    case SIM_ERRORS:
        break;
    }
    return false;
}

static int machine_error(enum sim_call call, const struct sim_file *file, bool needs_space)
{
    bool due = machine.error_due || machine.error_lasts;
    if (!due || !machine_error_strikes(call, needs_space)) {
        return 0;
    }
    enum sim_error error = machine.plan.error;
    machine.error_due = false;
    machine.error_lasts = error == SIM_ERROR_ALWAYS || error == SIM_ERROR_FULL;
    if (error == SIM_ERROR_SHORT) {
        machine.cuts_write = true;
        return 0;
    }
    machine.loses = error == SIM_ERROR_LOST && file != NULL && !file->is_directory;
    machine.failed = true;
    bool in_commit = call == SIM_WRITE || call == SIM_SYNC || call == SIM_NAME;
    if (in_commit && strcmp(sim_thread_name(), "commit") == 0) {
        machine.failed_by_committer = true;
    }
    if (tells) {
        (void)printf("       fails%s\n", machine.loses ? ", and loses what it should write" : "");
    }
    return error == SIM_ERROR_FULL ? ENOSPC : EIO;
}

int sim_machine_step(enum sim_call call, const struct sim_file *file, bool needs_space)
{
    if (!sim_thread_inside()) {
        return 0;
    }
    uint64_t what[4] = {machine.steps, (uint64_t)call, sim_thread_number(),
                        file == NULL ? 0 : file->number};
    sim_machine_note(what, sizeof what);
    sim_clock_advance((int64_t)sim_random_below(&machine.random, 20000));
    machine_tell(call, file);
    const char *counted = machine.plan.crashes;
    bool changes = call == SIM_WRITE || call == SIM_SYNC || call == SIM_NAME || call == SIM_PASS;
    if (counted == NULL || (changes && strcmp(counted, sim_thread_name()) == 0)) {
        machine.steps_to_crash++;
    }
    if (machine.steps_to_crash > machine.plan.crash_at) {
        sim_thread_crash();
    }
    if (++machine.steps == machine.plan.error_at) {
        machine.error_due = true;
    }
    if (!sim_random_share(&machine.random, machine.stays)) {
        sim_thread_yield();
    }
    return machine_error(call, file, needs_space);
}

bool sim_machine_cuts_write(void)
{
    bool cuts = machine.cuts_write;
    machine.cuts_write = false;
    return cuts;
}

bool sim_machine_loses(void)
{
    bool loses = machine.loses;
    machine.loses = false;
    return loses;
}

void sim_machine_note(const void *bytes, uint64_t bytes_count)
{
    const uint8_t *at = bytes;
    uint64_t sum = machine.trace;
    for (; bytes_count >= 8; bytes_count -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        sum = (sum ^ word) * UINT64_C(0x9fb21c651e98df25);
        sum ^= sum >> 32;
    }
    uint64_t rest = bytes_count;
    memcpy(&rest, at, bytes_count);
    machine.trace = (sum ^ rest) * UINT64_C(0x9fb21c651e98df25);
}

uint64_t sim_machine_trace(void)
{
    return machine.trace;
}

/* ---- what the product calls ---- */

ssize_t __wrap_getrandom(void *out, size_t out_bytes, unsigned flags)
{
    (void)flags;
    sim_random_fill(&machine.entropy, out, out_bytes);
    return (ssize_t)out_bytes;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
    int64_t ns = sim_clock_ns();
    if (id == CLOCK_REALTIME) {
        ns += INT64_C(1800000000000000000) + machine.shift_ns;
    }
    out->tv_sec = (time_t)(ns / 1000000000);
    out->tv_nsec = (long)(ns % 1000000000);
    return 0;
}
