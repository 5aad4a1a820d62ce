/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/ctl_order.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "ctl/share_tell.h"
#include "ctl/table.h"
#include "referral/referral.h"
#include "state/state.h"

/* The officer's list: what next, and why this one. */

#define QUEUE_LIMIT_MAX 10000u
#define LABEL_SHOWN \
    20u /* characters; some images have file names as labels: show and JSON have them whole */

struct queue_options {
    const char *mode;
    const char *site;
    uint32_t limit;
    uint32_t reasons; /* shown in the table; JSON has them all */
    bool all;
    bool watch;
};

/* Before the outcome is recorded an officer is not to know whether the coin or the model chose an
 * item, nor what would tell: then what the coin chose is examined like the rest. */
static void hide_arm(struct state_queue_row *row)
{
    if (!referral_state_is_terminal(referral_state_parse(row->state))) {
        strcpy(row->arm, "hidden");
        row->probability = NAN;
        row->propensity = NAN;
        row->priority = NAN;
        row->cutoff = NAN;
    }
}

/* What is hidden is left out. */
static void set_shown(json_t *object, const char *name, double value)
{
    if (!isnan(value)) {
        json_object_set_new(object, name, json_real(value));
    }
}

static void number_cell(struct table *table, double value)
{
    if (isnan(value)) {
        table_cell(table, "-");
    } else {
        table_cellf(table, "%.4f", value);
    }
}

static json_t *row_json(const struct state_queue_row *row, uint32_t rank, int64_t now_ns)
{
    json_t *reasons = json_array();
    for (uint32_t i = 0; i < row->reasons_count; i++) {
        json_array_append_new(reasons, json_text(row->reasons[i]));
    }
    json_t *object = json_object();
    json_object_set_new(object, "rank", json_integer(rank));
    json_object_set_new(object, "item", json_hex("", row->item, ITEM_ID_BYTES));
    json_object_set_new(object, "label", json_text(row->label));
    json_object_set_new(object, "mode", json_text(row->mode));
    json_object_set_new(object, "site", json_text(row->site));
    json_object_set_new(object, "lane", json_text(row->lane));
    set_shown(object, "score", row->probability);
    json_object_set_new(object, "arm", json_text(row->arm));
    set_shown(object, "propensity", row->propensity);
    set_shown(object, "priority", row->priority);
    set_shown(object, "cutoff", row->cutoff);
    json_object_set_new(object, "state", json_text(row->state));
    json_object_set_new(object, "actor", json_text(row->actor));
    json_object_set_new(object, "version", json_integer((json_int_t)row->version));
    json_object_set_new(object, "decided", json_time(row->decided_ns));
    json_object_set_new(object, "age_s", json_real((double)(now_ns - row->decided_ns) / 1e9));
    json_object_set_new(object, "decision_entry", json_integer((json_int_t)row->decision_index));
    json_object_set_new(object, "reasons", reasons);
    return object;
}

static void add_row(struct table *table, const struct state_queue_row *row, uint32_t rank,
                    uint32_t reasons_max, int64_t now_ns)
{
    char age[TABLE_CELL_BYTES];
    char item[2 * ITEM_ID_BYTES + 1];
    char reasons[STATE_REASONS_MAX * sizeof row->reasons[0]];
    size_t used = 0;
    reasons[0] = '\0';
    for (uint32_t i = 0; i < row->reasons_count && i < reasons_max; i++) {
        used += (size_t)snprintf(reasons + used, sizeof reasons - used, "%s%s", i > 0 ? "\n" : "",
                                 row->reasons[i]);
    }
    hex_encode(row->item, ITEM_ID_BYTES, item);
    format_age(now_ns - row->decided_ns, age);
    table_cellf(table, "%u", rank);
    table_cellf(table, "%.8s", item);
    if (strlen(row->label) > LABEL_SHOWN) {
        table_cellf(table, "%.*s...", (int)LABEL_SHOWN - 3, row->label);
    } else {
        table_cell(table, row->label);
    }
    table_cell(table, row->mode);
    table_cellf(table, "%s%s%s", row->site, row->lane[0] == '\0' ? "" : "/", row->lane);
    number_cell(table, row->probability);
    table_cell(table, row->arm);
    number_cell(table, row->propensity);
    table_cell(table, age);
    table_cell(table, row->state);
    table_cellf(table, "%llu", (unsigned long long)row->version);
    table_cell(table, reasons);
}

