/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "pipeline_parts.h"
#include "decide/policy_file.h"
#include "score/computing.h"

/* A policy is put in force by a config.change that says who and why, before anything is decided by
 * it: capacity, rates, shadow mode, the kill switch. The rates of the random arm follow as a
 * commitment of the same key. A file with a fault changes nothing. */

struct err policy_entry_append(struct pipeline *self, const char *actor, const char *reason,
                               uint64_t *entry_index)
{
    struct score_computing computing;
    uint8_t config[HASH_BYTES];
    struct entry entry;
    score_computing(&computing);
    struct err err = conf_digest(&self->conf, config);
    if (err_is(err)) {
        return err;
    }
    pipeline_entry(&entry, ENTRY_CONFIG_CHANGE);
    entry.actor = actor;
    struct entry_config_change *change = &entry.body.config_change;
    memcpy(change->config_sha256, config, HASH_BYTES);
    memcpy(change->policy_sha256, self->policy.sha256, HASH_BYTES);
    change->policy_version = self->policy.version;
    change->build = computing.build;
    change->blas = computing.blas;
    change->libm = computing.libm;
    change->processor = computing.processor;
    change->reason = reason;
    change->target = target_policy_text(self->policy.target);
    change->arm_hidden = self->policy.hide_arm;
    return pipeline_append(self, &entry, entry_index);
}

/* What lives in other memories than the judge line's own policy. */
static struct err policy_spread(struct pipeline *self)
{
    explore_apply(self); /* the policy, with the shares of the day within its new limits */
    join_set_policy(self->join, &self->policy);
    ageing_forget(self);
    return draw_day_renew(self);
}

struct err command_policy(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    struct policy policy;
    char path[2 * CONF_TEXT_BYTES];
    char why[CONF_WHY_BYTES] = "";
    char actor[PSEUDONYM_BYTES];
    if (command->sentence[0] == '\0' || command->actor == NULL || command->actor[0] == '\0') {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""),
                              "an actor must be named, and a reason");
    }
    struct err err = policy_file_path(&self->conf, path, sizeof path);
    if (!err_is(err)) {
        err = policy_file_read(path, &policy, why);
    }
    if (err_is(err)) {
        return command_refuse(self, job, err_make(ERR_CONF_INVALID, ""), why);
    }
    if (hash_equal(policy.sha256, self->policy.sha256)) {
        return command_refuse(self, job, err_make(ERR_CONFLICT, ""),
                              "this policy is in force already");
    }
    if (strcmp(policy.version, self->policy.version) == 0) {
        return command_refuse(self, job, err_make(ERR_CONFLICT, ""),
                              "another policy needs another version");
    }
    pseudonym_of(self->keys.pseudonym, "officer", command->actor, actor);
    /* In the log before it decides anything; decisions that are on their way name the old one. */
    struct policy before = self->policy;
    self->policy = policy;
    err = policy_entry_append(self, actor, command->sentence, &job->answer.entry_index);
    if (err_is(err)) {
        self->policy = before;
        return err;
    }
    diag_info(config, "policy=%s target=%s", policy.version, target_policy_text(policy.target));
    err = policy_spread(self);
    if (err_is(err)) {
        return err;
    }
    job->answer.done = true;
    return command_answer(self, job);
}
