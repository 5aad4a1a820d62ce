/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_DECLARATION_STAGES_H
#define BENCH_DECLARATION_STAGES_H

/* Declaration stages: what each step from a record to its score and reasons takes of one processor,
 * and what the memory alone would take: the lines of the counts, their addresses known. Ends the
 * program when something fails. One thread. */

#include "bench/declaration_set.h"
#include "score/declaration_model.h"

struct declaration_stages {
    struct declaration_model *model;
    const struct history *history;
    const struct declaration_set *set;
    const uint32_t *order; /* [count] of the set */
    size_t count;          /* a multiple of HISTORY_LANES */
};

/* Prints a line for each. The best of a few rounds, by processor time. */
void declaration_stages_tell(const struct declaration_stages *self);

#endif
