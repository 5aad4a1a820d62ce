/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

#include <string.h>

/* Entries about items: score, decision, officer action, outcome. The log is the truth here: a move
 * that referral.h would not allow was refused before it became an entry, so what stands in the log
 * is applied without asking again. */

/* A score names the records it was made of: from here on they are this item's. */
static struct err join_records(struct state *self, const struct entry *entry)
{
    must(entry->causes_count <= ENTRY_CAUSES_MAX);
    struct err err = err_none;
    for (uint32_t i = 0; i < entry->causes_count && !err_is(err); i++) {
        struct statement *statement;
        err = store_statement(self->store, STATEMENT_RECORD_JOIN, &statement);
        if (err_is(err)) {
            break;
        }
        bind_blob(statement, 1, entry->causes[i], ENTRY_ID_BYTES);
        bind_blob(statement, 2, entry->item, ITEM_ID_BYTES);
        err = statement_run(statement);
        if (!err_is(err)) {
            err = store_statement(self->store, STATEMENT_ITEM_FROM_RECORD, &statement);
        }
        if (err_is(err)) {
            break;
        }
        bind_blob(statement, 1, entry->causes[i], ENTRY_ID_BYTES);
        bind_blob(statement, 2, entry->item, ITEM_ID_BYTES);
        bind_index(statement, 3, entry->n);
        err = statement_run(statement);
    }
    return err;
}

static struct err put_contributions(struct state *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    must(score->contributions_count <= ENTRY_CONTRIBUTIONS_MAX);
    struct err err = err_none;
    for (uint32_t i = 0; i < score->contributions_count && !err_is(err); i++) {
        struct statement *statement;
        err = store_statement(self->store, STATEMENT_CONTRIBUTION_PUT, &statement);
        if (err_is(err)) {
            break;
        }
        bind_index(statement, 1, entry->n);
        bind_integer(statement, 2, i);
        bind_text(statement, 3, score->contributions[i].name);
        bind_real(statement, 4, score->contributions[i].logit);
        bind_text(statement, 5, score->contributions[i].words);
        err = statement_run(statement);
    }
    return err;
}

static struct err put_models(struct state *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    must(score->models_count <= ENTRY_MODELS_MAX);
    struct err err = err_none;
    for (uint32_t i = 0; i < score->models_count && !err_is(err); i++) {
        struct statement *statement;
        err = store_statement(self->store, STATEMENT_SCORE_MODEL_PUT, &statement);
        if (err_is(err)) {
            break;
        }
        bind_index(statement, 1, entry->n);
        bind_integer(statement, 2, i);
        bind_text(statement, 3, score->models[i].name);
        bind_blob(statement, 4, score->models[i].sha256, HASH_BYTES);
        err = statement_run(statement);
    }
    return err;
}

static struct err put_regions(struct state *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    must(score->regions_count <= ENTRY_REGIONS_MAX);
    struct err err = err_none;
    for (uint32_t i = 0; i < score->regions_count && !err_is(err); i++) {
        const struct entry_region *region = &score->regions[i];
        struct statement *statement;
        err = store_statement(self->store, STATEMENT_REGION_PUT, &statement);
        if (err_is(err)) {
            break;
        }
        bind_index(statement, 1, entry->n);
        bind_integer(statement, 2, i);
        bind_integer(statement, 3, region->image_index);
        bind_integer(statement, 4, region->x);
        bind_integer(statement, 5, region->y);
        bind_integer(statement, 6, region->width);
        bind_integer(statement, 7, region->height);
        bind_real(statement, 8, region->score);
        err = statement_run(statement);
    }
    return err;
}

struct err apply_score(struct state *self, const struct entry *entry)
{
    const struct entry_score *score = &entry->body.score;
    struct err err = join_records(self, entry);
    struct statement *statement = NULL;
    if (!err_is(err)) {
        err = store_statement(self->store, STATEMENT_SCORE_PUT, &statement);
    }
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_blob(statement, 2, entry->id, ENTRY_ID_BYTES);
    bind_blob(statement, 3, entry->item, ITEM_ID_BYTES);
    bind_integer(statement, 4, entry->t_ns);
    bind_real(statement, 5, score->probability);
    bind_real(statement, 6, score->logit);
    bind_real(statement, 7, score->quality);
    bind_text(statement, 8, score->unscorable);
    bind_real(statement, 9, score->grave);
    err = statement_run(statement);
    if (!err_is(err)) {
        err = put_contributions(self, entry);
    }
    if (!err_is(err)) {
        err = put_models(self, entry);
    }
    if (!err_is(err)) {
        err = put_regions(self, entry);
    }
    return err_is(err) ? err : apply_quality(self, entry);
}

