/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/project_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/detection_curve.h"
#include "ctl/json_text.h"
#include "ctl/table.h"
#include "feeds/text_buffer.h"
#include "kernels/statistics.h"

/* Bands are fixed, so that two reports can be laid side by side. */

struct band {
    double from;
    double to;
    double middle; /* where it is drawn */
    const char *name;
};

static const struct band masses[] = {{0, 7.5, 5, "below 7.5 kg"},
                                     {7.5, 15, 10.6, "7.5 to 15 kg"},
                                     {15, 25, 19.4, "15 to 25 kg"},
                                     {25, 40, 31.6, "25 to 40 kg"},
                                     {40, INFINITY, 52, "40 kg or more"}};
static const struct band backgrounds[] = {{-INFINITY, 1, 0, "below 1"},
                                          {1, 2, 0, "1 to 2"},
                                          {2, 3, 0, "2 to 3"},
                                          {3, 4.5, 0, "3 to 4.5"},
                                          {4.5, INFINITY, 0, "4.5 or more"}};
enum {
    MASSES = sizeof masses / sizeof masses[0],
    BACKGROUNDS = sizeof backgrounds / sizeof backgrounds[0]
};

static bool grow(void **values, uint64_t count, uint64_t *room, size_t bytes)
{
    if (count < *room) {
        return true;
    }
    uint64_t larger = 2 * *room + 1024;
    void *grown = larger <= PROJECT_ROWS_MAX ? realloc(*values, larger * bytes) : NULL;
    if (grown != NULL) {
        *values = grown;
        *room = larger;
    }
    return grown != NULL;
}

MUST_USE struct err project_report_add_clean(struct project_report *self, double logit)
{
    void *values = self->clean;
    bool room = grow(&values, self->clean_count, &self->clean_room, sizeof *self->clean);
    self->clean = values;
    if (!room) {
        return err_make(ERR_MEMORY, "report of projections");
    }
    self->clean[self->clean_count++] = logit;
    return err_none;
}

MUST_USE struct err project_report_add(struct project_report *self, const struct project_row *row)
{
    void *values = self->rows;
    bool room = grow(&values, self->rows_count, &self->rows_room, sizeof *self->rows);
    self->rows = values;
    if (!room) {
        return err_make(ERR_MEMORY, "report of projections");
    }
    self->rows[self->rows_count++] = *row;
    return err_none;
}

void project_report_fini(struct project_report *self)
{
    free(self->clean);
    free(self->rows);
    self->clean = NULL;
    self->rows = NULL;
}

/* The lowest score that leaves at most the asked share of clean scans beyond it. Sorts them. */
static double threshold_of(struct project_report *self)
{
    statistics_sort(self->clean, self->clean_count);
    uint64_t beyond = (uint64_t)floor(self->conf.false_share * (double)self->clean_count);
    return self->clean[self->clean_count - 1 - beyond];
}

static bool within(double value, const struct band *band)
{
    return value >= band->from && value < band->to;
}

struct counted {
    struct statistics_rate found;
    struct statistics_rate marked;
};

/* NULL: any. */
static struct counted count_rows(const struct project_report *self, double threshold,
                                 const struct band *mass, const struct band *background)
{
    struct counted out = {{0, 0}, {0, 0}};
    for (uint64_t i = 0; i < self->rows_count; i++) {
        const struct project_row *row = &self->rows[i];
        if ((mass != NULL && !within(row->mass_kg, mass)) ||
            (background != NULL && !within(row->background, background))) {
            continue;
        }
        bool found = row->logit > threshold;
        out.found.count++;
        out.found.hit_count += found;
        out.marked.count++;
        out.marked.hit_count += found && row->marked;
    }
    return out;
}

/* Clean scans sorted: the share of pairs in which the projection scores higher; ties count half. */
static double auroc_of(const struct project_report *self)
{
    double wins = 0, pairs = 0;
    for (uint64_t i = 0; i < self->rows_count; i++) {
        double logit = self->rows[i].logit;
        uint64_t low = 0, high = 0;
        for (uint64_t left = 0, right = self->clean_count; left < right;) {
            uint64_t middle = (left + right) / 2;
            left = self->clean[middle] < logit ? middle + 1 : left;
            right = self->clean[middle] < logit ? right : middle;
            low = left;
        }
        for (high = low; high < self->clean_count && self->clean[high] <= logit; high++) {
        }
        if (!isnan(logit)) {
            wins += (double)low + 0.5 * (double)(high - low);
        }
        pairs += (double)self->clean_count;
    }
    return pairs > 0 ? wins / pairs : (double)NAN;
}

static void add_row(struct table *table, const char *what, const char *name, struct counted counted)
{
    if (counted.found.count == 0) {
        return;
    }
    struct statistics_interval interval = statistics_wilson(counted.found, 0.95);
    table_cell(table, what);
    table_cell(table, name);
    table_cellf(table, "%" PRIu64, counted.found.count);
    table_cellf(table, "%.3f (%.3f-%.3f)",
                (double)counted.found.hit_count / (double)counted.found.count, interval.lower,
                interval.upper);
    table_cellf(table, "%.3f", (double)counted.marked.hit_count / (double)counted.marked.count);
}

