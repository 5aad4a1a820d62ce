/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#include "public_check.h"
#include "sim_thread.h"

#define DISKS 4u

static const struct sim_plan nothing = {.crash_at = SIM_NEVER, .error_at = SIM_NEVER};

static struct {
    struct sim_disk *disk;
    struct ledger ledger;
    uint32_t submitters_ever;
} prepared[DISKS];

/* ---- parts of a run ---- */

void run_begin(struct run *self, uint64_t seed, struct run_counts *counts)
{
    memset(self, 0, sizeof *self);
    self->counts = counts;
    work_init(&self->work, seed);
    static const uint8_t which[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 3};
    uint32_t number = which[sim_random_below(&self->work.random, sizeof which)];
    self->may_retire = number == DISKS - 1;
    struct sim_disk *disk = NULL;
    if (prepared[number].disk == NULL) {
        disk = sim_disk_open();
    } else {
        disk = sim_disk_copy(prepared[number].disk);
        ledger_copy(&self->work.ledger, &prepared[number].ledger);
        self->work.submitters_ever = prepared[number].submitters_ever;
    }
    sim_machine_build(seed, &disk);
    sim_machine_refuse_direct(sim_random_one_in(&self->work.random, 8));
}

void run_end(struct run *self)
{
    self->counts->retired += self->work.retired;
    work_fini(&self->work);
    sim_machine_scrap();
    self->counts->runs++;
}

/* Opening takes a few hundred steps, a group about ten. */
uint64_t run_choose_step(struct run *self)
{
    static const uint64_t most[] = {150, 400, 1000, 3000};
    struct sim_random *random = &self->work.random;
    return 1 + sim_random_below(random, most[sim_random_below(random, 4)]);
}

/* Half of the crashes hit anywhere; the others hit one thread, so that the few steps between a
 * group and its slot, or between last-signed and the checkpoint, are hit as often as the long ones.
 * What a kill left unsynced is in danger until the next sync: the first groups after one are hit
 * more. */
static void run_choose_crash(struct run *self, struct sim_plan *plan)
{
    static const char *const threads[] = {"commit", "commit", "checkpoint", "wal-spare"};
    struct sim_random *random = &self->work.random;
    plan->crash_at = run_choose_step(self);
    if (self->killed && sim_random_one_in(random, 2)) {
        plan->crashes = "commit";
        plan->crash_at = sim_random_below(random, 12);
    } else if (self->killed && sim_random_one_in(random, 2)) {
        plan->crash_at = sim_random_below(random, 400);
    } else if (self->may_retire && sim_random_one_in(random, 2)) {
        plan->crashes = "retire";
        plan->crash_at = sim_random_below(random, 50);
    } else if (sim_random_one_in(random, 2)) {
        plan->crashes = threads[sim_random_below(random, 4)];
        plan->crash_at = sim_random_below(random, sim_random_one_in(random, 2) ? 16 : 60);
    }
}

/* What the life promised by the way it ended. */
static void run_judge(struct run *self, bool ended)
{
    const struct work *work = &self->work;
    bool by_committer = false;
    bool failed = sim_machine_failed(&by_committer);
    if (ended && err_is(work->refusal)) {
        char text[ERR_TEXT_BYTES];
        if (!failed) {
            sim_violated("the log refuses to open: %s", err_text(work->refusal, text));
        }
        self->counts->refusals++;
        return;
    }
    if (ended && by_committer && work->closed && !err_is(work->failure)) {
        sim_violated("a write of the log failed, and the log does not say so");
    }
    if (ended && !failed && err_is(work->failure)) {
        char text[ERR_TEXT_BYTES];
        sim_violated("the log failed without an error: %s", err_text(work->failure, text));
    }
}

bool run_live(struct run *self, const struct sim_plan *plan)
{
    struct work *work = &self->work;
    work->opened = false;
    work->closed = false;
    work->refusal = err_none;
    work->failure = err_none;
    if (sim_machine_tells()) {
        (void)printf("-- life: crash at %lld, error %d at %lld\n", (long long)plan->crash_at,
                     (int)plan->error, (long long)plan->error_at);
    }
    bool ended = sim_machine_live(plan, work_live, work);
    bool by_committer = false;
    bool failed = sim_machine_failed(&by_committer);
    self->counts->errors += failed;
    self->counts->crashes += !ended;
    self->counts->while_opening += !ended && !work->opened;
    run_judge(self, ended);
    work_forget(work);
    const struct sim_disk *disk = sim_machine_disk();
    if (work->opened && self->has_seen) {
        public_check_copy(disk, WORK_PUBLIC, &work->vkey, &self->seen);
    }
    self->has_seen = public_check(disk, WORK_PUBLIC, &work->vkey, &work->ledger, &self->seen);
    if (self->has_seen) {
        ledger_saw(&work->ledger, self->seen.size, self->seen.root);
    }
    bool whole = ended && work->closed && !failed;
    if (whole && (!self->has_seen || self->seen.size != work->size)) {
        sim_violated("the log was closed with %llu entries and the checkpoint covers fewer",
                     (unsigned long long)work->size);
    }
    return ended;
}

static struct sim_weather weather_choose(struct sim_random *random)
{
    static const struct sim_weather weathers[] = {
        {.write_gone = 256},
        {.write_whole = 256},
        {.sector_keeps = 128},
        {.write_whole = 128, .write_gone = 128, .sector_keeps = 200},
        {.write_whole = 64, .write_gone = 64, .sector_keeps = 128, .sector_garbage = 128},
        {.sector_keeps = 250},
        {.sector_keeps = 10, .sector_garbage = 20},
    };
    static const uint32_t names[] = {0, 128, 256};
    struct sim_weather weather =
        weathers[sim_random_below(random, sizeof weathers / sizeof weathers[0])];
    weather.name_keeps = names[sim_random_below(random, 3)];
    return weather;
}

