/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_items.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/logistic.h"
#include "score/train_fit.h"

/* What is thought of growth and slope before anything was seen: none, give or take so much.
 * Wider, and a few dozen wide declarations speak as if they were all; narrower, and hundreds are
 * not believed. */
static const double growth_spread = 0.5;
static const double slope_spread = 0.05;

enum { OUTCOMES_MIN = 50, ITERATIONS_MAX = 60 };

/* ---- which rows are one item ---- */

struct member {
    uint64_t exam;
    uint64_t row;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *first = a;
    const struct member *second = b;
    if (first->exam != second->exam) {
        return first->exam < second->exam ? -1 : 1;
    }
    return first->row < second->row ? -1 : first->row > second->row;
}

/* Of each row the first row of its exam, which stands for the item. */
static struct err find_firsts(const struct train_row *rows, uint64_t count, uint64_t *firsts)
{
    struct member *members = calloc(count + 1, sizeof *members);
    if (members == NULL) {
        return err_make(ERR_MEMORY, "items of training");
    }
    for (uint64_t i = 0; i < count; i++) {
        members[i] = (struct member){rows[i].outcome.exam, i};
    }
    qsort(members, count, sizeof *members, compare_members);
    for (uint64_t i = 0; i < count; i++) {
        bool same = i > 0 && members[i].exam != 0 && members[i].exam == members[i - 1].exam;
        firsts[members[i].row] = same ? firsts[members[i - 1].row] : members[i].row;
    }
    free(members);
    return err_none;
}

static void count_items(const struct train_row *rows, uint64_t count, const uint64_t *firsts,
                        uint64_t *item_of, struct train_items *out)
{
    for (uint64_t i = 0; i < count; i++) {
        if (firsts[i] == i) {
            item_of[i] = out->count;
            out->items[out->count++] = (struct train_item){.first = i};
        }
        item_of[i] = item_of[firsts[i]];
        struct train_item *item = &out->items[item_of[i]];
        item->lines_count += rows[i].lines_count;
        item->found = item->found || rows[i].outcome.found;
    }
    for (uint64_t item = 0; item < out->count; item++) {
        out->first_lines[item + 1] = out->first_lines[item] + out->items[item].lines_count;
    }
}

MUST_USE struct err train_items_init(const struct train_row *rows, uint64_t count,
                                     struct train_items *out, struct train_item_line **lines)
{
    uint64_t lines_count = 0;
    for (uint64_t i = 0; i < count; i++) {
        lines_count += rows[i].lines_count;
    }
    uint64_t *firsts = calloc(count + 1, sizeof *firsts);
    uint64_t *item_of = calloc(count + 1, sizeof *item_of);
    uint64_t *used = calloc(count + 1, sizeof *used);
    struct train_item_line *places = calloc(lines_count + 1, sizeof *places);
    struct train_items made = {.items = calloc(count + 1, sizeof *made.items),
                               .first_lines = calloc(count + 2, sizeof *made.first_lines),
                               .logits = calloc(lines_count + 1, sizeof *made.logits)};
    struct err err = err_make(ERR_MEMORY, "items of training");
    if (firsts != NULL && item_of != NULL && used != NULL && places != NULL && made.items != NULL &&
        made.first_lines != NULL && made.logits != NULL) {
        err = find_firsts(rows, count, firsts);
    }
    if (!err_is(err)) {
        count_items(rows, count, firsts, item_of, &made);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t item = item_of[i];
            for (uint32_t line = 0; line < rows[i].lines_count; line++) {
                places[made.first_lines[item] + used[item]++] = (struct train_item_line){i, line};
            }
        }
        *out = made;
        *lines = places;
    } else {
        train_items_fini(&made);
        free(places);
    }
    free(firsts);
    free(item_of);
    free(used);
    return err;
}

void train_items_fini(struct train_items *self)
{
    free(self->items);
    free(self->first_lines);
    free(self->logits);
    memset(self, 0, sizeof *self);
}

/* ---- what is done to the logits ---- */

static struct item_lines lines_of(const struct train_items *self, uint64_t item, double scale,
                                  double offset)
{
    struct item_lines lines = {.count = 0};
    for (uint64_t i = self->first_lines[item]; i < self->first_lines[item + 1]; i++) {
        double logit = scale * (double)self->logits[i] + offset / OBLIVIOUS_LOGIT;
        item_lines_add(&lines, (int32_t)lround(fmin(fmax(logit, -0x1p30), 0x1p30)));
    }
    return lines;
}

double train_items_logit(const struct train_items *self, uint64_t item,
                         const struct train_calibration *calibration)
{
    struct item_lines lines = lines_of(self, item, calibration->scale, calibration->offset);
    return (double)item_lines_settle(&calibration->lines, &lines) * OBLIVIOUS_LOGIT;
}

struct chosen_rows {
    double *logits; /* as they are, of the mean of odds */
    uint8_t *labels;
    uint64_t count;
};

