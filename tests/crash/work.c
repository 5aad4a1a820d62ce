/* SPDX-License-Identifier: Apache-2.0 */
#include "work.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/durable.h"
#include "base/random.h"
#include "oversight/retire.h"
#include "oversight/shards.h"
#include "oversight/wal_frame.h"
#include "oversight/wal_removed.h"

#include "sim_machine.h"
#include "sim_thread.h"

/* Drafts are answered in the ledger at the moment in which the committer lets go of them
 * (queue_try_put is wrapped), not when their submitter wakes up: what came back is the promise. */

#define WAIT_NS (50 * NS_PER_MS)
#define WAITS_MAX 2000u /* 100 virtual seconds without an answer or a failure */

struct submitter {
    struct work *work;
    uint32_t number; /* in the ledger */
    struct queue *done;
    pthread_t thread;
    uint32_t out; /* drafts on their way */
    bool stopped;
    struct sim_random random;
    struct oversight_draft drafts[WORK_WINDOW];
    uint8_t private_bytes[WORK_WINDOW][WAL_PRIVATE_BYTES_MAX];
    struct oversight_draft *idle[WORK_WINDOW];
    uint32_t idle_count;
};

static const struct wal_places places = {WORK_WAL, WORK_LOG, WORK_PACKS};
static struct submitter submitters[WORK_SUBMITTERS_MAX + 1]; /* the last one is the main thread */
static struct work *present;

struct err __real_queue_try_put(struct queue *queue, void *thing);
struct err __wrap_queue_try_put(struct queue *queue, void *thing);

void work_init(struct work *self, uint64_t seed)
{
    memset(self, 0, sizeof *self);
    self->random = sim_random_make(seed, 3);
    uint8_t key_seed[SIGN_SEED_BYTES];
    memset(key_seed, 7, sizeof key_seed);
    sign_key_from_seed(&self->key, key_seed);
    note_vkey_make(&self->vkey, WORK_ORIGIN, self->key.public_key);
    ledger_init(&self->ledger);
}

void work_fini(struct work *self)
{
    ledger_fini(&self->ledger);
}

void work_choose_habit(struct work *self)
{
    struct sim_random *random = &self->random;
    static const int64_t intervals_ns[] = {NS_PER_MS / 10, NS_PER_MS, 5 * NS_PER_MS,
                                           3600 * NS_PER_S};
    self->habit = (struct work_habit){
        .submitters = 1 + (uint32_t)sim_random_below(random, WORK_SUBMITTERS_MAX),
        .drafts = (uint32_t)sim_random_below(random, 24),
        .batch_max = 1 + (uint32_t)sim_random_below(random, sim_random_one_in(random, 2) ? 2 : 12),
        .tiny = (uint32_t)sim_random_below(random, 257),
        .big = sim_random_one_in(random, 8) ? 64 : 2,
        .queue_entries = WORK_WINDOW + (uint32_t)sim_random_below(random, 40),
        .checkpoint_interval_ns = intervals_ns[sim_random_below(random, 4)],
        .publish_grace_ns = sim_random_one_in(random, 2) ? 0 : 600 * NS_PER_S,
        .opens = sim_random_one_in(random, 8) ? 2 : 1,
    };
}

void work_choose_last_habit(struct work *self)
{
    /* long records go to a new segment: then the old one is read again to its very end */
    bool big = sim_random_one_in(&self->random, 4);
    self->habit = (struct work_habit){
        .submitters = 1,
        .drafts = 3,
        .batch_max = 2,
        .tiny = big ? 0 : 256,
        .big = big ? 256 : 0,
        .queue_entries = WORK_WINDOW,
        .checkpoint_interval_ns = 3600 * NS_PER_S,
        .opens = big ? 2 : 1,
    };
}

void work_choose_look(struct work *self, bool may_break)
{
    work_choose_last_habit(self);
    self->habit.looks = true;
    self->habit.may_break = may_break;
}

/* ---- answers ---- */

static void work_answered(struct work *self, const struct oversight_draft *draft)
{
    ledger_answer(&self->ledger, (uint64_t)(uintptr_t)draft->owner, draft->entry_index,
                  draft->t_ns);
}

struct err __wrap_queue_try_put(struct queue *queue, void *thing)
{
    if (strcmp(sim_thread_name(), "commit") == 0) {
        bool by_committer = false;
        if (sim_machine_failed(&by_committer) && by_committer) {
            sim_violated("a draft came back after a write of the log failed");
        }
        work_answered(present, thing);
    }
    return __real_queue_try_put(queue, thing);
}

/* ---- submitters ---- */

