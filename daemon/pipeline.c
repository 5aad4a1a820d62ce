/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "base/random.h"
#include "pipeline_parts.h"

/* The life of a scan, top to bottom. Each line below is one thread; each call is one stage. What an
 * arrow of the flow carries from thread to thread is a bounded queue, or the log itself: the judge
 * line is a reader of the log, so that after a crash it does what it always does, only later.
 *
 *   receive_line   1 receive            4 answer
 *   intake_line    2 decode, validate, blob    3 append received
 *   judge_line     5 join   6 score   7 decide   8 append score + decision   9 read model, feed
 *   archive_line   10 archive, seal
 *   keeper_line    old segments become packs, what was redacted goes, behind all of them
 *   witness_line   checkpoints to witnesses, beside the flow
 *   shadow_line    what a model in shadow says of what was decided; nobody waits for it
 *   image_line     images for viewers, beside the flow; waits for nobody, nobody waits for it */

/* ---- rows 1 and 4 ---- */

/* Answer what became durable. Drafts of arrivals know their arrival; those of commands have no
 * owner. */
static void receive_answer(struct pipeline *self, int64_t timeout_ns)
{
    void *drafts[PIPELINE_BATCH];
    struct arrival *arrivals[PIPELINE_BATCH];
    uint32_t count = queue_take(self->done, drafts, PIPELINE_BATCH, timeout_ns);
    uint32_t arrivals_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct oversight_draft *draft = drafts[i];
        if (draft->owner != NULL) {
            arrivals[arrivals_count++] = draft->owner;
        } else {
            struct command_job *job = drafts[i]; /* draft is its first member */
            ingest_answer_command(self->ingest, job->command, &job->answer);
            job->command = NULL;
        }
    }
    if (arrivals_count > 0) {
        ingest_answer(self->ingest, arrivals, arrivals_count);
    }
}

static struct err receive_turn(struct pipeline *self)
{
    struct arrival *arrivals[PIPELINE_BATCH];
    struct ingest_command *commands[16];
    uint32_t arrivals_count = 0;
    uint32_t commands_count = 0;
    struct err err = ingest_receive(self->ingest, self->done, 100 * NS_PER_MS, arrivals,
                                    PIPELINE_BATCH, &arrivals_count, commands, 16, &commands_count);
    for (uint32_t i = 0; !err_is(err) && i < arrivals_count; i++) {
        err = queue_put(self->intake, arrivals[i]); /* as many places as arrivals: never waits */
    }
    for (uint32_t i = 0; !err_is(err) && i < commands_count; i++) {
        /* How the daemon is must be known above all when the judge line is busy. */
        if (commands[i]->command.order == ORDER_HEALTH) {
            command_health(self, commands[i]);
        } else {
            err = queue_put(self->commands, commands[i]);
        }
    }
    receive_answer(self, 0);
    return err;
}

static void *receive_line(void *arg)
{
    struct pipeline *self = arg;
    (void)pthread_setname_np(pthread_self(), "receive");
    while (!atomic_load(&self->stopping) && !pipeline_failed(self)) {
        struct err err = receive_turn(self);
        if (err_is(err)) {
            pipeline_fail(self, err);
        }
    }
    return NULL;
}

/* ---- rows 2 and 3 ---- */

static struct err intake_turn(struct pipeline *self)
{
    void *taken[PIPELINE_BATCH];
    struct oversight_draft *drafts[PIPELINE_BATCH];
    uint32_t count = queue_take(self->intake, taken, PIPELINE_BATCH, 100 * NS_PER_MS);
    if (count == 0) {
        return err_none;
    }
    counter_set(COUNTER_waiting_intake, queue_depth(self->intake));
    struct err err = err_none;
    uint32_t blobs_count = 0;
    atomic_fetch_add(&self->intake_turns, 1);
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        struct arrival *arrival = taken[i];
        if (blobs_count + arrival->images_count > BLOB_BATCH_MAX) {
            err = blob_commit(self->blobs);
            blobs_count = 0;
        }
        blobs_count += arrival->images_count;
        err = err_is(err) ? err : intake_take(self, arrival);
    }
    if (!err_is(err)) {
        err =
            blob_commit(self->blobs); /* before the log: an entry without its blob would be a lie */
    }
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        struct arrival *arrival = taken[i];
        drafts[i] = &arrival->draft;
        stage_took(STAGE_intake, clock_monotonic_ns() - arrival->received_ns);
    }
    err = err_is(err) ? err : oversight_submit(self->oversight, drafts, count);
    atomic_fetch_add(&self->intake_turns, 1);
    return err;
}

