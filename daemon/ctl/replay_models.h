/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_REPLAY_MODELS_H
#define CTL_REPLAY_MODELS_H

/* Replay models: a scorer with the very models that a score names, from folders of files called
 * <sha256>.h5; built-in constants are part of the program and told by their hash as well. Main
 * thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/entry.h"

struct score;

#define REPLAY_FOLDERS_MAX 4u
#define REPLAY_MISSING_MAX 16u

struct replay_missing {
    char name[96];
    char sha256[HASH_HEX_BYTES];
    uint64_t scores_count;
};

struct replay_models {
    const char *folders[REPLAY_FOLDERS_MAX]; /* borrowed */
    uint32_t folders_count;
    struct score *scorer;
    uint32_t height; /* of the scorer */
    struct replay_missing missing[REPLAY_MISSING_MAX];
    uint32_t missing_count;
};

/* Makes self->scorer fit this score. False when a model is not at hand, which is remembered in
 * `missing`; *err is of what went wrong beyond that. */
bool replay_models_fit(struct replay_models *self, const struct entry_score *logged,
                       struct err *err);
void replay_models_fini(struct replay_models *self);

#endif