static struct ledger_row draft_shape(const struct submitter *self, struct sim_random *random)
{
    struct ledger_row shape = {.private_count = LEDGER_NO_PRIVATE, .submitter = self->number};
    if (sim_random_share(random, self->work->habit.tiny)) {
        return shape;
    }
    uint64_t kind = sim_random_below(random, 16);
    shape.rest_bytes = (uint32_t)sim_random_below(random, kind < 8 ? 200 : kind < 15 ? 2000 : 8192);
    kind = sim_random_below(random, 8);
    if (sim_random_share(random, self->work->habit.big)) {
        shape.private_count = (uint32_t)sim_random_below(random, WAL_PRIVATE_BYTES_MAX + 1);
    } else if (kind < 3) {
        static const uint32_t most[] = {1, 300, 6000};
        shape.private_count = (uint32_t)sim_random_below(random, most[kind]);
    }
    return shape;
}

static struct oversight_draft *submitter_fill(struct submitter *self)
{
    struct oversight_draft *draft = self->idle[--self->idle_count];
    struct ledger_row shape = draft_shape(self, &self->random);
    uint64_t row = ledger_submit(&self->work->ledger, &shape, draft,
                                 self->private_bytes[draft - self->drafts]);
    draft->owner = (void *)(uintptr_t)row;
    draft->done = self->done;
    return draft;
}

static void submitter_submit(struct submitter *self, uint32_t count)
{
    struct oversight_draft *batch[WORK_WINDOW];
    for (uint32_t i = 0; i < count; i++) {
        batch[i] = submitter_fill(self);
    }
    bool failed = err_is(oversight_failure(self->work->log));
    struct err err = oversight_submit(self->work->log, batch, count);
    if (!err_is(err)) {
        if (failed) {
            sim_violated("a log that has failed takes drafts");
        }
        self->out += count;
        return;
    }
    self->stopped = true;
    if (err.code != ERR_CLOSED || !err_is(oversight_failure(self->work->log))) {
        sim_violated("a healthy log took no draft");
    }
}

/* Take back what has come; waits for at least one. */
static void submitter_take(struct submitter *self)
{
    void *things[WORK_WINDOW];
    uint32_t count = 0;
    for (uint32_t waits = 0; count == 0; waits++) {
        bool failed = err_is(oversight_failure(self->work->log));
        count = queue_take(self->done, things, WORK_WINDOW, failed ? 0 : WAIT_NS);
        if (count == 0 && failed) {
            self->stopped = true;
            return;
        }
        if (waits == WAITS_MAX) {
            sim_violated("drafts never came back from a healthy log");
        }
    }
    self->out -= count;
    for (uint32_t i = 0; i < count; i++) {
        self->idle[self->idle_count++] = things[i];
    }
}

static void *submitter_run(void *submitter)
{
    struct submitter *self = submitter;
    uint32_t left = self->work->habit.drafts;
    while (!self->stopped && (left > 0 || self->out > 0)) {
        uint32_t count = 1 + (uint32_t)sim_random_below(&self->random, self->work->habit.batch_max);
        count = count > left ? left : count;
        count = count > self->idle_count ? self->idle_count : count;
        if (count > 0) {
            submitter_submit(self, count);
            left -= count;
        }
        bool waits = count == 0 || sim_random_one_in(&self->random, 2);
        if (waits && self->out > 0 && !self->stopped) {
            submitter_take(self);
        }
    }
    return NULL;
}

/* ---- the main thread ---- */

static void submitter_prepare(struct work *work, struct submitter *self)
{
    self->work = work;
    self->number = work->submitters_ever++;
    self->out = 0;
    self->stopped = false;
    self->random = sim_random_make(sim_random_next(&work->random), self->number);
    self->idle_count = WORK_WINDOW;
    for (uint32_t i = 0; i < WORK_WINDOW; i++) {
        self->idle[i] = &self->drafts[i];
    }
    must(!err_is(queue_open(WORK_WINDOW, &self->done)));
}

static void work_submit_alone(struct work *self, struct submitter *main_one)
{
    main_one->idle_count = 1; /* its one draft is idle again when this returns */
    struct oversight_draft *draft = submitter_fill(main_one);
    draft->done = NULL;
    if (!err_is(oversight_submit_and_wait(self->log, draft))) {
        work_answered(self, draft);
    }
}

static struct err keep_all(void *arg, const struct wal_entry *entry, uint8_t *out,
                           uint32_t *out_bytes)
{
    (void)arg;
    memcpy(out, entry->private_bytes, entry->private_count);
    *out_bytes = entry->private_count;
    return err_none;
}

/* The oldest segment goes when a start can do without it: when it ends before the newest full tile
 * that is signed for. */
static void work_retire(struct work *self)
{
    struct retire_segment oldest;
    bool found = false;
    bool by_committer = false;
    uint64_t signed_for = oversight_published(self->log) / TILE_WIDTH * TILE_WIDTH;
    struct err err = retire_oldest(WORK_WAL, &oldest, &found);
    if (!err_is(err) && found && oldest.end_index < signed_for) {
        err = retire_segment(&places, &oldest, keep_all, NULL);
        self->retired += !err_is(err);
    }
    if (err_is(err) && !sim_machine_failed(&by_committer)) {
        char text[ERR_TEXT_BYTES];
        sim_violated("a segment cannot be retired: %s", err_text(err, text));
    }
}

