/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_DECLARATIONS_H
#define SCORE_TRAIN_DECLARATIONS_H

/* Train declarations: trees over histories and goods (declaration_model.h), learnt as they will be
 * used. Rows are cut into blocks of TRAIN_BLOCK_DAYS; the features of a block's rows are read from
 * histories and norms of the rows before the block only, and of their outcomes only of those that
 * were known when the block began. So no row knows its own outcome, or one of its days, and the fit
 * sees newcomers and histories as stale as scoring does. Blocks are of whole
 * days; validation rows alone, should the first of them share a day with the last training row,
 * know outcomes of that day.
 *
 * Offline; allocates: 1.1 KB a goods line, the newest lines_max lines at most; older ones are in
 * the histories only. The same rows, options and build give the same file, on however many threads.
 */

#include <stdbool.h>
#include <stdint.h>

#include "score/evaluation.h"
#include "score/item_lines.h"
#include "score/line_buckets.h"
#include "score/line_features.h"
#include "score/train.h"

#define TRAIN_BLOCK_DAYS 45
#define TRAIN_LINES_MAX (UINT64_C(1) << 19)

struct train_declarations;

struct train_declarations_conf {
    uint64_t seed;
    bool keep_validation_out;   /* the model that is written has learnt nothing from it */
    uint32_t threads;           /* 1.. */
    uint64_t lines_max;         /* 0: TRAIN_LINES_MAX; at least twice RECORD_LINES_MAX */
    bool left_out[LINE_GROUPS]; /* groups of features that the trees must do without */
    const char *note; /* stands before the figures in the file's evaluation; NULL: nothing */
    /* Of the digests in the model (part_key.h): who knows it can steer a name into somebody else's
     * history. Not to be guessed from outside, and the same for the same rows: a digest of the
     * table itself does. */
    uint8_t secret[PART_SECRET_BYTES];
};

struct train_outcome {
    bool found;
    bool critical;
    bool validation;  /* a later row, kept for judging and calibrating */
    int64_t t_ns;     /* of the decision: what came later the row does not know */
    int64_t known_ns; /* when the exam told; up to t_ns: at once, as in tables */
    uint64_t exam;    /* the same for declarations of one item; 0: an exam of its own */
};

/* How good trees are that have seen none of the rows they are judged on: the validation rows or,
 * without any, the last block. */
struct train_declarations_report {
    struct train_report model;
    struct evaluation later;     /* calibrated on the other half of the days, twice */
    struct evaluation known;     /* of them, importers that had been examined before */
    struct evaluation newcomers; /* the others */
    struct evaluation critical;  /* the second target */
    struct line_bucket by_lines[LINE_BUCKETS]; /* of `later`, which are items */
    uint32_t trees;
    double scale; /* Platt's, which is folded into the trees */
    double offset;
    struct lines_calibration lines;
};

/* ARGUMENT when lines_max is too small. */
MUST_USE struct err train_declarations_open(const struct train_declarations_conf *conf,
                                            struct train_declarations **out);
/* In any order of time while they fit lines_max lines, in its order beyond (ARGUMENT,
 * as are more lines of one day than fit);
 * validation rows that are not later than all others are ARGUMENT when the model is written. */
MUST_USE struct err train_declarations_add(struct train_declarations *self,
                                           const struct declaration *declaration,
                                           const struct train_outcome *outcome);
/* ARGUMENT without rows, or when the only ones are validation rows that are kept out. */
MUST_USE struct err train_declarations_write(struct train_declarations *self, const char *directory,
                                             struct train_declarations_report *report);
void train_declarations_close(struct train_declarations **self);

#endif
