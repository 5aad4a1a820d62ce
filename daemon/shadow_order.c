/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/wake.h"
#include "shadow_parts.h"

/* Putting a model in shadow, and taking it away: on the shadow line, so that a file that nobody has
 * relied on yet is read where it can hold up nobody. (It is put in use by the judge line, which
 * owns the scorer in use.) */

#define SHADOW_APPLIED_NS (10 * NS_PER_S) /* how long an order waits to be seen by readers */

/* Readers shall see it when the answer comes, as with every other order. The lock is not held while
 * the read model is asked: the judge line takes it too. */
static void shadow_wait_applied(struct shadow_line *self, uint64_t entry_index)
{
    int64_t until_ns = clock_monotonic_ns() + SHADOW_APPLIED_NS;
    bool stopping = false;
    while (!stopping && clock_monotonic_ns() < until_ns &&
           state_applied(self->state) <= entry_index) {
        must(pthread_mutex_lock(&self->lock) == 0);
        stopping = self->stopping;
        if (!stopping) {
            (void)wake_wait(&self->wake, &self->lock, clock_monotonic_ns() + 2 * NS_PER_MS);
        }
        must(pthread_mutex_unlock(&self->lock) == 0);
    }
}

static struct err shadow_append(struct shadow_line *self, struct command_job *job,
                                const struct entry_model_change *change)
{
    struct entry entry;
    char actor[PSEUDONYM_BYTES];
    const struct wire_command *command = &job->command->command;
    pipeline_entry(&entry, ENTRY_MODEL_CHANGE);
    pseudonym_of(self->pipeline->keys.pseudonym, "officer", command->actor, actor);
    entry.actor = actor;
    entry.body.model_change = *change;
    entry.body.model_change.reason = command->sentence;
    struct err err = pipeline_append(self->pipeline, &entry, &job->answer.entry_index);
    if (!err_is(err)) {
        shadow_wait_applied(self, job->answer.entry_index);
    }
    return err;
}

/* *why tells why this file cannot go into shadow; NULL: it can, if the scorer takes it. Nothing
 * that runs has been touched. */
static struct err shadow_place_free(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                                    const char **why)
{
    struct state_shadow shadow;
    struct state_model models[SCORE_MODELS_MAX];
    char place[SHADOW_PLACE_BYTES];
    uint32_t count = 0;
    *why = NULL;
    struct err err = state_shadow(self->state, &shadow);
    bool one_is = !err_is(err);
    if (one_is && hash_equal(shadow.sha256, sha256)) {
        *why = "this model is in shadow already";
        return err_none;
    }
    err = err.code == ERR_NOT_FOUND ? err_none : err;
    err = err_is(err) ? err : shadow_look(self, sha256, place);
    err = err_is(err) ? err : state_models(self->state, models, SCORE_MODELS_MAX, &count);
    if (err_is(err)) {
        return err;
    }
    if (one_is && strcmp(shadow.place, place) != 0) {
        *why = "a model of another place is in shadow: promote or withdraw it first";
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(models[i].name, place) == 0 && hash_equal(models[i].sha256, sha256)) {
            *why = "this model is in use already";
        }
    }
    return err_none;
}

/* Why nothing was done; fault err_none: it was. */
struct shadow_refusal {
    struct err fault;
    char why[ERR_TEXT_BYTES];
};

/* why NULL: the fault's own words. */
static struct err refuse(struct shadow_refusal *out, struct err fault, const char *why)
{
    char text[ERR_TEXT_BYTES];
    out->fault = fault;
    (void)snprintf(out->why, sizeof out->why, "%s", why != NULL ? why : err_text(fault, text));
    return err_none;
}

/* A file that cannot be used leaves the shadow before it as the log says it is. Most of these are
 * found out while that runs on. A whole file whose numbers the scorer refuses is not: two scorers
 * beside the one in use are more memory than anybody has set aside, so the one that ran is loaded
 * again, and what was decided meanwhile stays a gap, as after a restart. */
