/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/json_text.h"
#include "ctl/metric_file.h"
#include "ctl/quality_tell.h"
#include "ctl/rows.h"
#include "ctl/share_tell.h"
#include "ctl/table.h"
#include "kernels/statistics.h"

/* Every number here is a metric of config/metrics: the file says what is counted, this program adds
 * the interval and says when a cell is too small to be quoted. */

#define SMALL_CELL 10u /* a denominator below this is marked: STATISTICS.md, trap T7 */
#define CONFIDENCE 0.95
#define METRICS_MAX 64u

struct report_options {
    const char *directory;
    const char *only; /* one metric by name; NULL: all */
    struct metric_period period;
};

/* What the supervisor asks first comes first; the rest follows by name. */
static const char *const first_metrics[] = {"funnel", "hit_rate_by_arm", "realised_random_rate"};
enum { FIRST_COUNT = sizeof first_metrics / sizeof first_metrics[0] };

static int place_of(const char *file)
{
    for (int i = 0; i < FIRST_COUNT; i++) {
        size_t bytes = strlen(first_metrics[i]);
        if (strncmp(file, first_metrics[i], bytes) == 0 && strcmp(file + bytes, ".sql") == 0) {
            return i;
        }
    }
    return FIRST_COUNT;
}

static int compare_files(const void *a, const void *b)
{
    const char *const *first = a;
    const char *const *second = b;
    int difference = place_of(*first) - place_of(*second);
    return difference != 0 ? difference : strcmp(*first, *second);
}

static void add_interval(json_t *row)
{
    struct statistics_rate rate = {(uint64_t)member_integer(row, "numerator"),
                                   (uint64_t)member_integer(row, "denominator")};
    if (rate.count == 0 || rate.hit_count > rate.count) {
        return; /* nothing to say of nothing */
    }
    struct statistics_interval interval = statistics_wilson(rate, CONFIDENCE);
    json_object_set_new(row, "rate", json_real((double)rate.hit_count / (double)rate.count));
    json_object_set_new(row, "lower", json_real(interval.lower));
    json_object_set_new(row, "upper", json_real(interval.upper));
    json_object_set_new(row, "small", json_boolean(rate.count < SMALL_CELL));
}

static void take_metric_row(void *arg, uint32_t columns_count, const char *const *names,
                            const char *const *values)
{
    json_t *row = json_object();
    for (uint32_t i = 0; i < columns_count; i++) {
        const char *value = values[i] == NULL ? "" : values[i];
        bool counts = strcmp(names[i], "numerator") == 0 || strcmp(names[i], "denominator") == 0;
        if (counts) {
            json_object_set_new(row, names[i], json_integer((json_int_t)strtoll(value, NULL, 10)));
        } else if (strcmp(names[i], "nominal") == 0) {
            json_object_set_new(row, names[i], json_real(strtod(value, NULL)));
        } else {
            json_object_set_new(row, names[i], json_text(value));
        }
    }
    add_interval(row);
    json_array_append_new(arg, row);
}

/* NULL when it could not be computed (told). */
static json_t *metric_json(struct state *state, const char *path,
                           const struct report_options *options)
{
    struct metric_file file;
    struct err err = metric_file_read(path, &options->period, &file);
    if (err_is(err)) {
        ctl_fail(path, err);
        return NULL;
    }
    json_t *rows = json_array();
    err = state_metric(state, file.sql, take_metric_row, rows);
    json_t *metric = NULL;
    if (err_is(err)) {
        ctl_fail(path, err);
        json_decref(rows);
    } else {
        metric = json_object();
        json_object_set_new(metric, "name", json_text(file.name));
        json_object_set_new(metric, "version", json_text(file.version));
        json_object_set_new(metric, "definition", json_text(file.definition));
        json_object_set_new(metric, "numerator", json_text(file.numerator));
        json_object_set_new(metric, "denominator", json_text(file.denominator));
        json_object_set_new(metric, "rows", rows);
    }
    metric_file_fini(&file);
    return metric;
}

static bool is_group_column(const char *name)
{
    static const char *const others[] = {"numerator", "denominator", "nominal", "rate",
                                         "lower",     "upper",       "small"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(name, others[i]) == 0) {
            return false;
        }
    }
    return true;
}

