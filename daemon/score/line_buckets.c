/* SPDX-License-Identifier: Apache-2.0 */
#include "score/line_buckets.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/logistic.h"
#include "kernels/rng.h"
#include "kernels/statistics.h"

static const uint64_t resample_seed = 20221104;

const char *const line_bucket_names[LINE_BUCKETS] = {"1", "2-3", "4-8", "9+"};

uint32_t line_bucket_of(uint32_t lines_count)
{
    return lines_count <= 1 ? 0 : lines_count <= 3 ? 1 : lines_count <= 8 ? 2 : 3;
}

struct chosen {
    double *probabilities;
    uint8_t *labels;
    uint64_t count;
};

/* What rows add up to in the bins of one resample. */
struct bins {
    double excess[EVALUATION_BINS]; /* predicted less seen */
};

static void bins_add(struct bins *bins, double probability, bool label)
{
    uint32_t bin = (uint32_t)(probability * EVALUATION_BINS);
    bins->excess[bin < EVALUATION_BINS ? bin : EVALUATION_BINS - 1] += probability - label;
}

static double error_of(const struct bins *bins, uint64_t count)
{
    double error = 0;
    for (uint32_t bin = 0; bin < EVALUATION_BINS; bin++) {
        error += fabs(bins->excess[bin]);
    }
    return error / (double)count;
}

/* Fewer for many rows, where the intervals are narrow anyway. */
static uint32_t rounds_for(uint64_t count)
{
    uint64_t affordable = UINT64_C(20000000) / (count + 1);
    return affordable > EVALUATION_RESAMPLES ? EVALUATION_RESAMPLES
           : affordable < 50                 ? 50
                                             : (uint32_t)affordable;
}

static double whole_error(const struct chosen *rows)
{
    struct bins bins = {.excess = {0}};
    for (uint64_t i = 0; i < rows->count; i++) {
        bins_add(&bins, rows->probabilities[i], rows->labels[i] != 0);
    }
    return error_of(&bins, rows->count);
}

/* Rows drawn again, with their outcomes; or all rows, with outcomes drawn from the probabilities.
 */
static double drawn_error(const struct chosen *rows, bool again, struct rng *rng)
{
    struct bins bins = {.excess = {0}};
    for (uint64_t i = 0; i < rows->count; i++) {
        uint64_t row = again ? rng_below(rng, rows->count) : i;
        double probability = rows->probabilities[row];
        bins_add(&bins, probability,
                 again ? rows->labels[row] != 0 : rng_uniform(rng) < probability);
    }
    return error_of(&bins, rows->count);
}

static void judge(const struct chosen *rows, double *errors, struct line_bucket *out)
{
    struct rng rng;
    uint32_t rounds = rounds_for(rows->count);
    double predicted = 0;
    for (uint64_t i = 0; i < rows->count; i++) {
        predicted += rows->probabilities[i];
        out->finds += rows->labels[i];
    }
    out->rows = rows->count;
    out->predicted = predicted / (double)rows->count;
    out->calibration_error.value = whole_error(rows);
    rng_init(&rng, resample_seed, 0);
    for (uint32_t i = 0; i < rounds; i++) {
        errors[i] = drawn_error(rows, true, &rng);
    }
    statistics_sort(errors, rounds);
    out->calibration_error.lower = statistics_quantile(errors, rounds, 0.025);
    out->calibration_error.upper = statistics_quantile(errors, rounds, 0.975);
    for (uint32_t i = 0; i < rounds; i++) {
        errors[i] = drawn_error(rows, false, &rng);
    }
    statistics_sort(errors, rounds);
    out->chance = statistics_quantile(errors, rounds, 0.95);
}

static void choose(const struct line_rows *given, uint32_t bucket, struct chosen *out)
{
    out->count = 0;
    for (uint64_t i = 0; i < given->rows.count; i++) {
        if (line_bucket_of(given->lines_counts[i]) == bucket) {
            out->probabilities[out->count] = logistic_probability(given->rows.logits[i]);
            out->labels[out->count++] = given->rows.labels[i];
        }
    }
}

MUST_USE struct err line_buckets_make(const struct line_rows *given,
                                      struct line_bucket out[LINE_BUCKETS])
{
    struct chosen chosen = {calloc(given->rows.count + 1, sizeof *chosen.probabilities),
                            calloc(given->rows.count + 1, 1), 0};
    double *errors = calloc(EVALUATION_RESAMPLES, sizeof *errors);
    struct err err = err_make(ERR_MEMORY, "calibration by lines");
    if (chosen.probabilities != NULL && chosen.labels != NULL && errors != NULL) {
        for (uint32_t bucket = 0; bucket < LINE_BUCKETS; bucket++) {
            out[bucket] = (struct line_bucket){
                .predicted = NAN, .calibration_error = {NAN, NAN, NAN}, .chance = NAN};
            choose(given, bucket, &chosen);
            if (chosen.count > 0) {
                judge(&chosen, errors, &out[bucket]);
            }
        }
        err = err_none;
    }
    free(chosen.probabilities);
    free(chosen.labels);
    free(errors);
    return err;
}
