/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/counter.h"
#include "base/diag.h"
#include "base/random.h"
#include "pipeline_parts.h"
#include "score/blas_core.h"

/* The command entry points: the only way by which a person changes anything. One at a time on the
 * judge line: each is checked against the read model, appended to the log, and applied before the
 * next is looked at, so that two officers who claim the same item are answered one after the other.
 * The answer goes out when the entry is durable. */

static struct command_job *command_job_take(struct pipeline *self)
{
    struct command_job *job = &self->command_jobs[self->command_jobs_next];
    self->command_jobs_next = (self->command_jobs_next + 1) % (uint32_t)self->conf.ingest_commands;
    must(job->command == NULL); /* ingest lets no more commands in than there are jobs */
    memset(&job->answer, 0, sizeof job->answer);
    job->draft.owner = NULL;
    job->reason[0] = '\0';
    job->json[0] = '\0';
    job->revealed_bytes = 0;
    return job;
}

struct err command_answer(struct pipeline *self, struct command_job *job)
{
    job->answer.request_id = job->command->command.request_id;
    job->answer.reason = job->reason;
    job->answer.json = job->json;
    return queue_put(self->done, &job->draft);
}

struct err command_refuse(struct pipeline *self, struct command_job *job, struct err fault,
                          const char *reason)
{
    job->answer.done = false;
    job->answer.name = err_name(fault.code);
    (void)snprintf(job->reason, sizeof job->reason, "%s", reason);
    return command_answer(self, job);
}

/* Durable, and in the read model before anything else is looked at. */
struct err command_append(struct pipeline *self, struct command_job *job, const struct entry *entry)
{
    struct err err = pipeline_append(self, entry, &job->answer.entry_index);
    while (!err_is(err) && atomic_load(&self->judged) <= job->answer.entry_index) {
        uint32_t applied;
        err = judge_catch_up(self, JUDGE_ENTRIES, &applied);
    }
    if (err_is(err)) {
        return err;
    }
    job->answer.done = true;
    return command_answer(self, job);
}

struct err command_before(struct pipeline *self, struct command_job *job, const char *what,
                          const uint8_t *item, bool *answered)
{
    static const uint8_t no_item[ITEM_ID_BYTES];
    const struct wire_command *command = &job->command->command;
    struct state_request before = {.entry_index = 0};
    char actor[PSEUDONYM_BYTES];
    *answered = false;
    struct err err = state_request(self->state, command->request_id, &before);
    if (err.code == ERR_NOT_FOUND) {
        return err_none;
    }
    if (err_is(err)) {
        return err;
    }
    *answered = true;
    pseudonym_of(self->keys.pseudonym, "officer", command->actor == NULL ? "" : command->actor,
                 actor);
    if (strcmp(before.what, what) != 0 || strcmp(before.actor, actor) != 0 ||
        memcmp(before.item, item == NULL ? no_item : item, ITEM_ID_BYTES) != 0) {
        return command_refuse(self, job, err_make(ERR_CONFLICT, ""),
                              "this request id belongs to another order");
    }
    job->answer.entry_index = before.entry_index;
    job->answer.done = true;
    return command_answer(self, job);
}

static struct err command_referral(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    char actor[PSEUDONYM_BYTES];
    struct entry entry;
    struct ledger_answer verdict;
    pseudonym_of(self->keys.pseudonym, "officer", command->actor == NULL ? "" : command->actor,
                 actor);
    struct err err = ledger_consider(self->state, command, actor, &entry, &verdict);
    if (err_is(err)) {
        return err;
    }
    switch (verdict.verdict) {
    case LEDGER_REFUSED:
        return command_refuse(self, job, verdict.fault, verdict.reason);
    case LEDGER_BEFORE: /* asked before, done before: the same answer */
        job->answer.entry_index = verdict.entry_index;
        job->answer.done = true;
        return command_answer(self, job);
    case LEDGER_ENTRY:
        break;
    }
    random_uuid7(entry.id);
    return command_append(self, job, &entry);
}

