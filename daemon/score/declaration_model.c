/* SPDX-License-Identifier: Apache-2.0 */
#include "score/declaration_model.h"

#include <math.h>
#include <string.h>

#include "kernels/logistic.h"
#include "score/declaration_space.h"

void declaration_model_explain(const struct declaration_model *self, const float *features,
                               struct declaration_parts *out)
{
    const struct oblivious_rows row = {features, 1, LINE_FEATURES};
    struct declaration_space *space = self->space;
    int32_t parts[LINE_FEATURES];
    const struct oblivious_reasons reasons = {&out->logit, parts, LINE_FEATURES};
    oblivious_explain(&self->found, &row, space->workspace, &reasons);
    out->base = space->found.base;
    memset(out->parts, 0, sizeof out->parts);
    for (uint32_t feature = 0; feature < LINE_FEATURES; feature++) {
        out->parts[line_group_of(feature)] += parts[feature];
    }
}

int32_t declaration_model_grave(const struct declaration_model *self, const float *features)
{
    const struct oblivious_rows row = {features, 1, LINE_FEATURES};
    int32_t logit = INT32_MIN;
    if (self->critical.tree_count > 0) {
        oblivious_score(&self->critical, &row, self->space->workspace, &logit);
    }
    return logit;
}

struct declaration_interval declaration_model_interval_of(const struct declaration_bins *bins,
                                                          double logit, double probability)
{
    if (bins->count == 0) {
        return (struct declaration_interval){0, 1};
    }
    uint32_t at = 0;
    while (at + 1 < bins->count && logit > bins->bins[at].logit_max) {
        at++;
    }
    const struct declaration_bin *bin = &bins->bins[at];
    return (struct declaration_interval){bin->lower < probability ? bin->lower : probability,
                                         bin->upper > probability ? bin->upper : probability};
}

struct declaration_interval declaration_model_interval(const struct declaration_bins *bins,
                                                       double logit)
{
    return declaration_model_interval_of(bins, logit, 1 / (1 + exp(-logit)));
}
