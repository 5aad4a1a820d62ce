/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REFERRAL_H
#define REFERRAL_H

/* Referral: the states of an item in the queue, and which way it may go. Pure.
 *
 * queued -> presented -> in_exam -> outcome, or exactly one other terminal state. Every referred
 * item ends in exactly one. */

#include <stdbool.h>

enum referral_state {
    REFERRAL_NONE, /* never referred */
    REFERRAL_QUEUED,
    REFERRAL_PRESENTED,
    REFERRAL_IN_EXAM,
    REFERRAL_OUTCOME, /* terminal, as all below */
    REFERRAL_WAIVED,
    REFERRAL_NOT_PRESENTED,
    REFERRAL_EXPIRED,
    REFERRAL_RETURNED,
    REFERRAL_TRANSFERRED,
    REFERRAL_STATE_COUNT
};

const char *referral_state_text(enum referral_state state); /* "queued", "in_exam", ... */
enum referral_state referral_state_parse(const char *text); /* REFERRAL_NONE when unknown */
bool referral_state_is_terminal(enum referral_state state);
bool referral_may_go(enum referral_state from, enum referral_state to);

/* Coded reasons that end a referral without an exam; the terminal state each leads to. Definitions
 * are in the table of referral.c and printed by `triagectl release --codes`. */
struct referral_code {
    const char *code;
    enum referral_state state;
    const char *definition;
};
const struct referral_code *referral_code_find(const char *code); /* NULL when unknown */
const struct referral_code *referral_codes(unsigned *count);

/* "document", "nii", "canine", "tailgate", "partial", "full": exam levels; and
 * "nothing_found", "found", "partial", "abandoned", "returned_to_sender": results. */
bool exam_level_known(const char *level);
bool exam_result_known(const char *result);
/* True for the results that are a label of a violation found. */
bool exam_result_is_find(const char *result);
/* True for the results that tell whether there was a violation: "found", "partial",
 * "nothing_found". An abandoned exam or a returned parcel says nothing about what was inside. */
bool exam_result_is_label(const char *result);
/* NULL, or a static sentence why this outcome is not acceptable (unknown level, find without class,
 * ...). */
const char *outcome_check(const char *level, const char *result, const char *seizure_class,
                          double quantity, const char *unit);

/* An item may get more than one outcome. The first one ends its referral; later ones never move it:
 * "second_exam" is another exam of the same item, "correction" says that the outcome that stands
 * was recorded wrongly, by a coded reason. Nothing is ever changed in place. */
enum outcome_again { OUTCOME_FIRST, OUTCOME_SECOND_EXAM, OUTCOME_CORRECTION, OUTCOME_AGAIN_COUNT };
const char *outcome_again_text(enum outcome_again again); /* "", "second_exam", "correction" */
enum outcome_again outcome_again_parse(const char *text); /* OUTCOME_AGAIN_COUNT when unknown */

/* Reasons of corrections; the state is not used. */
const struct referral_code *correction_code_find(const char *code); /* NULL when unknown */
const struct referral_code *correction_codes(unsigned *count);

/* Which outcome speaks for the item ("stands"): the first, until a correction takes its place or a
 * second exam that says at least as much, where a find says most and an abandoned exam least: a
 * find is not undone by looking again. */
bool outcome_says_enough(const char *standing_result, const char *result);

#endif
