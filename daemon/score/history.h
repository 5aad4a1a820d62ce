/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_HISTORY_H
#define SCORE_HISTORY_H

/* History: what past exams say of the entities and pairs of a declaration.
 *
 * Each entity has exams n and finds f that fade with a half-life. Its rate is shrunk to that of its
 * parents: p = (f + k q) / (n + k),   q = sigmoid(mean of the parents' logits), or the overall rate
 * when there is no parent and its feature is logit(p) - logit(q): 0 for an entity nobody has
 * examined. A linear model with weights >= 0 adds them up, so more finds never lower a score; a
 * model of trees asks for the same as odds (history_odds). "Now" is the time of the newest outcome
 * learnt, not of the declaration: nobody can make a record look old by a date of his own choosing.
 *
 * One thread a handle. history_learn() and the reading functions allocate nothing. */

#include <stdbool.h>
#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "score/history_index.h"
#include "score/history_kind.h"
#include "score/history_table.h"

struct history_weights {
    double intercept;
    double coefficients[HISTORY_LINEAR_KINDS]; /* >= 0; that of HISTORY_ALL is 0 */
    double shrinkage;                          /* k: exams that the parent's rate is worth */
    double half_life_days;
    double prior;       /* rate before anything is known */
    double prior_exams; /* exams that it is worth */
};

/* Weights when no model is installed. MODELS.md says why these. */
extern const struct history_weights history_weights_builtin;

struct history {
    struct history_weights weights;
    struct part_key key;        /* of the installed model: how names become keys */
    struct history_table base;  /* of the installed model; slots 0: none */
    struct history_index index; /* the same for history_odds; only for a model of trees */
    int64_t learnt_until_ns;    /* outcomes up to here are in the model */
    struct history_table live;
    uint32_t kinds_count;       /* that are learnt and kept: HISTORY_LINEAR_KINDS or all */
    float fades[HISTORY_FADES]; /* what is left after whole days, for history_odds */
};

struct history_known {
    double exams; /* faded to now */
    double finds;
    uint64_t exams_count;
    uint64_t finds_count;
    uint16_t first_day; /* of the first exam, from 1970; 0: not known */
};

/* What is known of one line of one declaration. */
struct history_reading {
    double logit; /* intercept + sum of coefficient * feature, in the order of kinds */
    double features[HISTORY_LINEAR_KINDS]; /* floats widened */
    double prior[HISTORY_LINEAR_KINDS];    /* q: the rate that the entity is judged against */
    bool present[HISTORY_LINEAR_KINDS];
    struct history_known known[HISTORY_LINEAR_KINDS];
    uint32_t line_index;
};

MUST_USE struct err history_init(struct history *self, uint64_t live_slots);
void history_fini(struct history *self);
/* Takes over weights and counts from a model file; on error nothing has changed. */
MUST_USE struct err history_install(struct history *self, const struct model_file *file);

/* Takes over weights without coefficients and counts of all kinds: what a model of trees reads.
 * Takes the table, whose keys are by `key`, on success; ERR_MEMORY changes nothing. What was learnt
 * live under another key is forgotten: after installing a model, reset and replay. */
MUST_USE struct err history_install_counts(struct history *self,
                                           const struct history_weights *weights,
                                           const struct part_key *key, struct history_table *base);
/* True when the constants are within their bounds. */
bool history_weights_are_sound(const struct history_weights *weights);

/* The built-in weights again, without the counts of the model; what was learnt live stays. */
void history_uninstall(struct history *self);

/* Distinct keys of the entities and pairs of a declaration, HISTORY_ALL first. */
#define HISTORY_KEYS_MAX ((size_t)HISTORY_KINDS * RECORD_LINES_MAX)
uint32_t history_keys(const struct part_key *part_key, const struct declaration *declaration,
                      uint32_t kinds_count, uint64_t keys[HISTORY_KEYS_MAX]);

/* One outcome into the live table; outcomes that the installed model has already learnt are passed
 * over. Each entity counts once, in however many lines it stands. keys is workspace. */
void history_learn(struct history *self, const struct declaration *declaration, bool found,
                   int64_t t_ns, uint64_t keys[HISTORY_KEYS_MAX]);

/* The overall rate, 0..1. */
double history_rate(const struct history *self);
/* Reads every line and keeps the one with the highest logit (the first of equals). A declaration
 * without lines is read as if it had one that is empty. */
void history_read(const struct history *self, const struct declaration *declaration,
                  struct history_reading *out);

/* What the trees ask of the histories of up to HISTORY_LANES lines, as columns: the ratio of kind
 * k's odds to those it is judged against (1 for one that nobody has examined or that is absent) at
 * (2k - 2) * HISTORY_LANES, and its exams faded to now (0 when absent) at (2k - 1) * HISTORY_LANES,
 * k from 1. "Now" and last exams count as the days they lie in. Sums, products, quotients and
 * square roots of floats only: the same bits on every processor, given the same counts and fades;
 * those come from exp2. */
#define HISTORY_ODDS_COLUMNS (2u * (HISTORY_KINDS - 1u))
struct history_block {
    struct history_columns parts; /* the caller's */
    uint32_t count;
    /* workspace */
    uint64_t keys[4][HISTORY_LANES];
    struct lookup_asked asked[4];
    float finds[HISTORY_KINDS][HISTORY_LANES];
    float odds[HISTORY_KINDS][HISTORY_LANES];
    float all_exams[HISTORY_LANES];
};
#define HISTORY_EVERY_KIND ((UINT64_C(1) << HISTORY_KINDS) - 1)
/* kinds: a bit for each kind that is asked for, HISTORY_ALL among them, and for its parents; the
 * columns of others mean nothing. */
void history_odds_block(const struct history *self, uint64_t kinds, struct history_block *block,
                        float *columns);

/* The same of one line by its keys (0: absent): ratios and exams in turn, kind 1 first. */
void history_odds(const struct history *self, const uint64_t keys[HISTORY_KINDS],
                  float out[HISTORY_ODDS_COLUMNS]);

/* For words: what is known of one key (not 0). */
void history_know(const struct history *self, uint64_t key, struct history_known *out);

#endif
