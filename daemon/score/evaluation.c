/* SPDX-License-Identifier: Apache-2.0 */
#include "score/evaluation.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/logistic.h"
#include "kernels/rng.h"
#include "kernels/statistics.h"

/* Rows are sorted once, highest first. A resample is how often each of them was drawn; walking the
 * sorted rows then gives its precisions and its area without sorting again. */

static const uint64_t bootstrap_seed = 20220804;

struct ranked {
    double logit;
    uint32_t index;
    uint8_t label;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *first = a;
    const struct ranked *second = b;
    if (first->logit != second->logit) {
        return first->logit > second->logit ? -1 : 1;
    }
    return first->index < second->index ? -1 : first->index > second->index;
}

enum { FIGURE_5, FIGURE_10, FIGURE_AUC, FIGURES };

/* drawn NULL: every row once. */
static void figures_of(const struct ranked *sorted, uint64_t count, const uint32_t *drawn,
                       double out[FIGURES])
{
    const uint64_t chosen[2] = {(uint64_t)llround((double)count * 0.05),
                                (uint64_t)llround((double)count * 0.10)};
    uint64_t hits[2] = {0, 0};
    uint64_t taken = 0;
    double finds = 0;
    double clean = 0;
    double above = 0; /* pairs of a find and a clean row below it, ties half */
    for (uint64_t i = 0; i < count;) {
        double tied_finds = 0;
        double tied_clean = 0;
        uint64_t from = i;
        for (; i < count && sorted[i].logit == sorted[from].logit; i++) {
            uint64_t times = drawn != NULL ? drawn[i] : 1;
            *(sorted[i].label ? &tied_finds : &tied_clean) += (double)times;
            for (int share = 0; share < 2; share++) {
                uint64_t room = chosen[share] > taken ? chosen[share] - taken : 0;
                hits[share] += sorted[i].label ? (times < room ? times : room) : 0;
            }
            taken += times;
        }
        above += tied_clean * (finds + 0.5 * tied_finds);
        finds += tied_finds;
        clean += tied_clean;
    }
    out[FIGURE_5] = chosen[0] > 0 ? (double)hits[0] / (double)chosen[0] : NAN;
    out[FIGURE_10] = chosen[1] > 0 ? (double)hits[1] / (double)chosen[1] : NAN;
    out[FIGURE_AUC] = finds > 0 && clean > 0 ? above / (finds * clean) : NAN;
}

/* Fewer for millions of rows, where the intervals are narrow anyway. */
static uint32_t rounds_for(uint64_t count)
{
    uint64_t affordable = UINT64_C(200000000) / (count + 1);
    return affordable > EVALUATION_RESAMPLES ? EVALUATION_RESAMPLES
           : affordable < 50                 ? 50
                                             : (uint32_t)affordable;
}

static void resample(const struct ranked *sorted, uint64_t count, uint32_t *drawn,
                     double *figures[FIGURES])
{
    struct rng rng;
    rng_init(&rng, bootstrap_seed, 0);
    for (uint32_t round = 0; round < rounds_for(count); round++) {
        double found[FIGURES];
        for (uint64_t i = 0; i < count; i++) {
            drawn[i] = 0;
        }
        for (uint64_t i = 0; i < count; i++) {
            drawn[rng_below(&rng, count)]++;
        }
        figures_of(sorted, count, drawn, found);
        for (int f = 0; f < FIGURES; f++) {
            figures[f][round] = found[f];
        }
    }
}

static struct evaluation_rate rate_of(double value, double *resampled, uint32_t rounds)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rounds; i++) {
        if (isfinite(resampled[i])) { /* a resample of one outcome has no area */
            resampled[kept++] = resampled[i];
        }
    }
    statistics_sort(resampled, kept);
    return (struct evaluation_rate){value, statistics_quantile(resampled, kept, 0.025),
                                    statistics_quantile(resampled, kept, 0.975)};
}

static void calibrate(const struct evaluation_rows *rows, struct evaluation *out)
{
    double loss = 0;
    double error = 0;
    for (uint64_t i = 0; i < rows->count; i++) {
        double probability = logistic_probability(rows->logits[i]);
        uint32_t bin = (uint32_t)(probability * EVALUATION_BINS);
        struct evaluation_bin *at = &out->bins[bin < EVALUATION_BINS ? bin : EVALUATION_BINS - 1];
        at->rows++;
        at->finds += rows->labels[i];
        at->predicted += probability;
        out->finds += rows->labels[i];
        loss += logistic_softplus(rows->logits[i]) - (rows->labels[i] ? rows->logits[i] : 0.0);
    }
    for (uint32_t bin = 0; bin < EVALUATION_BINS; bin++) {
        struct evaluation_bin *at = &out->bins[bin];
        error += fabs(at->predicted - (double)at->finds);
        at->predicted = at->rows > 0 ? at->predicted / (double)at->rows : NAN;
    }
    out->rows = rows->count;
    out->loss = rows->count > 0 ? loss / (double)rows->count : NAN;
    out->calibration_error = rows->count > 0 ? error / (double)rows->count : NAN;
}

static void rank(const struct evaluation_rows *rows, struct ranked *sorted)
{
    for (uint64_t i = 0; i < rows->count; i++) {
        sorted[i] = (struct ranked){rows->logits[i], (uint32_t)i, rows->labels[i]};
    }
    qsort(sorted, rows->count, sizeof *sorted, compare_ranked);
}

MUST_USE struct err evaluation_make(const struct evaluation_rows *rows, struct evaluation *out)
{
    if (rows->count >= INT32_MAX) {
        return err_make(ERR_ARGUMENT, "evaluation: too many rows");
    }
    struct ranked *sorted = calloc(rows->count + 1, sizeof *sorted);
    uint32_t *drawn = calloc(rows->count + 1, sizeof *drawn);
    double *resampled = calloc((size_t)FIGURES * EVALUATION_RESAMPLES, sizeof *resampled);
    struct err err = err_make(ERR_MEMORY, "evaluation");
    if (sorted != NULL && drawn != NULL && resampled != NULL) {
        double *figures[FIGURES];
        double whole[FIGURES];
        uint32_t rounds = rounds_for(rows->count);
        for (int f = 0; f < FIGURES; f++) {
            figures[f] = resampled + (size_t)f * EVALUATION_RESAMPLES;
        }
        struct evaluation made = {.rows = 0};
        rank(rows, sorted);
        figures_of(sorted, rows->count, NULL, whole);
        resample(sorted, rows->count, drawn, figures);
        made.precision_5 = rate_of(whole[FIGURE_5], figures[FIGURE_5], rounds);
        made.precision_10 = rate_of(whole[FIGURE_10], figures[FIGURE_10], rounds);
        made.auc = rate_of(whole[FIGURE_AUC], figures[FIGURE_AUC], rounds);
        calibrate(rows, &made);
        *out = made;
        err = err_none;
    }
    free(sorted);
    free(drawn);
    free(resampled);
    return err;
}
