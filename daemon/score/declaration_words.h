/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_DECLARATION_WORDS_H
#define SCORE_DECLARATION_WORDS_H

/* Declaration words: what a model of trees has to say of a declaration, for people: what stands
 * behind a contribution, and, apart from risk, what is wrong with the data themselves. Names of
 * persons and firms come out as pseudonyms or not at all (history_kind.h). No allocation. */

#include "score/declaration_model.h"

#define DECLARATION_WORDS_BYTES 160u

struct declaration_said {
    const struct history *history;
    const struct goods_norms *norms;
    const struct declaration *declaration;
    uint32_t line_index;          /* the line that stands for it */
    const uint8_t *pseudonym_key; /* 32 bytes or NULL */
    struct history_parts parts;   /* of that line: declaration_said_fill */
};
/* Fills parts from the other members. */
void declaration_said_fill(struct declaration_said *said);

/* "importer x HS 6109.10: 3 finds in 4 exams since March 2020" */
void declaration_group_words(const struct declaration_said *said, uint32_t group,
                             char out[DECLARATION_WORDS_BYTES]);

/* "no seller; origin QQ never examined; net mass not given", cut at out_bytes; "" when nothing is
 * wrong. None of it adds to the risk. */
void declaration_faults(const struct declaration_said *said, char *out, size_t out_bytes);

#endif
