/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_REPLAY_MODELS_H
#define CTL_REPLAY_MODELS_H

/* Replay models: a scorer with the very models that a score names, from folders of files called
 * <sha256>.h5; built-in constants are part of the program and told by their hash as well. Main
 * thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/durable.h"
#include "base/err.h"
#include "proto/entry.h"

struct score;

#define REPLAY_FOLDERS_MAX 4u
#define REPLAY_MISSING_MAX 16u

struct replay_missing {
    char name[96];
    char sha256[HASH_HEX_BYTES];
    uint64_t scores_count;
    char
        why[DURABLE_PATH_BYTES + ERR_TEXT_BYTES]; /* its file and what is wrong with it; "": none */
};

struct replay_models {
    const char *folders[REPLAY_FOLDERS_MAX]; /* borrowed */
    uint32_t folders_count;
    struct score *scorer;
    uint32_t height; /* of the scorer */
    struct replay_missing missing[REPLAY_MISSING_MAX];
    uint32_t missing_count;
};

/* Makes self->scorer fit this score; *why is NULL then. Otherwise a model is not at hand, in no
 * folder or in none where it can be read: words (valid as long as self) say which, and it is
 * remembered in `missing` and not looked for again. An error is one of memory. */
MUST_USE struct err replay_models_fit(struct replay_models *self, const struct entry_score *logged,
                                      const char **why);
void replay_models_fini(struct replay_models *self);

#endif