void run_stop(struct run *self, bool power_goes)
{
    struct sim_random *random = sim_machine_random();
    self->killed = !power_goes;
    sim_machine_set_clock((int64_t)sim_random_below(random, 7200 * (uint64_t)NS_PER_S) -
                          3600 * NS_PER_S);
    sim_clock_advance((int64_t)sim_random_below(random, 3600 * (uint64_t)NS_PER_S));
    if (sim_machine_tells()) {
        (void)printf("-- %s\n", power_goes ? "power cut" : "killed");
    }
    if (!power_goes) {
        self->counts->kills++;
        return;
    }
    struct sim_weather weather = weather_choose(random);
    struct ledger_checkpoint kept;
    sim_disk_power_cut(sim_machine_disk(), random, &weather);
    self->counts->power_cuts++;
    /* before anybody repairs anything */
    (void)public_check(sim_machine_disk(), WORK_PUBLIC, &self->work.vkey, &self->work.ledger,
                       &kept);
}

void run_last(struct run *self)
{
    static const struct sim_weather worst = {.write_gone = 256};
    work_choose_last_habit(&self->work);
    if (!run_live(self, &nothing) || !self->work.closed) {
        sim_violated("a quiet life did not end quietly");
    }
    public_check_copy(sim_machine_disk(), WORK_PUBLIC, &self->work.vkey, &self->seen);
    struct ledger_checkpoint kept;
    sim_disk_power_cut(sim_machine_disk(), sim_machine_random(), &worst);
    bool there =
        public_check(sim_machine_disk(), WORK_PUBLIC, &self->work.vkey, &self->work.ledger, &kept);
    if (!there || kept.size != self->seen.size) {
        sim_violated("a power cut after the end took the public checkpoint back");
    }
}

/* ---- the disks that runs begin with ---- */

static void prepare(uint32_t number, uint32_t from, const struct work_habit *habit)
{
    static struct run run;
    static const struct sim_weather calm = {.write_whole = 256, .name_keeps = 256};
    struct run_counts counts = {0};
    memset(&run, 0, sizeof run);
    run.counts = &counts;
    work_init(&run.work, number);
    struct sim_disk *disk = from == 0 ? sim_disk_open() : sim_disk_copy(prepared[from].disk);
    if (from != 0) {
        ledger_copy(&run.work.ledger, &prepared[from].ledger);
        run.work.submitters_ever = prepared[from].submitters_ever;
    }
    sim_machine_build(number, &disk);
    run.work.habit = *habit;
    (void)run_live(&run, &nothing);
    sim_disk_power_cut(sim_machine_disk(), sim_machine_random(), &calm);
    prepared[number].disk = sim_disk_copy(sim_machine_disk());
    prepared[number].ledger = run.work.ledger;
    prepared[number].submitters_ever = run.work.submitters_ever;
    sim_machine_scrap();
}

void run_prepare(void)
{
    struct work_habit habit = {.alone = 245,
                               .tiny = 256,
                               .batch_max = 1,
                               .queue_entries = WORK_WINDOW,
                               .checkpoint_interval_ns = 3600 * NS_PER_S,
                               .opens = 1};
    prepare(1, 0, &habit);
    habit.alone = 20;
    habit.submitters = 1;
    habit.drafts = 60;
    habit.batch_max = 12;
    prepare(2, 1, &habit);
    habit.drafts = 230;
    prepare(3, 2, &habit);
}

/* ---- modes ---- */

static void run_crashes(struct run *self)
{
    struct sim_random *random = &self->work.random;
    for (uint64_t lives = 2 + sim_random_below(random, 4); lives > 0; lives--) {
        struct sim_plan plan = nothing;
        run_choose_crash(self, &plan);
        work_choose_habit(&self->work);
        (void)run_live(self, &plan);
        run_stop(self, !sim_random_one_in(random, 3));
    }
    run_last(self);
}

static void run_errors(struct run *self)
{
    struct sim_random *random = &self->work.random;
    for (uint64_t lives = 1 + sim_random_below(random, 2); lives > 0; lives--) {
        struct sim_plan plan = nothing;
        plan.error = 1 + (enum sim_error)sim_random_below(random, SIM_ERRORS - 1);
        plan.error_at = run_choose_step(self);
        if (sim_random_one_in(random, 8)) {
            plan.crash_at = plan.error_at + sim_random_below(random, 200);
        }
        work_choose_habit(&self->work);
        bool blind = plan.error == SIM_ERROR_LOST && sim_machine_refuses_direct();
        self->work.habit.opens = blind ? 1 : self->work.habit.opens;
        (void)run_live(self, &plan);
        /* Where O_DIRECT is refused, a restart reads what was lost from the page cache and cannot
         * know better (FORMAT.md, section 2): there only a power cut ends such a life. */
        run_stop(self, blind || sim_random_one_in(random, 2));
    }
    run_last(self);
}

uint64_t run_once(enum run_mode mode, uint64_t seed, struct run_counts *counts)
{
    static struct run run; /* large */
    run_begin(&run, seed, counts);
    if (mode == RUN_CRASH) {
        run_crashes(&run);
    } else if (mode == RUN_ERROR) {
        run_errors(&run);
    } else {
        run_rot(&run);
    }
    uint64_t trace = sim_machine_trace();
    run_end(&run);
    return trace;
}
