/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "score/declaration_space.h"

/* Lines are taken OBLIVIOUS_LANES at a time and stay columns from the digests of their parts to
 * their scores: nothing is turned round but what the caller asks for. */

struct scoring {
    struct declaration_model *model;
    const struct history *history;
    struct declaration_risk *risks; /* one of the two */
    struct declaration_judgement *judgements;
    uint32_t reasons_max;
};

static void keep_risk(const struct declaration_space *space, uint32_t lane,
                      struct declaration_risk *risk)
{
    if (space->lines[lane] > 0 && space->scores[lane] <= risk->logit) {
        return;
    }
    risk->logit = space->scores[lane];
    risk->critical = space->criticals[lane];
    risk->line_index = space->lines[lane];
    for (uint32_t feature = 0; feature < LINE_FEATURES; feature++) {
        risk->features[feature] = space->columns[feature * OBLIVIOUS_LANES + lane];
    }
}

static void keep_judgement(const struct declaration_space *space, uint32_t lane,
                           uint32_t reasons_max, struct declaration_judgement *judgement)
{
    if (space->lines[lane] > 0 && space->scores[lane] <= judgement->logit) {
        return;
    }
    judgement->logit = space->scores[lane];
    judgement->critical = space->criticals[lane];
    judgement->line_index = space->lines[lane];
    judgement->reasons_count = 0;
    for (uint32_t k = 0; k < reasons_max; k++) {
        int32_t part = space->parts[k * OBLIVIOUS_LANES + lane];
        judgement->reasons[k] =
            (struct declaration_reason){(uint32_t)space->groups[k * OBLIVIOUS_LANES + lane], part};
        judgement->reasons_count += part != 0;
    }
}

static void run_trees(struct declaration_space *space, uint32_t reasons_max)
{
    if (reasons_max > 0) {
        oblivious_block_explain(&space->found, space->columns, space->workspace, space->scores,
                                space->contributions);
        oblivious_block_heaviest(space->contributions, LINE_GROUPS, reasons_max, space->parts,
                                 space->groups);
    } else {
        oblivious_block_score(&space->found, space->columns, space->workspace, space->scores);
    }
    if (space->critical.model.tree_count > 0) {
        oblivious_block_score(&space->critical, space->columns, space->workspace, space->criticals);
    } else {
        for (uint32_t lane = 0; lane < OBLIVIOUS_LANES; lane++) {
            space->criticals[lane] = INT32_MIN;
        }
    }
}

static void run_block(const struct scoring *self)
{
    struct declaration_space *space = self->model->space;
    uint32_t count = space->histories.count;
    history_odds_block(self->history, &space->histories, space->columns);
    run_trees(space, self->reasons_max);
    for (uint32_t lane = 0; lane < count; lane++) {
        if (self->risks != NULL) {
            keep_risk(space, lane, &self->risks[space->owners[lane]]);
        } else {
            keep_judgement(space, lane, self->reasons_max, &self->judgements[space->owners[lane]]);
        }
    }
    space->histories.count = 0;
}

static void add_line(const struct scoring *self, const struct declaration *declaration,
                     const struct goods_line *line, const struct history_parts *parts)
{
    struct declaration_space *space = self->model->space;
    uint32_t lane = space->histories.count++;
    struct line_subject subject;
    for (uint32_t part = 0; part < PART_COUNT; part++) {
        space->histories.parts.digests[part][lane] = parts->digests[part];
    }
    line_subject_of(declaration, line, NULL, &subject);
    line_goods_columns(&self->model->norms, &subject, lane, space->columns);
}

static void add_declaration(const struct scoring *self, const struct declaration *declaration,
                            uint32_t index)
{
    struct declaration_space *space = self->model->space;
    struct history_parts parts;
    history_parts_of_declaration(&self->history->key, declaration, &parts);
    uint32_t given =
        declaration->lines_count < RECORD_LINES_MAX ? declaration->lines_count : RECORD_LINES_MAX;
    for (uint32_t line = 0; line < (given > 0 ? given : 1); line++) {
        uint32_t lane = space->histories.count;
        space->owners[lane] = index;
        space->lines[lane] = line;
        if (given > 0) {
            history_parts_add_line(&self->history->key, &declaration->lines[line], &parts);
        }
        add_line(self, declaration, given > 0 ? &declaration->lines[line] : NULL, &parts);
        if (space->histories.count == OBLIVIOUS_LANES) {
            run_block(self);
        }
    }
}

/* Records lie anywhere in memory: what the next ones point at is sent for early. */
enum { SOON = 8, SOONER = 4, LINE_BYTES = 64 };

static void send_for(const struct declaration *const *declarations, uint32_t count, uint32_t at)
{
    if (at + SOON < count) {
        const char *record = (const char *)declarations[at + SOON];
        for (size_t byte = 0; byte < sizeof **declarations; byte += LINE_BYTES) {
            __builtin_prefetch(record + byte);
        }
    }
    if (at + SOONER < count) {
        const struct declaration *next = declarations[at + SOONER];
        __builtin_prefetch(next->lines);
        __builtin_prefetch(next->other);
        __builtin_prefetch((const char *)next->other + LINE_BYTES);
        __builtin_prefetch(next->importer);
    }
}

static void score_all(struct scoring *self, const struct declaration *const *declarations,
                      uint32_t count)
{
    struct declaration_space *space = self->model->space;
    space->histories.count = 0;
    space->histories.parts.keyed = self->history->key.keyed;
    for (uint32_t i = 0; i < count; i++) {
        send_for(declarations, count, i);
        add_declaration(self, declarations[i], i);
    }
    if (space->histories.count > 0) {
        run_block(self);
    }
}

void declaration_model_score(struct declaration_model *self, const struct history *history,
                             const struct declaration *const *declarations, uint32_t count,
                             struct declaration_risk *out)
{
    struct scoring scoring = {.model = self, .history = history, .risks = out};
    score_all(&scoring, declarations, count);
}

void declaration_model_judge(struct declaration_model *self, const struct history *history,
                             const struct declaration *const *declarations, uint32_t count,
                             uint32_t reasons_max, struct declaration_judgement *out)
{
    struct scoring scoring = {
        .model = self, .history = history, .judgements = out, .reasons_max = reasons_max};
    must(reasons_max <= DECLARATION_REASONS_MAX);
    score_all(&scoring, declarations, count);
}
