/* SPDX-License-Identifier: Apache-2.0 */
#include "score/declaration_model.h"

#include <math.h>
#include <string.h>

#include "kernels/logistic.h"
#include "score/declaration_space.h"

/* Up to OBLIVIOUS_LANES rows. */
static void explain_rows(const struct declaration_model *self, const float *features,
                         uint32_t count, struct declaration_parts *out)
{
    const struct oblivious_rows rows = {features, count, LINE_FEATURES};
    struct declaration_space *space = self->space;
    const struct oblivious_reasons reasons = {space->scores, space->row_parts, LINE_FEATURES};
    int32_t base = oblivious_base(&self->found);
    oblivious_explain(&self->found, &rows, space->workspace, &reasons);
    for (uint32_t i = 0; i < count; i++) {
        const int32_t *parts = space->row_parts + (size_t)i * LINE_FEATURES;
        memset(&out[i], 0, sizeof out[i]);
        out[i].logit = space->scores[i];
        out[i].base = base;
        for (uint32_t kind = 1; kind < HISTORY_KINDS; kind++) {
            out[i].parts[kind - 1] =
                parts[2 * ((size_t)kind - 1)] + parts[2 * ((size_t)kind - 1) + 1];
        }
        for (uint32_t feature = LINE_HISTORY_FEATURES; feature < LINE_FEATURES; feature++) {
            out[i].parts[line_group_of(feature)] += parts[feature];
        }
    }
}

void declaration_model_explain(const struct declaration_model *self, const float *features,
                               struct declaration_parts *out)
{
    explain_rows(self, features, 1, out);
}

void declaration_model_explain_many(const struct declaration_model *self,
                                    const struct declaration_risk *risks, uint32_t count,
                                    struct declaration_parts *out)
{
    for (uint32_t from = 0; from < count; from += OBLIVIOUS_LANES) {
        uint32_t left = count - from;
        uint32_t block = left < OBLIVIOUS_LANES ? left : OBLIVIOUS_LANES;
        for (uint32_t i = 0; i < block; i++) {
            memcpy(self->space->rows + (size_t)i * LINE_FEATURES, risks[from + i].features,
                   sizeof risks[from + i].features);
        }
        explain_rows(self, self->space->rows, block, out + from);
    }
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