static void *intake_line(void *arg)
{
    struct pipeline *self = arg;
    (void)pthread_setname_np(pthread_self(), "intake");
    while (!pipeline_failed(self) &&
           !(queue_is_stopped(self->intake) && queue_depth(self->intake) == 0)) {
        struct err err = intake_turn(self);
        if (err_is(err)) {
            pipeline_fail(self, err);
        }
    }
    return NULL;
}

/* ---- rows 5 to 9 ---- */

static struct err judge_commands(struct pipeline *self)
{
    void *commands[16];
    uint32_t count = queue_take(self->commands, commands, 16, 0);
    struct err err = err_none;
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        err = command_run(self, commands[i]);
    }
    return err;
}

/* What each place could take since the last tick, its cut-off and what that cost. */
static void tick_capacity(struct pipeline *self, struct entry_time_tick *tick)
{
    struct decide_minute *minutes = self->minutes;
    uint32_t count = decide_take_minutes(self->decide, clock_utc_ns(), minutes, ENTRY_CAPACITY_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct capacity_minute *since = &minutes[i].since;
        tick->capacity[i] = (struct entry_capacity){
            .mode = minutes[i].mode,
            .site = minutes[i].site,
            .capacity_per_hour = minutes[i].capacity_per_hour,
            .arrivals_per_hour = minutes[i].arrivals_per_hour,
            .cutoff = minutes[i].cutoff,
            .queue = minutes[i].queue,
            .queue_max = minutes[i].queue_max,
            .items = since->items,
            .target = since->target,
            .random = since->random,
            .below = since->below,
            .just_below = since->just_below,
            .finds_lost = since->finds_lost,
            .cutoff_lowest = since->scored > 0 ? since->cutoff_lowest : minutes[i].cutoff,
            .cutoff_highest = since->scored > 0 ? since->cutoff_highest : minutes[i].cutoff};
    }
    tick->capacity_count = count;
}

static struct err judge_tick(struct pipeline *self)
{
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns < self->next_tick_ns) {
        return err_none;
    }
    wal_reader_rest(self->lookup); /* a segment that was retired since shall not stay open */
    self->next_tick_ns = now_ns + (int64_t)(self->conf.oversight_tick_s * (double)NS_PER_S);
    struct state_counts counts;
    struct err err = state_counts(self->state, &counts);
    if (err_is(err)) {
        return err;
    }
    struct entry entry;
    pipeline_entry(&entry, ENTRY_TIME_TICK);
    entry.body.time_tick.received_scans = counts.scans;
    entry.body.time_tick.received_declarations = counts.declarations;
    entry.body.time_tick.refused = counts.refusals;
    entry.body.time_tick.undecided = counts.undecided;
    tick_capacity(self, &entry.body.time_tick);
    err = pipeline_append(self, &entry, NULL);
    return err_is(err) ? err : ageing_tick(self, clock_utc_ns());
}

/* How long the judge line may sleep: until the next hold ends, and short enough that a command is
 * answered at once. */
static int64_t judge_patience_ns(struct pipeline *self)
{
    int64_t next_ns = join_next_deadline_ns(self->join);
    int64_t now_ns = clock_utc_ns();
    if (next_ns <= now_ns) {
        return 0;
    }
    int64_t patience_ns = next_ns - now_ns;
    return patience_ns < 10 * NS_PER_MS ? patience_ns : 10 * NS_PER_MS;
}