static struct err command_operation(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    char actor[PSEUDONYM_BYTES];
    struct entry entry;
    struct ledger_answer verdict;
    bool answered;
    bool closes = command->operation.step != NULL && strcmp(command->operation.step, "close") == 0;
    uint8_t asked[ITEM_ID_BYTES];
    state_asked_name(command->operation.name, asked);
    struct err err = command_before(self, job, closes ? STATE_ASKED_CLOSE : STATE_ASKED_REGISTER,
                                    asked, &answered);
    if (err_is(err) || answered) {
        return err;
    }
    pseudonym_of(self->keys.pseudonym, "officer", command->actor == NULL ? "" : command->actor,
                 actor);
    err = operation_consider(self->state, command, actor, clock_utc_ns(), &entry, &verdict);
    if (err_is(err)) {
        return err;
    }
    if (verdict.verdict == LEDGER_REFUSED) {
        return command_refuse(self, job, verdict.fault, verdict.reason);
    }
    random_uuid7(entry.id);
    return command_append(self, job, &entry);
}

bool pipeline_health(void *arg, char *out, uint32_t out_capacity)
{
    struct pipeline *self = arg;
    int64_t trouble_since_ns = 0;
    struct err trouble = oversight_trouble(self->oversight, &trouble_since_ns);
    bool overdue = draw_day_overdue(self, clock_utc_ns());
    bool well = !pipeline_failed(self) && !err_is(trouble) && !overdue;
    double unpublished_s = (double)(clock_monotonic_ns() - trouble_since_ns) / (double)NS_PER_S;
    char witnesses[8192];
    char retention[RETENTION_HEALTH_BYTES];
    char ageing[AGEING_HEALTH_BYTES];
    char shadow[SHADOW_HEALTH_BYTES];
    witness_line_health(self, witnesses, sizeof witnesses);
    retention_health(self, retention, sizeof retention);
    ageing_health(self, ageing, sizeof ageing);
    shadow_line_health(self, shadow, sizeof shadow);
    uint64_t size = oversight_size(self->oversight);
    (void)snprintf(
        out, out_capacity,
        "{\"well\":%s,\"version\":\"%s\",\"origin\":\"%s\",\"uptime_s\":%.1f,\"log_entries\":%llu,"
        "\"published\":%llu,\"publishing_fails_s\":%.1f,\"judged\":%"
        "llu,\"sealed\":%llu,\"held_items\":%llu,\"received\":%llu,"
        "\"accepted\":%llu,"
        "\"refused\":%llu,\"duplicates\":%llu,\"referred\":%llu,\"released\":%llu,\"unscorable\":%"
        "llu,"
        "\"draw_overdue\":%s,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,\"queue_p50_ms\":%.3f,\"queue_"
        "p99_ms\":%.3f,"
        "\"blas\":\"%s\"%s%s%s%s}",
        well ? "true" : "false", TRIAGED_VERSION, self->origin,
        (double)(clock_monotonic_ns() - self->started_ns) / (double)NS_PER_S,
        (unsigned long long)size, (unsigned long long)oversight_published(self->oversight),
        err_is(trouble) ? unpublished_s : 0.0, (unsigned long long)atomic_load(&self->judged),
        (unsigned long long)atomic_load(&self->sealed),
        (unsigned long long)atomic_load(&self->held),
        (unsigned long long)counter_value(COUNTER_records_received),
        (unsigned long long)counter_value(COUNTER_records_accepted),
        (unsigned long long)counter_value(COUNTER_records_refused),
        (unsigned long long)counter_value(COUNTER_records_duplicate),
        (unsigned long long)counter_value(COUNTER_items_referred),
        (unsigned long long)counter_value(COUNTER_items_released),
        (unsigned long long)counter_value(COUNTER_items_unscorable), overdue ? "true" : "false",
        (double)stage_quantile_ns(STAGE_ack, 0.5) * 1e-6,
        (double)stage_quantile_ns(STAGE_ack, 0.99) * 1e-6,
        (double)stage_quantile_ns(STAGE_queue, 0.5) * 1e-6,
        (double)stage_quantile_ns(STAGE_queue, 0.99) * 1e-6, blas_core_text(), witnesses, retention,
        ageing, shadow);
    return well;
}

