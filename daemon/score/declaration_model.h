/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_DECLARATION_MODEL_H
#define SCORE_DECLARATION_MODEL_H

/* Declaration model: oblivious trees over the features of a line (line_features.h), in whole
 * numbers of OBLIVIOUS_LOGIT, so that the contributions of the features add up to the logit exactly
 * and no bit depends on batch or processor. Calibration is folded into the trees. A second sum of
 * trees is the logit of a grave find. Beside them lie the norms of goods, and how often there was a
 * find in later days among rows of about the same score, which gives each probability its interval.
 * The counts of entities live in struct history.
 *
 * One thread a handle. Nothing but _read and _fini allocates. */

#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "kernels/oblivious_block.h"
#include "score/item_lines.h"
#include "score/line_features.h"

#define DECLARATION_MODEL_KIND "declarations"
#define DECLARATION_BINS_MAX 64u

/* One bin of later rows, in the order of logits. */
struct declaration_bin {
    double logit_max; /* rows up to here, above the bin before; of the last: infinite */
    uint64_t rows;
    uint64_t finds;
    double lower; /* 90% interval of finds / rows (Wilson); made by declaration_model_read */
    double upper;
};

struct declaration_bins {
    struct declaration_bin bins[DECLARATION_BINS_MAX];
    uint32_t count; /* 0: no interval is known */
};

struct declaration_model {
    struct oblivious_model found;
    struct oblivious_model critical; /* tree_count 0: never learnt */
    struct goods_norms norms;
    struct declaration_bins bins;
    struct lines_calibration lines;  /* not known: a model of before features_version 3 */
    struct declaration_space *space; /* of one block of lines; made by declaration_model_read */
};

/* What is said of one declaration by its lines (item_lines.h). The riskiest of them (the first of
 * equals) is the one that is explained: its features, its grave finds. */
struct declaration_risk {
    int32_t logit;    /* in OBLIVIOUS_LOGIT, of the declaration */
    int32_t critical; /* the same of a grave find, by the riskiest line; INT32_MIN: not known */
    uint32_t line_index;
    struct item_lines lines; /* logit - lines.riskiest is what their number adds */
    float features[LINE_FEATURES];
};

/* Reads the trees, norms and bins of a model file of this kind; its counts are read by
 * declaration_model_counts. MODEL_UNREADABLE leaves *out alone. */
MUST_USE struct err declaration_model_read(const struct model_file *file,
                                           struct declaration_model *out);
/* The counts and constants of the same file, into history. */
MUST_USE struct err declaration_model_counts(const struct model_file *file,
                                             struct history *history);
void declaration_model_fini(struct declaration_model *self);

/* logit = base + sum of parts over the groups of line_features.h, exactly; it is lines.riskiest of
 * the risk. */
struct declaration_parts {
    int32_t logit;
    int32_t base;
    int32_t parts[LINE_GROUPS];
};

/* One risk for each declaration, whatever else is in the call, and what each group contributes to
 * it unless parts is NULL. Lines beyond RECORD_LINES_MAX are not read. */
void declaration_model_score(struct declaration_model *self, const struct history *history,
                             const struct declaration *const *declarations, uint32_t count,
                             struct declaration_risk *out, struct declaration_parts *parts);

/* The same with its heaviest reasons and without features: what most callers want of many. */
#define DECLARATION_REASONS_MAX ((uint32_t)LINE_GROUPS)
struct declaration_reason {
    uint32_t group; /* of line_features.h */
    int32_t part;   /* what it contributes, in OBLIVIOUS_LOGIT; never 0 */
};
struct declaration_judgement {
    int32_t logit;
    int32_t critical;
    uint32_t line_index;
    struct item_lines lines;
    uint32_t reasons_count; /* heaviest first, equal ones in the order of groups */
    struct declaration_reason reasons[DECLARATION_REASONS_MAX];
};
/* At most reasons_max reasons each, <= DECLARATION_REASONS_MAX. */
void declaration_model_judge(struct declaration_model *self, const struct history *history,
                             const struct declaration *const *declarations, uint32_t count,
                             uint32_t reasons_max, struct declaration_judgement *out);

/* The kinds of histories that its trees ask about, and those these are judged against: a bit each.
 */
uint64_t declaration_model_kinds(const struct declaration_model *self);

/* What declaration_model_score says of a line with these features (lines.riskiest), without
 * declaration or history: for replays. */
void declaration_model_explain(const struct declaration_model *self, const float *features,
                               struct declaration_parts *out);

/* Where the probability lies with 90% confidence, from the later rows of about this score (Wilson),
 * widened to hold the probability itself; 0..1 when nothing is known. */
struct declaration_interval {
    double lower;
    double upper;
};
struct declaration_interval declaration_model_interval(const struct declaration_bins *bins,
                                                       double logit);
/* The same when the probability of this logit is at hand. */
struct declaration_interval declaration_model_interval_of(const struct declaration_bins *bins,
                                                          double logit, double probability);

/* Frees the arrays of a model and nulls it. */
void declaration_trees_free(struct oblivious_model *model);
/* For training: arrays of a model into a file, "trees_" or "critical_" before their names. */
MUST_USE struct err declaration_trees_write(const struct oblivious_model *trees, const char *prefix,
                                            struct model_file *file);
MUST_USE struct err declaration_bins_write(const struct declaration_bins *bins,
                                           struct model_file *file);
/* The array, and the text features_version that says whether there is one. */
MUST_USE struct err declaration_lines_write(const struct lines_calibration *lines,
                                            struct model_file *file);

/* What a score keeps of a declaration beyond the features of its riskiest line: how many lines, and
 * their spread as a logit. */
enum { DECLARATION_LINES_INPUTS = 2 };
#define DECLARATION_INPUTS ((uint32_t)LINE_FEATURES + DECLARATION_LINES_INPUTS)
/* The names of all of them, separated by spaces: the text "inputs" of a model. */
void declaration_input_names(const struct lines_calibration *lines, char out[LINE_NAMES_BYTES]);

#endif