static struct err judge_turn(struct pipeline *self)
{
    uint32_t applied = 0;
    uint32_t decided = 0;
    struct err err = judge_commands(self);
    if (!err_is(err)) {
        err = judge_catch_up(self, JUDGE_ENTRIES, &applied); /* 5 join and 9 read model, feed */
    }
    if (!err_is(err)) {
        err = draw_day_turn(self, clock_utc_ns(), self->conf.judge_enabled);
    }
    if (!err_is(err) && self->conf.judge_enabled) {
        err = judge_items(self, &decided); /* 6 score, 7 decide, 8 append */
    }
    if (!err_is(err)) {
        err = judge_tick(self);
    }
    if (!err_is(err)) {
        err = ageing_turn(self);
    }
    if (!err_is(err)) {
        err = judge_collect(self, 0);
    }
    if (!err_is(err) && applied == 0 && decided == 0) {
        uint64_t judged = atomic_load(&self->judged);
        (void)oversight_wait(self->oversight, judged, judge_patience_ns(self));
        err = oversight_failure(self->oversight);
    }
    return err;
}

static void *judge_line(void *arg)
{
    struct pipeline *self = arg;
    (void)pthread_setname_np(pthread_self(), "judge");
    while (!atomic_load(&self->stop_judge) && !pipeline_failed(self)) {
        struct err err = judge_turn(self);
        if (err_is(err)) {
            pipeline_fail(self, err);
        }
    }
    return NULL;
}

/* ---- what the stages share ---- */

void pipeline_fail(struct pipeline *self, struct err err)
{
    must(err_is(err));
    char text[ERR_TEXT_BYTES];
    if (err.code == ERR_CLOSED &&
        self->oversight != NULL) { /* the log says no because of what happened to it: tell that */
        struct err cause = oversight_failure(self->oversight);
        err = err_is(cause) ? cause : err;
    }
    must(pthread_mutex_lock(&self->failure_lock) == 0);
    bool first = !err_is(self->failure);
    if (first) {
        self->failure = err;
    }
    must(pthread_mutex_unlock(&self->failure_lock) == 0);
    if (first) {
        diag_err(halt, "error=%s reason=\"%s\"", err_name(err.code), err_text(err, text));
    }
}

bool pipeline_failed(struct pipeline *self)
{
    must(pthread_mutex_lock(&self->failure_lock) == 0);
    bool failed = err_is(self->failure);
    must(pthread_mutex_unlock(&self->failure_lock) == 0);
    return failed;
}

void pipeline_entry(struct entry *out, enum entry_type type)
{
    memset(out, 0, sizeof *out);
    out->type = type;
    out->actor = "daemon";
    random_uuid7(out->id);
}

void pipeline_draft(const struct entry *entry, struct oversight_draft *out)
{
    size_t rest_bytes = entry_encode_rest(entry, out->rest, sizeof out->rest);
    must(rest_bytes > 0);
    out->rest_bytes = (uint32_t)rest_bytes;
    out->private_bytes = NULL;
    out->private_count = 0;
    out->private_head_bytes = 0;
    out->private_tail_bytes = 0;
}

struct err pipeline_append(struct pipeline *self, const struct entry *entry, uint64_t *entry_index)
{
    struct oversight_draft *draft = calloc(1, sizeof *draft);
    if (draft == NULL) {
        return err_make(ERR_MEMORY, "pipeline_append");
    }
    pipeline_draft(entry, draft);
    struct err err = oversight_submit_and_wait(self->oversight, draft);
    if (!err_is(err) && entry_index != NULL) {
        *entry_index = draft->entry_index;
    }
    free(draft);
    return err;
}

/* ---- start and stop ---- */

static struct err pipeline_start_thread(pthread_t *thread, bool *started, void *(*line)(void *),
                                        void *arg)
{
    int fault = pthread_create(thread, NULL, line, arg);
    if (fault != 0) {
        return (struct err){ERR_THREAD, fault, "pthread_create"};
    }
    *started = true;
    return err_none;
}