/* Reasons lie in one column, a line each: they are read together and never searched. */
#define REASONS_BYTES ((size_t)ENTRY_REASONS_MAX * 512)

static void join_reasons(const struct entry_decision *decision, char out[REASONS_BYTES])
{
    must(decision->reasons_count <= ENTRY_REASONS_MAX);
    size_t used = 0;
    for (uint32_t i = 0; i < decision->reasons_count; i++) {
        const char *reason = decision->reasons[i] == NULL ? "" : decision->reasons[i];
        if (i > 0) {
            out[used++] = '\n';
        }
        size_t bytes = strnlen(reason, 510);
        for (size_t at = 0; at < bytes; at++) {
            out[used++] = (char)(reason[at] == '\n' ? ' ' : reason[at]);
        }
    }
    must(used < REASONS_BYTES);
    out[used] = '\0';
}

static struct err put_decision(struct state *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    char reasons[REASONS_BYTES];
    join_reasons(decision, reasons);
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_DECISION_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_blob(statement, 2, entry->id, ENTRY_ID_BYTES);
    bind_blob(statement, 3, entry->item, ITEM_ID_BYTES);
    bind_integer(statement, 4, entry->t_ns);
    bind_text(statement, 5, decision->decision);
    bind_text(statement, 6, decision->arm);
    bind_text(statement, 7, mode_text(decision->mode));
    bind_text(statement, 8, decision->site);
    bind_text(statement, 9, decision->lane);
    bind_real(statement, 10, decision->propensity);
    bind_real(statement, 11, decision->random_rate);
    bind_real(statement, 12, decision->probability);
    bind_real(statement, 13, decision->cutoff);
    bind_real(statement, 14, decision->priority);
    bind_real(statement, 15, decision->capacity_per_hour);
    bind_real(statement, 16, decision->arrivals_per_hour);
    bind_index(statement, 17, decision->rank);
    bind_index(statement, 18, decision->window_count);
    bind_blob(statement, 19, decision->policy_sha256, HASH_BYTES);
    bind_text(statement, 20, decision->draw_scheme);
    bind_text(statement, 21, decision->draw_day);
    bind_blob(statement, 22, decision->draw, HASH_BYTES);
    bind_text(statement, 23, decision->draw_stratum);
    bind_text(statement, 24, decision->hold_ended_by);
    bind_text(statement, 25, reasons);
    return statement_run(statement);
}

static struct err decide_item_row(struct state *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_ITEM_DECISION, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    bool known = false;
    bool decided = false;
    err = statement_step(statement, &known);
    if (!err_is(err) && known) {
        decided = !column_is_null(statement, 0);
    }
    if (!err_is(err)) {
        err = store_statement(self->store, STATEMENT_ITEM_DECIDE, &statement);
    }
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    bind_text(statement, 2, mode_text(decision->mode));
    bind_text(statement, 3, decision->site);
    bind_text(statement, 4, decision->lane);
    bind_text(statement, 5, decision->label);
    bind_integer(statement, 6, entry->t_ns);
    bind_index(statement, 7, entry->n);
    err = statement_run(statement);
    if (!err_is(err) && !decided) {
        self->totals[TOTAL_decided_items]++;
    }
    return err;
}

/* Records of this item's key that were logged after its score was made and before its decision:
 * they came too late for it, and belong to nothing else. */
static struct err take_records_left(struct state *self, const struct entry *entry)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_RECORDS_LEFT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    bind_index(statement, 2, entry->n);
    bind_text(statement, 3, mode_text(entry->body.decision.mode));
    bind_text(statement, 4, entry->body.decision.site);
    return statement_run(statement);
}