static int print_table(const struct state_queue_row *rows, uint32_t count,
                       const struct queue_options *options)
{
    static const struct table_column columns[] = {
        {"#", TABLE_RIGHT, 0},    {"ITEM", TABLE_LEFT, 1},        {"LABEL", TABLE_LEFT, 0},
        {"MODE", TABLE_LEFT, 0},  {"SITE/LANE", TABLE_LEFT, 4},   {"SCORE", TABLE_RIGHT, 0},
        {"ARM", TABLE_LEFT, 0},   {"PROPENSITY", TABLE_RIGHT, 0}, {"AGE", TABLE_RIGHT, 3},
        {"STATE", TABLE_LEFT, 2}, {"VERSION", TABLE_RIGHT, 5},    {"REASONS", TABLE_LEFT, 0},
    };
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    int64_t now_ns = clock_utc_ns();
    for (uint32_t i = 0; i < count; i++) {
        add_row(table, &rows[i], i + 1, options->reasons, now_ns);
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    if (count == 0) {
        puts("No referrals.");
    } else if (count == options->limit) {
        printf("The first %u; --limit shows more.\n", count);
    }
    return whole ? CTL_GOOD : ctl_refuse("no memory for the whole table");
}

/* What policy calls too old is the daemon's to say: no line when it does not answer, nor on a
 * screen that is shown anew all the time. */
static void print_overdue(struct ctl *ctl)
{
    json_t *health = ctl_order_health(ctl);
    const json_t *places = json_object_get(health, "overdue");
    json_int_t total = json_integer_value(json_object_get(health, "referrals_overdue"));
    const json_t *oldest = json_array_get(places, 0);
    if (total > 0 && oldest != NULL) {
        printf("Overdue: %" JSON_INTEGER_FORMAT " open for longer than policy's alarm_h; the "
               "oldest of them for %.1f h, %s at %s.\n",
               total, member_real(oldest, "oldest_h"), member_text(oldest, "mode"),
               member_text(oldest, "site"));
    }
    json_decref(health);
}

static int print_once(struct ctl *ctl, struct state *state, const struct queue_options *options)
{
    struct state_queue_row *rows = calloc(options->limit, sizeof *rows);
    if (rows == NULL) {
        return ctl_refuse("no memory for %u rows", options->limit);
    }
    struct state_queue_filter filter = {.mode = options->mode,
                                        .site = options->site,
                                        .all_states = options->all,
                                        .limit = options->limit,
                                        .now_ns = clock_utc_ns()};
    uint32_t count = 0;
    struct state_config config;
    struct err err = state_queue(state, &filter, rows, &count);
    if (!err_is(err)) {
        err = state_config(state, &config);
    }
    for (uint32_t i = 0; !err_is(err) && config.arm_hidden && i < count; i++) {
        hide_arm(&rows[i]);
    }
    int result;
    if (err_is(err)) {
        result = ctl_fail("read the queue", err);
    } else if (ctl->json) {
        json_t *array = json_array();
        int64_t now_ns = clock_utc_ns();
        for (uint32_t i = 0; i < count; i++) {
            json_array_append_new(array, row_json(&rows[i], i + 1, now_ns));
        }
        result = json_print(array, !options->watch);
    } else {
        result = print_table(rows, count, options);
        if (result == CTL_GOOD && count > 0 && !options->watch) {
            print_overdue(ctl);
        }
        json_t *shares = result == CTL_GOOD ? share_json(state) : NULL;
        result = shares != NULL ? share_print(shares, true) : CTL_REFUSED;
        json_decref(shares);
    }
    free(rows);
    return result;
}

/* A line of JSON, or a fresh screen, each time the log has moved on; at least every ten seconds,
 * for the ages. */
static int watch(struct ctl *ctl, struct state *state, const struct queue_options *options)
{
    /* What one officer does the others see within this, and what the log takes: 100 ms at most. */
    const struct timespec pause = {.tv_nsec = 25 * NS_PER_MS};
    bool clears = !ctl->json && isatty(STDOUT_FILENO);
    uint64_t shown = UINT64_MAX;
    int64_t shown_ns = 0;
    for (;;) {
        uint64_t applied = state_applied(state);
        int64_t now_ns = clock_monotonic_ns();
        if (applied != shown || now_ns - shown_ns >= 10 * NS_PER_S) {
            (void)fputs(clears ? "\033[H\033[2J" : "", stdout);
            int result = print_once(ctl, state, options);
            if (result != CTL_GOOD || fflush(stdout) != 0) {
                return CTL_REFUSED;
            }
            shown = applied;
            shown_ns = now_ns;
        }
        nanosleep(&pause, NULL);
    }
}

enum {
    OPTION_MODE = 'm',
    OPTION_SITE = 's',
    OPTION_LIMIT = 'n',
    OPTION_REASONS = 'r',
    OPTION_ALL = 'a',
    OPTION_WATCH = 'w'
};

static error_t parse_queue(int key, char *text, struct argp_state *state)
{
    struct queue_options *options = state->input;
    switch (key) {
    case OPTION_MODE:
        if (mode_parse(text) == MODE_UNKNOWN) {
            argp_error(state, "--mode takes truck, passenger, rail, sea, air or mail, not %s",
                       text);
        }
        options->mode = text;
        return 0;
    case OPTION_SITE:
        options->site = text;
        return 0;
    case OPTION_LIMIT:
        options->limit = (uint32_t)ctl_number(state, "limit", text, QUEUE_LIMIT_MAX);
        if (options->limit == 0) {
            argp_error(state, "--limit takes a number from 1 to %u", QUEUE_LIMIT_MAX);
        }
        return 0;
    case OPTION_REASONS:
        options->reasons = (uint32_t)ctl_number(state, "reasons", text, STATE_REASONS_MAX);
        return 0;
    case OPTION_ALL:
        options->all = true;
        return 0;
    case OPTION_WATCH:
        options->watch = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int ctl_queue(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"mode", OPTION_MODE, "MODE", 0, "only this mode", 1},
        {"site", OPTION_SITE, "SITE", 0, "only this site", 1},
        {"limit", OPTION_LIMIT, "N", 0, "at most N rows (default 50)", 1},
        {"reasons", OPTION_REASONS, "N", 0, "at most N reasons a row in the table (default all)",
         1},
        {"all", OPTION_ALL, 0, 0, "ended referrals too", 1},
        {"watch", OPTION_WATCH, 0, 0, "show it again whenever it changes, until interrupted", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table, parse_queue, "",  "The ranked referral queue: what next, and why.",
        NULL,          NULL,        NULL};
    struct queue_options options = {.limit = 50, .reasons = STATE_REASONS_MAX};
    ctl_parse(ctl, &own, &options, argc, argv);
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return CTL_REFUSED;
    }
    int result = options.watch ? watch(ctl, state, &options) : print_once(ctl, state, &options);
    state_close(&state);
    return result;
}
