/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_consistency_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/statistics.h"

/* Linear discriminants with shrinkage: one covariance for all chapters, because most have too few
 * scans for one of their own; a chapter's own spread is one number. */

/* A chapter's place is drawn to its section's as if that were three scans more, a section's to that
 * of all as if that were one chapter more. Lower: a chapter of two scans is believed. Higher: the
 * chapters of a section look alike. */
static const double place_scans = 3;
static const double section_chapters = 1;
/* The same of spreads, which take more scans to know. */
static const double spread_scans = 10;
/* And of the spreads of atomic numbers, as logarithms: those of drinks and of machines are two
 * orders of magnitude apart. A tenth of an element is what no calibration knows better. */
static const double number_scans = 3;
static const double number_variance_min = 0.01;
/* 1.4826 * median absolute deviation is the standard deviation of a normal distribution. */
static const double mad_to_sd = 1.4826;
static const double range_scans = 20;
static const double nine_of_ten = 1.6448536269514722;
/* Of each variance, added to it: features that hang together must not cancel each other. */
static const double ridge = 0.02;
/* Of each variance, at least: a measure that never moved in training is known to 0.01. Measures are
 * shares, logarithms of ratios and correlations; less would let a single one that moves afterwards
 * by the noise of a scan outweigh all others. */
static const double variance_min = 1e-4;
/* Ratios of two energies lie within 0.2 of each other, and usual loads scatter by 0.005: theirs to
 * 0.001. */
static const double ratio_variance_min = 1e-6;

static bool is_taken(const struct consistency_row *row, uint32_t fold)
{
    return row->fold != fold;
}

static void find_means(struct consistency_fit *self, const struct consistency_row *rows,
                       uint32_t count, uint32_t fold)
{
    struct consistency_model *model = &self->model;
    double taken = 0;
    memset(self->place_means, 0, sizeof self->place_means);
    memset(model->counts, 0, sizeof model->counts);
    memset(model->means, 0, sizeof model->means);
    for (uint32_t i = 0; i < count; i++) {
        if (is_taken(&rows[i], fold)) {
            model->counts[rows[i].chapter]++;
            taken += 1;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; is_taken(&rows[i], fold) && k < model->feature_count; k++) {
            double value = (double)rows[i].cargo.features[k];
            model->means[k] += value / taken;
            self->place_means[rows[i].chapter][k] += value / (double)model->counts[rows[i].chapter];
        }
    }
}

/* The covariance within chapters; its lower triangle is filled. */
static double find_covariance(const struct consistency_fit *self,
                              const struct consistency_row *rows, uint32_t count, uint32_t fold,
                              double out[CONSISTENCY_FEATURES][CONSISTENCY_FEATURES])
{
    const struct consistency_model *model = &self->model;
    double freedom = 0;
    memset(out, 0, CONSISTENCY_FEATURES * sizeof out[0]);
    for (uint32_t c = 0; c < HS_CHAPTERS; c++) {
        freedom += model->counts[c] > 0 ? (double)model->counts[c] - 1 : 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        double from[CONSISTENCY_FEATURES];
        for (uint32_t k = 0; is_taken(&rows[i], fold) && k < model->feature_count; k++) {
            from[k] = (double)rows[i].cargo.features[k] - self->place_means[rows[i].chapter][k];
            for (uint32_t j = 0; j <= k; j++) {
                out[k][j] += from[k] * from[j] / freedom;
            }
        }
    }
    /* Few scans know variances better than covariances. */
    double f = model->feature_count;
    double kept = freedom / (freedom + f);
    bool ratio = model->material == CONSISTENCY_RATIO;
    for (uint32_t k = 0; k < model->feature_count; k++) {
        for (uint32_t j = 0; j < k; j++) {
            out[k][j] *= kept;
        }
        double variance = out[k][k] * (1 + ridge);
        double least = ratio && k >= CONSISTENCY_MATERIAL ? ratio_variance_min : variance_min;
        out[k][k] = variance < least ? least : variance; /* NaN stays */
    }
    return freedom;
}

