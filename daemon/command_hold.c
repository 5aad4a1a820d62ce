/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "pipeline_parts.h"

/* A legal hold: while it is in force nothing of the item is discarded. Placed and lifted under the
 * lock that the retention line holds from its last look at a payload until the discard is durable,
 * so that no discard of something held stands behind the hold in the log. */

static struct err hold_append(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    struct entry entry;
    char actor[PSEUDONYM_BYTES];
    pipeline_entry(&entry, ENTRY_HOLD);
    pseudonym_of(self->keys.pseudonym, "officer", command->actor, actor);
    entry.actor = actor;
    entry.has_item = !command->hold_all;
    memcpy(entry.item, command->item, ITEM_ID_BYTES);
    entry.body.hold.placed = command->hold_placed;
    entry.body.hold.reason = command->sentence;
    entry.body.hold.request_id = command->request_id;
    must(pthread_mutex_lock(&self->hold_lock) == 0);
    struct err err = command_append(self, job, &entry);
    must(pthread_mutex_unlock(&self->hold_lock) == 0);
    return err;
}

struct err command_hold(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    const uint8_t *item = command->hold_all ? NULL : command->item;
    struct state_referral referral;
    bool held = false;
    if (command->sentence[0] == '\0' || command->actor == NULL || command->actor[0] == '\0') {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""),
                              "an actor must be named, and a reason");
    }
    bool answered;
    struct err err = command_before(
        self, job, command->hold_placed ? STATE_ASKED_HOLD : STATE_ASKED_LIFT, item, &answered);
    if (err_is(err) || answered) {
        return err;
    }
    err = state_hold(self->state, item, &held);
    if (err_is(err)) {
        return err;
    }
    if (!command->hold_placed && !held) {
        return command_refuse(self, job, err_make(ERR_NOT_FOUND, ""), "there is no such hold");
    }
    if (command->hold_placed && item != NULL) {
        err = state_referral(self->state, item, &referral);
        if (err.code == ERR_NOT_FOUND) {
            return command_refuse(self, job, err, "no such item");
        }
    }
    return err_is(err) ? err : hold_append(self, job);
}
