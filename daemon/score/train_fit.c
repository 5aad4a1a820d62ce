/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/logistic.h"
#include "kernels/statistics.h"

/* Weights below zero would tell an officer that finds speak for release. Leaving such kinds out one
 * round at a time is the active-set method without its way back; on strongly overlapping histories
 * it loses nothing that can be measured. */

enum { ITERATIONS_MAX = 60, ROUNDS_MAX = 24 };
static const double ridge = 1.0;

struct active {
    uint32_t kinds[HISTORY_LINEAR_KINDS];
    uint32_t count;
};

struct fit_space {
    double *features;
    double *labels;
    double *workspace;
};

static void fit_space_free(struct fit_space *self)
{
    free(self->features);
    free(self->labels);
    free(self->workspace);
}

static struct err fit_space_make(uint64_t rows_count, struct fit_space *out)
{
    struct fit_space made = {
        .features = calloc(rows_count * HISTORY_LINEAR_KINDS + 1, sizeof(double)),
        .labels = calloc(rows_count + 1, sizeof(double)),
        .workspace = calloc(logistic_fit_workspace_doubles(HISTORY_LINEAR_KINDS), sizeof(double)),
    };
    if (made.features == NULL || made.labels == NULL || made.workspace == NULL) {
        fit_space_free(&made);
        return err_make(ERR_MEMORY, "fit of history weights");
    }
    *out = made;
    return err_none;
}

static void fit_active(const struct fit_rows *rows, const struct active *active,
                       struct fit_space *space, double *coefficients)
{
    for (uint64_t i = 0; i < rows->rows_count; i++) {
        for (uint32_t j = 0; j < active->count; j++) {
            space->features[i * active->count + j] =
                (double)rows->features[i * HISTORY_LINEAR_KINDS + active->kinds[j]];
        }
        space->labels[i] = rows->labels[i];
    }
    struct logistic_problem problem = {
        .features = space->features,
        .row_count = rows->rows_count,
        .feature_count = active->count,
        .stride = active->count,
        .labels = space->labels,
        .weights = NULL,
        .l2 = ridge,
    };
    struct logistic_report report;
    logistic_fit(&problem, ITERATIONS_MAX, space->workspace, coefficients, &report);
}

/* Takes out the kinds whose coefficient is below zero; true when there were any. */
static bool drop_negative(struct active *active, const double *coefficients)
{
    uint32_t kept = 0;
    for (uint32_t j = 0; j < active->count; j++) {
        if (coefficients[j] >= 0) {
            active->kinds[kept++] = active->kinds[j];
        }
    }
    bool dropped = kept < active->count;
    active->count = kept;
    return dropped;
}

MUST_USE struct err fit_weights(const struct fit_rows *rows,
                                double coefficients[HISTORY_LINEAR_KINDS + 1])
{
    struct fit_space space = {NULL, NULL, NULL};
    struct err err = fit_space_make(rows->rows_count, &space);
    if (err_is(err)) {
        return err;
    }
    struct active active = {.count = 0};
    for (uint32_t kind = HISTORY_ALL + 1; kind < HISTORY_LINEAR_KINDS; kind++) {
        active.kinds[active.count++] = kind;
    }
    double fitted[HISTORY_LINEAR_KINDS + 1] = {0};
    bool again = true;
    for (int round = 0; round < ROUNDS_MAX && again; round++) {
        fit_active(rows, &active, &space, fitted);
        struct active before = active;
        again = drop_negative(&active, fitted);
        if (!again) {
            active = before;
        }
    }
    memset(coefficients, 0, sizeof(double) * (HISTORY_LINEAR_KINDS + 1));
    for (uint32_t j = 0; j < active.count; j++) {
        coefficients[active.kinds[j]] = fitted[j] > 0 ? fitted[j] : 0;
    }
    coefficients[HISTORY_LINEAR_KINDS] = fitted[active.count];
    fit_space_free(&space);
    return err_none;
}

