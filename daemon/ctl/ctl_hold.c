/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "ctl/ctl_order.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "ctl/table.h"

/* Legal holds: who and why goes into the log; while one is in force nothing of the item (or, with
 * --all, of anything) is discarded. */

struct hold_options {
    const char *item;
    const char *reason;
    bool all;
};

static error_t parse_hold(int key, char *text, struct argp_state *state)
{
    struct hold_options *options = state->input;
    switch (key) {
    case 'r':
        options->reason = text;
        return 0;
    case 'a':
        options->all = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->item != NULL) {
            argp_error(state, "one ITEM at a time");
        }
        options->item = text;
        return 0;
    case ARGP_KEY_END:
        if ((options->item == NULL) != options->all) {
            argp_error(state, "give ITEM, or --all");
        }
        if (options->reason == NULL || options->reason[0] == '\0') {
            argp_error(state, "--reason TEXT: why? It goes into the log");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int hold_order(struct ctl *ctl, int argc, char **argv, bool placed, const char *sentence)
{
    static const struct argp_option table[] = {
        {"reason", 'r', "TEXT", 0, "why, for the log: the order, its number", 1},
        {"all", 'a', 0, 0, "a hold on everything, whatever its item", 1},
        {0, 0, 0, 0, 0, 0},
    };
    const struct argp own = {table, parse_hold, "ITEM", sentence, NULL, NULL, NULL};
    struct hold_options options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    struct wire_command command = {.order = ORDER_HOLD,
                                   .sentence = options.reason,
                                   .hold_all = options.all,
                                   .hold_placed = placed};
    if (!options.all) {
        struct state *state = ctl_open_state(ctl);
        bool found = state != NULL && ctl_find_item(state, options.item, command.item);
        state_close(&state);
        if (!found) {
            return CTL_REFUSED;
        }
    }
    return ctl_order(ctl, &command);
}

int ctl_hold_add(struct ctl *ctl, int argc, char **argv)
{
    return hold_order(ctl, argc, argv, true,
                      "Place a legal hold: from this entry of the log on nothing of the item is "
                      "discarded until the hold is removed.");
}

int ctl_hold_remove(struct ctl *ctl, int argc, char **argv)
{
    return hold_order(ctl, argc, argv, false,
                      "Lift a legal hold. What is due is discarded at the next look.");
}

int ctl_hold_list(struct ctl *ctl, int argc, char **argv)
{
    static const char sql[] = "SELECT holds.entry, holds.t_ns, holds.item, items.label, "
                              "holds.actor, holds.reason FROM holds LEFT JOIN items ON items.item "
                              "= holds.item ORDER BY holds.entry";
    static const struct table_column columns[] = {
        {"ENTRY", TABLE_RIGHT, 0}, {"SINCE", TABLE_LEFT, 0}, {"ITEM", TABLE_LEFT, 0},
        {"LABEL", TABLE_LEFT, 1},  {"BY", TABLE_LEFT, 2},    {"REASON", TABLE_LEFT, 0}};
    ctl_parse_nothing(ctl, "Legal holds in force, by the log.", argc, argv);
    struct state *state = ctl_open_state(ctl);
    json_t *holds = state == NULL ? NULL : rows_of(state, sql, "inhttt");
    state_close(&state);
    if (holds == NULL) {
        return CTL_REFUSED;
    }
    if (ctl->json) {
        return json_print(holds, true);
    }
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    size_t index;
    json_t *hold;
    json_array_foreach(holds, index, hold)
    {
        const char *item = member_text(hold, "item");
        table_cellf(table, "%lld", member_integer(hold, "entry"));
        table_cellf(table, "%.19sZ", member_text(hold, "t"));
        table_cellf(table, "%.8s", item[0] == '\0' ? "all" : item);
        table_cell(table, member_text(hold, "label"));
        table_cell(table, member_text(hold, "actor"));
        table_cell(table, member_text(hold, "reason"));
    }
    bool whole = table == NULL || table_print(table, stdout, terminal_width(stdout));
    if (json_array_size(holds) == 0) {
        puts("No legal hold is in force.");
    }
    table_close(&table);
    json_decref(holds);
    return whole ? CTL_GOOD : CTL_REFUSED;
}
