/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "score/declaration_space.h"
#include "score/part_read.h"

/* Lines are taken OBLIVIOUS_LANES at a time and stay columns from the digests of their parts to
 * their scores: nothing is turned round but what the caller asks for. */

struct scoring {
    struct declaration_model *model;
    const struct history *history;
    struct declaration_risk *risks; /* one of the two */
    struct declaration_judgement *judgements;
    struct declaration_parts *parts; /* with risks, or NULL */
    uint32_t reasons_max;
};

/* parts may be NULL. */
static void keep_risk(const struct declaration_space *space, uint32_t lane,
                      struct declaration_risk *risk, struct declaration_parts *parts)
{
    risk->lines.count = space->lines[lane] > 0 ? risk->lines.count : 0;
    item_lines_add(&risk->lines, space->scores[lane]);
    if (space->lines[lane] > 0 && space->scores[lane] <= risk->logit) {
        return;
    }
    if (parts != NULL) {
        parts->logit = space->scores[lane];
        parts->base = space->found.base;
        for (uint32_t group = 0; group < LINE_GROUPS; group++) {
            parts->parts[group] = space->contributions[group * OBLIVIOUS_LANES + lane];
        }
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
    judgement->lines.count = space->lines[lane] > 0 ? judgement->lines.count : 0;
    item_lines_add(&judgement->lines, space->scores[lane]);
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

static void run_trees(const struct scoring *self, struct declaration_space *space)
{
    if (self->reasons_max > 0 || self->parts != NULL) {
        oblivious_block_explain(&space->found, space->columns, space->workspace, space->scores,
                                space->contributions);
        oblivious_block_heaviest(space->contributions, LINE_GROUPS, self->reasons_max, space->parts,
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
    if (self->history->key.keyed) {
        part_block_digest(&self->history->key, &space->parts_read, count,
                          space->histories.parts.digests);
    }
    /* Who is given features is given all of them. */
    uint64_t kinds = self->risks != NULL ? HISTORY_EVERY_KIND : space->kinds_asked;
    history_odds_block(self->history, kinds, &space->histories, space->columns);
    run_trees(self, space);
    for (uint32_t lane = 0; lane < count; lane++) {
        uint32_t owner = space->owners[lane];
        if (self->risks != NULL) {
            keep_risk(space, lane, &self->risks[owner],
                      self->parts != NULL ? &self->parts[owner] : NULL);
        } else {
            keep_judgement(space, lane, self->reasons_max, &self->judgements[owner]);
        }
    }
    space->histories.count = 0;
}

/* The parts of the next lane of the block. Without a key they are digested at once. */
static void read_parts(const struct part_key *key, const struct declaration *declaration,
                       uint32_t line, struct declaration_space *space)
{
    uint32_t lane = space->histories.count;
    const struct goods_line *given =
        line < declaration->lines_count ? &declaration->lines[line] : NULL;
    if (key->keyed) {
        part_block_put(key, declaration, given, line > 0, lane, &space->parts_read);
        return;
    }
    struct history_parts parts;
    history_parts_of_declaration(key, declaration, &parts);
    if (given != NULL) {
        history_parts_add_line(key, given, &parts);
    }
    for (uint32_t part = 0; part < PART_COUNT; part++) {
        space->histories.parts.digests[part][lane] = parts.digests[part];
    }
}

static void add_declaration(const struct scoring *self, const struct declaration *declaration,
                            uint32_t index)
{
    struct declaration_space *space = self->model->space;
    uint32_t given =
        declaration->lines_count < RECORD_LINES_MAX ? declaration->lines_count : RECORD_LINES_MAX;
    for (uint32_t line = 0; line < (given > 0 ? given : 1); line++) {
        struct line_subject subject;
        uint32_t lane = space->histories.count;
        space->owners[lane] = index;
        space->lines[lane] = line;
        read_parts(&self->history->key, declaration, line, space);
        line_subject_of(declaration, given > 0 ? &declaration->lines[line] : NULL, NULL, &subject);
        line_goods_columns(&self->model->norms, &subject, lane, space->columns);
        space->histories.count++;
        if (space->histories.count == OBLIVIOUS_LANES) {
            run_block(self);
        }
    }
}

/* Records lie anywhere in memory, the texts of one mostly side by side: what the next ones point at
 * is sent for early, in three steps, each of which reads what the one before has sent for. */
enum { SOON = 4, SOONER = 8, SOONEST = 12, LINE_BYTES = 64, TEXTS_BYTES = 512 };

static void send_for_bytes(const void *first, size_t bytes)
{
    for (size_t byte = 0; byte < bytes; byte += LINE_BYTES) {
        __builtin_prefetch((const char *)first + byte);
    }
}

static void send_for(const struct declaration *const *declarations, uint32_t count, uint32_t at)
{
    if (at + SOONEST < count) {
        send_for_bytes(declarations[at + SOONEST], sizeof **declarations);
    }
    if (at + SOONER < count) {
        const struct declaration *next = declarations[at + SOONER];
        send_for_bytes(next->lines, sizeof *next->lines);
        send_for_bytes(next->other, next->other_count * sizeof *next->other);
        __builtin_prefetch(next->importer);
        __builtin_prefetch(next->courier);
    }
    if (at + SOON < count && declarations[at + SOON]->other_count > 0) {
        send_for_bytes(declarations[at + SOON]->other[0].name, TEXTS_BYTES);
    }
}

static void score_all(struct scoring *self, const struct declaration *const *declarations,
                      uint32_t count)
{
    struct declaration_space *space = self->model->space;
    space->histories.count = 0;
    space->histories.parts.keyed = self->history->key.keyed;
    space->parts_read.names.count = 0; /* of other records, and maybe under another key */
    for (uint32_t i = 0; i < count; i++) {
        send_for(declarations, count, i);
        add_declaration(self, declarations[i], i);
    }
    if (space->histories.count > 0) {
        run_block(self);
    }
}

uint64_t declaration_model_kinds(const struct declaration_model *self)
{
    return self->space->kinds_asked;
}

void declaration_model_score(struct declaration_model *self, const struct history *history,
                             const struct declaration *const *declarations, uint32_t count,
                             struct declaration_risk *out, struct declaration_parts *parts)
{
    struct scoring scoring = {.model = self, .history = history, .risks = out, .parts = parts};
    score_all(&scoring, declarations, count);
    for (uint32_t i = 0; i < count; i++) {
        out[i].logit = item_lines_settle(&self->lines, &out[i].lines);
    }
}

void declaration_model_judge(struct declaration_model *self, const struct history *history,
                             const struct declaration *const *declarations, uint32_t count,
                             uint32_t reasons_max, struct declaration_judgement *out)
{
    struct scoring scoring = {
        .model = self, .history = history, .judgements = out, .reasons_max = reasons_max};
    must(reasons_max <= DECLARATION_REASONS_MAX);
    score_all(&scoring, declarations, count);
    for (uint32_t i = 0; i < count; i++) {
        out[i].logit = item_lines_settle(&self->lines, &out[i].lines);
    }
}
