/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/replay_models.h"

#include <stdio.h>
#include <string.h>

#include "base/durable.h"
#include "score/score.h"

/* Scores of a file follow one another with the same models, so what is installed is looked at
 * first. */

static const char builtin_prefix[] = "builtin/";

enum { HISTORY_SLOTS = 1024, HEIGHT_MIN = 32 };

static bool is_installed(const struct score *scorer, const struct entry_model *named)
{
    struct entry_model models[SCORE_MODELS_MAX];
    uint32_t count = score_models(scorer, models);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(models[i].name, named->name) == 0 &&
            hash_equal(models[i].sha256, named->sha256)) {
            return true;
        }
    }
    return false;
}

static void remember_missing(struct replay_models *self, const struct entry_model *named)
{
    char hex[HASH_HEX_BYTES];
    hex_encode(named->sha256, HASH_BYTES, hex);
    uint32_t at = 0;
    while (at < self->missing_count && (strcmp(self->missing[at].sha256, hex) != 0 ||
                                        strcmp(self->missing[at].name, named->name) != 0)) {
        at++;
    }
    if (at == REPLAY_MISSING_MAX) {
        return;
    }
    if (at == self->missing_count) {
        self->missing[at] = (struct replay_missing){.scores_count = 0};
        (void)snprintf(self->missing[at].name, sizeof self->missing[at].name, "%s", named->name);
        memcpy(self->missing[at].sha256, hex, sizeof hex);
        self->missing_count++;
    }
    self->missing[at].scores_count++;
}

static struct err install(struct replay_models *self, const struct entry_model *named)
{
    char hex[HASH_HEX_BYTES];
    hex_encode(named->sha256, HASH_BYTES, hex);
    for (uint32_t i = 0; i < self->folders_count; i++) {
        char path[DURABLE_PATH_BYTES];
        bool exists = false;
        if (snprintf(path, sizeof path, "%s/%s.h5", self->folders[i], hex) >= (int)sizeof path) {
            return err_make(ERR_ARGUMENT, "path of a model");
        }
        struct err err = durable_exists(path, &exists);
        if (err_is(err) || exists) {
            return err_is(err) ? err : score_install(self->scorer, path, named->sha256, NULL);
        }
    }
    return err_none;
}

static struct err reopen(struct replay_models *self, uint32_t height)
{
    const struct score_conf conf = {
        .image_bytes_max = UINT64_MAX, .history_slots = HISTORY_SLOTS, .working_height = height};
    score_close(&self->scorer);
    self->height = height;
    return score_open(&conf, &self->scorer);
}

bool replay_models_fit(struct replay_models *self, const struct entry_score *logged,
                       struct err *err)
{
    uint32_t height = score_replay_height(logged);
    height = height < HEIGHT_MIN ? HEIGHT_MIN : height;
    bool whole = true;
    *err = err_none;
    if (self->scorer == NULL || height > self->height) {
        *err = reopen(self, height);
    }
    for (uint32_t i = 0; i < logged->models_count && !err_is(*err); i++) {
        const struct entry_model *named = &logged->models[i];
        if (is_installed(self->scorer, named)) {
            continue;
        }
        size_t prefix = sizeof builtin_prefix - 1;
        const char *place = named->name + prefix;
        if (strncmp(named->name, builtin_prefix, prefix) != 0) {
            *err = install(self, named);
        } else if (strcmp(place, "history") == 0 || strcmp(place, "fusion") == 0) {
            score_install_builtin(self->scorer, place);
        }
        if (!err_is(*err) && !is_installed(self->scorer, named)) {
            remember_missing(self, named);
            whole = false;
        }
    }
    return whole && !err_is(*err);
}

void replay_models_fini(struct replay_models *self)
{
    score_close(&self->scorer);
}
