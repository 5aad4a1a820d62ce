/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verify_settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_MODELS_MAX 256u /* names; a port has one for each type of scanner and two more */
#define SETTINGS_NAME_BYTES 128u

struct model_in_force {
    char name[SETTINGS_NAME_BYTES];
    uint8_t sha256[HASH_BYTES];
    uint64_t n; /* of the entry that put it in force */
};

struct verify_settings {
    struct verify_report *report;
    struct verify_shard *shard;
    const struct verify_ids *ids;
    bool has_policy;
    uint64_t policy_n;
    uint8_t policy_sha256[HASH_BYTES];
    struct model_in_force models[SETTINGS_MODELS_MAX];
    uint32_t models_count;
};

struct err verify_settings_open(struct verify_report *report, struct verify_shard *shard,
                                const struct verify_ids *ids, struct verify_settings **out)
{
    struct verify_settings *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return err_make(ERR_MEMORY, "verify_settings_open");
    }
    self->report = report;
    self->shard = shard;
    self->ids = ids;
    *out = self;
    return err_none;
}

void verify_settings_close(struct verify_settings **self)
{
    free(*self);
    *self = NULL;
}

void verify_settings_config(struct verify_settings *self, const struct entry *entry)
{
    const struct entry_config_change *change = &entry->body.config_change;
    bool is_new = !self->has_policy || !hash_equal(self->policy_sha256, change->policy_sha256);
    self->shard->policies += is_new;
    self->has_policy = true;
    self->policy_n = is_new ? entry->n : self->policy_n;
    memcpy(self->policy_sha256, change->policy_sha256, HASH_BYTES);
}

static struct model_in_force *settings_model(struct verify_settings *self, const char *name)
{
    for (uint32_t i = 0; i < self->models_count; i++) {
        if (strcmp(self->models[i].name, name) == 0) {
            return &self->models[i];
        }
    }
    return NULL;
}

void verify_settings_model(struct verify_settings *self, const struct entry *entry)
{
    const struct entry_model_change *change = &entry->body.model_change;
    struct model_in_force *model = settings_model(self, change->name);
    self->shard->models++;
    if (model == NULL) {
        if (self->models_count == SETTINGS_MODELS_MAX ||
            strlen(change->name) >= SETTINGS_NAME_BYTES) {
            verify_warning(self->report,
                           "entry %" PRIu64 ": model '%s' is not followed: more than %u, or too "
                           "long a name",
                           entry->n, change->name, SETTINGS_MODELS_MAX);
            return;
        }
        model = &self->models[self->models_count++];
        (void)snprintf(model->name, sizeof model->name, "%s", change->name);
    }
    memcpy(model->sha256, change->sha256, HASH_BYTES);
    model->n = entry->n;
}

void verify_settings_score(struct verify_settings *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    for (uint32_t i = 0; i < score->models_count && !self->ids->gap; i++) {
        const struct model_in_force *model = settings_model(self, score->models[i].name);
        if (model != NULL && memcmp(model->sha256, score->models[i].sha256, HASH_BYTES) != 0) {
            verify_problem(self->report,
                           "entry %" PRIu64 ": scored by a model '%s' other than that of entry "
                           "%" PRIu64,
                           entry->n, model->name, model->n);
        }
    }
}

void verify_settings_decision(struct verify_settings *self, const struct entry *entry)
{
    if (self->has_policy && !self->ids->gap &&
        memcmp(self->policy_sha256, entry->body.decision.policy_sha256, HASH_BYTES) != 0) {
        verify_problem(self->report,
                       "entry %" PRIu64 ": decided by a policy other than that of entry %" PRIu64,
                       entry->n, self->policy_n);
    }
}
