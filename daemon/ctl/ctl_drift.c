/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/declaration_options.h"
#include "ctl/drift_tell.h"
#include "ctl/json_text.h"
#include "ctl/logged_declarations.h"
#include "state/state.h"

/* `triagectl model drift`: all that came in, examined or not, because what is examined follows the
 * model. Of a port's log, or of two tables. */

#define SAMPLE_MAX UINT64_C(20000) /* of each side; more only makes small drifts significant */

static const int64_t day_ns = INT64_C(86400) * NS_PER_S;

struct options {
    struct declaration_csv_conf table;
    const char *reference;
    uint64_t days;
    uint64_t reference_days;
};

enum { OPTION_REFERENCE = 0x2000, OPTION_DAYS, OPTION_REFERENCE_DAYS };

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->table;
        return 0;
    case OPTION_REFERENCE:
        options->reference = text;
        return 0;
    case OPTION_DAYS:
        options->days = ctl_number(state, "days", text, 3650);
        return 0;
    case OPTION_REFERENCE_DAYS:
        options->reference_days = ctl_number(state, "reference-days", text, 3650);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if ((options->table.path == NULL) != (options->reference == NULL)) {
            argp_error(state, "--declarations and --reference go together");
        }
        if (options->days == 0 || options->reference_days == 0) {
            argp_error(state, "a side has at least 1 day");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int add_table(struct drift *drift, const struct options *options, const char *path, bool now)
{
    char error[CSV_ERROR_BYTES] = "";
    struct declaration_csv_conf conf = options->table;
    struct declaration_csv *table = NULL;
    conf.path = path;
    struct err err = declaration_csv_open(&conf, &table, error);
    for (enum csv_step step = CSV_ROW; !err_is(err) && step != CSV_END;) {
        struct declaration_row row;
        err = declaration_csv_next(table, &row, &step, error);
        if (!err_is(err) && step == CSV_ROW) {
            err = drift_add(drift, &row.declaration, NAN, now);
        }
    }
    declaration_csv_close(&table);
    if (err_is(err)) {
        return error[0] != '\0' ? ctl_refuse("%s: %s", path, error) : ctl_fail(path, err);
    }
    return CTL_GOOD;
}

static int add_received(struct ctl *ctl, struct drift *drift, int64_t from_ns, int64_t until_ns,
                        bool now)
{
    struct logged_declarations *logged = NULL;
    if (!logged_declarations_open_received(ctl, from_ns, until_ns, SAMPLE_MAX, &logged)) {
        return CTL_REFUSED;
    }
    struct err err = err_none;
    uint64_t count = logged_declarations_count(logged);
    for (uint64_t i = 0; i < count && !err_is(err); i++) {
        const struct logged_declaration *row = logged_declarations_at(logged, i);
        const struct declaration *declaration = NULL;
        err = logged_declarations_read(logged, i, &declaration);
        if (!err_is(err) && declaration != NULL) {
            bool scored = row->decided_ns > 0 && row->probability > 0;
            err = drift_add(drift, declaration, scored ? row->probability : NAN, now);
        }
    }
    logged_declarations_close(&logged);
    return err_is(err) ? ctl_fail("log", err) : CTL_GOOD;
}

static void take_time(void *argument, uint32_t columns_count, const char *const *names,
                      const char *const *values)
{
    int64_t *t_ns = argument;
    (void)columns_count, (void)names;
    *t_ns = values[0] != NULL ? strtoll(values[0], NULL, 10) : 0;
}

/* The days end with the newest declaration, so that a log can be looked at later. */
static int add_log(struct ctl *ctl, struct drift *drift, const struct options *options)
{
    int64_t newest_ns = 0;
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return CTL_REFUSED;
    }
    struct err err = state_metric(state, "SELECT max(t_ns) FROM records WHERE kind = 'declaration'",
                                  take_time, &newest_ns);
    state_close(&state);
    if (err_is(err)) {
        return ctl_fail("read model", err);
    }
    int64_t end_ns = newest_ns + 1;
    int64_t cut_ns = end_ns - (int64_t)options->days * day_ns;
    int result =
        add_received(ctl, drift, cut_ns - (int64_t)options->reference_days * day_ns, cut_ns, false);
    return result == CTL_GOOD ? add_received(ctl, drift, cut_ns, end_ns, true) : result;
}

static int tell(const struct ctl *ctl, const struct drift *drift)
{
    struct drift_field fields[DRIFT_FIELDS_MAX];
    uint32_t count = 0;
    struct err err = drift_make(drift, fields, &count);
    if (err.code == ERR_ARGUMENT) {
        return ctl_refuse("%" PRIu64 " declarations then and %" PRIu64
                          " now: there is nothing to compare",
                          drift_count(drift, false), drift_count(drift, true));
    }
    if (err_is(err)) {
        return ctl_fail("drift", err);
    }
    if (ctl->json) {
        json_t *out = json_object();
        json_object_set_new(out, "then", json_integer((json_int_t)drift_count(drift, false)));
        json_object_set_new(out, "now", json_integer((json_int_t)drift_count(drift, true)));
        json_object_set_new(out, "fields", drift_json(fields, count));
        return json_print(out, true);
    }
    printf("%" PRIu64 " declarations then, %" PRIu64 " now\n\n", drift_count(drift, false),
           drift_count(drift, true));
    return drift_print(fields, count);
}

int ctl_model_drift(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"days", OPTION_DAYS, "N", 0, "the last N days of the log are now (default 7)", 1},
        {"reference-days", OPTION_REFERENCE_DAYS, "N", 0,
         "the N days before them are then (default 90)", 1},
        {"reference", OPTION_REFERENCE, "FILE", 0,
         "instead of the log: a table that is then; --declarations is now", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse,
        "",
        "How far the declarations of the latest days differ from those before, field by field:"
        " population stability index. Of the port's log, or of two tables.",
        declaration_options_children,
        NULL,
        NULL};
    struct options options = {
        .table = {.site = "drift", .lane = "", .blind = true}, .days = 7, .reference_days = 90};
    struct drift *drift = NULL;
    ctl_parse(ctl, &own, &options, argc, argv);
    struct err err = drift_open(&drift);
    if (err_is(err)) {
        return ctl_fail("drift", err);
    }
    int result = options.reference == NULL ? add_log(ctl, drift, &options)
                                           : add_table(drift, &options, options.reference, false);
    if (result == CTL_GOOD && options.reference != NULL) {
        result = add_table(drift, &options, options.table.path, true);
    }
    result = result == CTL_GOOD ? tell(ctl, drift) : result;
    drift_close(&drift);
    return result;
}
