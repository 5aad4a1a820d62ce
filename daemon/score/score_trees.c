/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/logistic.h"
#include "score/declaration_words.h"
#include "score/score_parts.h"

/* A model of trees is calibrated by itself: the fusion's scale and intercept, which calibrate a
 * linear model, do not touch it. Its contributions are whole numbers of OBLIVIOUS_LOGIT, which
 * doubles add without rounding. */

enum { SHOWN_MAX = 8 };
_Static_assert(DECLARATION_INPUTS <= ENTRY_INPUT_VALUES_MAX, "inputs of a model fit into a score");
_Static_assert(SCORE_PARTS_MAX *RECORD_LINES_MAX <= ITEM_LINES_MAX, "all lines of an item count");
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

void score_gather_trees(const struct score *self, const struct score_input *input,
                        struct score_case *out)
{
    uint32_t count = input->declarations_count;
    uint32_t riskiest = 0;
    struct item_lines lines = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        bool riskier = out->risks[i].lines.riskiest > out->risks[riskiest].lines.riskiest;
        riskiest = riskier ? i : riskiest;
        item_lines_join(&lines, &out->risks[i].lines);
    }
    out->history_count = 0;
    if (count > 0) {
        const struct declaration_risk *risk = &out->risks[riskiest];
        out->told_parts = &out->risk_parts[riskiest];
        out->told_critical = risk->critical;
        out->declaration = input->declarations[riskiest];
        out->line_index = risk->line_index;
        out->history_count = score_history_inputs(self);
        memcpy(out->history, risk->features, sizeof risk->features);
        if (self->trees.lines.known) { /* both are exact as floats */
            out->history[LINE_FEATURES] = (float)lines.count;
            out->history[LINE_FEATURES + 1] =
                (float)((double)item_lines_spread(&lines) * OBLIVIOUS_LOGIT);
        }
    }
}

bool score_lines_are_sound(const struct score_case *of)
{
    double count = (double)of->history[LINE_FEATURES];
    double spread = (double)of->history[LINE_FEATURES + 1] / OBLIVIOUS_LOGIT;
    return count >= 1 && count <= ITEM_LINES_MAX && count == floor(count) && spread <= 0 &&
           spread == floor(spread) && spread >= (double)-item_lines_log((uint32_t)count);
}

/* From the inputs alone, as everything that weighs. */
static void add_lines(const struct score *self, const struct score_case *of, int32_t riskiest,
                      struct score_result *result)
{
    if (!self->trees.lines.known || of->history[LINE_FEATURES] < 2) {
        return;
    }
    uint32_t count = (uint32_t)of->history[LINE_FEATURES];
    int32_t spread = (int32_t)((double)of->history[LINE_FEATURES + 1] / OBLIVIOUS_LOGIT);
    int32_t logit = item_lines_logit(&self->trees.lines, riskiest, count, spread);
    fusion_add(result, "declaration.lines", ((double)logit - (double)riskiest) * OBLIVIOUS_LOGIT,
               "riskiest of %u lines, judged with the others", count);
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
    int32_t grave;
    if (of->told_parts != NULL) {
        parts = *of->told_parts;
        grave = of->told_critical;
    } else {
        declaration_model_explain(&self->trees, of->history, &parts);
        grave = declaration_model_grave(&self->trees, of->history);
    }
    result->score.grave =
        grave == INT32_MIN ? 0 : logistic_probability((double)grave * OBLIVIOUS_LOGIT);
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
    add_lines(self, of, parts.logit, result);
    add_faults(told, result);
}
