/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "kernels/logistic.h"
#include "score/declaration_words.h"
#include "score/score_parts.h"

/* A model of trees is calibrated by itself: the fusion's scale and intercept, which calibrate a
 * linear model, do not touch it. Its contributions are whole numbers of OBLIVIOUS_LOGIT, which
 * doubles add without rounding. */

enum { SHOWN_MAX = 8 };
_Static_assert(LINE_FEATURES <= ENTRY_INPUT_VALUES_MAX, "the inputs of a model fit into a score");
_Static_assert(DECLARATION_WORDS_BYTES == SCORE_WORDS_BYTES, "words fit");

uint32_t score_judge_trees(struct score *self, const struct score_input *inputs, uint32_t count)
{
    struct score_judged *judged = self->judged;
    uint32_t items = 0;
    uint32_t used = 0;
    for (; items < count && inputs[items].declarations_count <= SCORE_JUDGED_MAX - used; items++) {
        const struct score_input *input = &inputs[items];
        must(input->declarations_count <= SCORE_PARTS_MAX);
        for (uint32_t i = 0; i < input->declarations_count; i++) {
            judged->declarations[used++] = input->declarations[i];
        }
    }
    declaration_model_score(&self->trees, &self->history, judged->declarations, used, judged->risks,
                            judged->parts);
    return items;
}

void score_gather_trees(const struct score_input *input, struct score_case *out)
{
    uint32_t count = input->declarations_count;
    uint32_t riskiest = 0;
    for (uint32_t i = 1; i < count; i++) {
        riskiest = out->risks[i].logit > out->risks[riskiest].logit ? i : riskiest;
    }
    out->history_count = 0;
    if (count > 0) {
        const struct declaration_risk *risk = &out->risks[riskiest];
        out->told_parts = &out->risk_parts[riskiest];
        out->declaration = input->declarations[riskiest];
        out->line_index = risk->line_index;
        out->history_count = LINE_FEATURES;
        memcpy(out->history, risk->features, sizeof risk->features);
    }
}

/* said NULL: no words. */
static void add_group(const struct declaration_said *said, uint32_t group, int32_t part,
                      struct score_result *result)
{
    char words[DECLARATION_WORDS_BYTES] = "";
    if (said != NULL) {
        declaration_group_words(said, group, words);
    }
    fusion_add(result, line_group_name(group), (double)part * OBLIVIOUS_LOGIT, "%s", words);
}

/* Told beside the risk; always there, so that a replay has as many contributions. */
static void add_faults(const struct declaration_said *said, struct score_result *result)
{
    char faults[SCORE_WORDS_BYTES] = "";
    if (said != NULL) {
        declaration_faults(said, faults, sizeof faults);
    }
    fusion_add(result, "declaration.data", 0, "%s",
               said == NULL        ? ""
               : faults[0] == '\0' ? "nothing wrong with the data"
                                   : faults);
}

static uint32_t heaviest(const struct declaration_parts *parts)
{
    uint32_t best = 0;
    for (uint32_t group = 1; group < LINE_GROUPS; group++) {
        best = abs(parts->parts[group]) > abs(parts->parts[best]) ? group : best;
    }
    return best;
}

static void add_rest(const struct declaration_parts *parts, struct score_result *result)
{
    int32_t rest = 0;
    unsigned count = 0;
    for (uint32_t group = 0; group < LINE_GROUPS; group++) {
        rest += parts->parts[group];
        count += parts->parts[group] != 0;
    }
    if (count > 0) {
        fusion_add(result, "history.rest", (double)rest * OBLIVIOUS_LOGIT,
                   "%u other entities, pairs and oddities together", count);
    }
}

void score_weigh_trees(const struct score *self, const struct score_case *of,
                       struct score_result *result)
{
    struct declaration_parts parts;
    if (of->told_parts != NULL) {
        parts = *of->told_parts;
    } else {
        declaration_model_explain(&self->trees, of->history, &parts);
    }
    struct declaration_said said = {.history = &self->history,
                                    .norms = &self->trees.norms,
                                    .declaration = of->declaration,
                                    .line_index = of->line_index,
                                    .pseudonym_key =
                                        self->has_pseudonym_key ? self->pseudonym_key : NULL};
    if (of->worded) {
        declaration_said_fill(&said);
    }
    const struct declaration_said *told = of->worded ? &said : NULL;
    double base = (double)parts.base * OBLIVIOUS_LOGIT;
    fusion_add(result, FUSION_INTERCEPT, base,
               "base rate %.1f%%, before anything is said for or against",
               100 * logistic_probability(base));
    for (int shown = 0; shown < SHOWN_MAX; shown++) {
        uint32_t best = heaviest(&parts);
        if (parts.parts[best] != 0) {
            add_group(told, best, parts.parts[best], result);
            parts.parts[best] = 0;
        }
    }
    add_rest(&parts, result);
    add_faults(told, result);
}