struct err pipeline_start(struct pipeline *self)
{
    struct err err =
        pipeline_start_thread(&self->judge_thread, &self->judge_started, judge_line, self);
    if (!err_is(err)) {
        err = pipeline_start_thread(&self->intake_thread, &self->intake_started, intake_line, self);
    }
    if (!err_is(err) && self->conf.archive_enabled) {
        err = pipeline_start_thread(&self->archive_thread, &self->archive_started, archive_line,
                                    self);
    }
    if (!err_is(err)) {
        err = pipeline_start_thread(&self->keeper_thread, &self->keeper_started, keeper_line, self);
    }
    if (!err_is(err) && self->retention != NULL) {
        err = pipeline_start_thread(&self->retention_thread, &self->retention_started,
                                    retention_line, self);
    }
    if (!err_is(err)) {
        err = pipeline_start_thread(&self->receive_thread, &self->receive_started, receive_line,
                                    self);
    }
    return err;
}

/* The lines have ended: whatever was taken is in the log and log.close can be its last entry. */
static void pipeline_end_shard(struct pipeline *self)
{
    struct command_job *job = self->close_job;
    const struct wire_command *command = &job->command->command;
    char actor[PSEUDONYM_BYTES];
    pseudonym_of(self->keys.pseudonym, "officer", command->actor, actor);
    struct err err = oversight_end(self->oversight, actor, command->close_reason,
                                   clock_year(clock_utc_ns()), &job->answer.entry_index);
    if (!err_is(err)) {
        err = witness_line_final(self);
    }
    job->answer.done = !err_is(err);
    job->answer.request_id = command->request_id;
    job->answer.name = err_name(err.code);
    job->answer.reason = job->reason;
    job->answer.json = job->json;
    if (!err_is(err)) {
        err = queue_put(self->done, &job->draft); /* pipeline_farewell answers */
    }
    if (err_is(err)) {
        pipeline_fail(self, err);
    }
}

struct err pipeline_run(struct pipeline *self, const volatile bool *stop)
{
    while (!*stop && !pipeline_failed(self) && !atomic_load(&self->close_asked)) {
        struct timespec nap = {.tv_sec = 0, .tv_nsec = 50 * (long)NS_PER_MS};
        (void)nanosleep(&nap, NULL); /* a signal ends it early */
    }
    if (atomic_load(&self->close_asked)) {
        pipeline_stop(self);
    }
    if (atomic_load(&self->close_asked) && !pipeline_failed(self)) {
        pipeline_end_shard(self);
    }
    must(pthread_mutex_lock(&self->failure_lock) == 0);
    struct err err = self->failure;
    must(pthread_mutex_unlock(&self->failure_lock) == 0);
    return err;
}

static void pipeline_join(pthread_t thread, bool *started)
{
    if (*started) {
        must(pthread_join(thread, NULL) == 0);
        *started = false;
    }
}

/* In the order of the flow, so that what was received is still made durable and answered. */
void pipeline_stop(struct pipeline *self)
{
    atomic_store(&self->stopping, true);
    console_stop_images(self->console); /* before log.close: each appends its access entry */
    pipeline_join(self->receive_thread, &self->receive_started);
    if (self->intake != NULL) {
        queue_stop(self->intake);
    }
    pipeline_join(self->intake_thread, &self->intake_started);
    shadow_line_close(self);
    atomic_store(&self->stop_retention, true); /* it waits for the judge line */
    atomic_store(&self->stop_judge, true);
    pipeline_join(self->judge_thread, &self->judge_started);
    atomic_store(&self->stop_archive, true);
    if (self->archive_asks != NULL) {
        queue_stop(self->archive_asks);
    }
    pipeline_join(self->archive_thread, &self->archive_started);
    atomic_store(&self->stop_keeper, true);
    if (self->keeper_asks != NULL) {
        queue_stop(self->keeper_asks);
    }
    pipeline_join(self->keeper_thread, &self->keeper_started);
    if (self->retention_asks != NULL) {
        queue_stop(self->retention_asks);
    }
    pipeline_join(self->retention_thread, &self->retention_started);
    witness_line_close(self);
}

/* After the log is closed: what came back last is answered, then everybody is told. */
void pipeline_farewell(struct pipeline *self)
{
    if (self->ingest == NULL || pipeline_failed(self)) {
        return;
    }
    while (queue_depth(self->done) > 0) {
        receive_answer(self, 0);
    }
    ingest_say_bye(self->ingest);
}
