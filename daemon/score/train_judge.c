/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_judge.h"

#include <stdlib.h>

#include "score/train_fit.h"
#include "score/train_trees.h"

static const int64_t day_ns = INT64_C(86400) * 1000000000;

void train_later_fini(struct train_later *self)
{
    free(self->logits);
    free(self->labels);
    free(self->chosen);
    free(self->chosen_labels);
}

MUST_USE struct err train_later_init(const struct train_row *rows, const uint8_t *known,
                                     const float *labels, uint64_t count, struct train_later *out)
{
    *out = (struct train_later){.rows = rows,
                                .known = known,
                                .logits = calloc(count + 1, sizeof(double)),
                                .labels = calloc(count + 1, 1),
                                .chosen = calloc(count + 1, sizeof(double)),
                                .chosen_labels = calloc(count + 1, 1),
                                .count = count,
                                .scale = 1};
    if (out->logits == NULL || out->labels == NULL || out->chosen == NULL ||
        out->chosen_labels == NULL) {
        train_later_fini(out);
        return err_make(ERR_MEMORY, "train_declarations_write");
    }
    for (uint64_t i = 0; i < count; i++) {
        out->labels[i] = labels[i] > 0;
    }
    return err_none;
}

static bool day_is_odd(const struct train_later *later, uint64_t index)
{
    return later->rows[index].outcome.t_ns / day_ns % 2 != 0;
}

void train_later_calibrate(struct train_later *later)
{
    later->scale = 1;
    later->offset = 0;
    if (later->has_scale) {
        fit_calibration(later->logits, later->labels, later->count, &later->scale, &later->offset);
    }
}

/* Fits Platt's scaling to all later rows, and tells of each row what the scaling of the days of the
 * other parity says: that is what is judged. */
static void calibrate_later(struct train_later *later, double *judged)
{
    for (int odd = 0; odd < 2; odd++) {
        uint64_t chosen = 0;
        double scale = 1;
        double offset = 0;
        for (uint64_t i = 0; i < later->count; i++) {
            if (day_is_odd(later, i) != odd) {
                later->chosen[chosen] = later->logits[i];
                later->chosen_labels[chosen++] = later->labels[i];
            }
        }
        if (later->has_scale) {
            fit_calibration(later->chosen, later->chosen_labels, chosen, &scale, &offset);
        }
        for (uint64_t i = 0; i < later->count; i++) {
            if (day_is_odd(later, i) == odd) {
                judged[i] = scale * later->logits[i] + offset;
            }
        }
    }
    train_later_calibrate(later);
}

/* Ranking is judged by the logits as they are, since one scaling of all rows does not change it;
 * calibration by the scalings that had not seen the rows. */
static struct err judge_rows(const double *logits, const double *judged, const uint8_t *labels,
                             uint64_t count, struct evaluation *out)
{
    struct evaluation ranked;
    struct err err = evaluation_make(&(struct evaluation_rows){logits, labels, count}, &ranked);
    err =
        err_is(err) ? err : evaluation_make(&(struct evaluation_rows){judged, labels, count}, out);
    if (!err_is(err)) {
        out->precision_5 = ranked.precision_5;
        out->precision_10 = ranked.precision_10;
        out->auc = ranked.auc;
    }
    return err;
}

/* Of the rows whose importer had (not) been examined before. */
static struct err judge_known(const struct train_later *later, const double *judged, bool known,
                              struct evaluation *out)
{
    uint64_t chosen = 0;
    double *chosen_judged = calloc(later->count + 1, sizeof *chosen_judged);
    if (chosen_judged == NULL) {
        return err_make(ERR_MEMORY, "train_declarations_write");
    }
    for (uint64_t i = 0; i < later->count; i++) {
        if ((later->known[i] != 0) == known) {
            later->chosen[chosen] = later->logits[i];
            chosen_judged[chosen] = judged[i];
            later->chosen_labels[chosen++] = later->labels[i];
        }
    }
    struct err err = judge_rows(later->chosen, chosen_judged, later->chosen_labels, chosen, out);
    free(chosen_judged);
    return err;
}

MUST_USE struct err train_later_judge(struct train_later *later, struct declaration_bins *bins,
                                      struct train_declarations_report *report)
{
    double *judged = calloc(later->count + 1, sizeof *judged);
    if (judged == NULL) {
        return err_make(ERR_MEMORY, "train_declarations_write");
    }
    calibrate_later(later, judged);
    struct err err = judge_rows(later->logits, judged, later->labels, later->count, &report->later);
    err = err_is(err) ? err : judge_known(later, judged, true, &report->known);
    err = err_is(err) ? err : judge_known(later, judged, false, &report->newcomers);
    for (uint64_t i = 0; i < later->count; i++) {
        judged[i] = later->scale * later->logits[i] + later->offset;
    }
    err = err_is(err) ? err : trees_bins(judged, later->labels, later->count, bins);
    report->scale = later->scale;
    report->offset = later->offset;
    free(judged);
    return err;
}
