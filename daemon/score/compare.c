/* SPDX-License-Identifier: Apache-2.0 */
#include "score/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/logistic.h"

static double loss_of(double logit, uint8_t label)
{
    return logistic_softplus(logit) - (label != 0 ? logit : 0);
}

static void difference_of(const struct compare_rows *rows, struct compare_set *out)
{
    static const double z = 1.959963984540054;
    double sum = 0;
    double squares = 0;
    double count = (double)rows->count;
    for (uint64_t i = 0; i < rows->count; i++) {
        sum += loss_of(rows->logits_new[i], rows->labels[i]) -
               loss_of(rows->logits_old[i], rows->labels[i]);
    }
    double mean = rows->count > 0 ? sum / count : 0;
    for (uint64_t i = 0; i < rows->count; i++) {
        double one = loss_of(rows->logits_new[i], rows->labels[i]) -
                     loss_of(rows->logits_old[i], rows->labels[i]) - mean;
        squares += one * one;
    }
    double half = rows->count > 1 ? z * sqrt(squares / (count - 1) / count) : INFINITY;
    out->difference = mean;
    out->lower = mean - half;
    out->upper = mean + half;
}

static struct err make_set(const struct compare_rows *rows, struct compare_set *out)
{
    const struct evaluation_rows of_new = {rows->logits_new, rows->labels, rows->count};
    const struct evaluation_rows of_old = {rows->logits_old, rows->labels, rows->count};
    struct err err = evaluation_make(&of_new, &out->of_new);
    err = err_is(err) ? err : evaluation_make(&of_old, &out->of_old);
    difference_of(rows, out);
    return err;
}

static struct err make_random(const struct compare_rows *rows, struct compare_set *out)
{
    double *logits_new = calloc(rows->count + 1, sizeof *logits_new);
    double *logits_old = calloc(rows->count + 1, sizeof *logits_old);
    uint8_t *labels = calloc(rows->count + 1, 1);
    struct err err = err_make(ERR_MEMORY, "compare");
    uint64_t count = 0;
    if (logits_new != NULL && logits_old != NULL && labels != NULL) {
        for (uint64_t i = 0; i < rows->count; i++) {
            if (rows->random[i] != 0) {
                logits_new[count] = rows->logits_new[i];
                logits_old[count] = rows->logits_old[i];
                labels[count++] = rows->labels[i];
            }
        }
        const struct compare_rows drawn = {logits_new, logits_old, labels, NULL, count};
        err = make_set(&drawn, out);
    }
    free(logits_new);
    free(logits_old);
    free(labels);
    return err;
}

MUST_USE struct err compare_make(const struct compare_rows *rows, struct compare *out)
{
    struct compare made;
    struct err err = make_set(rows, &made.all);
    err = err_is(err) ? err : make_random(rows, &made.random);
    if (err_is(err)) {
        return err;
    }
    made.random_counts = made.random.of_new.rows >= COMPARE_RANDOM_ROWS_MIN &&
                         made.random.of_new.finds >= COMPARE_RANDOM_FINDS_MIN;
    bool enough =
        made.all.of_new.rows >= COMPARE_ROWS_MIN && made.all.of_new.finds >= COMPARE_FINDS_MIN;
    bool worse = made.all.lower > 0 || (made.random_counts && made.random.lower > 0);
    made.verdict = !enough ? COMPARE_TOO_FEW : worse ? COMPARE_WORSE : COMPARE_NO_WORSE;
    *out = made;
    return err_none;
}

void compare_describe(const struct compare *compare, char *out, size_t out_bytes)
{
    const struct compare_set *all = &compare->all;
    const struct compare_set *random = &compare->random;
    char drawn[160] = "";
    if (random->of_new.rows > 0) {
        (void)snprintf(drawn, sizeof drawn,
                       "; of the coin's %" PRIu64 " (%" PRIu64
                       " finds) %.4f against %.4f, difference %+.4f (%+.4f..%+.4f)%s",
                       random->of_new.rows, random->of_new.finds, random->of_new.loss,
                       random->of_old.loss, random->difference, random->lower, random->upper,
                       compare->random_counts ? "" : ", too few to count");
    }
    (void)snprintf(out, out_bytes,
                   "on %" PRIu64 " later exams (%" PRIu64
                   " finds) log loss %.4f against %.4f, difference %+.4f (%+.4f..%+.4f), AUC %.3f"
                   " against %.3f%s",
                   all->of_new.rows, all->of_new.finds, all->of_new.loss, all->of_old.loss,
                   all->difference, all->lower, all->upper, all->of_new.auc.value,
                   all->of_old.auc.value, drawn);
}
