/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/model_file.h"
#include "base/counter.h"
#include "base/diag.h"
#include "shadow_parts.h"

/* The second scorer: all models in use, with one in the place of another. It is there while a model
 * is in shadow, and its memory with it: learnt outcomes and pixels once more. */

void shadow_tell(struct shadow_line *self, const struct state_shadow *shadow, bool running,
                 struct err fault)
{
    must(pthread_mutex_lock(&self->lock) == 0);
    self->told = (struct shadow_told){.running = running};
    if (shadow != NULL) {
        memcpy(self->told.place, shadow->place, sizeof self->told.place);
        memcpy(self->told.sha256, shadow->sha256, HASH_BYTES);
        self->told.entry_index = shadow->entry_index;
    }
    if (err_is(fault)) {
        char text[ERR_TEXT_BYTES];
        (void)snprintf(self->told.fault, sizeof self->told.fault, "%s", err_text(fault, text));
    }
    must(pthread_mutex_unlock(&self->lock) == 0);
}

void shadow_drop(struct shadow_line *self)
{
    score_close(&self->score);
    wal_reader_close(&self->follow);
    wal_reader_close(&self->lookup);
    free(self->pixels);
    self->pixels = NULL;
    self->place[0] = '\0';
    counter_set(COUNTER_waiting_shadow, 0);
}

static struct err shadow_path(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                              char out[PIPELINE_PATH_BYTES + HASH_HEX_BYTES + 8])
{
    char directory[PIPELINE_PATH_BYTES];
    char hex[HASH_HEX_BYTES];
    const struct conf *conf = &self->pipeline->conf;
    struct err err = conf_path(conf, conf->store_models, directory, sizeof directory);
    hex_encode(sha256, HASH_BYTES, hex);
    (void)snprintf(out, PIPELINE_PATH_BYTES + HASH_HEX_BYTES + 8, "%s/%s.h5", directory, hex);
    return err;
}

struct err shadow_install(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                          struct score_installed *what)
{
    char path[PIPELINE_PATH_BYTES + HASH_HEX_BYTES + 8];
    struct err err = shadow_path(self, sha256, path);
    return err_is(err) ? err : score_install(self->score, path, sha256, what);
}

struct err shadow_look(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                       char place[SHADOW_PLACE_BYTES])
{
    char path[PIPELINE_PATH_BYTES + HASH_HEX_BYTES + 8];
    struct model_file file;
    struct err err = shadow_path(self, sha256, path);
    err = err_is(err) ? err : model_file_read(path, sha256, &file);
    if (err_is(err)) {
        return err;
    }
    const char *name = model_file_text(&file, "name");
    if (name == NULL || strlen(name) >= SHADOW_PLACE_BYTES) {
        err = err_make(ERR_MODEL_UNREADABLE, "model file: name");
    } else {
        (void)snprintf(place, SHADOW_PLACE_BYTES, "%s", name);
    }
    model_file_fini(&file);
    return err;
}

/* Every model in use, and this one in the place of one of them. */
static struct err shadow_install_all(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                                     struct score_installed *what)
{
    struct state_model models[SCORE_MODELS_MAX];
    uint32_t count = 0;
    struct err err = state_models(self->state, models, SCORE_MODELS_MAX, &count);
    for (uint32_t i = 0; !err_is(err) && i < count; i++) {
        err = shadow_install(self, models[i].sha256, NULL);
    }
    return err_is(err) ? err : shadow_install(self, sha256, what);
}

static struct err shadow_open_scorer(struct shadow_line *self)
{
    struct pipeline *pipeline = self->pipeline;
    struct score_conf conf = {.image_bytes_max = (uint64_t)pipeline->conf.ingest_image_mib << 20,
                              .history_slots = (uint64_t)pipeline->conf.judge_history_slots,
                              .working_height = (uint32_t)pipeline->conf.judge_working_height,
                              .pseudonym_key = pipeline->keys.pseudonym,
                              .shadow = true};
    self->pixels_capacity = (uint64_t)pipeline->conf.judge_pixels_mib << 20;
    self->pixels = aligned_alloc(64, self->pixels_capacity);
    struct err err = self->pixels == NULL ? err_make(ERR_MEMORY, "pixels of the shadow")
                                          : score_open(&conf, &self->score);
    if (!err_is(err)) {
        err = wal_reader_open_store(&pipeline->places, &self->follow);
    }
    return err_is(err) ? err : wal_reader_open_store(&pipeline->places, &self->lookup);
}

/* The model of this file beside those in use, taught by what the log holds so far. Whatever ran
 * before is gone. */
struct err shadow_load(struct shadow_line *self, const uint8_t sha256[HASH_BYTES],
                       struct score_installed *what)
{
    shadow_drop(self);
    /* First of all: another model that comes into use while files are read is met in the log, and
     * at worst installed twice. */
    uint64_t applied = state_applied(self->state);
    struct err err = shadow_open_scorer(self);
    if (!err_is(err)) {
        err = shadow_install_all(self, sha256, what);
    }
    if (!err_is(err)) {
        err = shadow_item_relearn(self, applied);
    }
    if (!err_is(err)) {
        err = wal_reader_seek(self->follow, applied);
    }
    if (err_is(err)) {
        shadow_drop(self);
        return err;
    }
    self->position = applied;
    memset(self->pending, 0, sizeof self->pending);
    memcpy(self->sha256, sha256, HASH_BYTES);
    (void)snprintf(self->place, sizeof self->place, "%s", what->name);
    return err_none;
}

/* What the log says is in shadow runs again after a start; from its end on: what was decided
 * before and not scored stays a gap. */
void shadow_resume(struct shadow_line *self)
{
    struct state_shadow shadow;
    struct score_installed what;
    struct err err = state_shadow(self->state, &shadow);
    if (err.code == ERR_NOT_FOUND) {
        return;
    }
    bool known = !err_is(err);
    err = err_is(err) ? err : shadow_load(self, shadow.sha256, &what);
    if (err.code == ERR_CLOSED && shadow_is_stopping(self)) {
        return;
    }
    self->since = known ? shadow.entry_index : 0;
    shadow_tell(self, known ? &shadow : NULL, !err_is(err), err);
    char text[ERR_TEXT_BYTES];
    if (err_is(err)) {
        diag_warn(shadow, "running=0 reason=\"%s\"", err_text(err, text));
    } else {
        diag_info(shadow, "name=%s running=1", self->place);
    }
}
