/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/ctl_order.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "ctl/table.h"
#include "kernels/statistics.h"
#include "ledger/operation.h"

/* Targeted operations: registered before they start, closed with the figures of their metric. */

#define CONFIDENCE 0.95

enum {
    OPTION_MODE = 0x3000,
    OPTION_SITE,
    OPTION_LANE,
    OPTION_FROM,
    OPTION_TO,
    OPTION_HYPOTHESIS,
    OPTION_METRIC,
    OPTION_COMPARATOR,
    OPTION_STOP_RULE,
    OPTION_REASON
};

static error_t parse_text(int key, char *text, struct entry_operation *operation)
{
    switch (key) {
    case OPTION_SITE:
        operation->site = text;
        return 0;
    case OPTION_LANE:
        operation->lane = text;
        return 0;
    case OPTION_HYPOTHESIS:
        operation->hypothesis = text;
        return 0;
    case OPTION_METRIC:
        operation->metric = text;
        return 0;
    case OPTION_COMPARATOR:
        operation->comparator = text;
        return 0;
    case OPTION_STOP_RULE:
        operation->stop_rule = text;
        return 0;
    case OPTION_REASON:
        operation->reason = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_operation(int key, char *text, struct argp_state *state)
{
    struct entry_operation *operation = state->input;
    switch (key) {
    case OPTION_MODE:
        operation->mode = mode_parse(text);
        if (operation->mode == MODE_UNKNOWN) {
            argp_error(state, "--mode takes truck, passenger, rail, sea, air or mail, not %s",
                       text);
        }
        return 0;
    case OPTION_FROM:
    case OPTION_TO:
        if (!ctl_parse_time(text, key == OPTION_FROM ? &operation->from_ns : &operation->to_ns)) {
            argp_error(state, "%s takes 2026-09-21 or 2026-09-21T11:22:33Z, not %s",
                       key == OPTION_FROM ? "--from" : "--to", text);
        }
        return 0;
    case ARGP_KEY_ARG:
        if (operation->name != NULL) {
            argp_error(state, "one NAME at a time");
        }
        operation->name = text;
        return 0;
    case ARGP_KEY_END:
        if (operation->name == NULL) {
            argp_error(state, "which operation? Give its NAME");
        }
        return 0;
    default:
        return parse_text(key, text, operation);
    }
}

int ctl_operation_register(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"mode", OPTION_MODE, "MODE", 0, "items of this mode (default: every one)", 1},
        {"site", OPTION_SITE, "SITE", 0, "items of this site (default: every one)", 1},
        {"lane", OPTION_LANE, "LANE", 0, "items of this lane of the site (default: every one)", 1},
        {"from", OPTION_FROM, "TIME", 0, "first moment, UTC; it must lie ahead (required)", 1},
        {"to", OPTION_TO, "TIME", 0, "end, UTC, not included (required)", 1},
        {"hypothesis", OPTION_HYPOTHESIS, "TEXT", 0, "what is expected, and why (required)", 1},
        {"metric", OPTION_METRIC, "METRIC", 0,
         "what it is judged by: hit_rate, exam_rate or find_rate (required)", 1},
        {"comparator", OPTION_COMPARATOR, "COMPARATOR", 0,
         "against what: before, others or random (required)", 1},
        {"stop-rule", OPTION_STOP_RULE, "TEXT", 0, "when it ends early (required)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        table,
        parse_operation,
        "NAME",
        "Register a targeted operation before it starts: scope, dates, hypothesis, metric, "
        "comparator and stop rule stand in the log from then on, and cannot be changed.",
        NULL,
        NULL,
        NULL};
    struct wire_command command = {.order = ORDER_OPERATION, .operation = {.step = "register"}};
    ctl_parse(ctl, &own, &command.operation, argc, argv);
    const char *fault = operation_fault(&command.operation, 0);
    if (fault != NULL) {
        ctl_refuse("%s", fault);
        return CTL_USAGE;
    }
    return ctl_order(ctl, &command);
}

int ctl_operation_close(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"reason", OPTION_REASON, "TEXT", 0, "why now, for the log (required)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        table,  parse_operation,
        "NAME", "Close an operation. Its figures, as they are now, go into the log with it.",
        NULL,   NULL,
        NULL};
    struct wire_command command = {.order = ORDER_OPERATION, .operation = {.step = "close"}};
    ctl_parse(ctl, &own, &command.operation, argc, argv);
    if (command.operation.reason == NULL) {
        ctl_refuse("--reason TEXT: why is it closed? It goes into the log");
        return CTL_USAGE;
    }
    return ctl_order(ctl, &command);
}

