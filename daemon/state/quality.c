/* SPDX-License-Identifier: Apache-2.0 */
#include "state/state_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What scanners delivered, by the day of the scan: how often which value of which figure. */

#define DAY_NS INT64_C(86400000000000)

static const char *const figure_texts[STATE_FIGURE_COUNT] = {
    [STATE_SHARPNESS] = "sharpness",
    [STATE_CONTRAST] = "contrast_to_noise",
    [STATE_SATURATED] = "saturated_share",
    [STATE_DEAD_LINES] = "dead_lines",
};

const char *state_figure_text(enum state_figure figure)
{
    return figure_texts[figure];
}

/* Three significant digits: a day's values are few then, and no median is off by more than half a
 * percent. */
double state_quality_rounded(double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.2e", value);
    return strtod(text, NULL);
}

/* The scanner of all scans of a score and the time of the first. False when there are several
 * scanners: whose image was measured is not told. */
static struct err find_scanner(struct state *self, const struct entry *entry, char scanner[65],
                               int64_t *t_ns, bool *found)
{
    *found = false;
    for (uint32_t i = 0; i < entry->causes_count; i++) {
        struct statement *statement;
        struct err err = store_statement(self->store, STATEMENT_RECORD_SCANNER, &statement);
        bool row = false;
        if (!err_is(err)) {
            bind_blob(statement, 1, entry->causes[i], ENTRY_ID_BYTES);
            err = statement_step(statement, &row);
        }
        if (err_is(err)) {
            return err;
        }
        if (!row) {
            continue; /* a declaration */
        }
        bool other = *found && strcmp(scanner, column_text(statement, 0)) != 0;
        int64_t acquired_ns = column_integer(statement, 1);
        column_copy_text(statement, 0, scanner, 65);
        *t_ns = *found && *t_ns < acquired_ns ? *t_ns : acquired_ns;
        *found = !other;
        statement_reset(statement);
        if (other) {
            break;
        }
    }
    return err_none;
}

struct err apply_quality(struct state *self, const struct entry *entry)
{
    struct entry_image_figures figures;
    char scanner[65] = "";
    int64_t t_ns = 0;
    bool found = false;
    if (!entry_score_figures(&entry->body.score, &figures)) {
        return err_none;
    }
    struct err err = find_scanner(self, entry, scanner, &t_ns, &found);
    if (err_is(err) || !found) {
        return err;
    }
    /* No time, or one that has not come yet: the log's own. */
    t_ns = t_ns <= 0 || t_ns > entry->t_ns ? entry->t_ns : t_ns;
    const double values[STATE_FIGURE_COUNT] = {
        [STATE_SHARPNESS] = figures.sharpness,
        [STATE_CONTRAST] = figures.contrast_to_noise,
        [STATE_SATURATED] = figures.saturated_share,
        [STATE_DEAD_LINES] = figures.dead_lines,
    };
    for (int figure = 0; figure < STATE_FIGURE_COUNT && !err_is(err); figure++) {
        struct statement *statement;
        err = store_statement(self->store, STATEMENT_QUALITY_ADD, &statement);
        if (err_is(err)) {
            break;
        }
        bind_text(statement, 1, scanner);
        bind_integer(statement, 2, t_ns / DAY_NS);
        bind_text(statement, 3, figure_texts[figure]);
        bind_real(statement, 4, state_quality_rounded(values[figure]));
        err = statement_run(statement);
    }
    return err;
}

struct err state_quality_scanner(struct state *self, const char *after, char out[65], bool *found)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_QUALITY_SCANNERS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, after);
    err = statement_step(statement, found);
    if (!err_is(err) && *found) {
        column_copy_text(statement, 0, out, 65);
        statement_reset(statement);
    }
    return err;
}

static enum state_figure figure_of(const char *text)
{
    int figure = 0;
    while (figure < STATE_FIGURE_COUNT && strcmp(text, figure_texts[figure]) != 0) {
        figure++;
    }
    return (enum state_figure)figure;
}

struct err state_quality(struct state *self, const char *scanner, int64_t from_day, int64_t to_day,
                         state_quality_row row, void *arg)
{
    struct statement *statement;
    struct err err = store_statement(self->store, STATEMENT_QUALITY_ROWS, &statement);
    if (err_is(err)) {
        return err;
    }
    bind_text(statement, 1, scanner);
    bind_integer(statement, 2, from_day);
    bind_integer(statement, 3, to_day);
    for (;;) {
        bool more;
        err = statement_step(statement, &more);
        if (err_is(err) || !more) {
            return err;
        }
        enum state_figure figure = figure_of(column_text(statement, 1));
        if (figure < STATE_FIGURE_COUNT) {
            row(arg,
                &(struct state_quality){column_integer(statement, 0), figure,
                                        column_real(statement, 2), column_index(statement, 3)});
        }
    }
}