/* On the receive thread, which owns the sockets: the page is made of counters alone. */
void command_health(struct pipeline *self, struct ingest_command *command)
{
    char json[PIPELINE_HEALTH_BYTES] = "";
    counter_add(COUNTER_commands, 1);
    struct wire_answer answer = {
        .request_id = command->command.request_id, .name = "", .reason = "", .json = json};
    answer.done = pipeline_health(self, json, sizeof json);
    ingest_answer_command(self->ingest, command, &answer);
}

static struct err command_archive(struct pipeline *self, struct command_job *job)
{
    if (!self->conf.archive_enabled) {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""), "archive.enabled is off");
    }
    struct err err = queue_try_put(self->archive_asks, self);
    if (err_is(err)) {
        return command_refuse(self, job, err, "the archiver is busy; it has been asked already");
    }
    job->answer.done = true;
    return command_answer(self, job);
}

/* Answered by main, when everything behind this order is done and log.close is durable. */
static struct err command_close(struct pipeline *self, struct command_job *job)
{
    const char *reason = job->command->command.close_reason;
    if (reason[0] == '\0') {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""), "a reason is needed");
    }
    if (atomic_load(&self->close_asked)) {
        return command_refuse(self, job, err_make(ERR_CONFLICT, ""), "it is being closed already");
    }
    self->close_job = job;
    atomic_store(&self->close_asked, true);
    return err_none;
}

struct err command_finish(struct pipeline *self, struct command_job *job, struct err fault,
                          const char *reason)
{
    job->answer.done = true;
    return err_is(fault) ? command_refuse(self, job, fault, reason) : command_answer(self, job);
}

/* Witnesses may be slow: their own thread takes the job and answers it. */
static struct err command_cosign(struct pipeline *self, struct command_job *job)
{
    if (self->witnesses == NULL) {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""),
                              "oversight.witness_policy names no quorum file");
    }
    struct err err = witness_line_ask(self, job);
    return err_is(err) ? command_refuse(self, job, err, "other lines are being taken; ask again")
                       : err_none;
}

/* That checkpoints cannot be written at the moment is told; only when the log has failed by it does
 * the daemon stop. */
static struct err command_checkpoint(struct pipeline *self, struct command_job *job)
{
    struct err err = oversight_publish(self->oversight);
    if (err_is(err) && err_is(oversight_failure(self->oversight))) {
        return err;
    }
    if (err_is(err)) {
        return command_refuse(self, job, err, "the public log cannot be written at the moment");
    }
    job->answer.done = true;
    return command_answer(self, job);
}

struct err command_run(struct pipeline *self, struct ingest_command *command)
{
    struct command_job *job = command_job_take(self);
    job->command = command;
    counter_add(COUNTER_commands, 1);
    diag_info(command, "order=%d request=%s", (int)command->command.order,
              command->command.request_id);
    switch (command->command.order) {
    case ORDER_CLAIM:
    case ORDER_RELEASE:
    case ORDER_OUTCOME:
    case ORDER_REFER:
        return command_referral(self, job);
    case ORDER_POLICY:
        return command_policy(self, job);
    case ORDER_MODEL:
        return command_model(self, job);
    case ORDER_CHECKPOINT:
        return command_checkpoint(self, job);
    case ORDER_ARCHIVE:
        return command_archive(self, job);
    case ORDER_CLOSE:
        return command_close(self, job);
    case ORDER_REVEAL:
        return command_reveal(self, job);
    case ORDER_REDACT:
        return command_redact(self, job);
    case ORDER_COSIGN:
        return command_cosign(self, job);
    case ORDER_PRUNE:
        return command_prune(self, job);
    case ORDER_HOLD:
        return command_hold(self, job);
    case ORDER_OPERATION:
        return command_operation(self, job);
    case ORDER_HEALTH: /* answered by command_health */
    case ORDER_NONE:
        break;
    }
    return command_refuse(self, job, err_make(ERR_ARGUMENT, ""), "unknown command");
}
