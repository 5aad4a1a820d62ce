/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include "ctl/ctl_order.h"

/* The daemon decides what may go, tells the log of it and removes it; here is only the question
 * whether that is meant. */

struct prune_options {
    uint64_t below;
    const char *reason;
    bool dry_run;
    bool yes;
};

static error_t parse_prune(int key, char *text, struct argp_state *state)
{
    struct prune_options *options = state->input;
    switch (key) {
    case 'b':
        options->below = ctl_number(state, "below", text, INT64_MAX);
        return 0;
    case 'r':
        options->reason = text;
        return 0;
    case 'n':
        options->dry_run = true;
        return 0;
    case 'y':
        options->yes = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if (options->below == 0) {
            argp_error(state, "--below N: which entries?");
        }
        if (!options->dry_run && options->reason == NULL) {
            argp_error(state, "--reason TEXT: why? It goes into the log");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int ctl_log_prune(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"below", 'b', "N", 0, "entries below this number, over all shards, may go", 1},
        {"reason", 'r', "TEXT", 0, "why, for the entry that tells of it", 1},
        {"dry-run", 'n', 0, 0, "say what would go, and whether it may", 1},
        {"yes", 'y', 0, 0, "do it", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse_prune,
        "",
        "Take whole bundles of old entries out of the public log. Hash tiles and checkpoints stay: "
        "every root and proof stays provable, and an entry tells who pruned and why. Only sealed "
        "entries outside the write-ahead log can go. What goes cannot be read here again, and the "
        "read model (state.db) cannot be made again from the log: keep a copy.",
        NULL,
        NULL,
        NULL};
    struct prune_options options = {0};
    ctl_parse(ctl, &own, &options, argc, argv);
    if (!options.dry_run && !options.yes) {
        return ctl_refuse("the entries cannot be read again from this log, and the read model "
                          "cannot be made again from it; keep a copy, look with --dry-run, then "
                          "say --yes");
    }
    struct wire_command command = {.order = ORDER_PRUNE,
                                   .sentence = options.dry_run ? "dry run" : options.reason,
                                   .prune_below = options.below,
                                   .dry_run = options.dry_run};
    return ctl_order_report(ctl, &command);
}