/* lower * lower' = covariance, in place; then the inverse of lower is the whitening. */
static bool find_whitening(struct consistency_model *model,
                           double lower[CONSISTENCY_FEATURES][CONSISTENCY_FEATURES])
{
    uint32_t f = model->feature_count;
    for (uint32_t j = 0; j < f; j++) {
        for (uint32_t k = 0; k <= j; k++) {
            double sum = lower[j][k];
            for (uint32_t m = 0; m < k; m++) {
                sum -= lower[j][m] * lower[k][m];
            }
            if (j == k && !(sum > 1e-14)) {
                return false;
            }
            lower[j][k] = j == k ? sqrt(sum) : sum / lower[k][k];
        }
    }
    for (uint32_t column = 0; column < f; column++) {
        for (uint32_t row = 0; row < f; row++) {
            double sum = row == column ? 1 : 0;
            for (uint32_t m = column; m < row; m++) {
                sum -= lower[row][m] * model->whitening[(size_t)m * f + column];
            }
            model->whitening[(size_t)row * f + column] = row < column ? 0 : sum / lower[row][row];
        }
    }
    return true;
}

/* Mean over chapters that were seen, but one; of a section, or of all (section 0). */
static double mean_of_chapters(const double *values, size_t stride, const double *counts,
                               uint32_t section, uint32_t but, double parent)
{
    double sum = section > 0 ? section_chapters * parent : 0;
    double chapters = section > 0 ? section_chapters : 0;
    for (uint32_t c = 1; c < HS_CHAPTERS; c++) {
        if (counts[c] > 0 && c != but && (section == 0 || hs_section_of(c) == section)) {
            sum += values[c * stride];
            chapters += 1;
        }
    }
    return chapters > 0 ? sum / chapters : 0;
}

/* What the section says, drawn to what all say. */
static double parent_of(const double *values, size_t stride, const double *counts, uint32_t chapter,
                        uint32_t but)
{
    double all = mean_of_chapters(values, stride, counts, 0, but, 0);
    return mean_of_chapters(values, stride, counts, hs_section_of(chapter), but, all);
}

static void find_counts(const struct consistency_model *model, double out[HS_CHAPTERS])
{
    for (uint32_t c = 0; c < HS_CHAPTERS; c++) {
        out[c] = (double)model->counts[c];
    }
}

static void find_places(struct consistency_fit *self, const struct consistency_row *rows,
                        uint32_t count, uint32_t fold)
{
    struct consistency_model *model = &self->model;
    uint32_t f = model->feature_count;
    double squares[HS_CHAPTERS] = {0};
    double counts[HS_CHAPTERS];
    double whitened[CONSISTENCY_FEATURES];
    memset(self->place_means, 0, sizeof self->place_means);
    find_counts(model, counts);
    for (int pass = 0; pass < 2; pass++) { /* means, then what is left */
        for (uint32_t i = 0; i < count; i++) {
            uint32_t c = rows[i].chapter;
            if (!is_taken(&rows[i], fold)) {
                continue;
            }
            consistency_whiten(model, rows[i].cargo.features, whitened);
            for (uint32_t k = 0; k < f; k++) {
                double from = whitened[k] - self->place_means[c][k];
                squares[c] += pass == 1 ? from * from / (double)f : 0;
            }
            for (uint32_t k = 0; pass == 0 && k < f; k++) {
                self->place_means[c][k] += whitened[k] / counts[c];
            }
        }
    }
    for (uint32_t c = 0; c < HS_CHAPTERS; c++) {
        for (uint32_t k = 0; k < f; k++) {
            double parent = parent_of(&self->place_means[0][k], CONSISTENCY_FEATURES, counts, c, 0);
            model->places[(size_t)c * f + k] =
                (counts[c] * self->place_means[c][k] + place_scans * parent) /
                (counts[c] + place_scans);
        }
        double freedom = counts[c] > 1 ? counts[c] - 1 : 0;
        model->spreads[c] =
            sqrt(((counts[c] > 1 ? squares[c] : 0) + spread_scans) / (freedom + spread_scans));
    }
}

/* Median and robust variance of the numbers of one chapter; sorted is room for all rows. */
static void find_number(struct consistency_fit *self, const struct consistency_row *rows,
                        uint32_t count, uint32_t fold, uint32_t chapter, double *sorted)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        double number = (double)rows[i].cargo.atomic_number;
        if (is_taken(&rows[i], fold) && rows[i].chapter == chapter && isfinite(number)) {
            sorted[n++] = number;
        }
    }
    self->number_counts[chapter] = n;
    self->number_means[chapter] = 0;
    self->number_variances[chapter] = 0;
    if (n == 0) {
        return;
    }
    statistics_sort(sorted, n);
    self->number_means[chapter] = statistics_quantile(sorted, n, 0.5);
    self->number_ranges[chapter][0] = statistics_quantile(sorted, n, 0.05);
    self->number_ranges[chapter][1] = statistics_quantile(sorted, n, 0.95);
    for (uint32_t i = 0; i < n; i++) {
        sorted[i] = fabs(sorted[i] - self->number_means[chapter]);
    }
    statistics_sort(sorted, n);
    double deviation = mad_to_sd * statistics_quantile(sorted, n, 0.5);
    self->number_variances[chapter] = deviation * deviation + number_variance_min;
}