static void add_figures(struct table *table, json_t *row, bool has_nominal)
{
    char cell[TABLE_CELL_BYTES] = "";
    table_cellf(table, "%lld", member_integer(row, "numerator"));
    table_cellf(table, "%lld", member_integer(row, "denominator"));
    if (json_object_get(row, "rate") == NULL) {
        table_cell(table, "-");
        table_cell(table, "-");
    } else {
        char lower[TABLE_CELL_BYTES];
        char upper[TABLE_CELL_BYTES];
        format_share(member_real(row, "rate"), cell);
        format_share(member_real(row, "lower"), lower);
        format_share(member_real(row, "upper"), upper);
        table_cell(table, cell);
        table_cellf(table, "%s - %s", lower, upper);
    }
    if (has_nominal) {
        format_share(member_real(row, "nominal"), cell);
        table_cell(table, cell);
    }
    table_cell(table, json_is_true(json_object_get(row, "small")) ? "small: do not quote" : "");
}

static bool print_rows(json_t *rows)
{
    json_t *first = json_array_get(rows, 0);
    struct table_column columns[TABLE_COLUMNS_MAX];
    uint32_t groups_count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(first, name, value)
    {
        if (is_group_column(name) && groups_count < TABLE_COLUMNS_MAX - 6) {
            columns[groups_count++] = (struct table_column){name, TABLE_LEFT, 0};
        }
    }
    uint32_t count = groups_count;
    bool has_nominal = json_object_get(first, "nominal") != NULL;
    columns[count++] = (struct table_column){"numerator", TABLE_RIGHT, 0};
    columns[count++] = (struct table_column){"denominator", TABLE_RIGHT, 0};
    columns[count++] = (struct table_column){"rate", TABLE_RIGHT, 0};
    columns[count++] = (struct table_column){"95% Wilson", TABLE_RIGHT, 0};
    if (has_nominal) {
        columns[count++] = (struct table_column){"nominal", TABLE_RIGHT, 0};
    }
    columns[count++] = (struct table_column){"", TABLE_LEFT, 0};
    struct table *table = table_open(columns, count);
    if (table == NULL) {
        return false;
    }
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        for (uint32_t i = 0; i < groups_count; i++) {
            table_cell(table, member_text(row, columns[i].name));
        }
        add_figures(table, row, has_nominal);
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole;
}

static bool print_metric(json_t *metric)
{
    uint32_t width = terminal_width(stdout);
    static const char *const lines[] = {"definition", "numerator", "denominator"};
    printf("%s, version %s\n", member_text(metric, "name"), member_text(metric, "version"));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        printf("  %-12s ", lines[i]);
        text_print(stdout, member_text(metric, lines[i]), width, 15);
    }
    json_t *rows = json_object_get(metric, "rows");
    if (json_array_size(rows) == 0) {
        puts("  (nothing to count)\n");
        return true;
    }
    bool whole = print_rows(rows);
    putchar('\n');
    return whole;
}

