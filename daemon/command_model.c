/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "pipeline_parts.h"

/* Orders about models. A model file lies in models/ under its hash; it is used from the entry on,
 * by the same scorer that read it. What concerns a model in shadow alone is the shadow line's. */

bool command_model_file(const char *file, uint8_t sha256[HASH_BYTES])
{
    char hex[HASH_HEX_BYTES];
    if (file == NULL || strlen(file) != HASH_HEX_BYTES - 1 + 3 ||
        strcmp(file + HASH_HEX_BYTES - 1, ".h5") != 0) {
        return false;
    }
    memcpy(hex, file, HASH_HEX_BYTES - 1);
    hex[HASH_HEX_BYTES - 1] = '\0';
    return hex_decode(hex, sha256, HASH_BYTES);
}

/* Into the scorer of the judge line. *told: it could not be, and the job is answered. */
static struct err model_put(struct pipeline *self, struct command_job *job,
                            const uint8_t sha256[HASH_BYTES], struct score_installed *installed,
                            bool *told)
{
    char hex[HASH_HEX_BYTES];
    char models[PIPELINE_PATH_BYTES];
    char path[PIPELINE_PATH_BYTES + HASH_HEX_BYTES + 8];
    *told = false;
    struct err err = conf_path(&self->conf, self->conf.store_models, models, sizeof models);
    if (err_is(err)) {
        return err;
    }
    hex_encode(sha256, HASH_BYTES, hex);
    (void)snprintf(path, sizeof path, "%s/%s.h5", models, hex);
    err = score_install(self->score, path, sha256, installed);
    if (err_is(err)) {
        char text[ERR_TEXT_BYTES];
        *told = true;
        return command_refuse(self, job, err, err_text(err, text));
    }
    diag_info(model, "name=%s sha256=%.16s installed=1", installed->name, hex);
    return strcmp(installed->name, "history") == 0 ? judge_relearn(self) : err_none;
}

/* In use from here on; promoted: it was in shadow, and is so no longer. */
static struct err model_use(struct pipeline *self, struct command_job *job,
                            const uint8_t sha256[HASH_BYTES], bool promoted)
{
    const struct wire_command *command = &job->command->command;
    struct score_installed installed;
    struct entry entry;
    char actor[PSEUDONYM_BYTES];
    bool told = false;
    struct err err = model_put(self, job, sha256, &installed, &told);
    if (err_is(err) || told) {
        return err;
    }
    pipeline_entry(&entry, ENTRY_MODEL_CHANGE);
    pseudonym_of(self->keys.pseudonym, "officer", command->actor, actor);
    entry.actor = actor;
    entry.body.model_change.name = installed.name;
    memcpy(entry.body.model_change.sha256, sha256, HASH_BYTES);
    entry.body.model_change.file_bytes = installed.file_bytes;
    entry.body.model_change.evaluation = installed.evaluation;
    entry.body.model_change.reason = command->sentence;
    entry.body.model_change.figures = promoted ? command->figures : NULL;
    entry.body.model_change.promoted = promoted;
    return command_append(self, job, &entry);
}

struct err command_model(struct pipeline *self, struct command_job *job)
{
    const struct wire_command *command = &job->command->command;
    uint8_t sha256[HASH_BYTES];
    struct state_shadow shadow;
    if (!command_model_file(command->file, sha256)) {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""),
                              "a model file is named <sha256>.h5");
    }
    bool ends = command->model_step == MODEL_PROMOTE || command->model_step == MODEL_WITHDRAW;
    if (ends && (command->sentence == NULL || command->sentence[0] == '\0')) {
        return command_refuse(self, job, err_make(ERR_ARGUMENT, ""), "a reason is needed");
    }
    if (command->model_step == MODEL_SHADOW || command->model_step == MODEL_WITHDRAW) {
        struct err err = shadow_line_ask(self, job);
        return err_is(err)
                   ? command_refuse(self, job, err, "another order about the shadow; ask again")
                   : err_none;
    }
    /* An order under way could end the shadow between this look and the entry. */
    if (command->model_step == MODEL_PROMOTE && shadow_line_busy(self)) {
        return command_refuse(self, job, err_make(ERR_QUEUE_FULL, ""),
                              "another order about the shadow; ask again");
    }
    struct err err = state_shadow(self->state, &shadow);
    if (err_is(err) && err.code != ERR_NOT_FOUND) {
        return err;
    }
    bool in_shadow = !err_is(err) && hash_equal(shadow.sha256, sha256);
    bool promoted = command->model_step == MODEL_PROMOTE;
    if (in_shadow != promoted) {
        return command_refuse(self, job, err_make(ERR_CONFLICT, ""),
                              promoted ? "this model is not in shadow"
                                       : "this model is in shadow: promote it");
    }
    return model_use(self, job, sha256, promoted);
}
