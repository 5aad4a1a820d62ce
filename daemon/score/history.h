/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_HISTORY_H
#define SCORE_HISTORY_H

/* History: what past exams say of the entities and pairs of a declaration.
 *
 * Each entity has exams n and finds f that fade with a half-life. Its rate is shrunk to that of its
 * parents: p = (f + k q) / (n + k),   q = sigmoid(mean of the parents' logits), or the overall rate
 * when there is no parent and its feature is logit(p) - logit(q): 0 for an entity nobody has
 * examined. A linear model with weights >= 0 adds them up, so more finds never lower a score. "Now"
 * is the time of the newest outcome learnt, not of the declaration: nobody can make a record look
 * old by a date of his own choosing.
 *
 * One thread a handle. history_learn() and the reading functions allocate nothing. */

#include <stdbool.h>
#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "score/history_kind.h"

struct history_entry {
    uint64_t key; /* 0: free slot */
    int64_t last_ns;
    float exams; /* faded to last_ns */
    float finds;
    uint32_t exams_count; /* as they were, for words */
    uint32_t finds_count;
};

struct history_table {
    struct history_entry *entries; /* open addressing, linear probing */
    uint64_t slots;                /* power of two */
    uint64_t used;
    uint64_t dropped;  /* entities not remembered because seven eighths of the slots were in use */
    int64_t newest_ns; /* time of the newest outcome learnt; INT64_MIN: none */
};

#define HISTORY_SLOTS_MIN 1024u
#define HISTORY_SLOTS_MAX (UINT64_C(1) << 28)

/* slots is rounded up to a power of two within the bounds above. */
MUST_USE struct err history_table_init(struct history_table *self, uint64_t slots);
void history_table_fini(struct history_table *self);
void history_table_reset(struct history_table *self);
/* Twice the slots. For training only. */
MUST_USE struct err history_table_grow(struct history_table *self);
void history_table_learn(struct history_table *self, uint64_t key, bool found, int64_t t_ns,
                         double half_life_ns);

struct history_weights {
    double intercept;
    double coefficients[HISTORY_KINDS]; /* >= 0; that of HISTORY_ALL is 0 */
    double shrinkage;                   /* k: exams that the parent's rate is worth */
    double half_life_days;
    double prior;       /* rate before anything is known */
    double prior_exams; /* exams that it is worth */
};

/* Weights when no model is installed. MODELS.md says why these. */
extern const struct history_weights history_weights_builtin;

struct history {
    struct history_weights weights;
    struct history_table base; /* of the installed model; slots 0: none */
    int64_t learnt_until_ns;   /* outcomes up to here are in the model */
    struct history_table live;
};

struct history_known {
    double exams; /* faded to now */
    double finds;
    uint64_t exams_count;
    uint64_t finds_count;
};

/* What is known of one line of one declaration. */
struct history_reading {
    double logit; /* intercept + sum of coefficient * feature, in the order of kinds */
    double features[HISTORY_KINDS]; /* floats widened */
    double prior[HISTORY_KINDS];    /* q: the rate that the entity is judged against */
    bool present[HISTORY_KINDS];
    struct history_known known[HISTORY_KINDS];
    uint32_t line_index;
};

MUST_USE struct err history_init(struct history *self, uint64_t live_slots);
void history_fini(struct history *self);
/* Takes over weights and counts from a model file; on error nothing has changed. */
MUST_USE struct err history_install(struct history *self, const struct model_file *file);

/* The built-in weights again, without the counts of the model; what was learnt live stays. */
void history_uninstall(struct history *self);

/* Distinct keys of all entities and pairs of a declaration, HISTORY_ALL first. */
#define HISTORY_KEYS_MAX ((size_t)HISTORY_KINDS * RECORD_LINES_MAX)
uint32_t history_keys(const struct declaration *declaration, uint64_t keys[HISTORY_KEYS_MAX]);

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

#endif
