/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_ITEM_LINES_H
#define SCORE_ITEM_LINES_H

/* Item lines: how the logits of lines of goods become the logit of what they belong to, a
 * declaration or an item with several of them.
 *
 * The odds of the whole are the mean of the odds of its lines. That is Bayes' rule when wide
 * declarations break the rules as often as narrow ones and one line, any of them, carries the
 * fault: lines that say the same change nothing, and one bad line among many clean ones is as
 * little as it looks. What a table of exams shows beyond that is learnt: with n lines and the mean
 * of odds at logit u
 *
 *     logit = u + growth(n) + slope * ln n * u
 *
 * where growth(n) is 0 at one line and goes straight in ln n from knot to knot, flat beyond the
 * last. 0 everywhere: the rate of finds does not depend on the number of lines; when each line
 * breaks the rules for itself it is ln n and more. One line is left alone whatever was learnt.
 *
 * A line that gets riskier never lowers the item; with what was learnt, one more clean line can
 * lower it. Who declares could use that, so a model that was not taught by wide declarations does
 * not know
 * (`known` false), and the riskiest line speaks alone: then no line can lower another.
 *
 * Logits are whole numbers of OBLIVIOUS_LOGIT and so is ln n, rounded once. The spread itself
 * follows exp and log of the machine that scores; it is kept as an input, so a replay has the same
 * bits everywhere. Pure but for the caller's memory; no allocation. */

#include <stdbool.h>
#include <stdint.h>

#define ITEM_LINES_MAX 2048u /* more are counted as this many */
#define ITEM_LINES_KNOTS 3u  /* at 3, 8 and 24 lines */
#define ITEM_LINES_GROWTH_MAX 8.0
#define ITEM_LINES_SLOPE_MAX 0.1 /* ln n * slope stays above -1: a riskier line never helps */

struct item_lines {
    int32_t riskiest; /* the highest logit, of the first that has it */
    uint32_t count;   /* 0: nothing was added yet */
    double odds;      /* of all lines together, in odds of the riskiest: 1..count */
};

/* One line more; in the order of lines. */
void item_lines_add(struct item_lines *self, int32_t logit);
/* All lines of another declaration of the item; in the order of declarations. */
void item_lines_join(struct item_lines *self, const struct item_lines *other);
/* How far the mean of the odds lies below those of the riskiest: 0 down to -ln n. */
int32_t item_lines_spread(const struct item_lines *self);

struct lines_calibration {
    bool known; /* false: too few wide declarations taught it, or it is a model of before */
    double growth[ITEM_LINES_KNOTS];
    double slope;
};
/* Finite and within the bounds above. */
bool lines_calibration_is_sound(const struct lines_calibration *self);

/* What a score keeps of it, and a replay has: the logit of the riskiest line, how many lines there
 * are (1..) and their spread. */
int32_t item_lines_logit(const struct lines_calibration *calibration, int32_t riskiest,
                         uint32_t count, int32_t spread);
/* The same of lines at hand. */
int32_t item_lines_settle(const struct lines_calibration *calibration,
                          const struct item_lines *lines);
/* How much of the way from the knot before (1 line before the first) to this one n has gone: 0..1.
 */
double item_lines_ramp(uint32_t knot, uint32_t count);
/* ln n in whole numbers of OBLIVIOUS_LOGIT, of 1..ITEM_LINES_MAX. */
int32_t item_lines_log(uint32_t count);

#endif
