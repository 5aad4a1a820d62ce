/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_order.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "ctl/ctl_client.h"
#include "ctl/json_text.h"
#include "ctl/receipt_file.h"
#include "ctl/table.h"
#include "referral/referral.h"
#include "state/state.h"

/* What an officer does to an item. The read model only turns what was typed into an item id and its
 * version; the daemon checks, records and answers. The version goes along, so that two officers
 * never act on the same row of an old screen. */

struct action_options {
    const char *item;
    const char *code;
    const char *receipt; /* file for the proof of what was done; NULL: none wanted */
    bool lists_codes;
    bool has_version;
    uint64_t version;
    struct entry_outcome outcome;
};

enum { OPTION_VERSION = 'v', OPTION_CODE = 'c', OPTION_CODES = 'l', OPTION_RECEIPT = 'R' };

static error_t parse_action(int key, char *text, struct argp_state *state)
{
    struct action_options *options = state->input;
    switch (key) {
    case OPTION_VERSION:
        options->version = ctl_number(state, "version", text, INT64_MAX);
        options->has_version = true;
        return 0;
    case OPTION_CODE:
        options->code = text;
        return 0;
    case OPTION_RECEIPT:
        options->receipt = text;
        return 0;
    case OPTION_CODES:
        options->lists_codes = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->item != NULL) {
            argp_error(state, "one ITEM at a time");
        }
        options->item = text;
        return 0;
    case ARGP_KEY_END:
        if (options->item == NULL && !options->lists_codes) {
            argp_error(state, "which ITEM? Give its label or at least six digits of its id");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#define RECEIPT_OPTION                                                                             \
    {                                                                                              \
        "receipt", OPTION_RECEIPT, "FILE", 0,                                                      \
            "write the proof that this was logged (c2sp.org/tlog-proof); - for standard output", 1 \
    }

/* Fills item and expected version, sends, tells the answer. */
static int act(struct ctl *ctl, const struct action_options *options, struct wire_command *command)
{
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return CTL_REFUSED;
    }
    struct state_referral referral;
    bool found = ctl_find_item(state, options->item, command->item);
    struct err err = found ? state_referral(state, command->item, &referral) : err_none;
    state_close(&state);
    if (!found) {
        return CTL_REFUSED;
    }
    if (err_is(err)) {
        return ctl_fail(options->item, err);
    }
    if (referral.state == REFERRAL_NONE) {
        return ctl_refuse("%s was released, not referred: there is nothing to act on",
                          options->item);
    }
    command->expected_version = options->has_version ? options->version : referral.version;
    uint64_t entry_index = 0;
    int result = ctl_order_entry(ctl, command, &entry_index);
    return result == CTL_GOOD && options->receipt != NULL
               ? receipt_file_save(ctl, entry_index, options->receipt)
               : result;
}

int ctl_claim(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"version", OPTION_VERSION, "N", 0,
         "only if the referral still has this version (default: the one it has now)", 1},
        RECEIPT_OPTION,
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table, parse_action, "ITEM", "Take an item into an exam: from now on it is yours.",
        NULL,          NULL,         NULL};
    struct action_options options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    struct wire_command command = {.order = ORDER_CLAIM};
    return act(ctl, &options, &command);
}

typedef const struct referral_code *(*code_list)(unsigned *count);

static int print_codes(const struct ctl *ctl, code_list list)
{
    static const struct table_column columns[] = {
        {"CODE", TABLE_LEFT, 0}, {"ENDS AS", TABLE_LEFT, 0}, {"MEANS", TABLE_LEFT, 0}};
    unsigned count = 0;
    const struct referral_code *codes = list(&count);
    if (ctl->json) {
        json_t *array = json_array();
        for (unsigned i = 0; i < count; i++) {
            json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "code", codes[i].code,
                                                   "state", referral_state_text(codes[i].state),
                                                   "definition", codes[i].definition));
        }
        return json_print(array, true);
    }
    struct table *table = table_open(columns, 3);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    for (unsigned i = 0; i < count; i++) {
        table_cell(table, codes[i].code);
        table_cell(table, referral_state_text(codes[i].state));
        table_cell(table, codes[i].definition);
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : CTL_REFUSED;
}

int ctl_release(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"code", OPTION_CODE, "CODE", 0, "why it ends without an exam (required)", 1},
        {"codes", OPTION_CODES, 0, 0, "list the codes and what they mean", 1},
        {"version", OPTION_VERSION, "N", 0,
         "only if the referral still has this version (default: the one it has now)", 1},
        RECEIPT_OPTION,
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_action,
        "ITEM",
        "End a referral without an exam. It needs a coded reason; there is no other way out.",
        NULL,
        NULL,
        NULL};
    struct action_options options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.lists_codes) {
        return print_codes(ctl, referral_codes);
    }
    if (options.code == NULL || referral_code_find(options.code) == NULL) {
        ctl_refuse(options.code == NULL
                       ? "--code is required; `triagectl release --codes` lists them%s"
                       : "no code \"%s\"; `triagectl release --codes` lists them",
                   options.code == NULL ? "" : options.code);
        return CTL_USAGE;
    }
    struct wire_command command = {.order = ORDER_RELEASE, .code = options.code};
    return act(ctl, &options, &command);
}

