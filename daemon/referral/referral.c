/* SPDX-License-Identifier: Apache-2.0 */
#include "referral/referral.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Tables, not code: what an auditor asks about the queue ("which moves are legal, what does W2
 * mean?") is read off here, and triagectl prints the definitions from the same rows. */

static const char *const state_texts[REFERRAL_STATE_COUNT] = {
    [REFERRAL_NONE] = "none",
    [REFERRAL_QUEUED] = "queued",
    [REFERRAL_PRESENTED] = "presented",
    [REFERRAL_IN_EXAM] = "in_exam",
    [REFERRAL_OUTCOME] = "outcome",
    [REFERRAL_WAIVED] = "waived",
    [REFERRAL_NOT_PRESENTED] = "not_presented",
    [REFERRAL_EXPIRED] = "expired",
    [REFERRAL_RETURNED] = "returned",
    [REFERRAL_TRANSFERRED] = "transferred",
};

const char *referral_state_text(enum referral_state state)
{
    if ((unsigned)state >= REFERRAL_STATE_COUNT) {
        return state_texts[REFERRAL_NONE];
    }
    return state_texts[state];
}

enum referral_state referral_state_parse(const char *text)
{
    for (unsigned i = 0; text != NULL && i < REFERRAL_STATE_COUNT; i++) {
        if (strcmp(text, state_texts[i]) == 0) {
            return (enum referral_state)i;
        }
    }
    return REFERRAL_NONE;
}

bool referral_state_is_terminal(enum referral_state state)
{
    return state >= REFERRAL_OUTCOME && state < REFERRAL_STATE_COUNT;
}

#define TO(state) (1u << (unsigned)(state))

/* An item may be claimed straight from the queue: where no gate reports arrivals at the bay nothing
 * is ever "presented". For the same reason a claimed item may still turn out not to be there. What
 * somebody has claimed cannot expire: only a person can end it then. */
static const unsigned moves[REFERRAL_STATE_COUNT] = {
    [REFERRAL_NONE] = TO(REFERRAL_QUEUED),
    [REFERRAL_QUEUED] = TO(REFERRAL_PRESENTED) | TO(REFERRAL_IN_EXAM) | TO(REFERRAL_WAIVED) |
                        TO(REFERRAL_NOT_PRESENTED) | TO(REFERRAL_EXPIRED) | TO(REFERRAL_RETURNED) |
                        TO(REFERRAL_TRANSFERRED),
    [REFERRAL_PRESENTED] = TO(REFERRAL_IN_EXAM) | TO(REFERRAL_WAIVED) | TO(REFERRAL_EXPIRED) |
                           TO(REFERRAL_RETURNED) | TO(REFERRAL_TRANSFERRED),
    [REFERRAL_IN_EXAM] = TO(REFERRAL_OUTCOME) | TO(REFERRAL_WAIVED) | TO(REFERRAL_NOT_PRESENTED) |
                         TO(REFERRAL_RETURNED) | TO(REFERRAL_TRANSFERRED),
};

bool referral_may_go(enum referral_state from, enum referral_state to)
{
    if ((unsigned)from >= REFERRAL_STATE_COUNT || (unsigned)to >= REFERRAL_STATE_COUNT) {
        return false;
    }
    return (moves[from] & TO(to)) != 0;
}

static const struct referral_code codes[] = {
    {"capacity", REFERRAL_WAIVED,
     "No bay, officer or machine was free before the item had to move on."},
    {"priority", REFERRAL_WAIVED, "A supervisor gave the bay to another item that could not wait."},
    {"duplicate", REFERRAL_WAIVED, "The same goods were examined already under another item."},
    {"document_cleared", REFERRAL_WAIVED,
     "Papers that the daemon did not have explain every reason of the referral."},
    {"image_cleared", REFERRAL_WAIVED,
     "An officer read the image and found every reason of the referral explained."},
    {"safety", REFERRAL_WAIVED,
     "The exam would have put people in danger; the item was handled under another order."},
    {"perishable", REFERRAL_WAIVED,
     "Goods, animals or medicines would have spoiled or died waiting."},
    {"drove_on", REFERRAL_NOT_PRESENTED, "The vehicle left without coming to the bay."},
    {"not_found", REFERRAL_NOT_PRESENTED,
     "The item could not be found in the terminal, train, aircraft or mail stream."},
    {"not_landed", REFERRAL_NOT_PRESENTED,
     "The item never arrived: not loaded, not landed, or on another transport."},
    {"deadline", REFERRAL_EXPIRED,
     "The time in which the item could be held ended before anybody claimed it."},
    {"sent_back", REFERRAL_RETURNED,
     "The item was returned to its sender or turned back at the border unexamined."},
    {"withdrawn", REFERRAL_RETURNED,
     "The declarant withdrew the declaration and took the item back unexamined."},
    {"other_authority", REFERRAL_TRANSFERRED, "Another authority took the item over."},
    {"other_port", REFERRAL_TRANSFERRED,
     "The exam takes place at another port, under that port's log."},
};

