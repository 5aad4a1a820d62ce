/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_DRIFT_H
#define SCORE_DRIFT_H

/* Drift: how much the declarations of now differ from those of then, field by field: the population
 * stability index, sum over bins of (now - then) ln(now / then) of the shares. Numbers are cut into
 * tenths of then and what lies beyond, words into the twenty most frequent of then and the others;
 * what is missing is a bin of its own. Every bin counts half a declaration more than it has, so
 * that an empty one is not infinite. 0.1 and 0.25 are where custom says "has moved" and "another
 * population"; they are convention, not law, so the index that chance alone reaches once in twenty
 * (as many bins, as many declarations, nothing changed) stands beside each.
 *
 * Offline; allocates. One thread a handle. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/record.h"

#define DRIFT_FIELDS_MAX 24u
#define DRIFT_MOVED 0.1
#define DRIFT_OTHER 0.25

enum drift_verdict {
    DRIFT_STEADY,  /* below 0.1, or what chance would do */
    DRIFT_UNKNOWN, /* 0.1 or more, but chance alone would do that with so few */
    DRIFT_HAS_MOVED,
    DRIFT_IS_OTHER
};
const char *drift_words(enum drift_verdict verdict);

struct drift_field {
    const char *name; /* static */
    uint32_t bins;
    double index;
    double chance;       /* 95% quantile of the index when nothing changed */
    double missing_then; /* shares */
    double missing_now;
    enum drift_verdict verdict;
};

/* Of counts; 0 with fewer than two bins or an empty side. */
double drift_index(const uint64_t *then, const uint64_t *now, size_t bins);
double drift_chance(uint64_t then_count, uint64_t now_count, size_t bins);
enum drift_verdict drift_judge(double index, double chance);

struct drift;
MUST_USE struct err drift_open(struct drift **out);
void drift_close(struct drift **self);
/* probability: what was said of it; NaN: nothing. */
MUST_USE struct err drift_add(struct drift *self, const struct declaration *declaration,
                              double probability, bool now);
uint64_t drift_count(const struct drift *self, bool now);
/* The score first, then the fields of a declaration in a fixed order. ERR_ARGUMENT when one side
 * has no declarations. */
MUST_USE struct err drift_make(const struct drift *self, struct drift_field out[DRIFT_FIELDS_MAX],
                               uint32_t *count);

#endif
