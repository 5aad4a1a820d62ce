/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/consistency_tell.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "ctl/json_text.h"
#include "ctl/table.h"
#include "export/export_csv.h"

static void rate_cell(struct table *table, const struct evaluation_rate *rate)
{
    if (isfinite(rate->value)) {
        table_cellf(table, "%.3f (%.3f-%.3f)", rate->value, rate->lower, rate->upper);
    } else {
        table_cell(table, "-");
    }
}

static int print_tables(const struct consistency_figures *figures)
{
    static const struct table_column columns[] = {
        {"QUESTION", TABLE_LEFT, 0}, {"CHAPTERS APART", TABLE_LEFT, 0}, {"SCANS", TABLE_RIGHT, 0},
        {"SWAPS", TABLE_RIGHT, 0},   {"FLAGGED AT 1%", TABLE_LEFT, 0},  {"AT 5%", TABLE_LEFT, 0}};
    struct table *table = table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return ctl_refuse("no memory");
    }
    for (int by = 0; by < CONSISTENCY_QUESTIONS; by++) {
        for (int distance = -1; distance < CONSISTENCY_DISTANCES && figures->scans[by] > 0;
             distance++) {
            bool right = distance < 0;
            table_cell(table, consistency_question_names[by]);
            table_cell(table, right ? "none: right" : consistency_distance_names[distance]);
            table_cellf(table, "%" PRIu32, figures->scans[by]);
            table_cellf(table, "%" PRIu64, right ? 0 : figures->swaps[by][distance]);
            for (int level = 0; level < CONSISTENCY_LEVELS; level++) {
                rate_cell(table, right ? &figures->wrongly[by][level]
                                       : &figures->found[by][distance][level]);
            }
        }
    }
    bool whole = table_print(table, stdout, terminal_width(stdout));
    table_close(&table);
    return whole ? CTL_GOOD : ctl_refuse("no memory");
}

static json_t *rates_json(const struct evaluation_rate rates[CONSISTENCY_LEVELS])
{
    json_t *out = json_array();
    for (int level = 0; level < CONSISTENCY_LEVELS; level++) {
        const double values[3] = {rates[level].value, rates[level].lower, rates[level].upper};
        json_t *one = json_array();
        for (int i = 0; i < 3; i++) {
            json_array_append_new(one, isfinite(values[i]) ? json_real(values[i]) : json_null());
        }
        json_array_append_new(out, one);
    }
    return out;
}

int consistency_tell_figures(const struct ctl *ctl, const struct consistency_figures *figures)
{
    if (!ctl->json) {
        return print_tables(figures);
    }
    json_t *out = json_object();
    for (int by = 0; by < CONSISTENCY_QUESTIONS; by++) {
        json_t *question = json_object();
        json_t *swapped = json_object();
        json_object_set_new(question, "scans", json_integer(figures->scans[by]));
        json_object_set_new(question, "right", rates_json(figures->wrongly[by]));
        for (int distance = 0; distance < CONSISTENCY_DISTANCES; distance++) {
            json_t *one = json_object();
            json_object_set_new(one, "swaps",
                                json_integer((json_int_t)figures->swaps[by][distance]));
            json_object_set_new(one, "flagged", rates_json(figures->found[by][distance]));
            json_object_set_new(swapped, consistency_distance_names[distance], one);
        }
        json_object_set_new(question, "swapped", swapped);
        json_object_set_new(out, consistency_question_names[by], question);
    }
    return json_print(out, true);
}

void consistency_tell_head(FILE *to)
{
    (void)fputs("image,chapter,chance,chapter_chance,as_bad,held,nearest,atomic_number,"
                "atomic_number_error,number_chance,number_from,number_to\n",
                to);
}

static void print_number(FILE *to, bool there, double number)
{
    (void)fputc(',', to);
    if (there && isfinite(number)) {
        (void)fprintf(to, "%.6g", number);
    }
}

void consistency_tell_row(FILE *to, const char *image, const float inputs[CONSISTENCY_INPUTS],
                          const struct consistency_verdict *verdict)
{
    const struct consistency_placed *fit = &verdict->fit;
    const struct consistency_placed *number = &verdict->number;
    export_csv_put_text(to, image);
    (void)fprintf(to, ",%" PRIu32, verdict->chapter);
    print_number(to, true, consistency_chance(verdict));
    print_number(to, fit->told, fit->chance);
    print_number(to, fit->told, fit->as_bad);
    print_number(to, fit->told, fit->held);
    print_number(to, fit->told, verdict->nearest);
    print_number(to, true, (double)inputs[CONSISTENCY_INPUT_NUMBER]);
    print_number(to, true, (double)inputs[CONSISTENCY_INPUT_NUMBER_ERROR]);
    print_number(to, number->told, number->chance);
    print_number(to, number->told, verdict->number_from);
    print_number(to, number->told, verdict->number_to);
    (void)fputc('\n', to);
}