/* What main does while the submitters run: rare entries of its own, checkpoints on request, new
 * segments, old ones that go. */
static void work_by_hand(struct work *self, struct submitter *main_one)
{
    struct sim_random *random = &main_one->random;
    for (uint64_t left = sim_random_below(random, 5); left > 0; left--) {
        uint64_t size = oversight_size(self->log);
        switch (sim_random_below(random, 6)) {
        case 0:
        case 1:
            (void)oversight_wait(self->log, size, NS_PER_MS);
            break;
        case 2:
            if (!err_is(oversight_publish(self->log)) && oversight_published(self->log) < size) {
                sim_violated("oversight_publish returned and nothing is published");
            }
            break;
        case 3:
            oversight_roll(self->log);
            break;
        case 4:
            (void)pthread_setname_np(pthread_self(), "retire"); /* so that crashes can aim at it */
            work_retire(self);
            (void)pthread_setname_np(pthread_self(), "main");
            break;
        default:
            work_submit_alone(self, main_one);
        }
    }
}

static void work_submit(struct work *self)
{
    struct submitter *main_one = &submitters[WORK_SUBMITTERS_MAX];
    submitter_prepare(self, main_one);
    for (uint32_t i = 0; i < self->habit.alone; i++) {
        work_submit_alone(self, main_one);
    }
    for (uint32_t i = 0; i < self->habit.submitters; i++) {
        submitter_prepare(self, &submitters[i]);
        must(pthread_create(&submitters[i].thread, NULL, submitter_run, &submitters[i]) == 0);
    }
    work_by_hand(self, main_one);
    for (uint32_t i = 0; i < self->habit.submitters; i++) {
        must(pthread_join(submitters[i].thread, NULL) == 0);
    }
}

/* After oversight_close, because the committer may hold drafts until then. */
static void work_drop_queues(const struct work *self)
{
    for (uint32_t i = 0; i <= WORK_SUBMITTERS_MAX; i++) {
        if (i < self->habit.submitters || i == WORK_SUBMITTERS_MAX) {
            queue_free(&submitters[i].done);
        }
    }
}

static void work_compare(struct work *self, const struct oversight_recovery *recovery)
{
    uint64_t size = oversight_size(self->log);
    if (size < recovery->size || oversight_published(self->log) != size) {
        sim_violated("the log opened with %llu entries, %llu found, %llu published",
                     (unsigned long long)size, (unsigned long long)recovery->size,
                     (unsigned long long)oversight_published(self->log));
    }
    struct wal_removed removed = {0};
    sim_thread_quiet(true);
    must(!err_is(wal_removed_read(WORK_WAL, &removed)));
    self->broke =
        ledger_check(&self->ledger, &places, removed.first_index, size, self->habit.may_break);
    sim_thread_quiet(false);
}

/* The list of shards, which names the one that there is. */
static struct err work_name_shard(void)
{
    static struct shards shards; /* large */
    struct err err = durable_directory(WORK_LOG, 0755);
    if (!err_is(err)) {
        err = shards_read(WORK_LOG, &shards);
    }
    if (err.code != ERR_NOT_FOUND) {
        return err;
    }
    memset(&shards, 0, sizeof shards);
    must(shards_add(&shards, 0, WORK_ORIGIN));
    return shards_write(WORK_LOG, &shards);
}

static bool work_open(struct work *self)
{
    struct oversight_recovery recovery;
    struct oversight_conf conf = {
        .wal_directory = WORK_WAL,
        .log_directory = WORK_LOG,
        .origin = WORK_ORIGIN,
        .key = &self->key,
        .segment_bytes = 1, /* the least there is: a little over 1 MiB */
        .queue_entries = self->habit.queue_entries,
        .checkpoint_interval_ns = self->habit.checkpoint_interval_ns,
        .publish_grace_ns = self->habit.publish_grace_ns,
    };
    self->opened = false;
    self->closed = false;
    sim_machine_opens_anew();
    self->refusal = work_name_shard();
    if (!err_is(self->refusal)) {
        self->refusal = oversight_open(&conf, &self->log, &recovery);
    }
    if (err_is(self->refusal)) {
        return false;
    }
    self->opened = true;
    work_compare(self, &recovery);
    return true;
}

void work_live(void *work)
{
    struct work *self = work;
    present = self;
    for (uint32_t opens = 0; opens < self->habit.opens; opens++) {
        if (!work_open(self)) {
            return;
        }
        if (!self->habit.looks) {
            work_submit(self);
        }
        self->size = oversight_size(self->log);
        self->failure = oversight_failure(self->log);
        oversight_close(&self->log);
        self->closed = true;
        if (!self->habit.looks) {
            work_drop_queues(self);
        }
    }
}

void work_forget(struct work *self)
{
    self->log = NULL;
    present = NULL;
}
