/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/model_store.h"

#include <stdlib.h>
#include <string.h>

#include "archive/model_file.h"
#include "ctl/ctl_order.h"
#include "score/score.h"
#include "state/state.h"

bool model_store_put(struct ctl *ctl, const char *path, char name[MODEL_STORE_NAME_BYTES])
{
    char directory[DURABLE_PATH_BYTES];
    char target[DURABLE_PATH_BYTES];
    uint8_t digest[HASH_BYTES];
    uint8_t *bytes = NULL;
    size_t bytes_count = 0;
    if (!ctl_settle(ctl) || !ctl_path(ctl, ctl->conf.store_models, directory)) {
        return false;
    }
    struct err err = durable_read(path, MODEL_BYTES_MAX, &bytes, &bytes_count);
    if (err_is(err)) {
        ctl_fail(path, err);
        return false;
    }
    sha256_of(bytes, bytes_count, digest);
    hex_encode(digest, HASH_BYTES, name);
    memcpy(name + HASH_HEX_BYTES - 1, ".h5", sizeof ".h5");
    bool differs = false;
    if (snprintf(target, sizeof target, "%s/%s", directory, name) >= (int)sizeof target) {
        err = err_make(ERR_ARGUMENT, "path of the model directory is too long");
    } else {
        err = durable_directory(directory, 0755);
    }
    if (!err_is(err)) {
        err = durable_create(target, bytes, bytes_count, 0444, &differs);
    }
    free(bytes);
    if (err_is(err)) {
        ctl_fail(directory, err);
        return false;
    }
    if (differs) {
        ctl_refuse("%s does not hold what its name says", target);
        return false;
    }
    return true;
}

int model_store_install(struct ctl *ctl, const char *path, bool quiet)
{
    char name[MODEL_STORE_NAME_BYTES];
    if (!model_store_put(ctl, path, name)) {
        return CTL_REFUSED;
    }
    struct wire_command command = {.order = ORDER_MODEL, .file = name};
    return quiet ? ctl_order_quietly(ctl, &command) : ctl_order(ctl, &command);
}

int model_store_install_as(struct ctl *ctl, const char *path, bool shadow, const char *reason)
{
    char name[MODEL_STORE_NAME_BYTES];
    if (!model_store_put(ctl, path, name)) {
        return CTL_REFUSED;
    }
    struct wire_command command = {.order = ORDER_MODEL,
                                   .file = name,
                                   .model_step = shadow ? MODEL_SHADOW : MODEL_INSTALL,
                                   .sentence = reason};
    return ctl_order(ctl, &command);
}

bool model_store_in_use(struct ctl *ctl, const char *name, uint8_t sha256[HASH_BYTES], bool *found)
{
    static struct state_model models[SCORE_MODELS_MAX];
    uint32_t count = 0;
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return false;
    }
    struct err err = state_models(state, models, SCORE_MODELS_MAX, &count);
    state_close(&state);
    if (err_is(err)) {
        ctl_fail("read model", err);
        return false;
    }
    *found = false;
    for (uint32_t i = 0; i < count && i < SCORE_MODELS_MAX; i++) {
        if (strcmp(models[i].name, name) == 0) {
            memcpy(sha256, models[i].sha256, HASH_BYTES);
            *found = true;
        }
    }
    return true;
}
