/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/wake.h"
#include "pipeline_parts.h"
#include "submission/submission.h"

/* The witness line takes the newest checkpoint to the witnesses every few seconds. A checkpoint a
 * second would tell outsiders how busy the port is and make work for nothing. It stands beside the
 * flow: a witness that is slow or gone holds up nothing but itself.
 *
 * An entry about a cosignature makes a new checkpoint, which is cosigned, which would make an
 * entry: so a witness gets one receipt an hour, not one a cosignature. */

struct witness_line {
    struct pipeline *pipeline;
    struct submission *submission; /* the thread's, but for its health */
    pthread_t thread;
    bool started;
    int64_t interval_ns;
    int64_t receipt_ns;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool stopping;
    struct command_job *asked; /* lines that somebody brought; NULL: none */
};

/* False when it is time to stop. *asked is set when somebody came with lines meanwhile. */
static bool witness_wait(struct witness_line *self, int64_t until_ns, struct command_job **asked)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    while (!self->stopping && self->asked == NULL && clock_monotonic_ns() < until_ns) {
        (void)wake_wait(&self->wake, &self->lock, until_ns);
    }
    bool stopping = self->stopping;
    *asked = self->asked;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return !stopping;
}

static struct err witness_receipts(struct witness_line *self, int64_t min_ns)
{
    struct submission_receipt receipt;
    struct err err = err_none;
    while (!err_is(err) && submission_receipt_due(self->submission, min_ns, &receipt)) {
        struct entry entry;
        pipeline_entry(&entry, ENTRY_WITNESS_RECEIPT);
        entry.body.witness_receipt.witness = receipt.name;
        entry.body.witness_receipt.size = receipt.size;
        memcpy(entry.body.witness_receipt.root, receipt.root, HASH_BYTES);
        entry.body.witness_receipt.line = receipt.line;
        err = pipeline_append(self->pipeline, &entry, NULL);
        if (!err_is(err)) {
            submission_receipt_written(self->submission, &receipt);
        }
    }
    return err;
}

static struct err witness_turn(struct witness_line *self)
{
    struct err err = submission_round(self->submission, false);
    return err_is(err) ? err : witness_receipts(self, self->receipt_ns);
}