struct err apply_decision(struct state *self, const struct entry *entry)
{
    const struct entry_decision *decision = &entry->body.decision;
    struct err err = put_decision(self, entry);
    if (!err_is(err)) {
        err = decide_item_row(self, entry);
    }
    if (!err_is(err)) {
        err = take_records_left(self, entry);
    }
    if (err_is(err)) {
        return err;
    }
    self->totals[TOTAL_decisions]++;
    if (decision->decision == NULL || strcmp(decision->decision, "refer") != 0) {
        return err_none;
    }
    self->totals[TOTAL_referred]++;
    struct statement *statement;
    err = store_statement(self->store, STATEMENT_REFERRAL_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    bind_index(statement, 2, entry->n);
    bind_real(statement, 3, decision->priority);
    bind_text(statement, 4, mode_text(decision->mode));
    bind_text(statement, 5, decision->site);
    bind_integer(statement, 6, entry->t_ns);
    bind_real(statement, 7, decision->ageing_per_hour);
    bind_real(statement, 8, decision->perishable_per_hour);
    bind_text(statement, 9, decision->arm);
    return statement_run(statement);
}

/* What an officer refers stands in the queue as what is certain: somebody wants to see it opened.
 * It hangs on the decision that had let the item go. */
static struct err put_manual(struct state *self, const struct entry *entry)
{
    struct statement *statement;
    bool known = false;
    char mode[16] = "";
    char site[65] = "";
    uint64_t decision_entry = 0;
    struct err err = store_statement(self->store, STATEMENT_DECISION_OF, &statement);
    if (!err_is(err)) {
        bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
        err = statement_step(statement, &known);
    }
    if (!err_is(err) && known) {
        decision_entry = column_index(statement, 0);
        column_copy_text(statement, 1, mode, sizeof mode);
        column_copy_text(statement, 2, site, sizeof site);
        statement_reset(statement);
        err = store_statement(self->store, STATEMENT_REFERRAL_PUT, &statement);
    }
    if (err_is(err) || !known) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    bind_index(statement, 2, decision_entry);
    bind_real(statement, 3, 1);
    bind_text(statement, 4, mode);
    bind_text(statement, 5, site);
    bind_integer(statement, 6, entry->t_ns);
    bind_real(statement, 7, STATE_MANUAL_AGEING);
    bind_real(statement, 8, 0);
    bind_text(statement, 9, "manual");
    self->totals[TOTAL_referred]++;
    return statement_run(statement);
}

/* What was asked, so that the opposite under the same request id is another order. */
static const char *request_what(const struct entry *entry)
{
    const struct entry_operation *operation = &entry->body.operation;
    switch (entry->type) {
    case ENTRY_OFFICER_ACTION:
        return entry->body.officer_action.action;
    case ENTRY_HOLD:
        return entry->body.hold.placed ? STATE_ASKED_HOLD : STATE_ASKED_LIFT;
    case ENTRY_OPERATION:
        return operation->step != NULL && strcmp(operation->step, "close") == 0
                   ? STATE_ASKED_CLOSE
                   : STATE_ASKED_REGISTER;
    default:
        return entry_type_text(entry->type);
    }
}

void state_asked_entries(const uint64_t *entry_index, uint32_t count, uint8_t out[ITEM_ID_BYTES])
{
    uint8_t bytes[ENTRY_INDICES_MAX * 8];
    uint8_t digest[HASH_BYTES];
    must(count <= ENTRY_INDICES_MAX);
    for (uint32_t i = 0; i < 8 * count; i++) {
        bytes[i] = (uint8_t)(entry_index[i / 8] >> 8 * (i % 8));
    }
    sha256_of(bytes, (size_t)8 * count, digest);
    memcpy(out, digest, ITEM_ID_BYTES);
}

void state_asked_name(const char *name, uint8_t out[ITEM_ID_BYTES])
{
    uint8_t digest[HASH_BYTES];
    sha256_of(name == NULL ? "" : name, name == NULL ? 0 : strlen(name), digest);
    memcpy(out, digest, ITEM_ID_BYTES);
}

/* What tells this order from another of its kind; returns its bytes. */
static uint32_t request_target(const struct entry *entry, uint8_t out[ITEM_ID_BYTES])
{
    if (entry->type == ENTRY_REDACT) {
        state_asked_entries(entry->body.redact.entry_index, entry->body.redact.entries_count, out);
        return ITEM_ID_BYTES;
    }
    if (entry->type == ENTRY_OPERATION) {
        state_asked_name(entry->body.operation.name, out);
        return ITEM_ID_BYTES;
    }
    memcpy(out, entry->item, ITEM_ID_BYTES);
    return entry->has_item ? ITEM_ID_BYTES : 0;
}

struct err put_request(struct state *self, const struct entry *entry, const char *request_id)
{
    if (request_id == NULL || request_id[0] == '\0') {
        return err_none;
    }
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_REQUEST_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, request_id);
    bind_index(statement, 2, entry->n);
    bind_text(statement, 3, request_what(entry));
    uint8_t target[ITEM_ID_BYTES];
    uint32_t target_bytes = request_target(entry, target);
    bind_blob(statement, 4, target, target_bytes);
    bind_text(statement, 5, entry->actor);
    return statement_run(statement);
}

struct referral_move {
    enum referral_state to;
    uint64_t version;
    const char *code;
};

