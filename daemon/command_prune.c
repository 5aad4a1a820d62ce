/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "oversight/prune.h"
#include "oversight/retire.h"
#include "pipeline_parts.h"

/* Old bundles leave the public log. Everything that still reads them forbids it. Then an entry that
 * says so goes under a published checkpoint, then the file `minimum`, and the keeper removes what
 * lies below that, however often it is stopped. */

/* *below: the first entry that something still needs, and why. */
static struct err prune_bound(struct pipeline *self, uint64_t *below, const char **why)
{
    struct retire_segment oldest;
    uint64_t undecided = 0;
    uint32_t count = 0;
    bool found = false;
    *below = atomic_load(&self->sealed);
    *why = "is in no sealed archive file";
    struct err err = retire_oldest(self->wal_directory, &oldest, &found);
    if (!err_is(err) && found && oldest.first_index < *below) {
        *below = oldest.first_index;
        *why = "is in a segment of the write-ahead log that is not retired";
    }
    if (!err_is(err)) {
        err = state_undecided(self->state, 0, &undecided, 1, &count);
    }
    if (!err_is(err) && count == 1 && undecided < *below) {
        *below = undecided;
        *why = "is a record of an item that is not decided";
    }
    return err;
}

static struct err prune_append(struct pipeline *self, struct command_job *job, uint64_t size)
{
    const struct wire_command *command = &job->command->command;
    struct entry entry;
    char actor[PSEUDONYM_BYTES];
    char reason[RECORD_TEXT_BYTES_MAX + 64];
    (void)snprintf(reason, sizeof reason, "pruned below %llu: %s",
                   (unsigned long long)command->prune_below, command->sentence);
    pipeline_entry(&entry, ENTRY_BLOB_DISCARD);
    pseudonym_of(self->keys.pseudonym, "officer", command->actor, actor);
    entry.actor = actor;
    entry.body.blob_discard.reason = reason;
    entry.body.blob_discard.kept_in = "";
    struct err err = pipeline_append(self, &entry, &job->answer.entry_index);
    if (err_is(err)) {
        return err;
    }
    err = oversight_publish(self->oversight); /* nobody may see the minimum before its entry */
    if (err_is(err) && err_is(oversight_failure(self->oversight))) {
        return err;
    }
    if (err_is(err)) {
        return command_refuse(self, job, err, "the public log cannot be written; nothing is gone");
    }
    err = prune_mark(self->log_directory, command->prune_below, size);
    if (err_is(err)) {
        return err;
    }
    atomic_fetch_add(&self->prunes, 1);
    struct err asked = queue_try_put(self->keeper_asks, self);
    (void)asked; /* full: it has been asked already */
    diag_info(pruned, "below=%llu entry=%llu", (unsigned long long)command->prune_below,
              (unsigned long long)job->answer.entry_index);
    job->answer.done = true;
    return command_answer(self, job);
}

struct err command_prune(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    uint64_t size = oversight_size(self->oversight);
    uint64_t below = 0;
    const char *why = NULL;
    struct prune_plan plan;
    char reason[192];
    if (command->sentence[0] == '\0' || command->actor == NULL || command->actor[0] == '\0') {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""),
                              "an actor must be named, and a reason");
    }
    struct err err = prune_bound(self, &below, &why);
    if (!err_is(err) && command->prune_below > below) {
        (void)snprintf(reason, sizeof reason, "entry %llu %s: nothing from there on can be pruned",
                       (unsigned long long)below, why);
        return command_refuse(self, job, err_make(ERR_CONFLICT, ""), reason);
    }
    if (!err_is(err)) {
        err = prune_weigh(self->log_directory, command->prune_below, size, &plan);
    }
    if (err_is(err)) {
        return err;
    }
    if (plan.bundles == 0) {
        return command_refuse(self, job, err_make(ERR_NOT_FOUND, ""),
                              "no whole bundle lies below it that is not pruned already");
    }
    (void)snprintf(job->json, sizeof job->json,
                   "{\"bundles\":%llu,\"below\":%llu,\"first_served\":%llu}",
                   (unsigned long long)plan.bundles, (unsigned long long)command->prune_below,
                   (unsigned long long)plan.least);
    if (command->dry_run) {
        job->answer.done = true;
        return command_answer(self, job);
    }
    return prune_append(self, job, size);
}
