/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/ledger.h"

#include <stdio.h>
#include <string.h>

#include "referral/referral.h"

struct err ledger_refuse(struct ledger_answer *answer, enum err_code code, const char *reason)
{
    answer->verdict = LEDGER_REFUSED;
    answer->fault = err_make(code, "");
    (void)snprintf(answer->reason, sizeof answer->reason, "%s", reason);
    return err_none;
}

/* What every entry about a referral has. */
static void fill(struct entry *entry, enum entry_type type, const uint8_t item[ITEM_ID_BYTES],
                 const struct state_referral *referral, const char *actor)
{
    memset(entry, 0, sizeof *entry);
    entry->type = type;
    entry->actor = actor;
    entry->has_item = true;
    memcpy(entry->item, item, ITEM_ID_BYTES);
    memcpy(entry->causes[0], referral->decision_id, ENTRY_ID_BYTES);
    entry->causes_count = 1;
}

static struct err refuse_move(const struct state_referral *referral, enum referral_state to,
                              struct ledger_answer *answer)
{
    char reason[LEDGER_REASON_BYTES];
    (void)snprintf(reason, sizeof reason, "the referral is %s and cannot become %s",
                   referral_state_text(referral->state), referral_state_text(to));
    return ledger_refuse(answer, ERR_ILLEGAL_TRANSITION, reason);
}

static struct err consider_move(const struct wire_command *command,
                                const struct state_referral *referral, enum referral_state to,
                                const char *code, struct entry *entry, struct ledger_answer *answer)
{
    if (!referral_may_go(referral->state, to)) {
        return refuse_move(referral, to, answer);
    }
    entry->type = ENTRY_OFFICER_ACTION;
    entry->body.officer_action = (struct entry_officer_action){
        .action = command->order == ORDER_CLAIM ? "claim" : "release",
        .code = code,
        .request_id = command->request_id,
        .version = referral->version + 1,
        .to_state = referral_state_text(to),
    };
    return err_none;
}

static struct err consider_release(const struct wire_command *command,
                                   const struct state_referral *referral, struct entry *entry,
                                   struct ledger_answer *answer)
{
    const struct referral_code *code = referral_code_find(command->code);
    if (code == NULL) {
        return ledger_refuse(answer, ERR_ARGUMENT,
                             "unknown code; triagectl release --codes lists them");
    }
    return consider_move(command, referral, code->state, code->code, entry, answer);
}

/* By hand: of what the decision had let go. */
static struct err consider_refer(const struct wire_command *command,
                                 const struct state_referral *referral, struct entry *entry,
                                 struct ledger_answer *answer)
{
    if (command->sentence == NULL || command->sentence[0] == '\0') {
        return ledger_refuse(answer, ERR_ARGUMENT, "a reason is needed");
    }
    if (!referral_may_go(referral->state, REFERRAL_QUEUED)) {
        char reason[LEDGER_REASON_BYTES];
        (void)snprintf(reason, sizeof reason, "it is referred already, and %s",
                       referral_state_text(referral->state));
        return ledger_refuse(answer, ERR_ILLEGAL_TRANSITION, reason);
    }
    entry->type = ENTRY_OFFICER_ACTION;
    entry->body.officer_action = (struct entry_officer_action){
        .action = "refer",
        .code = "",
        .request_id = command->request_id,
        .version = 1,
        .to_state = referral_state_text(REFERRAL_QUEUED),
        .reason = command->sentence,
    };
    return err_none;
}

/* Is there anything in this outcome that a first, a second or a correcting one must not have? */
static const char *again_fault(enum outcome_again again, const struct state_referral *referral,
                               const char *code)
{
    bool ended_by_exam = referral->state == REFERRAL_OUTCOME;
    switch (again) {
    case OUTCOME_FIRST:
        if (ended_by_exam) {
            return "the item has its outcome: another exam is recorded with --second, a wrong "
                   "record with `triagectl correct`";
        }
        return referral_may_go(referral->state, REFERRAL_OUTCOME) ? NULL : "claim it first";
    case OUTCOME_SECOND_EXAM:
        return ended_by_exam ? NULL : "a second exam follows a first one";
    case OUTCOME_CORRECTION:
        if (!ended_by_exam) {
            return "there is no outcome to correct";
        }
        return correction_code_find(code) != NULL ? NULL : "unknown code of a correction";
    default:
        return "unknown kind of outcome";
    }
}

