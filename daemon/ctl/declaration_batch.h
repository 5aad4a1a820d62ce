/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DECLARATION_BATCH_H
#define CTL_DECLARATION_BATCH_H

/* Declaration batch: declarations of a table, kept until a batch of them is scored together, and
 * the model that scores them. A bad row is scored as far as it could be read. One thread. */

#include "ctl/declaration_group.h"
#include "ctl/text_keep.h"
#include "score/declaration_model.h"

#define DECLARATION_BATCH_ROWS 256u
#define BATCH_LINES 4096u /* a batch ends early when there may be no room for one more */
#define BATCH_PROBLEM_BYTES 256u

struct batch_row {
    struct declaration declaration; /* points into the batch */
    struct field other[RECORD_FIELDS_MAX];
    char problem[BATCH_PROBLEM_BYTES]; /* "" or what is wrong with the row */
    bool labelled;
    bool found;
    bool critical;
};

struct declaration_batch {
    struct batch_row *rows;                   /* [DECLARATION_BATCH_ROWS] */
    struct declaration_risk *risks;           /* of them, after declaration_batch_score */
    struct declaration_judgement *judgements; /* or after declaration_batch_judge */
    uint32_t count;
    struct goods_line *lines; /* [BATCH_LINES] of the rows */
    uint32_t lines_count;
    struct text_keep texts;
    struct history history;
    struct declaration_model model;
};

/* Reads the model file; ERR_MODEL_UNREADABLE when it is of another kind. */
MUST_USE struct err declaration_batch_open(const char *model_path, struct declaration_batch **out);
void declaration_batch_close(struct declaration_batch **self);
/* Fills the batch with the next declarations of the table. count 0: the table is at its end. error
 * (CSV_ERROR_BYTES) says what is wrong with the table. */
MUST_USE struct err declaration_batch_next(struct declaration_batch *self,
                                           struct declaration_group *table, char *error);
/* Scores the declarations with their features, or with at most so many reasons instead. */
void declaration_batch_score(struct declaration_batch *self);
void declaration_batch_judge(struct declaration_batch *self, uint32_t reasons_max);

#endif