enum {
    OPTION_LEVEL = 'L',
    OPTION_RESULT = 'r',
    OPTION_CLASS = 'k',
    OPTION_QUANTITY = 'q',
    OPTION_UNIT = 'u',
    OPTION_REGION = 'g',
    OPTION_SECOND = '2'
};

/* "image,x,y,width,height". */
static bool read_region(const char *text, struct entry_outcome *outcome)
{
    unsigned image_index, x, y, width, height;
    int end = 0;
    if (strspn(text, "0123456789,") != strlen(text) || strlen(text) > 40 ||
        sscanf(text, "%5u,%5u,%5u,%5u,%5u%n", &image_index, &x, &y, &width, &height, &end) != 5 ||
        text[end] != '\0' || width == 0 || height == 0) {
        return false;
    }
    outcome->has_region = true;
    outcome->image_index = image_index;
    outcome->region_x = x;
    outcome->region_y = y;
    outcome->region_width = width;
    outcome->region_height = height;
    return true;
}

static error_t parse_outcome(int key, char *text, struct argp_state *state)
{
    struct action_options *options = state->input;
    struct entry_outcome *outcome = &options->outcome;
    switch (key) {
    case OPTION_LEVEL:
        outcome->exam_level = text;
        return 0;
    case OPTION_RESULT:
        outcome->result = text;
        return 0;
    case OPTION_CLASS:
        outcome->seizure_class = text;
        return 0;
    case OPTION_QUANTITY:
        outcome->quantity = ctl_real(state, "quantity", text);
        return 0;
    case OPTION_UNIT:
        outcome->unit = text;
        return 0;
    case OPTION_REGION:
        if (!read_region(text, outcome)) {
            argp_error(state, "--region takes IMAGE,X,Y,WIDTH,HEIGHT in pixels, not %s", text);
        }
        return 0;
    case OPTION_SECOND:
        outcome->again = outcome_again_text(OUTCOME_SECOND_EXAM);
        return 0;
    case ARGP_KEY_END: {
        if (options->lists_codes) {
            return 0;
        }
        const char *why = outcome_check(outcome->exam_level, outcome->result,
                                        outcome->seizure_class, outcome->quantity, outcome->unit);
        if (why != NULL) {
            argp_error(state, "%s", why);
        }
        return parse_action(key, text, state);
    }
    default:
        return parse_action(key, text, state);
    }
}

#define OUTCOME_OPTIONS                                                                           \
    {"level",                                                                                     \
     OPTION_LEVEL,                                                                                \
     "LEVEL",                                                                                     \
     0,                                                                                           \
     "document, nii, canine, tailgate, partial or full (required)",                               \
     1},                                                                                          \
        {"result",                                                                                \
         OPTION_RESULT,                                                                           \
         "RESULT",                                                                                \
         0,                                                                                       \
         "nothing_found, found, partial, abandoned or returned_to_sender (required)",             \
         1},                                                                                      \
        {"class",                                                                                 \
         OPTION_CLASS,                                                                            \
         "CLASS",                                                                                 \
         0,                                                                                       \
         "what was found: narcotics, tobacco, ...; required with a find",                         \
         1},                                                                                      \
        {"quantity", OPTION_QUANTITY, "N", 0, "how much", 1},                                     \
        {"unit", OPTION_UNIT, "UNIT", 0, "of the quantity: kg, pieces, ...", 1},                  \
        {"region", OPTION_REGION, "IMAGE,X,Y,W,H", 0, "where in the image it was, in pixels", 1}, \
        {"version",                                                                               \
         OPTION_VERSION,                                                                          \
         "N",                                                                                     \
         0,                                                                                       \
         "only if the referral still has this version (default: the one it has now)",             \
         1},                                                                                      \
        RECEIPT_OPTION

int ctl_outcome(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        OUTCOME_OPTIONS,
        {"second", OPTION_SECOND, 0, 0, "another exam of an item that has its outcome already", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table, parse_outcome, "ITEM", "Record what an exam found, \"nothing\" included.",
        NULL,          NULL,          NULL};
    struct action_options options = {.outcome = {.seizure_class = "", .unit = ""}};
    ctl_parse(ctl, &own, &options, argc, argv);
    struct wire_command command = {.order = ORDER_OUTCOME, .outcome = options.outcome};
    return act(ctl, &options, &command);
}

int ctl_correct(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        OUTCOME_OPTIONS,
        {"code", OPTION_CODE, "CODE", 0, "why the record was wrong (required)", 1},
        {"codes", OPTION_CODES, 0, 0, "list the codes and what they mean", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_outcome,
        "ITEM",
        "Correct the outcome of an item: the whole of it again, as it should have been. The wrong "
        "one stays in the log, and from now on this one speaks for the item.",
        NULL,
        NULL,
        NULL};
    struct action_options options = {.outcome = {.seizure_class = "", .unit = ""}};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.lists_codes) {
        return print_codes(ctl, correction_codes);
    }
    if (options.code == NULL || correction_code_find(options.code) == NULL) {
        ctl_refuse(options.code == NULL
                       ? "--code is required; `triagectl correct --codes` lists them%s"
                       : "no code \"%s\"; `triagectl correct --codes` lists them",
                   options.code == NULL ? "" : options.code);
        return CTL_USAGE;
    }
    options.outcome.again = outcome_again_text(OUTCOME_CORRECTION);
    options.outcome.code = options.code;
    struct wire_command command = {.order = ORDER_OUTCOME, .outcome = options.outcome};
    return act(ctl, &options, &command);
}