static struct err shadow_begin(struct shadow_line *self, struct command_job *job,
                               const uint8_t sha256[HASH_BYTES], struct shadow_refusal *refusal)
{
    struct score_installed what;
    const char *why = NULL;
    struct err fault = shadow_place_free(self, sha256, &why);
    bool loads = !err_is(fault) && why == NULL;
    fault = loads ? shadow_load(self, sha256, &what) : fault;
    if (err_is(fault) || why != NULL) {
        /* Also one that did not run, though the log says so: its file may be whole by now. */
        if (self->score == NULL && !shadow_is_stopping(self)) {
            shadow_resume(self);
        }
        return refuse(refusal, err_is(fault) ? fault : err_make(ERR_CONFLICT, ""), why);
    }
    char name[sizeof what.name + sizeof ENTRY_SHADOW_PREFIX];
    (void)snprintf(name, sizeof name, "%s%s", ENTRY_SHADOW_PREFIX, what.name);
    struct entry_model_change change = {
        .name = name, .file_bytes = what.file_bytes, .evaluation = what.evaluation};
    memcpy(change.sha256, sha256, HASH_BYTES);
    struct err err = shadow_append(self, job, &change);
    if (err_is(err)) {
        return err;
    }
    struct state_shadow shadow = {.entry_index = job->answer.entry_index};
    memcpy(shadow.sha256, sha256, HASH_BYTES);
    memcpy(shadow.place, self->place, sizeof shadow.place);
    self->since = shadow.entry_index;
    shadow_tell(self, &shadow, true, err_none);
    diag_info(shadow, "name=%s running=1", self->place);
    return err_none;
}

static struct err shadow_end(struct shadow_line *self, struct command_job *job,
                             const uint8_t sha256[HASH_BYTES], struct shadow_refusal *refusal)
{
    struct state_shadow shadow;
    char name[sizeof shadow.place + sizeof ENTRY_SHADOW_PREFIX];
    struct err err = state_shadow(self->state, &shadow);
    if (err_is(err) || !hash_equal(shadow.sha256, sha256)) {
        return err_is(err) && err.code != ERR_NOT_FOUND
                   ? err
                   : refuse(refusal, err_make(ERR_CONFLICT, ""), "this model is not in shadow");
    }
    (void)snprintf(name, sizeof name, "%s%s", ENTRY_SHADOW_PREFIX, shadow.place);
    struct entry_model_change change = {.name = name, .removed = true};
    memcpy(change.sha256, sha256, HASH_BYTES);
    err = shadow_append(self, job, &change);
    if (err_is(err)) {
        return err;
    }
    shadow_drop(self);
    shadow_tell(self, NULL, false, err_none);
    diag_info(shadow, "name=%s running=0 withdrawn=1", shadow.place);
    return err_none;
}

struct err shadow_answer(struct shadow_line *self, struct command_job *job, struct err fault,
                         const char *reason)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    must(self->asked == job);
    self->asked = NULL; /* first: whoever has the answer may ask for the next thing at once */
    must(pthread_mutex_unlock(&self->lock) == 0);
    return command_finish(self->pipeline, job, fault, reason);
}

struct err shadow_order(struct shadow_line *self, struct command_job *job)
{
    uint8_t sha256[HASH_BYTES];
    struct shadow_refusal refusal = {.fault = err_none};
    const struct wire_command *command = &job->command->command;
    must(command_model_file(command->file, sha256));
    struct err err = command->model_step == MODEL_WITHDRAW
                         ? shadow_end(self, job, sha256, &refusal)
                         : shadow_begin(self, job, sha256, &refusal);
    if (err_is(err) && err_is(oversight_failure(self->pipeline->oversight))) {
        return err; /* nobody knows whether the entry is durable: nothing is answered any more */
    }
    if (err_is(err)) {
        (void)refuse(&refusal, err, NULL);
    }
    struct err sent = shadow_answer(self, job, refusal.fault, refusal.why);
    return err_is(err) ? err : sent;
}
