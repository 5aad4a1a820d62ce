/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/replay_models.h"

#include <stdio.h>
#include <string.h>

#include "score/score.h"

/* Scores of a file follow one another with the same models, so what is installed is looked at
 * first. */

static const char builtin_prefix[] = "builtin/";
static const char not_at_hand[] = "a model that it names is not at hand";

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

static struct replay_missing *find_missing(struct replay_models *self,
                                           const struct entry_model *named)
{
    char hex[HASH_HEX_BYTES];
    hex_encode(named->sha256, HASH_BYTES, hex);
    for (uint32_t i = 0; i < self->missing_count; i++) {
        if (strcmp(self->missing[i].sha256, hex) == 0 &&
            strcmp(self->missing[i].name, named->name) == 0) {
            return &self->missing[i];
        }
    }
    return NULL;
}

/* The words are the finding's. */
static const char *remember_missing(struct replay_models *self, const struct replay_missing *one)
{
    if (self->missing_count == REPLAY_MISSING_MAX) {
        return not_at_hand;
    }
    struct replay_missing *kept = &self->missing[self->missing_count++];
    *kept = *one;
    return kept->why[0] != '\0' ? kept->why : not_at_hand;
}

/* The first good file counts: a copy may be damaged in one folder and whole in the next. */
static void install(struct replay_models *self, const struct entry_model *named,
                    struct replay_missing *missing)
{
    for (uint32_t i = 0; i < self->folders_count; i++) {
        char path[DURABLE_PATH_BYTES];
        char text[ERR_TEXT_BYTES];
        bool exists = false;
        bool fits = snprintf(path, sizeof path, "%s/%s.h5", self->folders[i], missing->sha256) <
                    (int)sizeof path;
        struct err err =
            fits ? durable_exists(path, &exists) : err_make(ERR_ARGUMENT, "path of a model");
        if (!err_is(err) && exists) {
            err = score_install(self->scorer, path, named->sha256, NULL);
            if (!err_is(err)) {
                return;
            }
        }
        if (err_is(err)) {
            (void)snprintf(missing->why, sizeof missing->why, "model %s: %s", path,
                           err_text(err, text));
        }
    }
}

static struct err reopen(struct replay_models *self, uint32_t height)
{
    const struct score_conf conf = {
        .image_bytes_max = UINT64_MAX, .history_slots = HISTORY_SLOTS, .working_height = height};
    score_close(&self->scorer);
    self->height = height;
    return score_open(&conf, &self->scorer);
}

/* NULL: it is installed. */
static const char *fit_model(struct replay_models *self, const struct entry_model *named)
{
    size_t prefix = sizeof builtin_prefix - 1;
    const char *place = named->name + prefix;
    struct replay_missing *known = find_missing(self, named);
    if (known != NULL) {
        known->scores_count++;
        return known->why[0] != '\0' ? known->why : not_at_hand;
    }
    struct replay_missing missing = {.scores_count = 1};
    (void)snprintf(missing.name, sizeof missing.name, "%s", named->name);
    hex_encode(named->sha256, HASH_BYTES, missing.sha256);
    if (strncmp(named->name, builtin_prefix, prefix) != 0) {
        install(self, named, &missing);
    } else if (strcmp(place, "history") == 0 || strcmp(place, "fusion") == 0) {
        score_install_builtin(self->scorer, place);
    }
    return is_installed(self->scorer, named) ? NULL : remember_missing(self, &missing);
}

struct err replay_models_fit(struct replay_models *self, const struct entry_score *logged,
                             const char **why)
{
    uint32_t height = score_replay_height(logged);
    height = height < HEIGHT_MIN ? HEIGHT_MIN : height;
    *why = NULL;
    if (self->scorer == NULL || height > self->height) {
        struct err err = reopen(self, height);
        if (err_is(err)) {
            return err;
        }
    }
    for (uint32_t i = 0; i < logged->models_count; i++) {
        if (!is_installed(self->scorer, &logged->models[i])) {
            const char *missing = fit_model(self, &logged->models[i]);
            *why = missing != NULL ? missing : *why;
        }
    }
    return err_none;
}

void replay_models_fini(struct replay_models *self)
{
    score_close(&self->scorer);
}
