/* SPDX-License-Identifier: Apache-2.0 */
#include "score/line_features.h"

#include <math.h>

static void goods_features(const struct goods_norms *norms, const struct goods_line *line,
                           float out[LINE_FEATURES])
{
    struct goods_values values;
    goods_values_of(line, &values);
    const struct goods_norm *hs4 = goods_norm_of(norms, &values, GOODS_HS4);
    const struct goods_norm *hs6 = goods_norm_of(norms, &values, GOODS_HS6);
    for (int q = 0; q < GOODS_QUANTITIES; q++) {
        out[LINE_QUANTITIES + q] = values.logs[q];
        out[LINE_DEVIATIONS_HS4 + q] = goods_deviation(hs4, &values, (enum goods_quantity)q);
        out[LINE_DEVIATIONS_HS6 + q] = goods_deviation(hs6, &values, (enum goods_quantity)q);
    }
    double rate = line->tax_rate_percent;
    out[LINE_TAX_RATE] = isfinite(rate) && rate >= 0 && rate <= 10000 ? (float)rate : NAN;
}

void line_features(const struct history *history, const struct goods_norms *norms,
                   const struct line_subject *subject, float out[LINE_FEATURES])
{
    static const struct goods_line nothing = {.hs_code = "",
                                              .description = "",
                                              .origin_country = "",
                                              .currency = "",
                                              .quantity_unit = "",
                                              .tax_rate_percent = -1};
    struct history_odds odds;
    history_odds(history, subject->keys, &odds);
    for (uint32_t kind = 1; kind < HISTORY_KINDS; kind++) {
        out[2 * (kind - 1)] = odds.ratios[kind];
        out[2 * (kind - 1) + 1] = odds.exams[kind];
    }
    goods_features(norms, subject->line != NULL ? subject->line : &nothing, out);
    out[LINE_NO_SELLER] = subject->declaration->seller[0] == '\0';
    out[LINE_NO_COURIER] = subject->declaration->courier[0] == '\0';
}

uint32_t line_group_of(uint32_t feature)
{
    must(feature < LINE_FEATURES);
    if (feature < LINE_HISTORY_FEATURES) {
        return feature / 2;
    }
    switch (feature) {
    case LINE_TAX_RATE:
        return GROUP_TAX_RATE;
    case LINE_NO_SELLER:
        return GROUP_SELLER;
    case LINE_NO_COURIER:
        return GROUP_COURIER;
    default:
        return GROUP_UNIT_VALUE + (feature - LINE_QUANTITIES) % GOODS_QUANTITIES;
    }
}

const char *line_group_name(uint32_t group)
{
    static const char *const names[] = {"goods.unit_value", "goods.mass",         "goods.value",
                                        "goods.tax_rate",   "declaration.seller", "declaration.courier"};
    must(group < LINE_GROUPS);
    return group < GROUP_UNIT_VALUE ? history_kinds[group + 1].name
                                    : names[group - GROUP_UNIT_VALUE];
}
