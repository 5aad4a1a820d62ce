/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_TELL_H
#define SCORE_TRAIN_TELL_H

/* Train tell: what a model file says about itself in words, its "evaluation". Inside training only;
 * pure. */

#include "score/train_declarations.h"

#define TRAIN_TOLD_BYTES 2048u

struct train_told {
    const struct train_declarations_conf *conf;
    const struct train_declarations_report *report;
    uint64_t rows; /* that were given */
    uint64_t entities;
    bool validated; /* there were validation rows */
};

void train_tell(const struct train_told *told, char out[TRAIN_TOLD_BYTES]);

#endif