static const char list_sql[] =
    "SELECT name, t_ns, actor, mode, site, lane, from_ns, to_ns, hypothesis, metric, comparator,"
    " stop_rule, closed_ns, reason, numerator, denominator, comparator_numerator,"
    " comparator_denominator FROM operations ORDER BY entry";

/* What is still running is counted until now; what is closed stays as it was written down. */
static bool add_figures(struct state *state, json_t *operation)
{
    struct state_figures figures = {0};
    if (json_object_get(operation, "closed") == NULL) {
        struct err err = state_operation_figures(state, member_text(operation, "name"),
                                                 clock_utc_ns(), &figures);
        if (err_is(err)) {
            ctl_fail(member_text(operation, "name"), err);
            return false;
        }
        json_object_set_new(operation, "numerator", json_integer((long long)figures.numerator));
        json_object_set_new(operation, "denominator", json_integer((long long)figures.denominator));
        json_object_set_new(operation, "comparator_numerator",
                            json_integer((long long)figures.comparator_numerator));
        json_object_set_new(operation, "comparator_denominator",
                            json_integer((long long)figures.comparator_denominator));
    }
    struct statistics_rate first = {(uint64_t)member_integer(operation, "numerator"),
                                    (uint64_t)member_integer(operation, "denominator")};
    struct statistics_rate second = {(uint64_t)member_integer(operation, "comparator_numerator"),
                                     (uint64_t)member_integer(operation, "comparator_denominator")};
    if (first.count > 0 && second.count > 0) {
        struct statistics_interval interval = statistics_newcombe(first, second, CONFIDENCE);
        json_object_set_new(operation, "difference",
                            json_real((double)first.hit_count / (double)first.count -
                                      (double)second.hit_count / (double)second.count));
        json_object_set_new(operation, "difference_lower", json_real(interval.lower));
        json_object_set_new(operation, "difference_upper", json_real(interval.upper));
    }
    return true;
}

static void print_operations(const json_t *operations)
{
    static const struct table_column columns[] = {
        {"NAME", TABLE_LEFT, 0},       {"FROM", TABLE_LEFT, 0},       {"TO", TABLE_LEFT, 0},
        {"SCOPE", TABLE_LEFT, 1},      {"METRIC", TABLE_LEFT, 0},     {"IS", TABLE_RIGHT, 0},
        {"COMPARATOR", TABLE_LEFT, 0}, {"DIFFERENCE", TABLE_LEFT, 0}, {"CLOSED", TABLE_LEFT, 2}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    size_t index;
    json_t *one;
    json_array_foreach(operations, index, one)
    {
        const char *mode = member_text(one, "mode");
        const char *site = member_text(one, "site");
        table_cell(table, member_text(one, "name"));
        table_cellf(table, "%.16sZ", member_text(one, "from"));
        table_cellf(table, "%.16sZ", member_text(one, "to"));
        table_cellf(table, "%s %s %s", mode[0] == '\0' ? "all" : mode,
                    site[0] == '\0' ? "everywhere" : site, member_text(one, "lane"));
        table_cell(table, member_text(one, "metric"));
        table_cellf(table, "%lld of %lld", member_integer(one, "numerator"),
                    member_integer(one, "denominator"));
        table_cellf(table, "%s: %lld of %lld", member_text(one, "comparator"),
                    member_integer(one, "comparator_numerator"),
                    member_integer(one, "comparator_denominator"));
        if (json_object_get(one, "difference") != NULL) {
            table_cellf(table, "%+.1f%% (%+.1f to %+.1f)", 100 * member_real(one, "difference"),
                        100 * member_real(one, "difference_lower"),
                        100 * member_real(one, "difference_upper"));
        } else {
            table_cell(table, "-");
        }
        table_cellf(table, "%.19s", member_text(one, "closed"));
    }
    if (table == NULL || !table_print(table, stdout, terminal_width(stdout))) {
        ctl_refuse("no memory");
    }
    table_close(&table);
}

int ctl_operation_list(struct ctl *ctl, int argc, char **argv)
{
    ctl_parse_nothing(ctl,
                      "Targeted operations with their figures: as written at the close, or as they "
                      "are so far. The difference has Newcombe's 95% interval.",
                      argc, argv);
    struct state *state = ctl_open_state(ctl);
    json_t *operations = state == NULL ? NULL : rows_of(state, list_sql, "tnttttnnttttntiiii");
    size_t index;
    json_t *one;
    bool good = operations != NULL;
    json_array_foreach(operations, index, one)
    {
        good = good && add_figures(state, one);
    }
    state_close(&state);
    if (good && ctl->json) {
        return json_print(operations, true);
    }
    if (good && json_array_size(operations) == 0) {
        puts("No operation is registered.");
    } else if (good) {
        print_operations(operations);
    }
    json_decref(operations);
    return good ? CTL_GOOD : CTL_REFUSED;
}
