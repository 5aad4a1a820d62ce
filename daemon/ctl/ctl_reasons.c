/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl_order.h"
#include "state/state.h"

/* Orders that need a reason: another policy, and a referral by hand. */

struct reason_options {
    const char *item;
    const char *reason;
    bool wants_item;
};

static error_t parse_reason(int key, char *text, struct argp_state *state)
{
    struct reason_options *options = state->input;
    switch (key) {
    case 'r':
        options->reason = text;
        return 0;
    case ARGP_KEY_ARG:
        if (!options->wants_item || options->item != NULL) {
            argp_error(state, "unexpected argument %s", text);
        }
        options->item = text;
        return 0;
    case ARGP_KEY_END:
        if (options->wants_item && options->item == NULL) {
            argp_error(state, "which ITEM?");
        }
        if (options->reason == NULL || options->reason[0] == '\0') {
            argp_error(state, "--reason TEXT: why? It goes into the log");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option reason_table[] = {
    {"reason", 'r', "TEXT", 0, "why, for the log", 1},
    {0, 0, 0, 0, 0, 0},
};

int ctl_policy_load(struct ctl *ctl, int argc, char **argv)
{
    const struct argp own = {
        reason_table,
        parse_reason,
        "",
        "Have the daemon read its policy file again and put it in force: capacity, rates, shadow "
        "mode, the kill switch (target = \"off\"). Who and why goes into the log first.",
        NULL,
        NULL,
        NULL};
    struct reason_options options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    struct wire_command command = {.order = ORDER_POLICY, .sentence = options.reason};
    return ctl_order(ctl, &command);
}

int ctl_refer(struct ctl *ctl, int argc, char **argv)
{
    const struct argp own = {reason_table,
                             parse_reason,
                             "ITEM",
                             "Refer an item by hand that was decided and let go. It is an arm of "
                             "its own and counts for no other.",
                             NULL,
                             NULL,
                             NULL};
    struct reason_options options = {.wants_item = true};
    ctl_parse(ctl, &own, &options, argc, argv);
    struct wire_command command = {.order = ORDER_REFER, .sentence = options.reason};
    struct state *state = ctl_open_state(ctl);
    bool found = state != NULL && ctl_find_item(state, options.item, command.item);
    state_close(&state);
    return found ? ctl_order(ctl, &command) : CTL_REFUSED;
}
