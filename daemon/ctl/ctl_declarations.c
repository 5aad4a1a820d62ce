/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/team.h"
#include "ctl/declaration_group.h"
#include "ctl/declaration_options.h"
#include "ctl/evaluation_json.h"
#include "ctl/json_text.h"
#include "ctl/logged_declarations.h"
#include "ctl/table_secret.h"
#include "score/train_declarations.h"

/* `triagectl model train declarations`: a table of past declarations and what exams found becomes
 * a model file. */

enum { THREADS_MAX = 8 };

struct options {
    struct declaration_csv_conf table;
    const char *store;      /* NULL: from a table */
    const char *validation; /* NULL: none */
    const char *out;
    uint64_t newest; /* of a store: declarations with an outcome, 0: the most */
    bool lines;      /* rows of one id are lines of one declaration */
    struct train_declarations_conf train;
};

enum {
    OPTION_VALIDATE = 0x2000,
    OPTION_ARCHIVE,
    OPTION_OUT,
    OPTION_SEED,
    OPTION_KEEP_OUT,
    OPTION_LEAVE_OUT,
    OPTION_LINES,
    OPTION_NEWEST
};

static void leave_out(struct options *options, const char *name, struct argp_state *state)
{
    uint32_t group = 0;
    while (group < LINE_GROUPS && strcmp(line_group_name(group), name) != 0) {
        group++;
    }
    if (group == LINE_GROUPS) {
        argp_error(state, "--leave-out takes the name of a contribution, not %s", name);
    }
    options->train.left_out[group < LINE_GROUPS ? group : 0] = true;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->table;
        return 0;
    case OPTION_VALIDATE:
        options->validation = text;
        return 0;
    case OPTION_ARCHIVE:
        options->store = text;
        return 0;
    case OPTION_OUT:
        options->out = text;
        return 0;
    case OPTION_SEED:
        options->train.seed = ctl_number(state, "seed", text, UINT32_MAX);
        return 0;
    case OPTION_LEAVE_OUT:
        leave_out(options, text, state);
        return 0;
    case OPTION_KEEP_OUT:
        options->train.keep_validation_out = true;
        return 0;
    case OPTION_NEWEST:
        options->newest = ctl_number(state, "newest", text, LOGGED_MAX);
        if (options->newest == 0) {
            argp_error(state, "--newest takes at least 1");
        }
        return 0;
    case OPTION_LINES:
        options->lines = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", text);
        return 0;
    case ARGP_KEY_END:
        if ((options->table.path == NULL) == (options->store == NULL) || options->out == NULL) {
            argp_error(state, "--out and one of --declarations and --archive are required");
        }
        if (options->store != NULL && options->validation != NULL) {
            argp_error(state, "--validate goes with --declarations");
        }
        if (options->store != NULL ? options->lines : options->newest > 0) {
            argp_error(state, options->lines ? "--lines goes with --declarations"
                                             : "--newest goes with --archive");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct counts {
    uint64_t used;
    uint64_t skipped;
    uint64_t future;
    uint64_t future_line; /* of the first of them */
};

/* One mistyped year would make all that is older look forgotten, and close the model to outcomes
 * of the years between. A day is left for clocks and time zones. */
static bool is_of_the_future(const struct declaration_row *row)
{
    return row->declaration.declared_ns > clock_utc_ns() + INT64_C(86400) * NS_PER_S;
}

static bool is_to_be_learnt(const struct declaration_row *row, struct counts *counts)
{
    if (row->problem != NULL || !row->labelled) {
        counts->skipped++;
        return false;
    }
    if (is_of_the_future(row)) {
        counts->future_line = counts->future == 0 ? row->line : counts->future_line;
        counts->future++;
        return false;
    }
    return true;
}

/* A bad or unlabelled row is counted, not guessed at; so is one of the future. */
static int add_rows(struct train_declarations *train, const char *path, bool validation,
                    struct declaration_group *table, struct counts *counts)
{
    char error[CSV_ERROR_BYTES] = "";
    for (enum csv_step step = CSV_ROW; step != CSV_END;) {
        struct declaration_row row;
        struct err err = declaration_group_next(table, &row, &step, error);
        if (err_is(err)) {
            return ctl_refuse("%s: %s", path, error);
        }
        if (step != CSV_ROW || !is_to_be_learnt(&row, counts)) {
            continue;
        }
        const struct train_outcome outcome = {.found = row.found,
                                              .critical = row.critical,
                                              .validation = validation,
                                              .t_ns = row.declaration.declared_ns};
        err = train_declarations_add(train, &row.declaration, &outcome);
        if (err.code == ERR_ARGUMENT) {
            return ctl_refuse("%s:%" PRIu64 ": %s", path, row.line, err.where);
        }
        if (err_is(err)) {
            return ctl_fail(path, err);
        }
        counts->used++;
    }
    return CTL_GOOD;
}

static int add_table(struct train_declarations *train, const struct options *options,
                     const char *path, bool validation)
{
    char error[CSV_ERROR_BYTES] = "";
    struct declaration_csv_conf conf = options->table;
    conf.path = path;
    struct declaration_group *table = NULL;
    struct err err = declaration_group_open(&conf, options->lines, &table, error);
    if (err_is(err)) {
        return ctl_refuse("%s: %s", path, error);
    }
    struct counts counts = {.used = 0};
    int result =
        declaration_group_is_dated(table)
            ? add_rows(train, path, validation, table, &counts)
            : ctl_refuse(
                  "%s: the mapping names no column for \"declared\": rows without dates cannot"
                  " be learnt from",
                  path);
    declaration_group_tell(table, path);
    declaration_group_close(&table);
    if (counts.future > 0) {
        (void)fprintf(stderr,
                      "%s:%" PRIu64 ": labelled, but dated in the future; %" PRIu64
                      " such rows are not learnt\n",
                      path, counts.future_line, counts.future);
    }
    (void)fprintf(stderr,
                  "%s: %" PRIu64 " labelled rows, %" PRIu64 " skipped (unlabelled or unreadable)\n",
                  path, counts.used, counts.skipped);
    return result;
}

static int add_logged(struct train_declarations *train, struct logged_declarations *logged)
{
    uint64_t random = 0;
    uint64_t lost = 0;
    uint64_t count = logged_declarations_count(logged);
    for (uint64_t i = 0; i < count; i++) {
        const struct logged_declaration *row = logged_declarations_at(logged, i);
        const struct declaration *declaration = NULL;
        const struct train_outcome outcome = {.found = row->found,
                                              .t_ns = row->decided_ns,
                                              .known_ns = row->known_ns,
                                              .exam = row->exam};
        struct err err = logged_declarations_read(logged, i, &declaration);
        if (!err_is(err) && declaration != NULL) {
            err = train_declarations_add(train, declaration, &outcome);
        }
        if (err_is(err)) {
            return ctl_fail("log", err);
        }
        lost += declaration == NULL;
        random += declaration != NULL && logged_is_random(row);
    }
    (void)fprintf(stderr,
                  "log: %" PRIu64 " declarations with the outcome of an exam, %" PRIu64
                  " of them drawn by the coin; %" PRIu64 " more are no longer kept\n",
                  count - lost, random, lost);
    return CTL_GOOD;
}

static int tell(const struct ctl *ctl, const struct train_declarations_report *report)
{
    if (ctl->json) {
        json_t *out = json_object();
        json_object_set_new(out, "path", json_text(report->model.path));
        json_object_set_new(out, "name", json_text(report->model.name));
        json_object_set_new(out, "sha256", json_hex("", report->model.sha256, HASH_BYTES));
        json_object_set_new(out, "evaluation", json_text(report->model.evaluation));
        json_object_set_new(out, "later", evaluation_json(&report->later));
        json_object_set_new(out, "known_importers", evaluation_json(&report->known));
        json_object_set_new(out, "newcomers", evaluation_json(&report->newcomers));
        json_object_set_new(out, "critical", evaluation_json(&report->critical));
        json_object_set_new(out, "by_lines", line_buckets_json(report->by_lines));
        json_t *growth = json_array();
        for (uint32_t knot = 0; knot < ITEM_LINES_KNOTS; knot++) {
            json_array_append_new(growth, json_real(report->lines.growth[knot]));
        }
        json_object_set_new(out, "lines_learnt", json_boolean(report->lines.known));
        json_object_set_new(out, "lines_growth", growth);
        json_object_set_new(out, "lines_slope", json_real(report->lines.slope));
        return json_print(out, true);
    }
    printf("%s\n  %s\n  %s\n", report->model.name, report->model.path, report->model.evaluation);
    return CTL_GOOD;
}

static int learn(struct ctl *ctl, const struct options *options, struct logged_declarations *logged,
                 struct train_declarations *train)
{
    int result = logged != NULL ? add_logged(train, logged)
                                : add_table(train, options, options->table.path, false);
    if (result == CTL_GOOD && options->validation != NULL) {
        result = add_table(train, options, options->validation, true);
    }
    if (result != CTL_GOOD) {
        return result;
    }
    struct train_declarations_report report;
    struct err err = train_declarations_write(train, options->out, &report);
    if (err.code == ERR_ARGUMENT) {
        return ctl_refuse("%s", err.where);
    }
    return err_is(err) ? ctl_fail(options->out, err) : tell(ctl, &report);
}

int ctl_model_train_declarations(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"archive", OPTION_ARCHIVE, "STORE", 0,
         "instead of a table: a port's store; labels are the outcomes of exams in its log", 1},
        {"newest", OPTION_NEWEST, "N", 0,
         "of a store only the newest N declarations that were examined (default 4194304, the most)",
         1},
        {"validate", OPTION_VALIDATE, "FILE", 0,
         "later ones, to judge and to calibrate by; then they are learnt too", 1},
        {"keep-validate-out", OPTION_KEEP_OUT, 0, 0,
         "write the model that has learnt nothing from the later ones", 1},
        {"leave-out", OPTION_LEAVE_OUT, "NAME", 0,
         "do without this contribution (history.hs6_value ...); may be given again", 1},
        {"lines", OPTION_LINES, 0, 0,
         "rows that follow one another with the same id are lines of one declaration", 1},
        {"out", OPTION_OUT, "DIR", 0, "where the model file goes (required)", 1},
        {"seed", OPTION_SEED, "N", 0, "of the trees (default 1)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table,
        parse,
        "",
        "Learn trees over the histories of entities and the oddities of goods from past exams"
        " in a table, whose mapping names the labels, or in a port's own log. Same rows and"
        " options: same file.",
        declaration_options_children,
        NULL,
        NULL};
    struct options options = {
        .table = {.site = "training", .lane = ""},
        .train = {.seed = 1, .threads = (uint32_t)team_threads(THREADS_MAX)},
    };
    ctl_parse(ctl, &own, &options, argc, argv);
    struct err err = durable_directory(options.out, 0755);
    if (err_is(err)) {
        return ctl_fail(options.out, err);
    }
    struct train_declarations *train = NULL;
    struct logged_declarations *logged = NULL;
    if (options.store != NULL) {
        ctl->directory = options.store;
        uint64_t newest = options.newest > 0 ? options.newest : LOGGED_MAX;
        if (!logged_declarations_open(ctl, newest, &logged)) {
            return CTL_REFUSED;
        }
        err = logged_secret(logged, options.train.secret);
    } else {
        table_secret(options.table.path, options.train.secret);
    }
    err = err_is(err) ? err : train_declarations_open(&options.train, &train);
    int result = err_is(err) ? ctl_fail("train", err) : learn(ctl, &options, logged, train);
    train_declarations_close(&train);
    logged_declarations_close(&logged);
    return result;
}
