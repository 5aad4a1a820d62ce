/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_LINE_FEATURES_H
#define SCORE_LINE_FEATURES_H

/* Line features: what a model of trees is told of one goods line of a declaration, as float32, and
 * how its features are grouped for people: one group for each entity or pair of history_kind.h, one
 * for each oddity of the goods. No allocation. */

#include <stdint.h>

#include "score/goods.h"
#include "score/history.h"

/* Room for line_feature_names. */
#define LINE_NAMES_BYTES 8192u
#define LINE_FEATURES_VERSION "3"   /* the number of lines beside them, learnt (item_lines.h) */
#define LINE_FEATURES_VERSION_2 "2" /* odds in float, days as they lie; nothing learnt of lines */
#define LINE_FEATURES_VERSION_1 "1" /* in double: the same but for rounding; still read */

/* Of kind k (1..): feature 2 (k - 1) is its ratio of odds, 2 (k - 1) + 1 its exams. */
#define LINE_HISTORY_FEATURES HISTORY_ODDS_COLUMNS
enum line_feature {
    LINE_TAX_RATE = LINE_HISTORY_FEATURES, /* percent; NaN when absurd */
    LINE_QUANTITIES,                       /* logarithms, three; NaN when not given */
    LINE_DEVIATIONS_HS4 = LINE_QUANTITIES + GOODS_QUANTITIES,
    LINE_DEVIATIONS_HS6 = LINE_DEVIATIONS_HS4 + GOODS_QUANTITIES,
    LINE_NO_SELLER = LINE_DEVIATIONS_HS6 + GOODS_QUANTITIES,
    LINE_NO_COURIER,
    LINE_FEATURES
};

/* Groups: kind k is group k - 1. */
enum line_group {
    GROUP_UNIT_VALUE = HISTORY_KINDS - 1,
    GROUP_MASS,
    GROUP_VALUE,
    GROUP_TAX_RATE,
    GROUP_SELLER,
    GROUP_COURIER,
    LINE_GROUPS
};

/* Of which group a feature is, and the name of a group in a contribution: "history.importer",
 * "goods.unit_value". */
uint32_t line_group_of(uint32_t feature);
const char *line_group_name(uint32_t group);
/* The names of all features in their order, separated by spaces: what such a model calls its
 * inputs. */
void line_feature_names(char out[LINE_NAMES_BYTES]);

/* What of a line the features are made of. keys are borrowed. */
struct line_subject {
    const uint64_t *keys; /* of all kinds, 0 where absent; line_goods_columns does not ask */
    struct goods_values goods;
    float tax_rate;
    bool no_seller;
    bool no_courier;
};
/* line may be NULL: a declaration without lines. */
void line_subject_of(const struct declaration *declaration, const struct goods_line *line,
                     const uint64_t *keys, struct line_subject *out);
void line_features(const struct history *history, const struct goods_norms *norms,
                   const struct line_subject *subject, float out[LINE_FEATURES]);
/* The features beyond those of the histories into one lane of columns, [LINE_FEATURES x
 * HISTORY_LANES]; history_odds_block fills the others. */
void line_goods_columns(const struct goods_norms *norms, const struct line_subject *subject,
                        uint32_t lane, float *columns);

#endif
