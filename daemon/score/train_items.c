/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_items.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/logistic.h"
#include "score/train_fit.h"

/* What is thought before anything was seen: that growth changes from knot to knot by none, give or
 * take so much, and the slope is none. Wider, and a few dozen wide declarations speak as if they
 * were all; narrower, and hundreds are not believed. */
static const double growth_spread = 0.7;
static const double slope_spread = 0.05;

enum { OUTCOMES_MIN = 50, ITERATIONS_MAX = 60, ROUNDS = 5 };

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

/* The features of one fit: the logit, the ramps, the slope. logistic_fit has one penalty for all,
 * so each feature is measured in what is thought of its coefficient, of which that of the logit is
 * as good as free. */
enum { OF_LOGIT, OF_RAMPS, OF_SLOPE = OF_RAMPS + ITEM_LINES_KNOTS, FEATURES };
static const double logit_spread = 4;

struct fitting {
    double *features; /* [rows x FEATURES] */
    double *labels;
    double *logits; /* plain, for tables of one line */
    uint8_t *plain_labels;
    uint64_t count;
    uint64_t finds;
    uint64_t wide; /* items of several lines */
};

static void fitting_fini(struct fitting *self)
{
    free(self->features);
    free(self->labels);
    free(self->logits);
    free(self->plain_labels);
}

static bool fitting_init(uint64_t count, struct fitting *out)
{
    *out = (struct fitting){.features = calloc(count + 1, FEATURES * sizeof(double)),
                            .labels = calloc(count + 1, sizeof(double)),
                            .logits = calloc(count + 1, sizeof(double)),
                            .plain_labels = calloc(count + 1, 1)};
    return out->features != NULL && out->labels != NULL && out->logits != NULL &&
           out->plain_labels != NULL;
}

/* As it is scored under the scaling so far: the mean of odds, or the riskiest line alone. */
static void fill(const struct train_items *self, const uint8_t *chosen, uint8_t which,
                 const struct train_calibration *so_far, struct fitting *out)
{
    struct train_calibration flat = TRAIN_CALIBRATION_NONE;
    flat.scale = so_far->scale;
    flat.offset = so_far->offset;
    flat.lines.known = so_far->lines.known;
    out->count = 0;
    out->finds = 0;
    out->wide = 0;
    for (uint64_t i = 0; i < self->count; i++) {
        if (chosen != NULL && chosen[i] != which) {
            continue;
        }
        double *x = out->features + out->count * FEATURES;
        uint32_t lines = self->items[i].lines_count;
        double logit = train_items_logit(self, i, &flat);
        x[OF_LOGIT] = logit * logit_spread;
        for (uint32_t knot = 0; knot < ITEM_LINES_KNOTS; knot++) {
            x[OF_RAMPS + knot] = item_lines_ramp(knot, lines) * growth_spread;
        }
        x[OF_SLOPE] = (double)item_lines_log(lines) * OBLIVIOUS_LOGIT * logit * slope_spread;
        out->logits[out->count] = logit;
        out->plain_labels[out->count] = self->items[i].found;
        out->labels[out->count++] = self->items[i].found;
        out->finds += self->items[i].found;
        out->wide += lines > 1;
    }
}

static double held(double value, double bound)
{
    return value > bound ? bound : value < -bound ? -bound : value;
}

/* One fit; false when its scale is beyond belief, as in fit_calibration. */
static bool fit_once(const struct fitting *fitting, double *workspace,
                     struct train_calibration *calibration)
{
    double fitted[FEATURES + 1];
    struct logistic_report report;
    const struct logistic_problem problem = {.features = fitting->features,
                                             .row_count = fitting->count,
                                             .feature_count = FEATURES,
                                             .stride = FEATURES,
                                             .labels = fitting->labels,
                                             .l2 = 1};
    logistic_fit(&problem, ITERATIONS_MAX, workspace, fitted, &report);
    double scale = fitted[OF_LOGIT] * logit_spread;
    bool settled = report.converged || report.gradient_max < 1e-6 * (double)(1 + fitting->count);
    if (!settled || !(scale >= 0.1 && scale <= 5)) {
        return false;
    }
    double growth = 0;
    for (uint32_t knot = 0; knot < ITEM_LINES_KNOTS; knot++) {
        growth += fitted[OF_RAMPS + knot] * growth_spread;
        calibration->lines.growth[knot] = held(growth, ITEM_LINES_GROWTH_MAX);
    }
    calibration->lines.slope = held(fitted[OF_SLOPE] * slope_spread / scale, ITEM_LINES_SLOPE_MAX);
    calibration->scale *= scale;
    calibration->offset = calibration->offset * scale + fitted[FEATURES];
    return true;
}

/* The mean of odds depends on the scale of the lines, so the scaling is fitted again to what it has
 * made of them, until it has nothing to add. */
static bool fit_together(const struct train_items *self, const uint8_t *chosen, uint8_t which,
                         struct fitting *fitting, struct train_calibration *out)
{
    double *workspace = calloc(logistic_fit_workspace_doubles(FEATURES), sizeof *workspace);
    if (workspace == NULL) {
        return false;
    }
    struct train_calibration made = *out;
    bool good = true;
    made.lines.known = true;
    for (int round = 0; round < ROUNDS && good; round++) {
        fill(self, chosen, which, &made, fitting);
        good = fit_once(fitting, workspace, &made);
    }
    if (good && made.scale >= 0.1 && made.scale <= 5) {
        *out = made;
    }
    free(workspace);
    return true;
}

MUST_USE struct err train_items_calibrate(const struct train_items *self, const uint8_t *chosen,
                                          uint8_t which, struct train_calibration *out)
{
    struct fitting fitting;
    struct train_calibration made = TRAIN_CALIBRATION_NONE;
    bool good = fitting_init(self->count, &fitting);
    if (good) {
        fill(self, chosen, which, &made, &fitting);
        bool enough =
            fitting.finds >= OUTCOMES_MIN && fitting.count - fitting.finds >= OUTCOMES_MIN;
        if (enough && fitting.wide >= TRAIN_WIDE_MIN) {
            good = fit_together(self, chosen, which, &fitting, &made);
        } else {
            fit_calibration(fitting.logits, fitting.plain_labels, fitting.count, &made.scale,
                            &made.offset);
        }
    }
    fitting_fini(&fitting);
    if (!good) {
        return err_make(ERR_MEMORY, "items of training");
    }
    *out = made;
    return err_none;
}
