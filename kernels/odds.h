/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_ODDS_H
#define KERNELS_ODDS_H

/* Odds: how much more often something was found with an entity than with those it belongs to, for
 * many rows at once.
 *
 *     before = the parent's odds, or the root of the product of two parents', or those of kind 0
 *     odds   = (finds (1 + before) + k before) / (rest (1 + before) + k),  rest = max(exams -
 * finds, 0) held within ODDS_MIN..ODDS_MAX; before, when exams = 0 ratio  = odds / before
 *
 * that is (finds + k q) / (rest + k (1 - q)), q = before / (1 + before). Kind 0 has prior_odds
 * before and prior_exams for k; its ratio is not told. All in float, one operation after the other,
 * only + - * / and square root: the same bits on every path and processor. */

#include <stddef.h>
#include <stdint.h>

#define ODDS_MIN 1e-4f
#define ODDS_MAX 1e4f
enum { ODDS_LANES = 64, ODDS_KINDS_MAX = 64 };

struct odds_kind {
    uint8_t parents_count; /* 0..2 */
    uint8_t parents[2];    /* of earlier kinds */
    uint8_t left_out;      /* 1: nobody asks for it, nor for a kind it is a parent of */
};

struct odds_prior {
    float prior_odds;
    float prior_exams;
    float k;
};

/* Columns of rows. Of kind i from 1: exams and ratios at (i - 1) * stride; of all kinds: finds at i
 * * ODDS_LANES; odds is workspace, [kinds_count x ODDS_LANES]. lanes is a multiple of 16, at most
 * ODDS_LANES. Counts are finite and not negative. */
struct odds_columns {
    const float *all_exams; /* of kind 0 */
    const float *exams;
    const float *finds;
    float *ratios;
    float *odds;
    size_t stride;
    size_t lanes;
};

void odds_ratios(const struct odds_kind *kinds, size_t kinds_count, const struct odds_prior *prior,
                 const struct odds_columns *columns);

enum odds_path { ODDS_PORTABLE, ODDS_AVX2, ODDS_AVX512 };
enum odds_path odds_path_best(void);
void odds_ratios_by(enum odds_path path, const struct odds_kind *kinds, size_t kinds_count,
                    const struct odds_prior *prior, const struct odds_columns *columns);
#endif