void fit_logits(const struct fit_rows *rows, const double coefficients[HISTORY_LINEAR_KINDS + 1],
                double *out)
{
    for (uint64_t i = 0; i < rows->rows_count; i++) {
        double logit = coefficients[HISTORY_LINEAR_KINDS];
        for (uint32_t kind = 0; kind < HISTORY_LINEAR_KINDS; kind++) {
            logit += coefficients[kind] * (double)rows->features[i * HISTORY_LINEAR_KINDS + kind];
        }
        out[i] = logit;
    }
}

struct scored_row {
    double logit;
    uint64_t index;
    uint8_t label;
};

static int compare_scored(const void *a, const void *b)
{
    const struct scored_row *first = a;
    const struct scored_row *second = b;
    if (first->logit != second->logit) {
        return first->logit > second->logit ? -1 : 1;
    }
    return first->index < second->index ? -1 : first->index > second->index;
}

static double precision_of(const struct scored_row *sorted, uint64_t rows_count, double share)
{
    uint64_t chosen = (uint64_t)llround((double)rows_count * share);
    uint64_t finds = 0;
    for (uint64_t i = 0; i < chosen; i++) {
        finds += sorted[i].label;
    }
    return chosen > 0 ? (double)finds / (double)chosen : NAN;
}

MUST_USE struct err fit_evaluate(const double *logits, const uint8_t *labels, uint64_t rows_count,
                                 struct fit_figures *out)
{
    struct scored_row *sorted = calloc(rows_count + 1, sizeof *sorted);
    uint32_t *order = calloc(rows_count + 1, sizeof *order);
    if (sorted == NULL || order == NULL) {
        free(sorted);
        free(order);
        return err_make(ERR_MEMORY, "evaluation of history weights");
    }
    struct fit_figures figures = {.rows_count = rows_count};
    double loss = 0;
    for (uint64_t i = 0; i < rows_count; i++) {
        sorted[i] = (struct scored_row){logits[i], i, labels[i]};
        figures.finds_count += labels[i];
        loss += logistic_softplus(logits[i]) - (labels[i] ? logits[i] : 0.0);
    }
    qsort(sorted, rows_count, sizeof *sorted, compare_scored);
    figures.precision_5 = precision_of(sorted, rows_count, 0.05);
    figures.precision_10 = precision_of(sorted, rows_count, 0.10);
    figures.auc = statistics_auc(logits, labels, rows_count, order);
    figures.loss = rows_count > 0 ? loss / (double)rows_count : NAN;
    free(sorted);
    free(order);
    *out = figures;
    return err_none;
}

void fit_calibration(const double *logits, const uint8_t *labels, uint64_t rows_count,
                     double *scale, double *offset)
{
    uint64_t finds = 0;
    for (uint64_t i = 0; i < rows_count; i++) {
        finds += labels[i];
    }
    *scale = 1;
    *offset = 0;
    /* With fewer than 50 of either kind the scale is known to worse than a third: better none. */
    if (finds < 50 || rows_count - finds < 50) {
        return;
    }
    double *wide = calloc(rows_count, sizeof *wide);
    double *workspace = calloc(logistic_fit_workspace_doubles(1), sizeof *workspace);
    if (wide != NULL && workspace != NULL) {
        for (uint64_t i = 0; i < rows_count; i++) {
            wide[i] = labels[i];
        }
        struct logistic_problem problem = {.features = logits,
                                           .row_count = rows_count,
                                           .feature_count = 1,
                                           .stride = 1,
                                           .labels = wide,
                                           .l2 = 1e-3};
        struct logistic_report report;
        double fitted[2] = {0, 0};
        logistic_fit(&problem, ITERATIONS_MAX, workspace, fitted, &report);
        /* Beyond these it is the logits that are worthless, and so is any scaling of them. */
        if (report.converged && fitted[0] >= 0.1 && fitted[0] <= 5) {
            *scale = fitted[0];
            *offset = fitted[1];
        }
    }
    free(wide);
    free(workspace);
}
