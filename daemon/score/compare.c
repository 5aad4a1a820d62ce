/* SPDX-License-Identifier: Apache-2.0 */
#include "score/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/logistic.h"
#include "kernels/rng.h"
#include "kernels/statistics.h"

static const uint64_t bootstrap_seed = 20260518;

static double loss_of(double logit, uint8_t label)
{
    return logistic_softplus(logit) - (label != 0 ? logit : 0);
}

/* What the rows of one exam add up to. */
struct exam {
    uint64_t id;
    double difference;
    double rows;
    uint8_t found;
};

static int compare_exams(const void *a, const void *b)
{
    const struct exam *first = a;
    const struct exam *second = b;
    return first->id < second->id ? -1 : first->id > second->id;
}

/* Adds up neighbours of one exam; returns how many there are. */
static uint64_t gather_exams(const struct compare_rows *rows, struct exam *exams)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < rows->count; i++) {
        double difference = loss_of(rows->logits_new[i], rows->labels[i]) -
                            loss_of(rows->logits_old[i], rows->labels[i]);
        exams[i] = (struct exam){rows->exams != NULL ? rows->exams[i] : i, difference, 1,
                                 rows->labels[i] != 0};
    }
    qsort(exams, rows->count, sizeof *exams, compare_exams);
    for (uint64_t i = 0; i < rows->count; i++) {
        if (count > 0 && exams[count - 1].id == exams[i].id) {
            exams[count - 1].difference += exams[i].difference;
            exams[count - 1].rows += exams[i].rows;
            exams[count - 1].found |= exams[i].found;
        } else {
            exams[count++] = exams[i];
        }
    }
    return count;
}

static double drawn_difference(const struct exam *exams, uint64_t count, struct rng *rng)
{
    double difference = 0;
    double rows = 0;
    for (uint64_t i = 0; i < count; i++) {
        const struct exam *exam = &exams[rng_below(rng, count)];
        difference += exam->difference;
        rows += exam->rows;
    }
    return difference / rows;
}

static uint32_t rounds_for(uint64_t count)
{
    uint64_t affordable = UINT64_C(200000000) / (count + 1);
    return affordable > COMPARE_RESAMPLES ? COMPARE_RESAMPLES
           : affordable < 100             ? 100
                                          : (uint32_t)affordable;
}

static void difference_of(const struct exam *exams, uint64_t count, double *drawn,
                          struct compare_set *out)
{
    struct rng rng;
    double sum = 0;
    double rows = 0;
    rng_init(&rng, bootstrap_seed, 0);
    out->exams_found = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += exams[i].difference;
        rows += exams[i].rows;
        out->exams_found += exams[i].found;
    }
    out->exams = count;
    out->difference = rows > 0 ? sum / rows : 0;
    out->lower = -INFINITY;
    out->upper = INFINITY;
    if (count > 1) {
        uint32_t rounds = rounds_for(count);
        for (uint32_t i = 0; i < rounds; i++) {
            drawn[i] = drawn_difference(exams, count, &rng);
        }
        statistics_sort(drawn, rounds);
        out->lower = statistics_quantile(drawn, rounds, 0.025);
        out->upper = statistics_quantile(drawn, rounds, 0.975);
    }
}

static struct err make_set(const struct compare_rows *rows, struct compare_set *out)
{
    const struct evaluation_rows of_new = {rows->logits_new, rows->labels, rows->count};
    const struct evaluation_rows of_old = {rows->logits_old, rows->labels, rows->count};
    struct exam *exams = calloc(rows->count + 1, sizeof *exams);
    double *drawn = calloc(COMPARE_RESAMPLES, sizeof *drawn);
    struct err err = exams != NULL && drawn != NULL ? err_none : err_make(ERR_MEMORY, "compare");
    err = err_is(err) ? err : evaluation_make(&of_new, &out->of_new);
    err = err_is(err) ? err : evaluation_make(&of_old, &out->of_old);
    if (!err_is(err)) {
        difference_of(exams, gather_exams(rows, exams), drawn, out);
    }
    free(exams);
    free(drawn);
    return err;
}

static struct err make_random(const struct compare_rows *rows, struct compare_set *out)
{
    double *logits_new = calloc(rows->count + 1, sizeof *logits_new);
    double *logits_old = calloc(rows->count + 1, sizeof *logits_old);
    uint8_t *labels = calloc(rows->count + 1, 1);
    uint64_t *exams = calloc(rows->count + 1, sizeof *exams);
    struct err err = err_make(ERR_MEMORY, "compare");
    uint64_t count = 0;
    if (logits_new != NULL && logits_old != NULL && labels != NULL && exams != NULL) {
        for (uint64_t i = 0; i < rows->count; i++) {
            if (rows->random[i] != 0) {
                logits_new[count] = rows->logits_new[i];
                logits_old[count] = rows->logits_old[i];
                exams[count] = rows->exams != NULL ? rows->exams[i] : i;
                labels[count++] = rows->labels[i];
            }
        }
        const struct compare_rows drawn = {logits_new, logits_old, labels, NULL, exams, count};
        err = make_set(&drawn, out);
    }
    free(logits_new);
    free(logits_old);
    free(labels);
    free(exams);
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
    made.random_counts = made.random.exams >= COMPARE_RANDOM_EXAMS_MIN &&
                         made.random.exams_found >= COMPARE_RANDOM_FINDS_MIN;
    bool enough = made.all.exams >= COMPARE_EXAMS_MIN && made.all.exams_found >= COMPARE_FINDS_MIN;
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
                       random->exams, random->exams_found, random->of_new.loss, random->of_old.loss,
                       random->difference, random->lower, random->upper,
                       compare->random_counts ? "" : ", too few to count");
    }
    (void)snprintf(out, out_bytes,
                   "on %" PRIu64 " later exams (%" PRIu64
                   " finds) log loss %.4f against %.4f, difference %+.4f (%+.4f..%+.4f), AUC %.3f"
                   " against %.3f%s",
                   all->exams, all->exams_found, all->of_new.loss, all->of_old.loss,
                   all->difference, all->lower, all->upper, all->of_new.auc.value,
                   all->of_old.auc.value, drawn);
}
