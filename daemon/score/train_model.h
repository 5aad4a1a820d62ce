/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_MODEL_H
#define SCORE_TRAIN_MODEL_H

/* Train model: what every trained model file says of itself, and writing it. The time of training
 * is left out on purpose: the same inputs and seed must give the same bytes. */

#include <stdint.h>

#include "archive/model_file.h"
#include "score/train.h"

struct train_model {
    const char *name; /* where it is installed: "history", "fusion", "appearance/<scanner type>" */
    const char *kind; /* "history", "fusion", "appearance" */
    uint64_t seed;
    uint8_t training_set_sha256[HASH_BYTES];
    const char *evaluation;
};

/* Adds the texts name, kind, seed, training_set_sha256 and evaluation to the arrays in `file`,
 * writes it into directory and fills the report. The caller inits and finis the file. */
MUST_USE struct err train_model_write(const struct train_model *model, struct model_file *file,
                                      const char *directory, struct train_report *report);

#endif
