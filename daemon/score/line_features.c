/* SPDX-License-Identifier: Apache-2.0 */
#include "score/line_features.h"

#include <math.h>
#include <stdio.h>

static const struct goods_line no_line = {.hs_code = "",
                                          .description = "",
                                          .origin_country = "",
                                          .currency = "",
                                          .quantity_unit = "",
                                          .tax_rate_percent = -1};

void line_subject_of(const struct declaration *declaration, const struct goods_line *line,
                     const uint64_t *keys, struct line_subject *out)
{
    const struct goods_line *given = line != NULL ? line : &no_line;
    double rate = given->tax_rate_percent;
    out->keys = keys;
    goods_values_of(given, &out->goods);
    out->tax_rate = isfinite(rate) && rate >= 0 && rate <= 10000 ? (float)rate : NAN;
    out->no_seller = declaration->seller[0] == '\0';
    out->no_courier = declaration->courier[0] == '\0';
}

/* From LINE_HISTORY_FEATURES on, `stride` apart. */
static void goods_features(const struct goods_norms *norms, const struct line_subject *subject,
                           size_t stride, float *out)
{
    const struct goods_norm *hs6 = goods_norm_of(norms, &subject->goods, GOODS_HS6);
    const struct goods_norm *hs4 = goods_norm_of(norms, &subject->goods, GOODS_HS4);
    for (int q = 0; q < GOODS_QUANTITIES; q++) {
        enum goods_quantity quantity = (enum goods_quantity)q;
        size_t at = (size_t)q;
        out[(LINE_QUANTITIES + at) * stride] = subject->goods.logs[q];
        out[(LINE_DEVIATIONS_HS4 + at) * stride] = goods_deviation(hs4, &subject->goods, quantity);
        out[(LINE_DEVIATIONS_HS6 + at) * stride] = goods_deviation(hs6, &subject->goods, quantity);
    }
    out[LINE_TAX_RATE * stride] = subject->tax_rate;
    out[LINE_NO_SELLER * stride] = subject->no_seller;
    out[LINE_NO_COURIER * stride] = subject->no_courier;
}

void line_features(const struct history *history, const struct goods_norms *norms,
                   const struct line_subject *subject, float out[LINE_FEATURES])
{
    history_odds(history, subject->keys, out);
    goods_features(norms, subject, 1, out);
}

void line_goods_columns(const struct goods_norms *norms, const struct line_subject *subject,
                        uint32_t lane, float *columns)
{
    goods_features(norms, subject, HISTORY_LANES, columns + lane);
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
    static const char *const names[] = {"goods.unit_value",   "goods.mass",
                                        "goods.value",        "goods.tax_rate",
                                        "declaration.seller", "declaration.courier"};
    must(group < LINE_GROUPS);
    return group < GROUP_UNIT_VALUE ? history_kinds[group + 1].name
                                    : names[group - GROUP_UNIT_VALUE];
}

static const char *ending_of(uint32_t feature)
{
    if (feature < LINE_HISTORY_FEATURES) {
        return feature % 2 == 0 ? ".odds" : ".exams";
    }
    bool of_goods = feature >= LINE_QUANTITIES && feature < LINE_NO_SELLER;
    return !of_goods                       ? ""
           : feature < LINE_DEVIATIONS_HS4 ? ".log"
           : feature < LINE_DEVIATIONS_HS6 ? ".hs4_deviation"
                                           : ".hs6_deviation";
}

void line_feature_names(char out[LINE_NAMES_BYTES])
{
    size_t used = 0;
    for (uint32_t feature = 0; feature < LINE_FEATURES; feature++) {
        int more = snprintf(out + used, LINE_NAMES_BYTES - used, "%s%s%s", feature == 0 ? "" : " ",
                            line_group_name(line_group_of(feature)), ending_of(feature));
        must(more > 0 && (size_t)more < LINE_NAMES_BYTES - used);
        used += (size_t)more;
    }
}
