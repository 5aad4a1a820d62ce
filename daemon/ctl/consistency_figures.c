/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/consistency_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/rng.h"
#include "kernels/statistics.h"

const double consistency_levels[CONSISTENCY_LEVELS] = {0.01, 0.05};
const char *const consistency_question_names[CONSISTENCY_QUESTIONS] = {"chapter", "atomic_number",
                                                                       "both"};
const char *const consistency_distance_names[CONSISTENCY_DISTANCES] = {
    "below 2", "2 to 4", "4 to 8", "8 and more", "all"};
static const double distance_limits[CONSISTENCY_DISTANCES - 2] = {2, 4, 8};
enum { ALL = CONSISTENCY_DISTANCES - 1, RESAMPLES = 500, BOOTSTRAP_SEED = 20240607 };

bool consistency_figures_add(struct consistency_figures_rows *self,
                             const float inputs[CONSISTENCY_INPUTS])
{
    if (self->count == self->capacity) {
        uint32_t capacity = 2 * self->capacity + 256;
        struct consistency_case *cases = self->count < CONSISTENCY_FIGURE_SCANS_MAX
                                             ? realloc(self->cases, capacity * sizeof *cases)
                                             : NULL;
        if (cases == NULL) {
            return false;
        }
        self->cases = cases;
        self->capacity = capacity;
    }
    struct consistency_case *to = &self->cases[self->count++];
    to->chapter = (uint32_t)inputs[CONSISTENCY_INPUT_CHAPTER];
    memcpy(to->inputs, inputs, sizeof to->inputs);
    return true;
}

void consistency_figures_rows_fini(struct consistency_figures_rows *self)
{
    free(self->cases);
    memset(self, 0, sizeof *self);
}

/* ---- chances of every scan under every chapter ---- */

struct work {
    const struct consistency_model *model;
    const struct consistency_figures_rows *rows;
    float *chances; /* [count x HS_CHAPTERS] of the question; NaN: cannot be asked */
    double *sorted;
    double *shares; /* [count x 2] swaps and found of a scan */
    double *resampled;
};

static double chance_of(const struct consistency_verdict *verdict, enum consistency_question by)
{
    const struct consistency_placed *placed =
        by == CONSISTENCY_BY_FIT ? &verdict->fit : &verdict->number;
    return by == CONSISTENCY_BY_BOTH ? consistency_chance(verdict)
           : placed->told            ? placed->chance
                                     : (double)NAN;
}

static void ask_all(struct work *work, enum consistency_question by)
{
    for (uint32_t i = 0; i < work->rows->count; i++) {
        float inputs[CONSISTENCY_INPUTS];
        memcpy(inputs, work->rows->cases[i].inputs, sizeof inputs);
        work->chances[(size_t)i * HS_CHAPTERS] = NAN;
        for (uint32_t c = 1; c < HS_CHAPTERS; c++) {
            bool asked = c == work->rows->cases[i].chapter ||
                         work->model->counts[c] >= CONSISTENCY_NEAREST_MIN;
            struct consistency_verdict verdict;
            inputs[CONSISTENCY_INPUT_CHAPTER] = (float)c;
            if (asked) {
                consistency_verdict(work->model, inputs, &verdict);
            }
            work->chances[(size_t)i * HS_CHAPTERS + c] =
                asked ? (float)chance_of(&verdict, by) : NAN;
        }
    }
}

static uint32_t bin_of(const struct consistency_model *model, uint32_t a, uint32_t b)
{
    double sum = 0;
    uint32_t bin = 0;
    for (uint32_t k = 0; k < model->feature_count; k++) {
        double apart = model->places[(size_t)a * model->feature_count + k] -
                       model->places[(size_t)b * model->feature_count + k];
        sum += apart * apart;
    }
    while (bin < ALL - 1 && sqrt(sum) >= distance_limits[bin]) {
        bin++;
    }
    return bin;
}

/* ---- figures of one question ---- */

