/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_GATE_TRAIN_H
#define SCORE_FINDER_GATE_TRAIN_H

/* Finder gate training: what a gate passes on, learnt from what the whole network says. The network
 * looks at every cell of some images; the gate is the weighted ridge regression (kernels/ridge.h)
 * of a cell's heat on what the first layers gave it and its eight neighbours. Then on others of the
 * images it is counted which share of the cells must pass for at most one in a hundred of the
 * marked objects that it notices to be lost; where no share will do, or it notices too few to tell,
 * the model stays without a gate. Offline;
 * allocates; one thread. */

#include <stdint.h>

#include "base/err.h"
#include "score/finder_set.h"

struct finder_gate_report {
    uint32_t share;   /* one cell in so many passes; 0: no gate */
    uint32_t images;  /* that was counted on */
    uint64_t noticed; /* objects, by a look at every cell */
    uint64_t lost;    /* of them, with the gate; without one: at the last share tried */
};

/* taken[images]: 1 = one of those; NULL: all. The model is settled, of one look by one network, and
 * has no gate; `depth` layers look everywhere. MEMORY. */
MUST_USE struct err finder_gate_learn(const struct finder_set *set, const uint8_t *taken,
                                      uint32_t depth, struct finder_model *model,
                                      struct finder_gate_report *report);
#endif