static int print_table(const struct project_report *self, double threshold)
{
    static const struct table_column columns[] = {{"", TABLE_LEFT, 0},
                                                  {"", TABLE_LEFT, 0},
                                                  {"PROJECTIONS", TABLE_RIGHT, 0},
                                                  {"DETECTED", TABLE_LEFT, 0},
                                                  {"AND MARKED", TABLE_RIGHT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    add_row(table, "all", "", count_rows(self, threshold, NULL, NULL));
    for (int m = 0; m < MASSES; m++) {
        add_row(table, "mass", masses[m].name, count_rows(self, threshold, &masses[m], NULL));
    }
    for (int b = 0; b < BACKGROUNDS; b++) {
        add_row(table, "background attenuation", backgrounds[b].name,
                count_rows(self, threshold, NULL, &backgrounds[b]));
    }
    printf("%" PRIu64
           " normal scans, threshold %.3f leaves at most %.1f%% of them beyond it; AUROC %.4f; "
           "%" PRIu64 " projections found no place\n",
           self->clean_count, threshold, 100 * self->conf.false_share, auroc_of(self),
           self->unplaced);
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}

static json_t *cell_json(const char *mass, const char *background, struct counted counted)
{
    struct statistics_interval interval = statistics_wilson(counted.found, 0.95);
    double count = (double)counted.found.count;
    json_t *out = json_object();
    json_object_set_new(out, "mass", json_text(mass));
    json_object_set_new(out, "background", json_text(background));
    json_object_set_new(out, "projections", json_integer((json_int_t)counted.found.count));
    json_object_set_new(out, "detected", json_real((double)counted.found.hit_count / count));
    json_object_set_new(out, "lower", json_real(interval.lower));
    json_object_set_new(out, "upper", json_real(interval.upper));
    json_object_set_new(out, "detected_and_marked",
                        json_real((double)counted.marked.hit_count / count));
    return out;
}

static int print_json(const struct project_report *self, double threshold)
{
    json_t *cells = json_array();
    for (int m = -1; m < MASSES; m++) {
        for (int b = -1; b < BACKGROUNDS; b++) {
            const struct band *mass = m < 0 ? NULL : &masses[m];
            const struct band *background = b < 0 ? NULL : &backgrounds[b];
            struct counted counted = count_rows(self, threshold, mass, background);
            if (counted.found.count > 0) {
                json_array_append_new(cells,
                                      cell_json(m < 0 ? "all" : masses[m].name,
                                                b < 0 ? "all" : backgrounds[b].name, counted));
            }
        }
    }
    json_t *out = json_object();
    json_object_set_new(out, "normal_scans", json_integer((json_int_t)self->clean_count));
    json_object_set_new(out, "false_referrals", json_real(self->conf.false_share));
    json_object_set_new(out, "threshold", json_real(threshold));
    json_object_set_new(out, "auroc", json_real(auroc_of(self)));
    json_object_set_new(out, "unplaced", json_integer((json_int_t)self->unplaced));
    json_object_set_new(out, "cells", cells);
    return json_print(out, true);
}

int project_report_tell(struct project_report *self, bool json)
{
    if (self->clean_count == 0 || self->rows_count == 0) {
        return ctl_refuse("no scan into which a threat could be projected");
    }
    double threshold = threshold_of(self);
    return json ? print_json(self, threshold) : print_table(self, threshold);
}

MUST_USE struct err project_report_draw(struct project_report *self, const char *path)
{
    double threshold = threshold_of(self);
    static struct curve_line lines[BACKGROUNDS];
    char names[BACKGROUNDS][48];
    for (int b = 0; b < BACKGROUNDS; b++) {
        (void)snprintf(names[b], sizeof names[b], "behind %s", backgrounds[b].name);
        lines[b] = (struct curve_line){.name = names[b], .points_count = MASSES};
        for (int m = 0; m < MASSES; m++) {
            struct counted counted = count_rows(self, threshold, &masses[m], &backgrounds[b]);
            lines[b].points[m] = (struct curve_point){masses[m].middle, counted.found.hit_count,
                                                      counted.found.count};
        }
    }
    char title[96];
    (void)snprintf(title, sizeof title, "Projected threats detected at %.1f%% false referrals",
                   100 * self->conf.false_share);
    const struct curve_labels labels = {title, "mass, kg; lines: attenuation of the load"};
    return detection_curve_write(&labels, lines, BACKGROUNDS, path);
}

MUST_USE struct err project_report_write(struct project_report *self, const char *path)
{
    double threshold = threshold_of(self);
    struct text_buffer text = {.bytes_max = UINT32_MAX};
    text_buffer_add(&text, "mass_kg,background,score,detected,marked\n");
    for (uint64_t i = 0; i < self->rows_count; i++) {
        const struct project_row *row = &self->rows[i];
        text_buffer_add(&text, "%.3f,%.4f,%.6f,%d,%d\n", row->mass_kg, row->background, row->logit,
                        row->logit > threshold, row->marked);
    }
    struct err err = text_buffer_write(&text, path);
    text_buffer_fini(&text);
    return err;
}