/* wide: also items of several lines. */
static void choose(const struct train_items *self, const uint8_t *chosen, uint8_t which, bool wide,
                   struct chosen_rows *out)
{
    const struct train_calibration none = TRAIN_CALIBRATION_NONE;
    out->count = 0;
    for (uint64_t i = 0; i < self->count; i++) {
        bool wanted = chosen == NULL || chosen[i] == which;
        if (wanted && (wide || self->items[i].lines_count == 1)) {
            out->logits[out->count] = train_items_logit(self, i, &none);
            out->labels[out->count++] = self->items[i].found;
        }
    }
}

static bool has_both(const struct chosen_rows *rows)
{
    uint64_t finds = 0;
    for (uint64_t i = 0; i < rows->count; i++) {
        finds += rows->labels[i];
    }
    return finds >= OUTCOMES_MIN && rows->count - finds >= OUTCOMES_MIN;
}

/* The penalty of logistic_fit is one for all, so each feature is measured in its spread; the logit
 * itself is a feature whose coefficient is wanted to be 1, which it cannot hold. Newton's method for
 * two numbers, with the logit as an offset, is as short. */
struct newton {
    double gradient[2];
    double hessian[3]; /* 00, 01, 11 */
};

static void add_wide(struct newton *at, double mean, double log_count, bool found,
                     const double fitted[2])
{
    const double x[2] = {log_count, log_count * mean};
    double p = logistic_probability(mean + fitted[0] * x[0] + fitted[1] * x[1]);
    double w = p * (1 - p);
    at->gradient[0] += (p - found) * x[0];
    at->gradient[1] += (p - found) * x[1];
    at->hessian[0] += w * x[0] * x[0];
    at->hessian[1] += w * x[0] * x[1];
    at->hessian[2] += w * x[1] * x[1];
}

static struct newton newton_at(const struct train_items *self, const uint8_t *chosen, uint8_t which,
                               const struct train_calibration *given, const double fitted[2])
{
    const double prior[2] = {1 / (growth_spread * growth_spread), 1 / (slope_spread * slope_spread)};
    struct newton at = {.gradient = {prior[0] * fitted[0], prior[1] * fitted[1]},
                        .hessian = {prior[0], 0, prior[1]}};
    for (uint64_t i = 0; i < self->count; i++) {
        uint32_t lines_count = self->items[i].lines_count;
        if (lines_count > 1 && (chosen == NULL || chosen[i] == which)) {
            double log_count = (double)item_lines_log(lines_count) * OBLIVIOUS_LOGIT;
            add_wide(&at, train_items_logit(self, i, given), log_count, self->items[i].found,
                     fitted);
        }
    }
    return at;
}

static double held(double value, double bound)
{
    return value > bound ? bound : value < -bound ? -bound : value;
}

/* Steps are held short instead of searched for: the penalty makes the function strictly convex, and
 * both numbers have bounds anyway. */
static void fit_lines(const struct train_items *self, const uint8_t *chosen, uint8_t which,
                      struct train_calibration *calibration)
{
    double fitted[2] = {0, 0};
    for (int step = 0; step < ITERATIONS_MAX; step++) {
        struct newton at = newton_at(self, chosen, which, calibration, fitted);
        double determinant = at.hessian[0] * at.hessian[2] - at.hessian[1] * at.hessian[1];
        double growth =
            (at.hessian[2] * at.gradient[0] - at.hessian[1] * at.gradient[1]) / determinant;
        double slope =
            (at.hessian[0] * at.gradient[1] - at.hessian[1] * at.gradient[0]) / determinant;
        fitted[0] = held(fitted[0] - held(growth, 0.5), ITEM_LINES_GROWTH_MAX);
        fitted[1] = held(fitted[1] - held(slope, 0.05), ITEM_LINES_SLOPE_MAX);
        if (fabs(growth) < 1e-10 && fabs(slope) < 1e-10) {
            break;
        }
    }
    calibration->lines = (struct lines_calibration){true, fitted[0], fitted[1]};
}

MUST_USE struct err train_items_calibrate(const struct train_items *self, const uint8_t *chosen,
                                          uint8_t which, struct train_calibration *out)
{
    struct chosen_rows rows = {calloc(self->count + 1, sizeof *rows.logits),
                               calloc(self->count + 1, 1), 0};
    struct train_calibration made = TRAIN_CALIBRATION_NONE;
    struct err err = err_make(ERR_MEMORY, "items of training");
    if (rows.logits != NULL && rows.labels != NULL) {
        choose(self, chosen, which, false, &rows);
        if (!has_both(&rows)) {
            choose(self, chosen, which, true, &rows);
        }
        fit_calibration(rows.logits, rows.labels, rows.count, &made.scale, &made.offset);
        fit_lines(self, chosen, which, &made);
        *out = made;
        err = err_none;
    }
    free(rows.logits);
    free(rows.labels);
    return err;
}
