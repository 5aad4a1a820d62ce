/* SPDX-License-Identifier: Apache-2.0 */
#include "score/score_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "kernels/logistic.h"
#include "score/say.h"

/* An officer is told the few entities that weigh most; the others come as one sum, so that the list
 * still adds up. */

enum { SHOWN_MAX = 8 };

static const uint8_t *key_of(const struct score *self)
{
    return self->has_pseudonym_key ? self->pseudonym_key : NULL;
}

static const struct goods_line *line_of(const struct declaration *declaration, uint32_t line_index)
{
    return line_index < declaration->lines_count ? &declaration->lines[line_index] : NULL;
}

static void add_entity(const struct score *self, const struct declaration *declaration,
                       const struct history_reading *reading, uint32_t kind,
                       struct score_result *result)
{
    char entity[HISTORY_WORDS_BYTES];
    history_kind_words(kind, declaration, line_of(declaration, reading->line_index), key_of(self),
                       entity);
    const struct history_known *known = &reading->known[kind];
    double logit = self->fusion.history_scale *
                   (self->history.weights.coefficients[kind] * reading->features[kind]);
    if (known->exams_count == 0) {
        fusion_add(result, history_kinds[kind].name, logit, "no exams of %s yet: prior %.1f%%",
                   entity, 100 * reading->prior[kind]);
        return;
    }
    /* Counts that have faded to less than half are old: say so, or the weight will not be
     * understood. */
    bool old = known->exams < 0.5 * (double)known->exams_count;
    fusion_add(result, history_kinds[kind].name, logit, "%s: %" PRIu64 " %s in %" PRIu64 " %s%s",
               entity, known->finds_count, say_plural(known->finds_count, "find", "finds"),
               known->exams_count, say_plural(known->exams_count, "exam", "exams"),
               old ? ", most of them long ago" : "");
}

/* Indices of the kinds with the largest parts, largest first; returns how many. */
static uint32_t choose_shown(const struct history_weights *weights,
                             const struct history_reading *reading, uint32_t shown[SHOWN_MAX])
{
    uint32_t count = 0;
    bool taken[HISTORY_LINEAR_KINDS] = {false};
    while (count < SHOWN_MAX) {
        uint32_t best = HISTORY_LINEAR_KINDS;
        double best_part = 0;
        for (uint32_t kind = HISTORY_ALL + 1; kind < HISTORY_LINEAR_KINDS; kind++) {
            double part = fabs(weights->coefficients[kind] * reading->features[kind]);
            if (!taken[kind] && part > best_part) {
                best = kind;
                best_part = part;
            }
        }
        if (best == HISTORY_LINEAR_KINDS) {
            break;
        }
        taken[best] = true;
        shown[count++] = best;
    }
    return count;
}

static bool is_shown(const uint32_t *shown, uint32_t count, uint32_t kind)
{
    for (uint32_t i = 0; i < count; i++) {
        if (shown[i] == kind) {
            return true;
        }
    }
    return false;
}

static void add_rest(const struct score *self, const struct history_reading *reading,
                     const uint32_t *shown, uint32_t shown_count, struct score_result *result)
{
    double rest = 0;
    uint32_t count = 0;
    for (uint32_t kind = HISTORY_ALL + 1; kind < HISTORY_LINEAR_KINDS; kind++) {
        double part = self->history.weights.coefficients[kind] * reading->features[kind];
        if (!is_shown(shown, shown_count, kind) && part != 0) {
            rest += self->fusion.history_scale * part;
            count++;
        }
    }
    if (count > 0) {
        fusion_add(result, "history.rest", rest, "%" PRIu32 " other entities and pairs together",
                   count);
    }
}

static void add_declaration(const struct score *self, const struct declaration *declaration,
                            const struct history_reading *reading, struct score_result *result)
{
    uint32_t shown[SHOWN_MAX];
    uint32_t count = choose_shown(&self->history.weights, reading, shown);
    for (uint32_t i = 0; i < count; i++) {
        add_entity(self, declaration, reading, shown[i], result);
    }
    add_rest(self, reading, shown, count, result);
    uint32_t importer = HISTORY_ALL + 1;
    if (!is_shown(shown, count, importer)) {
        if (reading->present[importer]) {
            add_entity(self, declaration, reading, importer, result);
        } else {
            fusion_add(result, history_kinds[importer].name, 0,
                       "declaration names no importer: no history of one");
        }
    }
}

void score_add_history(struct score *self, const struct score_input *input,
                       struct score_result *result)
{
    const struct history_weights *weights = &self->history.weights;
    double rate = history_rate(&self->history);
    if (input->declarations_count == 0) {
        fusion_add(result, FUSION_INTERCEPT,
                   self->fusion.intercept + self->fusion.history_scale * logistic_logit(rate),
                   "base rate %.1f%%: overall rate of finds, no declaration", 100 * rate);
        fusion_add(result, "history.none", 0, "no declaration: judged by scan alone");
        return;
    }
    struct history_reading riskiest;
    uint32_t riskiest_index = 0;
    for (uint32_t i = 0; i < input->declarations_count; i++) {
        struct history_reading reading;
        history_read(&self->history, input->declarations[i], &reading);
        if (i == 0 || reading.logit > riskiest.logit) {
            riskiest = reading;
            riskiest_index = i;
        }
    }
    double base = self->fusion.intercept + self->fusion.history_scale * weights->intercept;
    fusion_add(result, FUSION_INTERCEPT, base,
               "base rate %.1f%%, before anything is said for or against",
               100 * logistic_probability(base));
    add_declaration(self, input->declarations[riskiest_index], &riskiest, result);
    score_name_model(result, self->history_model.name, self->history_model.sha256);
}
