/* SPDX-License-Identifier: Apache-2.0 */
#include "score/score_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

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

/* The part of a kind in the logit, before the fusion's scale. */
static double part_of(const struct score *self, const struct score_case *of, uint32_t kind)
{
    return self->history.weights.coefficients[kind] * (double)of->history[kind];
}

static void add_entity(const struct score *self, const struct score_case *of, uint32_t kind,
                       struct score_result *result)
{
    const char *name = history_kinds[kind].name;
    double logit = self->fusion.history_scale * part_of(self, of, kind);
    if (!of->worded) {
        fusion_add(result, name, logit, "%s", "");
        return;
    }
    const struct history_reading *reading = &of->reading;
    if (!reading->present[kind]) {
        fusion_add(result, name, logit, "declaration names no importer: no history of one");
        return;
    }
    char entity[HISTORY_WORDS_BYTES];
    history_kind_words(kind, of->declaration, line_of(of->declaration, reading->line_index),
                       key_of(self), entity);
    const struct history_known *known = &reading->known[kind];
    if (known->exams_count == 0) {
        fusion_add(result, name, logit, "no exams of %s yet: prior %.1f%%", entity,
                   100 * reading->prior[kind]);
        return;
    }
    /* Counts that have faded to less than half are old: say so, or the weight will not be
     * understood. */
    bool old = known->exams < 0.5 * (double)known->exams_count;
    fusion_add(result, name, logit, "%s: %" PRIu64 " %s in %" PRIu64 " %s%s", entity,
               known->finds_count, say_plural(known->finds_count, "find", "finds"),
               known->exams_count, say_plural(known->exams_count, "exam", "exams"),
               old ? ", most of them long ago" : "");
}

/* Indices of the kinds with the largest parts, largest first; returns how many. */
static uint32_t choose_shown(const struct score *self, const struct score_case *of,
                             uint32_t shown[SHOWN_MAX])
{
    uint32_t count = 0;
    bool taken[HISTORY_LINEAR_KINDS] = {false};
    while (count < SHOWN_MAX) {
        uint32_t best = HISTORY_LINEAR_KINDS;
        double best_part = 0;
        for (uint32_t kind = HISTORY_ALL + 1; kind < HISTORY_LINEAR_KINDS; kind++) {
            double part = fabs(part_of(self, of, kind));
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

static void add_rest(const struct score *self, const struct score_case *of, const uint32_t *shown,
                     uint32_t shown_count, struct score_result *result)
{
    double rest = 0;
    uint32_t count = 0;
    for (uint32_t kind = HISTORY_ALL + 1; kind < HISTORY_LINEAR_KINDS; kind++) {
        double part = part_of(self, of, kind);
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

static void gather_readings(struct score *self, const struct score_input *input,
                            struct score_case *out)
{
    for (uint32_t i = 0; i < input->declarations_count; i++) {
        struct history_reading reading;
        history_read(&self->history, input->declarations[i], &reading);
        if (i == 0 || reading.logit > out->reading.logit) {
            out->reading = reading;
            out->declaration = input->declarations[i];
        }
    }
    out->history_count = input->declarations_count > 0 ? HISTORY_LINEAR_KINDS : 0;
    for (uint32_t kind = 0; kind < out->history_count; kind++) {
        out->history[kind] = (float)out->reading.features[kind];
    }
}

uint32_t score_history_inputs(const struct score *self)
{
    uint32_t of_trees = self->trees.lines.known ? DECLARATION_INPUTS : LINE_FEATURES;
    return self->has_trees ? of_trees : HISTORY_LINEAR_KINDS;
}

void score_gather_declarations(struct score *self, const struct score_input *input,
                               struct score_case *out)
{
    out->overall_logit = score_rounded(logistic_logit(history_rate(&self->history)));
    out->declared = consistency_declared(input->declarations, input->declarations_count);
    out->declared.mass_kg = score_rounded(out->declared.mass_kg);
    out->declaration_quality = 1;
    for (uint32_t i = 0; i < input->declarations_count; i++) {
        struct quality quality;
        quality_of_declaration(input->declarations[i], &quality);
        if (quality.value < out->declaration_quality) {
            out->declaration_quality = quality.value;
            memcpy(out->declaration_lacks, quality.words, sizeof out->declaration_lacks);
        }
    }
    out->declaration_quality = score_rounded(out->declaration_quality);
    if (self->has_trees) {
        score_gather_trees(self, input, out);
    } else {
        gather_readings(self, input, out);
    }
}

void score_weigh_history(const struct score *self, const struct score_case *of,
                         struct score_result *result)
{
    double scale = self->fusion.history_scale;
    if (!of->declared.known) {
        fusion_add(result, FUSION_INTERCEPT, self->fusion.intercept + scale * of->overall_logit,
                   "base rate %.1f%%: overall rate of finds, no declaration",
                   100 * logistic_probability(of->overall_logit));
        fusion_add(result, "history.none", 0, "no declaration: judged by scan alone");
        return;
    }
    must(of->history_count == score_history_inputs(self));
    if (self->has_trees) {
        score_weigh_trees(self, of, result);
        return;
    }
    double base = self->fusion.intercept + scale * self->history.weights.intercept;
    fusion_add(result, FUSION_INTERCEPT, base,
               "base rate %.1f%%, before anything is said for or against",
               100 * logistic_probability(base));
    uint32_t shown[SHOWN_MAX + 1];
    uint32_t count = choose_shown(self, of, shown);
    uint32_t importer = HISTORY_ALL + 1;
    if (!is_shown(shown, count, importer)) { /* told whatever it weighs, and not in the rest too */
        shown[count++] = importer;
    }
    for (uint32_t i = 0; i < count; i++) {
        add_entity(self, of, shown[i], result);
    }
    add_rest(self, of, shown, count, result);
}
