/* SPDX-License-Identifier: Apache-2.0 */
#include "score/declaration_model.h"

#include <math.h>
#include <string.h>

#include "kernels/statistics.h"

/* Lines are taken OBLIVIOUS_LANES at a time: the keys of a whole block are made, and their slots
 * sent for, before the first of them is read, so that the table's memory answers in parallel. */

struct block {
    struct line_subject subjects[OBLIVIOUS_LANES];
    uint32_t owners[OBLIVIOUS_LANES]; /* index of the declaration */
    uint32_t lines[OBLIVIOUS_LANES];
    uint32_t count;
};

struct scoring {
    struct declaration_model *model;
    const struct history *history;
    struct declaration_risk *out;
    struct block block;
};

static void run_block(struct scoring *self)
{
    struct declaration_model *model = self->model;
    struct block *block = &self->block;
    for (uint32_t i = 0; i < block->count; i++) {
        line_features(self->history, &model->norms, &block->subjects[i],
                      model->features + (size_t)i * LINE_FEATURES);
    }
    const struct oblivious_rows rows = {model->features, block->count, LINE_FEATURES};
    oblivious_score(&model->found, &rows, model->workspace, model->scores);
    for (uint32_t i = 0; i < block->count; i++) {
        struct declaration_risk *risk = &self->out[block->owners[i]];
        if (block->lines[i] == 0 || model->scores[i] > risk->logit) {
            risk->logit = model->scores[i];
            risk->line_index = block->lines[i];
            memcpy(risk->features, model->features + (size_t)i * LINE_FEATURES,
                   sizeof risk->features);
        }
    }
    block->count = 0;
}

static void add_declaration(struct scoring *self, const struct declaration *declaration,
                            uint32_t index)
{
    struct history_parts parts;
    history_parts_of_declaration(declaration, &parts);
    uint32_t given =
        declaration->lines_count < RECORD_LINES_MAX ? declaration->lines_count : RECORD_LINES_MAX;
    for (uint32_t line = 0; line < (given > 0 ? given : 1); line++) {
        struct block *block = &self->block;
        uint64_t *keys = self->model->keys + (size_t)block->count * HISTORY_KINDS;
        if (given > 0) {
            history_parts_add_line(&declaration->lines[line], &parts);
        }
        history_line_keys(self->history, &parts, keys);
        line_subject_of(declaration, given > 0 ? &declaration->lines[line] : NULL, keys,
                        &block->subjects[block->count]);
        block->owners[block->count] = index;
        block->lines[block->count] = line;
        block->count++;
        if (block->count == OBLIVIOUS_LANES) {
            run_block(self);
        }
    }
}

static void score_critical(struct declaration_model *self, struct declaration_risk *risks,
                           uint32_t count)
{
    for (uint32_t from = 0; from < count; from += OBLIVIOUS_LANES) {
        uint32_t left = count - from;
        uint32_t block = left < OBLIVIOUS_LANES ? left : OBLIVIOUS_LANES;
        for (uint32_t i = 0; i < block; i++) {
            memcpy(self->features + (size_t)i * LINE_FEATURES, risks[from + i].features,
                   sizeof risks[from + i].features);
        }
        const struct oblivious_rows rows = {self->features, block, LINE_FEATURES};
        oblivious_score(&self->critical, &rows, self->workspace, self->scores);
        for (uint32_t i = 0; i < block; i++) {
            risks[from + i].critical = self->scores[i];
        }
    }
}

void declaration_model_score(struct declaration_model *self, const struct history *history,
                             const struct declaration *const *declarations, uint32_t count,
                             struct declaration_risk *out)
{
    struct scoring scoring = {.model = self, .history = history, .out = out};
    for (uint32_t i = 0; i < count; i++) {
        out[i].critical = INT32_MIN;
        add_declaration(&scoring, declarations[i], i);
    }
    if (scoring.block.count > 0) {
        run_block(&scoring);
    }
    if (self->critical.tree_count > 0) {
        score_critical(self, out, count);
    }
}

/* Up to OBLIVIOUS_LANES rows. */
static void explain_rows(const struct declaration_model *self, const float *features,
                         uint32_t count, struct declaration_parts *out)
{
    const struct oblivious_rows rows = {features, count, LINE_FEATURES};
    const struct oblivious_reasons reasons = {self->scores, self->parts, LINE_FEATURES};
    int32_t base = oblivious_base(&self->found);
    oblivious_explain(&self->found, &rows, self->workspace, &reasons);
    for (uint32_t i = 0; i < count; i++) {
        const int32_t *parts = self->parts + (size_t)i * LINE_FEATURES;
        memset(&out[i], 0, sizeof out[i]);
        out[i].logit = self->scores[i];
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
            memcpy(self->features + (size_t)i * LINE_FEATURES, risks[from + i].features,
                   sizeof risks[from + i].features);
        }
        explain_rows(self, self->features, block, out + from);
    }
}

struct declaration_interval declaration_model_interval(const struct declaration_bins *bins,
                                                       double logit)
{
    if (bins->count == 0) {
        return (struct declaration_interval){0, 1};
    }
    uint32_t at = 0;
    while (at + 1 < bins->count && logit > bins->bins[at].logit_max) {
        at++;
    }
    const struct statistics_rate rate = {bins->bins[at].finds, bins->bins[at].rows};
    struct statistics_interval wilson = statistics_wilson(rate, 0.90);
    double probability = 1 / (1 + exp(-logit));
    return (struct declaration_interval){fmin(wilson.lower, probability),
                                         fmax(wilson.upper, probability)};
}