/* Where nine of ten scans lie: as seen, or, of a handful, as a normal distribution would have it.
 */
static void tell_range(struct consistency_fit *self, uint32_t chapter)
{
    double *numbers = self->model.numbers[chapter];
    bool seen = self->number_counts[chapter] >= range_scans;
    for (int i = 0; i < 2; i++) {
        numbers[2 + i] = seen ? self->number_ranges[chapter][i]
                              : numbers[0] + (i == 0 ? -nine_of_ten : nine_of_ten) * numbers[1];
    }
}

static void shrink_numbers(struct consistency_fit *self)
{
    double within = 0, freedom = 0, chapters = 0, logs = 0, known = 0;
    double all = mean_of_chapters(self->number_means, 1, self->number_counts, 0, 0, 0);
    self->number_between = 0;
    for (uint32_t c = 1; c < HS_CHAPTERS; c++) {
        double n = self->number_counts[c];
        double from = n > 0 ? self->number_means[c] - all : 0;
        chapters += n > 0;
        self->number_between += from * from;
        within += n > 1 ? (n - 1) * self->number_variances[c] : 0;
        freedom += n > 1 ? n - 1 : 0;
        logs += n > 1 ? log(self->number_variances[c]) : 0;
        known += n > 1;
    }
    self->number_between /= chapters > 1 ? chapters - 1 : 1;
    self->number_within = freedom > 0 ? within / freedom : 0;
    memset(self->model.numbers, 0, sizeof self->model.numbers);
    for (uint32_t c = 1; c < HS_CHAPTERS && freedom > 0; c++) {
        double n = self->number_counts[c];
        double parent = parent_of(self->number_means, 1, self->number_counts, c, 0);
        double own = n > 1 ? (n - 1) * log(self->number_variances[c]) : 0;
        own = (own + number_scans * logs / known) / ((n > 1 ? n - 1 : 0) + number_scans);
        self->model.numbers[c][0] =
            (n * self->number_means[c] + place_scans * parent) / (n + place_scans);
        self->model.numbers[c][1] =
            sqrt(n > 0 ? exp(own) : self->number_within + self->number_between);
        tell_range(self, c);
    }
}

static struct err find_numbers(struct consistency_fit *self, const struct consistency_row *rows,
                               uint32_t count, uint32_t fold)
{
    double *sorted = calloc((size_t)count + 1, sizeof *sorted);
    if (sorted == NULL) {
        return err_make(ERR_MEMORY, "consistency fit");
    }
    for (uint32_t c = 0; c < HS_CHAPTERS; c++) {
        find_number(self, rows, count, fold, c, sorted);
    }
    free(sorted);
    shrink_numbers(self);
    return err_none;
}

MUST_USE struct err consistency_fit_rows(struct consistency_fit *self,
                                         const struct consistency_row *rows, uint32_t count,
                                         uint32_t fold)
{
    double covariance[CONSISTENCY_FEATURES][CONSISTENCY_FEATURES];
    uint32_t chapters = 0;
    find_means(self, rows, count, fold);
    for (uint32_t c = 1; c < HS_CHAPTERS; c++) {
        chapters += self->model.counts[c] >= CONSISTENCY_NEAREST_MIN;
    }
    double freedom = find_covariance(self, rows, count, fold, covariance);
    if (chapters < 2 || freedom < 2 * (double)self->model.feature_count) {
        return err_make(ERR_ARGUMENT, "consistency: too few scans, or fewer than two chapters with "
                                      "seven of them");
    }
    if (!find_whitening(&self->model, covariance)) {
        return err_make(ERR_ARGUMENT, "consistency: a measure of a scan is not finite");
    }
    find_places(self, rows, count, fold);
    return find_numbers(self, rows, count, fold);
}

void consistency_fit_stranger(const struct consistency_fit *self, uint32_t chapter,
                              double place[CONSISTENCY_FEATURES], double numbers[2])
{
    double counts[HS_CHAPTERS];
    find_counts(&self->model, counts);
    for (uint32_t k = 0; k < self->model.feature_count; k++) {
        place[k] =
            parent_of(&self->place_means[0][k], CONSISTENCY_FEATURES, counts, chapter, chapter);
    }
    numbers[0] = parent_of(self->number_means, 1, self->number_counts, chapter, chapter);
    numbers[1] = sqrt(self->number_within + self->number_between);
}
