/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/quality_tell.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "ctl/json_text.h"
#include "ctl/rows.h"
#include "ctl/table.h"
#include "score/quality_trend.h"

#define DAY_NS (86400 * NS_PER_S)

/* Days shown to people; all are in the JSON. */
enum { DAYS_SHOWN = 7, SCANNERS_MAX = 256, FIGURE_COLUMNS = 4 };

static const char *const definition =
    "Medians, by scanner and UTC day of the scan, of what image_quality measured on the image of "
    "the lowest quality of each scored item, with 95% intervals by order statistics; days of fewer "
    "than 5 images are left out.";
static const char *const test =
    "Changes: two-sided cumulative sums (Page 1954) of sequential ranks (McDonald 1990) of the "
    "days' medians as normal scores, allowance 0.5, limit 8: of a figure that does not change one "
    "in 31 is called changed within 365 days. Since when: least squares (Hinkley 1970). By how "
    "much: Hodges-Lehmann with Moses's interval, 95%, taking the day of the change as known.";

struct span {
    int64_t from_day;
    int64_t to_day; /* exclusive */
};

static json_t *day_json(int64_t day)
{
    char text[CLOCK_DAY_BYTES];
    clock_day_text(day * DAY_NS, text);
    return json_text(text);
}

/* What is not there is left out: JSON has no NaN. */
static void set_estimate(json_t *object, const struct trend_estimate *estimate)
{
    const struct {
        const char *name;
        double value;
    } members[] = {{"value", estimate->value},
                   {"lower", estimate->interval.lower},
                   {"upper", estimate->interval.upper}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (isfinite(members[i].value)) {
            json_object_set_new(object, members[i].name, json_real(members[i].value));
        }
    }
}

static json_t *days_json(const struct quality_trend *trend)
{
    json_t *days = json_array();
    const struct quality_series *first = quality_trend_series(trend, QUALITY_SHARPNESS);
    for (uint32_t i = 0; i < first->days_count; i++) {
        json_t *row = json_object();
        json_object_set_new(row, "day", day_json(first->days[i].day));
        json_object_set_new(row, "images", json_integer((json_int_t)first->days[i].images));
        for (int figure = 0; figure < QUALITY_FIGURES; figure++) {
            const struct quality_series *series =
                quality_trend_series(trend, (enum quality_figure)figure);
            json_t *estimate = json_object();
            /* Every score that has one figure has all. */
            must(series->days_count == first->days_count);
            set_estimate(estimate, &series->days[i].median);
            json_object_set_new(row, state_figure_text((enum state_figure)figure), estimate);
        }
        json_array_append_new(days, row);
    }
    return days;
}

static json_t *changes_json(const struct quality_trend *trend)
{
    json_t *changes = json_array();
    for (int figure = 0; figure < QUALITY_DEAD_LINES; figure++) {
        const struct quality_series *series =
            quality_trend_series(trend, (enum quality_figure)figure);
        for (uint32_t i = 0; i < series->changes_count; i++) {
            const struct quality_change *change = &series->changes[i];
            char words[QUALITY_WORDS_TOLD];
            json_t *row = json_object();
            quality_change_words((enum quality_figure)figure, change, words);
            json_object_set_new(row, "figure",
                                json_text(state_figure_text((enum state_figure)figure)));
            json_object_set_new(row, "since", day_json(change->since_day));
            json_object_set_new(row, "told", day_json(change->told_day));
            json_object_set_new(row, "higher", json_boolean(change->higher));
            json_object_set_new(row, "worse", json_boolean(change->worse));
            set_estimate(row, &change->shift);
            json_object_set_new(row, "words", json_text(words));
            json_array_append_new(changes, row);
        }
    }
    return changes;
}

static json_t *dead_json(const struct quality_trend *trend)
{
    struct quality_dead dead = quality_trend_dead(trend);
    char words[QUALITY_WORDS_TOLD];
    json_t *object = json_object();
    quality_dead_words(&dead, words);
    json_object_set_new(object, "since", day_json(dead.since_day));
    json_object_set_new(object, "lines", json_real(dead.lines));
    json_object_set_new(object, "words", json_text(words));
    return object;
}

static void take_row(void *arg, const struct state_quality *row)
{
    quality_trend_add(arg, row->day, (enum quality_figure)row->figure, row->value, row->images);
}

static struct err add_scanner(struct state *state, struct quality_trend *trend, const char *scanner,
                              const struct span *span, json_t *scanners)
{
    quality_trend_start(trend);
    struct err err = state_quality(state, scanner, span->from_day, span->to_day, take_row, trend);
    if (err_is(err)) {
        return err;
    }
    quality_trend_finish(trend);
    if (quality_trend_series(trend, QUALITY_SHARPNESS)->days_count == 0) {
        return err_none;
    }
    json_t *row = json_object();
    json_object_set_new(row, "scanner", json_text(scanner));
    json_object_set_new(row, "alarm", json_boolean(quality_trend_alarm(trend, span->to_day - 1)));
    json_object_set_new(row, "days", days_json(trend));
    json_object_set_new(row, "changes", changes_json(trend));
    if (quality_trend_dead(trend).present) {
        json_object_set_new(row, "dead", dead_json(trend));
    }
    json_array_append_new(scanners, row);
    return err_none;
}

/* cut: there are more scanners than that. */
static struct err add_scanners(struct state *state, const struct span *span, json_t *scanners,
                               bool *cut)
{
    struct quality_trend *trend = NULL;
    char scanner[65] = "";
    bool found = true;
    struct err err = quality_trend_open(&trend);
    *cut = false;
    for (uint32_t i = 0; i <= SCANNERS_MAX && found && !err_is(err); i++) {
        char next[65];
        err = state_quality_scanner(state, scanner, next, &found);
        *cut = i == SCANNERS_MAX && found;
        if (!err_is(err) && found && !*cut) {
            memcpy(scanner, next, sizeof scanner);
            err = add_scanner(state, trend, scanner, span, scanners);
        }
    }
    quality_trend_close(&trend);
    return err;
}