static struct evaluation_rate share_found(struct work *work)
{
    struct evaluation_rate rate = {NAN, NAN, NAN};
    struct rng rng;
    double swaps = 0, found = 0;
    uint32_t count = work->rows->count;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        swaps += work->shares[2 * (size_t)i];
        found += work->shares[2 * (size_t)i + 1];
    }
    rate.value = swaps > 0 ? found / swaps : (double)NAN;
    rng_init(&rng, BOOTSTRAP_SEED, 0);
    for (uint32_t round = 0; round < RESAMPLES && swaps > 0; round++) {
        double drawn_swaps = 0, drawn_found = 0;
        for (uint32_t i = 0; i < count; i++) {
            size_t at = 2 * rng_below(&rng, count);
            drawn_swaps += work->shares[at];
            drawn_found += work->shares[at + 1];
        }
        if (drawn_swaps > 0) {
            work->resampled[kept++] = drawn_found / drawn_swaps;
        }
    }
    if (kept > 0) {
        statistics_sort(work->resampled, kept);
        rate.lower = statistics_quantile(work->resampled, kept, 0.025);
        rate.upper = statistics_quantile(work->resampled, kept, 0.975);
    }
    return rate;
}

/* Swaps of each scan at a distance, and how many of them have a chance of at most the threshold. */
static uint64_t count_found(struct work *work, uint32_t wanted, double threshold)
{
    uint64_t swaps = 0;
    for (uint32_t i = 0; i < work->rows->count; i++) {
        uint32_t own = work->rows->cases[i].chapter;
        double *share = work->shares + 2 * (size_t)i;
        share[0] = 0;
        share[1] = 0;
        for (uint32_t c = 1; c < HS_CHAPTERS; c++) {
            float chance = work->chances[(size_t)i * HS_CHAPTERS + c];
            if (c == own || isnan(chance) ||
                (wanted != ALL && bin_of(work->model, own, c) != wanted)) {
                continue;
            }
            share[0] += 1;
            share[1] += (double)chance <= threshold;
        }
        swaps += (uint64_t)share[0];
    }
    return swaps;
}

static void figure_question(struct work *work, enum consistency_question by,
                            struct consistency_figures *out)
{
    uint32_t count = 0;
    ask_all(work, by);
    for (uint32_t i = 0; i < work->rows->count; i++) {
        float chance = work->chances[(size_t)i * HS_CHAPTERS + work->rows->cases[i].chapter];
        if (!isnan(chance)) {
            work->sorted[count++] = (double)chance;
        }
    }
    statistics_sort(work->sorted, count);
    out->scans[by] = count;
    for (uint32_t level = 0; level < CONSISTENCY_LEVELS && count > 0; level++) {
        uint64_t flagged = 0;
        while (flagged < count && work->sorted[flagged] <= consistency_levels[level]) {
            flagged++;
        }
        struct statistics_interval wilson =
            statistics_wilson((struct statistics_rate){flagged, count}, 0.95);
        out->wrongly[by][level] =
            (struct evaluation_rate){(double)flagged / count, wilson.lower, wilson.upper};
        /* The highest threshold that flags no more than this share of the right ones. */
        uint32_t allowed = (uint32_t)(consistency_levels[level] * count);
        double threshold = allowed < count ? nextafter(work->sorted[allowed], -1) : 1;
        for (uint32_t distance = 0; distance < CONSISTENCY_DISTANCES; distance++) {
            out->swaps[by][distance] = count_found(work, distance, threshold);
            out->found[by][distance][level] = share_found(work);
        }
    }
}

bool consistency_figures_make(const struct consistency_model *model,
                              const struct consistency_figures_rows *rows,
                              struct consistency_figures *out)
{
    size_t count = (size_t)rows->count + 1;
    struct work work = {.model = model,
                        .rows = rows,
                        .chances = calloc(count * HS_CHAPTERS, sizeof(float)),
                        .sorted = calloc(count, sizeof(double)),
                        .shares = calloc(2 * count, sizeof(double)),
                        .resampled = calloc(RESAMPLES, sizeof(double))};
    bool got = work.chances != NULL && work.sorted != NULL && work.shares != NULL &&
               work.resampled != NULL;
    memset(out, 0, sizeof *out);
    for (int by = 0; by < CONSISTENCY_QUESTIONS && got; by++) {
        figure_question(&work, (enum consistency_question)by, out);
    }
    free(work.chances);
    free(work.sorted);
    free(work.shares);
    free(work.resampled);
    return got;
}
