/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_judge.h"

#include <stdlib.h>
#include <string.h>

#include "score/train_trees.h"

static const int64_t day_ns = INT64_C(86400) * 1000000000;

/* One number an item; workspace of judging. */
struct judging {
    double *ranked; /* logits before any calibration: the one of all items does not rank anew */
    double *judged; /* by the calibration of days of the other parity */
    double *final;
    uint8_t *labels;
    uint8_t *odd;
    uint32_t *lines_counts;
    double *some; /* of a part of the items, as the next two */
    double *some_judged;
    uint8_t *some_labels;
};

static void judging_fini(struct judging *self)
{
    free(self->ranked);
    free(self->judged);
    free(self->final);
    free(self->labels);
    free(self->odd);
    free(self->lines_counts);
    free(self->some);
    free(self->some_judged);
    free(self->some_labels);
}

static bool judging_init(uint64_t count, struct judging *out)
{
    *out = (struct judging){.ranked = calloc(count + 1, sizeof(double)),
                            .judged = calloc(count + 1, sizeof(double)),
                            .final = calloc(count + 1, sizeof(double)),
                            .labels = calloc(count + 1, 1),
                            .odd = calloc(count + 1, 1),
                            .lines_counts = calloc(count + 1, sizeof(uint32_t)),
                            .some = calloc(count + 1, sizeof(double)),
                            .some_judged = calloc(count + 1, sizeof(double)),
                            .some_labels = calloc(count + 1, 1)};
    return out->ranked != NULL && out->judged != NULL && out->final != NULL &&
           out->labels != NULL && out->odd != NULL && out->lines_counts != NULL &&
           out->some != NULL && out->some_judged != NULL && out->some_labels != NULL;
}

MUST_USE struct err train_later_init(const struct train_row *rows, const uint8_t *known,
                                     uint64_t count, struct train_later *out)
{
    *out = (struct train_later){.rows = rows, .known = known};
    return train_items_init(rows, count, &out->items, &out->lines);
}

void train_later_fini(struct train_later *self)
{
    train_items_fini(&self->items);
    free(self->lines);
    memset(self, 0, sizeof *self);
}

/* By all items, and of each item what the calibration of the days of the other parity says: that is
 * what is judged. */
static struct err calibrate(const struct train_later *later, struct judging *judging,
                            struct train_calibration *all)
{
    const struct train_items *items = &later->items;
    struct train_calibration of[2] = {TRAIN_CALIBRATION_NONE, TRAIN_CALIBRATION_NONE};
    struct train_calibration none = TRAIN_CALIBRATION_NONE;
    struct err err = err_none;
    *all = none;
    for (uint64_t i = 0; i < items->count; i++) {
        judging->odd[i] = later->rows[items->items[i].first].outcome.t_ns / day_ns % 2 != 0;
        judging->labels[i] = items->items[i].found;
        judging->lines_counts[i] = items->items[i].lines_count;
    }
    if (later->has_scale) {
        err = train_items_calibrate(items, judging->odd, 0, &of[0]);
        err = err_is(err) ? err : train_items_calibrate(items, judging->odd, 1, &of[1]);
        err = err_is(err) ? err : train_items_calibrate(items, NULL, 0, all);
    }
    none.lines.known = all->lines.known; /* an order of the kind that scores have */
    for (uint64_t i = 0; i < items->count; i++) {
        judging->ranked[i] = train_items_logit(items, i, &none);
        judging->judged[i] = train_items_logit(items, i, &of[judging->odd[i] != 0 ? 0 : 1]);
        judging->final[i] = train_items_logit(items, i, all);
    }
    return err;
}

static struct err judge_rows(const double *ranked, const struct evaluation_rows *judged,
                             struct evaluation *out)
{
    const struct evaluation_rows rows = {ranked, judged->labels, judged->count};
    struct evaluation of_ranked;
    struct err err = evaluation_make(&rows, &of_ranked);
    err = err_is(err) ? err : evaluation_make(judged, out);
    if (!err_is(err)) {
        out->precision_5 = of_ranked.precision_5;
        out->precision_10 = of_ranked.precision_10;
        out->auc = of_ranked.auc;
    }
    return err;
}

/* Of the items whose importer had (not) been examined before. */
static struct err judge_known(const struct train_later *later, struct judging *judging, bool known,
                              struct evaluation *out)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < later->items.count; i++) {
        if ((later->known[later->items.items[i].first] != 0) == known) {
            judging->some[count] = judging->ranked[i];
            judging->some_judged[count] = judging->judged[i];
            judging->some_labels[count++] = judging->labels[i];
        }
    }
    const struct evaluation_rows rows = {judging->some_judged, judging->some_labels, count};
    return judge_rows(judging->some, &rows, out);
}

static struct err judge(const struct train_later *later, struct judging *judging,
                        struct declaration_bins *bins, struct train_declarations_report *report)
{
    struct train_calibration all;
    uint64_t count = later->items.count;
    const struct line_rows by_lines = {{judging->judged, judging->labels, count},
                                       judging->lines_counts};
    struct err err = calibrate(later, judging, &all);
    err = err_is(err) ? err : judge_rows(judging->ranked, &by_lines.rows, &report->later);
    err = err_is(err) ? err : judge_known(later, judging, true, &report->known);
    err = err_is(err) ? err : judge_known(later, judging, false, &report->newcomers);
    err = err_is(err) ? err : line_buckets_make(&by_lines, report->by_lines);
    err = err_is(err) ? err : trees_bins(judging->final, judging->labels, count, bins);
    if (!err_is(err)) {
        report->scale = all.scale;
        report->offset = all.offset;
        report->lines = all.lines;
    }
    return err;
}

MUST_USE struct err train_later_judge(const struct train_later *later,
                                      struct declaration_bins *bins,
                                      struct train_declarations_report *report)
{
    struct judging judging;
    struct err err = judging_init(later->items.count, &judging)
                         ? judge(later, &judging, bins, report)
                         : err_make(ERR_MEMORY, "train_declarations_write");
    judging_fini(&judging);
    return err;
}