/* Up to the newest entry, so that the same log gives the same report whenever it is asked. */
static bool find_span(struct state *state, const struct metric_period *period, struct span *out)
{
    json_t *newest = rows_of(state, "SELECT value AS last FROM meta WHERE name = 'last_ns'", "i");
    if (newest == NULL) {
        return false;
    }
    int64_t last_ns = member_integer(json_array_get(newest, 0), "last");
    json_decref(newest);
    *out = (struct span){0, last_ns / DAY_NS + 1};
    if (period->has_to && period->to_ns < last_ns) {
        out->to_day = (period->to_ns + DAY_NS - 1) / DAY_NS;
    }
    out->from_day = out->to_day - QUALITY_DAYS_MAX;
    if (period->has_from && period->from_ns / DAY_NS > out->from_day) {
        out->from_day = period->from_ns / DAY_NS;
    }
    return true;
}

json_t *quality_json(struct state *state, const struct metric_period *period)
{
    struct span span;
    if (!find_span(state, period, &span)) {
        return NULL;
    }
    json_t *scanners = json_array();
    bool cut = false;
    struct err err = add_scanners(state, &span, scanners, &cut);
    if (err_is(err)) {
        json_decref(scanners);
        ctl_fail("image quality", err);
        return NULL;
    }
    json_t *quality = json_object();
    json_object_set_new(quality, "definition", json_text(definition));
    json_object_set_new(quality, "test", json_text(test));
    json_object_set_new(quality, "scanners", scanners);
    if (cut) {
        json_object_set_new(quality, "cut", json_true());
    }
    return quality;
}

/* ---- for people ---- */

static void estimate_cell(struct table *table, const json_t *day, const char *name, double scale)
{
    const json_t *estimate = json_object_get(day, name);
    if (json_object_get(estimate, "lower") == NULL) {
        table_cellf(table, "%.3g", scale * member_real(estimate, "value"));
    } else {
        table_cellf(table, "%.3g (%.3g - %.3g)", scale * member_real(estimate, "value"),
                    scale * member_real(estimate, "lower"), scale * member_real(estimate, "upper"));
    }
}

static void add_days(struct table *table, const json_t *scanner)
{
    const json_t *days = json_object_get(scanner, "days");
    size_t count = json_array_size(days);
    for (size_t i = count > DAYS_SHOWN ? count - DAYS_SHOWN : 0; i < count; i++) {
        const json_t *day = json_array_get(days, i);
        table_cell(table, member_text(scanner, "scanner"));
        table_cell(table, member_text(day, "day"));
        table_cellf(table, "%lld", member_integer(day, "images"));
        for (int figure = 0; figure < FIGURE_COLUMNS; figure++) {
            estimate_cell(table, day, state_figure_text((enum state_figure)figure),
                          figure == STATE_SATURATED ? 100 : 1);
        }
    }
}

static void print_words(const json_t *scanner)
{
    const json_t *changes = json_object_get(scanner, "changes");
    const json_t *dead = json_object_get(scanner, "dead");
    const char *name = member_text(scanner, "scanner");
    uint32_t width = terminal_width(stdout);
    char line[QUALITY_WORDS_TOLD + 96];
    size_t index;
    json_t *change;
    json_array_foreach(changes, index, change)
    {
        (void)snprintf(line, sizeof line, "scanner %s: %s (certain on %s)", name,
                       member_text(change, "words"), member_text(change, "told"));
        text_print(stdout, line, width, 2);
    }
    if (dead != NULL) {
        (void)snprintf(line, sizeof line, "scanner %s: %s", name, member_text(dead, "words"));
        text_print(stdout, line, width, 2);
    }
    if (dead == NULL && json_array_size(changes) == 0) {
        (void)snprintf(line, sizeof line, "scanner %s: no change on %zu days", name,
                       json_array_size(json_object_get(scanner, "days")));
        text_print(stdout, line, width, 2);
    }
    if (json_is_true(json_object_get(scanner, "alarm"))) {
        (void)snprintf(line, sizeof line, "scanner %s: worse than it was; have it looked at", name);
        text_print(stdout, line, width, 2);
    }
}

int quality_print(const json_t *quality)
{
    static const struct table_column columns[] = {
        {"SCANNER", TABLE_LEFT, 0},         {"DAY", TABLE_LEFT, 0},
        {"IMAGES", TABLE_RIGHT, 0},         {"SHARPNESS", TABLE_RIGHT, 0},
        {"CONTRAST/NOISE", TABLE_RIGHT, 0}, {"BLACK %", TABLE_RIGHT, 1},
        {"DEAD LINES", TABLE_RIGHT, 0}};
    const json_t *scanners = json_object_get(quality, "scanners");
    uint32_t width = terminal_width(stdout);
    if (json_array_size(scanners) == 0) {
        return CTL_GOOD; /* a port without images */
    }
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    puts("\nimage_quality");
    text_print(stdout, member_text(quality, "definition"), width, 0);
    text_print(stdout, member_text(quality, "test"), width, 0);
    size_t index;
    json_t *scanner;
    json_array_foreach(scanners, index, scanner)
    {
        add_days(table, scanner);
    }
    bool whole = table_print(table, stdout, width);
    table_close(&table);
    json_array_foreach(scanners, index, scanner)
    {
        print_words(scanner);
    }
    if (json_is_true(json_object_get(quality, "cut"))) {
        printf("There are more scanners than the first %d, which were looked at\n", SCANNERS_MAX);
    }
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}
