/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CONSISTENCY_FIGURES_H
#define CTL_CONSISTENCY_FIGURES_H

/* Consistency figures: how often a right declaration is flagged, and how often one of another
 * chapter is, for `model evaluate`. Every scan is held against its own chapter and against every
 * other chapter that the model knows, as if the declaration had been swapped. */

#include <stdbool.h>
#include <stdint.h>

#include "score/consistency_model.h"
#include "score/evaluation.h"

enum consistency_question {
    CONSISTENCY_BY_FIT,
    CONSISTENCY_BY_NUMBER,
    CONSISTENCY_BY_BOTH,
    CONSISTENCY_QUESTIONS
};
/* Of two chapters, in spreads within chapters: below 2, 4, 8, and beyond; and all. */
enum { CONSISTENCY_DISTANCES = 5, CONSISTENCY_LEVELS = 2, CONSISTENCY_FIGURE_SCANS_MAX = 20000 };
extern const double consistency_levels[CONSISTENCY_LEVELS]; /* 0.01, 0.05 */
extern const char *const consistency_question_names[CONSISTENCY_QUESTIONS];
extern const char *const consistency_distance_names[CONSISTENCY_DISTANCES];

struct consistency_figures {
    uint32_t scans[CONSISTENCY_QUESTIONS]; /* that the question could be asked of */
    /* Right declarations whose chance is at most the level; Wilson, 95%. */
    struct evaluation_rate wrongly[CONSISTENCY_QUESTIONS][CONSISTENCY_LEVELS];
    uint64_t swaps[CONSISTENCY_QUESTIONS][CONSISTENCY_DISTANCES];
    /* Swapped ones flagged where that share of these right ones is; bootstrap over scans, 95%. */
    struct evaluation_rate found[CONSISTENCY_QUESTIONS][CONSISTENCY_DISTANCES][CONSISTENCY_LEVELS];
};

struct consistency_figures_rows {
    struct consistency_case {
        uint32_t chapter;
        float inputs[CONSISTENCY_INPUTS];
    } * cases;
    uint32_t count;
    uint32_t capacity;
};

/* False: no memory, or too many. */
bool consistency_figures_add(struct consistency_figures_rows *self,
                             const float inputs[CONSISTENCY_INPUTS]);
void consistency_figures_rows_fini(struct consistency_figures_rows *self);
/* False: no memory. */
bool consistency_figures_make(const struct consistency_model *model,
                              const struct consistency_figures_rows *rows,
                              struct consistency_figures *out);

#endif