static struct err consider_outcome(struct state *state, const struct wire_command *command,
                                   const struct state_referral *referral, struct entry *entry,
                                   struct ledger_answer *answer)
{
    const struct entry_outcome *outcome = &command->outcome;
    const char *fault = outcome_check(outcome->exam_level, outcome->result, outcome->seizure_class,
                                      outcome->quantity, outcome->unit);
    if (fault != NULL) {
        return ledger_refuse(answer, ERR_ARGUMENT, fault);
    }
    enum outcome_again again = outcome_again_parse(outcome->again);
    fault = again_fault(again, referral, outcome->code);
    if (fault != NULL) {
        char reason[LEDGER_REASON_BYTES];
        (void)snprintf(reason, sizeof reason, "the referral is %s: %s",
                       referral_state_text(referral->state), fault);
        bool is_move = again < OUTCOME_AGAIN_COUNT &&
                       (again != OUTCOME_CORRECTION || referral->state != REFERRAL_OUTCOME);
        return ledger_refuse(answer, is_move ? ERR_ILLEGAL_TRANSITION : ERR_ARGUMENT, reason);
    }
    entry->type = ENTRY_OUTCOME;
    entry->body.outcome = *outcome;
    entry->body.outcome.request_id = command->request_id;
    entry->body.outcome.version = referral->version + 1;
    entry->body.outcome.again = outcome_again_text(again);
    entry->body.outcome.code = again == OUTCOME_CORRECTION ? outcome->code : "";
    entry->body.outcome.corrects = 0;
    entry->body.outcome.aside = false;
    if (again == OUTCOME_FIRST) {
        return err_none;
    }
    struct state_standing standing;
    struct err err = state_standing(state, command->item, &standing);
    if (err_is(err)) {
        return err;
    }
    if (again == OUTCOME_CORRECTION) {
        entry->body.outcome.corrects = standing.entry_index;
    } else {
        entry->body.outcome.aside = !outcome_says_enough(standing.result, outcome->result);
    }
    return err_none;
}

/* The same order again gets the same answer; another one under its id is a mistake of the tool, and
 * saying "done" to it would lose it. */
static struct err consider_before(const struct wire_command *command, const char *actor,
                                  const struct state_request *before, struct ledger_answer *answer)
{
    bool same_kind = command->order == ORDER_OUTCOME ? strcmp(before->what, "outcome") == 0
                     : command->order == ORDER_CLAIM ? strcmp(before->what, "claim") == 0
                     : command->order == ORDER_REFER ? strcmp(before->what, "refer") == 0
                                                     : strcmp(before->what, "release") == 0;
    if (!same_kind || memcmp(before->item, command->item, ITEM_ID_BYTES) != 0 ||
        strcmp(before->actor, actor) != 0) {
        return ledger_refuse(answer, ERR_CONFLICT, "this request id belongs to another order");
    }
    answer->verdict = LEDGER_BEFORE;
    answer->entry_index = before->entry_index;
    return err_none;
}

struct err ledger_consider(struct state *state, const struct wire_command *command,
                           const char *actor, struct entry *entry, struct ledger_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    if (command->actor == NULL || command->actor[0] == '\0') {
        return ledger_refuse(answer, ERR_ARGUMENT, "an actor must be named");
    }
    struct state_request before;
    struct err err = state_request(state, command->request_id, &before);
    if (!err_is(err)) {
        return consider_before(command, actor, &before, answer);
    }
    struct state_referral referral;
    err = err.code == ERR_NOT_FOUND ? state_referral(state, command->item, &referral) : err;
    if (err.code == ERR_NOT_FOUND) {
        return ledger_refuse(answer, ERR_NOT_FOUND, "no such item");
    }
    if (err_is(err)) {
        return err;
    }
    if (command->expected_version != 0 && command->expected_version != referral.version) {
        return ledger_refuse(answer, ERR_CONFLICT, "the referral has moved on; look at it again");
    }
    answer->verdict = LEDGER_ENTRY;
    fill(entry, ENTRY_OFFICER_ACTION, command->item, &referral, actor);
    switch (command->order) {
    case ORDER_CLAIM:
        return consider_move(command, &referral, REFERRAL_IN_EXAM, "", entry, answer);
    case ORDER_RELEASE:
        return consider_release(command, &referral, entry, answer);
    case ORDER_REFER:
        return consider_refer(command, &referral, entry, answer);
    case ORDER_OUTCOME:
        return consider_outcome(state, command, &referral, entry, answer);
    default:
        return ledger_refuse(answer, ERR_ARGUMENT, "not an order about a referral");
    }
}

struct err ledger_expire(struct state *state, const uint8_t item[ITEM_ID_BYTES],
                         struct entry *entry, struct ledger_answer *answer)
{
    struct state_referral referral;
    memset(answer, 0, sizeof *answer);
    struct err err = state_referral(state, item, &referral);
    if (err.code == ERR_NOT_FOUND) {
        return ledger_refuse(answer, ERR_NOT_FOUND, "no such item");
    }
    if (err_is(err)) {
        return err;
    }
    if (!referral_may_go(referral.state, REFERRAL_EXPIRED)) {
        return refuse_move(&referral, REFERRAL_EXPIRED, answer);
    }
    answer->verdict = LEDGER_ENTRY;
    fill(entry, ENTRY_OFFICER_ACTION, item, &referral, "daemon");
    entry->body.officer_action = (struct entry_officer_action){
        .action = "expire",
        .code = "deadline",
        .request_id = "",
        .version = referral.version + 1,
        .to_state = referral_state_text(REFERRAL_EXPIRED),
        .reason = "",
    };
    return err_none;
}