const struct referral_code *referral_code_find(const char *code)
{
    for (size_t i = 0; code != NULL && i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(code, codes[i].code) == 0) {
            return &codes[i];
        }
    }
    return NULL;
}

const struct referral_code *referral_codes(unsigned *count)
{
    *count = (unsigned)(sizeof codes / sizeof codes[0]);
    return codes;
}

static bool is_one_of(const char *text, const char *const *words, size_t words_count)
{
    for (size_t i = 0; text != NULL && i < words_count; i++) {
        if (strcmp(text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const levels[] = {"document", "nii", "canine", "tailgate", "partial", "full"};

bool exam_level_known(const char *level)
{
    return is_one_of(level, levels, sizeof levels / sizeof levels[0]);
}

static const char *const results[] = {"nothing_found", "found", "partial", "abandoned",
                                      "returned_to_sender"};

bool exam_result_known(const char *result)
{
    return is_one_of(result, results, sizeof results / sizeof results[0]);
}

/* "partial" is an exam that found something and was not finished; "abandoned" ended before anything
 * could be said. */
bool exam_result_is_find(const char *result)
{
    return result != NULL && (strcmp(result, "found") == 0 || strcmp(result, "partial") == 0);
}

bool exam_result_is_label(const char *result)
{
    return exam_result_is_find(result) || (result != NULL && strcmp(result, "nothing_found") == 0);
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

static const char *const again_texts[OUTCOME_AGAIN_COUNT] = {
    [OUTCOME_FIRST] = "",
    [OUTCOME_SECOND_EXAM] = "second_exam",
    [OUTCOME_CORRECTION] = "correction",
};

const char *outcome_again_text(enum outcome_again again)
{
    return (unsigned)again < OUTCOME_AGAIN_COUNT ? again_texts[again] : "";
}

enum outcome_again outcome_again_parse(const char *text)
{
    for (unsigned i = 0; i < OUTCOME_AGAIN_COUNT; i++) {
        if (strcmp(text == NULL ? "" : text, again_texts[i]) == 0) {
            return (enum outcome_again)i;
        }
    }
    return OUTCOME_AGAIN_COUNT;
}

static const struct referral_code corrections[] = {
    {"typing", REFERRAL_OUTCOME, "What was typed is not what the officer had found."},
    {"wrong_item", REFERRAL_OUTCOME, "The outcome belongs to another item."},
    {"laboratory", REFERRAL_OUTCOME, "A laboratory said what the substance is, or is not."},
    {"weighed", REFERRAL_OUTCOME, "It was weighed or counted again."},
    {"legal", REFERRAL_OUTCOME, "An authority or a court decided what the goods are."},
};

const struct referral_code *correction_code_find(const char *code)
{
    for (size_t i = 0; code != NULL && i < sizeof corrections / sizeof corrections[0]; i++) {
        if (strcmp(code, corrections[i].code) == 0) {
            return &corrections[i];
        }
    }
    return NULL;
}

const struct referral_code *correction_codes(unsigned *count)
{
    *count = (unsigned)(sizeof corrections / sizeof corrections[0]);
    return corrections;
}

static int conclusiveness(const char *result)
{
    return exam_result_is_find(result) ? 2 : exam_result_is_label(result);
}

bool outcome_says_enough(const char *standing_result, const char *result)
{
    return conclusiveness(result) >= conclusiveness(standing_result);
}

const char *outcome_check(const char *level, const char *result, const char *seizure_class,
                          double quantity, const char *unit)
{
    if (!exam_level_known(level)) {
        return "exam level is not one of document, nii, canine, tailgate, partial, full";
    }
    if (!exam_result_known(result)) {
        return "result is not one of nothing_found, found, partial, abandoned, returned_to_sender";
    }
    if (!isfinite(quantity) || quantity < 0.0) {
        return "quantity is negative or not a number";
    }
    if (quantity > 0.0 && is_empty(unit)) {
        return "quantity has no unit";
    }
    bool is_find = exam_result_is_find(result);
    if (is_find && is_empty(seizure_class)) {
        return "a find needs a seizure class";
    }
    if (!is_find && !is_empty(seizure_class)) {
        return "a seizure class is given although nothing was found";
    }
    if (!is_find && quantity > 0.0) {
        return "a quantity is given although nothing was found";
    }
    return NULL;
}
