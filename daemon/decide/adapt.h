/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADAPT_H
#define ADAPT_H

/* Adapt: what share the coin gets on the coming day, between the floor that oversight set and the
 * ceiling that it allows. After the idea of ADAPT (arXiv:2109.14155): explore more when the model
 * does worse than it says or when its world has drifted, and less when neither is so. There a
 * bandit tries shares out; here a stated rule of logged figures chooses, so that anybody can
 * compute it again.
 *
 * Three figures speak, each 0 (nothing) to 1 (the ceiling), and the loudest counts:
 * shortfall: the target arm found less than its scores promised, beyond chance;
 * surprise: the coin found more than the scores of what it drew promised, beyond chance;
 * drift: the scores of the latest days are distributed unlike those before, beyond chance.
 * The share then goes ADAPT_STEP of the way, once a day. Pure. */

#include <stddef.h>
#include <stdint.h>

#define ADAPT_STEP 0.3
#define ADAPT_EXAMS_MIN 20u    /* an arm with fewer exams says nothing */
#define ADAPT_DRIFT_OTHER 0.25 /* index from which drift alone asks for the ceiling */

/* Of one mode, over the latest days. */
struct adapt_figures {
    uint64_t target_exams;
    uint64_t target_finds;
    double target_promised; /* sum of the probabilities */
    uint64_t random_exams;
    uint64_t random_finds;
    double random_promised;
    double drift;        /* population stability index of the scores */
    double drift_chance; /* what it reaches once in twenty when nothing has changed */
};

struct adapt_limits {
    double floor;
    double ceiling; /* at least the floor; equal: nothing adapts */
};

struct adapt_choice {
    double share;
    double shortfall;
    double surprise;
    double drift;
    const char *loudest; /* "shortfall", "surprise", "drift", or "" when all is as promised */
};

/* present: the share of the day before; outside the limits it is brought within. The share is never
 * below the floor or above the ceiling, whatever the figures are. */
void adapt_choose(const struct adapt_limits *limits, const struct adapt_figures *figures,
                  double present, struct adapt_choice *out);
/* The reason with its figures, in one line. */
#define ADAPT_REASON_BYTES 320u
void adapt_describe(const struct adapt_limits *limits, const struct adapt_figures *figures,
                    const struct adapt_choice *choice, char out[ADAPT_REASON_BYTES]);

#endif