/* Lines from a witness without a network: looked at, kept, written down at once. */
static struct err witness_bring(struct witness_line *self, struct command_job *job)
{
    char why[CONF_WHY_BYTES] = "";
    const struct wire_command *command = &job->command->command;
    struct err fault = submission_bring(self->submission, command->cosigned_size,
                                        command->cosignatures, strlen(command->cosignatures), why);
    struct err err = err_none;
    if (fault.code != ERR_ARGUMENT) {
        err = err_is(fault) ? fault : witness_receipts(self, 0);
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    self->asked = NULL;
    must(pthread_mutex_unlock(&self->lock) == 0);
    return err_is(err) ? err : command_finish(self->pipeline, job, fault, why);
}

/* The last tree of this run: whoever stops a daemon in good order leaves nothing that no witness
 * has seen. Those that did not answer before are not waited for. */
static struct err witness_last(struct witness_line *self)
{
    struct err err = witness_receipts(self, 0);
    if (!err_is(err)) {
        err = oversight_publish(self->pipeline->oversight);
    }
    return err_is(err) ? err : submission_round(self->submission, true);
}

static void *witness_run(void *arg)
{
    struct witness_line *self = arg;
    (void)pthread_setname_np(pthread_self(), "witness");
    struct err err = err_none;
    int64_t next_ns = clock_monotonic_ns();
    struct command_job *asked = NULL;
    while (!err_is(err) && !pipeline_failed(self->pipeline) &&
           witness_wait(self, next_ns, &asked)) {
        if (asked != NULL) {
            err = witness_bring(self, asked);
            continue;
        }
        err = witness_turn(self);
        next_ns = clock_monotonic_ns() + self->interval_ns;
    }
    if (!err_is(err) && asked != NULL) { /* it came as the daemon was stopping */
        err = witness_bring(self, asked);
    }
    if (!err_is(err) && !pipeline_failed(self->pipeline)) {
        err = witness_last(self);
    }
    if (err_is(err)) {
        pipeline_fail(self->pipeline, err);
    }
    return NULL;
}

static struct err witness_open_submission(struct witness_line *self)
{
    struct pipeline *pipeline = self->pipeline;
    const struct conf *conf = &pipeline->conf;
    char policy[PIPELINE_PATH_BYTES];
    char log[PIPELINE_PATH_BYTES];
    char shard[PIPELINE_PATH_BYTES];
    const struct shards *shards = oversight_shards(pipeline->oversight);
    struct err err = conf_path(conf, conf->oversight_witness_policy, policy, sizeof policy);
    if (!err_is(err)) {
        err = conf_path(conf, "log", log, sizeof log);
    }
    if (err_is(err)) {
        return err;
    }
    int bytes =
        snprintf(shard, sizeof shard, "%s/%s", log, shards->list[shards->count - 1].directory);
    must(bytes > 0 && bytes < (int)sizeof shard); /* the log is open by this path */
    struct submission_conf submission = {
        .public_directory = shard,
        .policy_file = policy,
        .timeout_ns = (int64_t)(conf->oversight_witness_timeout_s * (double)NS_PER_S),
        .interval_ns = self->interval_ns};
    err = submission_open(&submission, &self->submission, pipeline->why);
    return err_is(err) ? err : witness_turn(self);
}

struct err witness_line_open(struct pipeline *pipeline)
{
    struct witness_line *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "witness_line_open");
    }
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    wake_init(&self->wake);
    self->pipeline = pipeline;
    self->interval_ns = (int64_t)(pipeline->conf.oversight_witness_s * (double)NS_PER_S);
    self->receipt_ns = (int64_t)(pipeline->conf.oversight_witness_receipt_s * (double)NS_PER_S);
    pipeline->witnesses = self;
    struct err err = witness_open_submission(self);
    if (!err_is(err)) {
        int fault = pthread_create(&self->thread, NULL, witness_run, self);
        err = fault != 0 ? (struct err){ERR_THREAD, fault, "pthread_create"} : err_none;
        self->started = fault == 0;
    }
    if (err.code == ERR_LOG_ROLLED_BACK) {
        char text[ERR_TEXT_BYTES];
        diag_err(halt, "error=%s reason=\"%s\"", err_name(err.code), err_text(err, text));
    }
    return err;
}

struct err witness_line_ask(struct pipeline *pipeline, struct command_job *job)
{
    struct witness_line *self = pipeline->witnesses;
    must(pthread_mutex_lock(&self->lock) == 0);
    bool free_now = self->asked == NULL && !self->stopping;
    if (free_now) {
        self->asked = job;
        must(pthread_cond_signal(&self->wake) == 0);
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
    return free_now ? err_none : err_make(ERR_QUEUE_FULL, "witness line");
}

void witness_line_close(struct pipeline *pipeline)
{
    struct witness_line *self = pipeline->witnesses;
    if (self == NULL) {
        return;
    }
    must(pthread_mutex_lock(&self->lock) == 0);
    self->stopping = true;
    must(pthread_cond_signal(&self->wake) == 0);
    must(pthread_mutex_unlock(&self->lock) == 0);
    if (self->started) {
        must(pthread_join(self->thread, NULL) == 0);
        self->started = false;
    }
}

struct err witness_line_final(struct pipeline *pipeline)
{
    struct witness_line *self = pipeline->witnesses;
    must(self == NULL || !self->started);
    return self == NULL ? err_none : submission_round(self->submission, true);
}

/* Behind the console, whose health page looks in here. */
void witness_line_free(struct pipeline *pipeline)
{
    struct witness_line *self = pipeline->witnesses;
    if (self != NULL) {
        submission_close(&self->submission);
        must(pthread_cond_destroy(&self->wake) == 0);
        must(pthread_mutex_destroy(&self->lock) == 0);
        free(self);
        pipeline->witnesses = NULL;
    }
}

void witness_line_health(struct pipeline *pipeline, char *out, size_t out_capacity)
{
    struct witness_line *self = pipeline->witnesses;
    out[0] = '\0';
    if (self != NULL && self->submission != NULL && out_capacity > 1) {
        size_t bytes = submission_health(self->submission, out + 1, out_capacity - 1);
        out[0] = bytes > 0 ? ',' : '\0';
    }
}