/* Queued, presented and in exam keep the referral open; every terminal state closes it. */
static struct err move_referral(struct state *self, const struct entry *entry,
                                const struct referral_move *move)
{
    bool closes = referral_state_is_terminal(move->to);
    struct statement *statement;
    struct err err = store_statement(
        self->store, closes ? STATEMENT_REFERRAL_CLOSE : STATEMENT_REFERRAL_CLAIM, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    bind_text(statement, 2, referral_state_text(move->to));
    bind_index(statement, 3, move->version);
    bind_text(statement, 4, entry->actor);
    bind_integer(statement, 5, entry->t_ns);
    if (closes) {
        bind_text(statement, 6, move->code);
    }
    return statement_run(statement);
}

struct err apply_officer_action(struct state *self, const struct entry *entry)
{
    const struct entry_officer_action *action = &entry->body.officer_action;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_ACTION_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_blob(statement, 2, entry->item, ITEM_ID_BYTES);
    bind_integer(statement, 3, entry->t_ns);
    bind_text(statement, 4, entry->actor);
    bind_text(statement, 5, action->action);
    bind_text(statement, 6, action->code);
    bind_text(statement, 7, action->to_state);
    bind_index(statement, 8, action->version);
    bind_text(statement, 9, action->request_id);
    err = statement_run(statement);
    if (!err_is(err)) {
        err = put_request(self, entry, action->request_id);
    }
    /* A state that this version does not know leaves the referral where it was; the action stays on
     * record. */
    struct referral_move move = {referral_state_parse(action->to_state), action->version,
                                 action->code};
    if (!err_is(err) && move.to == REFERRAL_QUEUED) {
        err = put_manual(self, entry);
    } else if (!err_is(err) && move.to != REFERRAL_NONE) {
        err = move_referral(self, entry, &move);
    }
    return err;
}

/* An outcome that is not put aside speaks for its item; the one that did then does no more. */
static struct err take_over(struct state *self, const struct entry *entry)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_OUTCOME_STEP_DOWN, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    return statement_run(statement);
}

static struct err put_outcome(struct state *self, const struct entry *entry)
{
    const struct entry_outcome *outcome = &entry->body.outcome;
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_OUTCOME_PUT, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_index(statement, 1, entry->n);
    bind_blob(statement, 2, entry->item, ITEM_ID_BYTES);
    bind_integer(statement, 3, entry->t_ns);
    bind_text(statement, 4, entry->actor);
    bind_text(statement, 5, outcome->exam_level);
    bind_text(statement, 6, outcome->result);
    bind_integer(statement, 7, exam_result_is_find(outcome->result));
    bind_text(statement, 8, outcome->seizure_class);
    bind_real(statement, 9, outcome->quantity);
    bind_text(statement, 10, outcome->unit);
    bind_integer(statement, 11, outcome->has_region);
    bind_integer(statement, 12, outcome->image_index);
    bind_integer(statement, 13, outcome->region_x);
    bind_integer(statement, 14, outcome->region_y);
    bind_integer(statement, 15, outcome->region_width);
    bind_integer(statement, 16, outcome->region_height);
    bind_index(statement, 17, outcome->version);
    bind_text(statement, 18, outcome->request_id);
    bind_text(statement, 19, outcome->again);
    bind_text(statement, 20, outcome->code);
    bind_index(statement, 21, outcome->corrects);
    bind_integer(statement, 22, !outcome->aside);
    return statement_run(statement);
}

/* The first outcome ends the referral; what comes after only counts its version. */
static struct err move_by_outcome(struct state *self, const struct entry *entry)
{
    const struct entry_outcome *outcome = &entry->body.outcome;
    if (outcome_again_parse(outcome->again) == OUTCOME_FIRST) {
        struct referral_move move = {REFERRAL_OUTCOME, outcome->version, ""};
        return move_referral(self, entry, &move);
    }
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_REFERRAL_AGAIN, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_blob(statement, 1, entry->item, ITEM_ID_BYTES);
    bind_index(statement, 2, outcome->version);
    return statement_run(statement);
}

struct err apply_outcome(struct state *self, const struct entry *entry)
{
    struct err err = entry->body.outcome.aside ? err_none : take_over(self, entry);
    if (!err_is(err)) {
        err = put_outcome(self, entry);
    }
    if (!err_is(err)) {
        err = put_request(self, entry, entry->body.outcome.request_id);
    }
    if (!err_is(err)) {
        err = move_by_outcome(self, entry);
    }
    if (!err_is(err)) {
        self->totals[TOTAL_outcomes]++;
    }
    return err;
}