static uint32_t list_metrics(const char *directory, const char *only, char *files[METRICS_MAX])
{
    DIR *folder = opendir(directory);
    uint32_t count = 0;
    for (struct dirent *found;
         folder != NULL && (found = readdir(folder)) != NULL && count < METRICS_MAX;) {
        size_t bytes = strlen(found->d_name);
        if (bytes <= 4 || strcmp(found->d_name + bytes - 4, ".sql") != 0) {
            continue;
        }
        if (only != NULL &&
            (strlen(only) != bytes - 4 || strncmp(only, found->d_name, bytes - 4) != 0)) {
            continue;
        }
        files[count] = strdup(found->d_name);
        must(files[count] != NULL);
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    qsort(files, count, sizeof files[0], compare_files);
    return count;
}

static json_t *metrics_json(struct state *state, const struct report_options *options)
{
    char *files[METRICS_MAX];
    uint32_t count = list_metrics(options->directory, options->only, files);
    if (count == 0) {
        ctl_refuse("no metric %s in %s", options->only == NULL ? "(*.sql)" : options->only,
                   options->directory);
        return NULL;
    }
    json_t *metrics = json_array();
    for (uint32_t i = 0; i < count; i++) {
        char path[DURABLE_PATH_BYTES];
        json_t *metric = NULL;
        if (metrics != NULL &&
            snprintf(path, sizeof path, "%s/%s", options->directory, files[i]) < (int)sizeof path) {
            metric = metric_json(state, path, options);
        }
        if (metric == NULL) {
            json_decref(metrics);
            metrics = NULL;
        } else {
            json_array_append_new(metrics, metric);
        }
        free(files[i]);
    }
    return metrics;
}

static bool wants_quality(const struct report_options *options)
{
    return options->only == NULL || strcmp(options->only, QUALITY_REPORT) == 0;
}

static json_t *report_json(struct state *state, const struct report_options *options)
{
    bool quality_alone = options->only != NULL && wants_quality(options);
    json_t *metrics = quality_alone ? json_array() : metrics_json(state, options);
    json_t *quality =
        metrics != NULL && wants_quality(options) ? quality_json(state, &options->period) : NULL;
    if (metrics == NULL || (quality == NULL && wants_quality(options))) {
        json_decref(metrics);
        return NULL;
    }
    json_t *report = json_object();
    json_object_set_new(report, "entries", json_integer((json_int_t)state_applied(state)));
    if (options->period.has_from) {
        json_object_set_new(report, "from", json_time(options->period.from_ns));
    }
    if (options->period.has_to) {
        json_object_set_new(report, "to", json_time(options->period.to_ns));
    }
    json_object_set_new(report, "interval", json_text("Wilson score, 95%, two-sided"));
    json_object_set_new(report, "small_below", json_integer(SMALL_CELL));
    json_object_set_new(report, "metrics", metrics);
    if (quality != NULL) {
        json_object_set_new(report, QUALITY_REPORT, quality);
    }
    if (options->only == NULL) {
        json_t *shares = share_json(state);
        json_object_set_new(report, "coin", shares != NULL ? shares : json_array());
    }
    return report;
}

static int print_report(json_t *report)
{
    bool whole = true;
    printf("Computed from the first %lld entries of the log. Period: %s to %s.\n",
           member_integer(report, "entries"),
           json_object_get(report, "from") ? member_text(report, "from") : "the beginning",
           json_object_get(report, "to") ? member_text(report, "to") : "now");
    printf("Intervals: %s. A denominator below %u is marked as small.\n\n",
           member_text(report, "interval"), SMALL_CELL);
    size_t index;
    json_t *metric;
    json_array_foreach(json_object_get(report, "metrics"), index, metric)
    {
        whole = print_metric(metric) && whole;
    }
    int result = whole ? CTL_GOOD : ctl_refuse("no memory for the whole report");
    if (result == CTL_GOOD) {
        result = quality_print(json_object_get(report, QUALITY_REPORT));
    }
    return result == CTL_GOOD ? share_print(json_object_get(report, "coin"), false) : result;
}

static error_t parse_report(int key, char *text, struct argp_state *state)
{
    struct report_options *options = state->input;
    struct metric_period *period = &options->period;
    switch (key) {
    case 'f':
        period->has_from = ctl_parse_time(text, &period->from_ns);
        if (!period->has_from) {
            argp_error(state, "--from takes 2026-09-21 or 2026-09-21T11:22:33Z, not %s", text);
        }
        return 0;
    case 't':
        period->has_to = ctl_parse_time(text, &period->to_ns);
        if (!period->has_to) {
            argp_error(state, "--to takes 2026-09-21 or 2026-09-21T11:22:33Z, not %s", text);
        }
        return 0;
    case 'm':
        options->directory = text;
        return 0;
    case ARGP_KEY_ARG:
        if (options->only != NULL || strchr(text, '/') != NULL) {
            argp_error(state, "at most one metric, by name");
        }
        options->only = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int ctl_report(struct ctl *ctl, int argc, char **argv)
{
    static const struct argp_option options_table[] = {
        {"from", 'f', "TIME", 0, "count from this time on (UTC, inclusive)", 1},
        {"to", 't', "TIME", 0, "count up to this time (UTC, exclusive)", 1},
        {"metrics", 'm', "DIR", 0,
         "where the metric files are (default: those that came with the program)", 1},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct argp own = {
        options_table, parse_report,
        "[METRIC]",    "The published metrics, each with its definition, version and 95% interval.",
        NULL,          NULL,
        NULL};
    struct report_options options = {0};
    char found[DURABLE_PATH_BYTES];
    ctl_parse(ctl, &own, &options, argc, argv);
    if (options.directory == NULL) {
        if (!metric_directory(found)) {
            return ctl_refuse("no metric files beside the program; name them with --metrics DIR");
        }
        options.directory = found;
    }
    struct state *state = ctl_open_state(ctl);
    if (state == NULL) {
        return CTL_REFUSED;
    }
    json_t *report = report_json(state, &options);
    int result = CTL_REFUSED;
    if (report != NULL && ctl->json) {
        result = json_print(report, true);
    } else if (report != NULL) {
        result = print_report(report);
        json_decref(report);
    }
    state_close(&state);
    return result;
}
