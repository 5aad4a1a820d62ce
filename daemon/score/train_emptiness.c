/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_emptiness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/logistic.h"
#include "kernels/rng.h"
#include "kernels/statistics.h"
#include "proto/words.h"
#include "score/train_model.h"

/* Four numbers and a ridge: a few hundred containers of a handful of scanners teach no more, and
 * the labels that are left out tell by how much a richer model would only remember its scanners. */

/* Empty and loaded are nearly separable: without a ridge the weights grow until every probability
 * is 0 or 1. Below 1 they are overconfident on scanners that were left out, above 10 the near-empty
 * ones drift to the middle. */
static const double ridge = 3;
enum { LABEL_ROWS_MIN = 8, ITERATIONS = 100, RESAMPLES = 1000, FOLDS = 3 };

struct fit {
    double *features; /* [count x EMPTINESS_FEATURES] placed */
    double *labels;
    double *workspace;
    uint32_t count;
    uint32_t loaded;
};

static void fit_fini(struct fit *self)
{
    free(self->features);
    free(self->labels);
    free(self->workspace);
}

static struct err fit_init(struct fit *self, uint32_t capacity)
{
    *self = (struct fit){
        .features = calloc((size_t)capacity * EMPTINESS_FEATURES + 1, sizeof(double)),
        .labels = calloc((size_t)capacity + 1, sizeof(double)),
        .workspace = calloc(logistic_fit_workspace_doubles(EMPTINESS_FEATURES), sizeof(double)),
    };
    bool got = self->features != NULL && self->labels != NULL && self->workspace != NULL;
    return got ? err_none : err_make(ERR_MEMORY, "emptiness_fit");
}

static void place(struct fit *self, struct emptiness_model *model)
{
    for (int f = 0; f < EMPTINESS_FEATURES; f++) {
        double sum = 0;
        double squares = 0;
        for (uint32_t i = 0; i < self->count; i++) {
            sum += self->features[i * EMPTINESS_FEATURES + (uint32_t)f];
        }
        model->means[f] = sum / (double)self->count;
        for (uint32_t i = 0; i < self->count; i++) {
            double from = self->features[i * EMPTINESS_FEATURES + (uint32_t)f] - model->means[f];
            squares += from * from;
        }
        double spread = sqrt(squares / (double)self->count);
        model->spreads[f] = spread > 1e-3 ? spread : 1e-3;
        for (uint32_t i = 0; i < self->count; i++) {
            double *at = &self->features[i * EMPTINESS_FEATURES + (uint32_t)f];
            *at = (*at - model->means[f]) / model->spreads[f];
        }
    }
}

static struct err fit_run(struct fit *self, struct emptiness_model *model)
{
    if (self->loaded < LABEL_ROWS_MIN || self->count - self->loaded < LABEL_ROWS_MIN) {
        return err_make(ERR_ARGUMENT, "emptiness: fewer than 8 boxes of either label");
    }
    place(self, model);
    struct logistic_problem problem = {.features = self->features,
                                       .row_count = self->count,
                                       .feature_count = EMPTINESS_FEATURES,
                                       .stride = EMPTINESS_FEATURES,
                                       .labels = self->labels,
                                       .l2 = ridge};
    struct logistic_report report;
    logistic_fit(&problem, ITERATIONS, self->workspace, model->coefficients, &report);
    return report.converged ? err_none
                            : err_make(ERR_ARGUMENT, "emptiness: the fit does not converge");
}

static void fit_add(struct fit *self, const struct emptiness_row *row)
{
    memcpy(self->features + (size_t)self->count * EMPTINESS_FEATURES, row->measure.features,
           sizeof row->measure.features);
    self->labels[self->count++] = row->loaded;
    self->loaded += row->loaded;
}

MUST_USE struct err emptiness_fit(const struct emptiness_row *rows, uint32_t count,
                                  const char *left_out, struct emptiness_model *out)
{
    struct emptiness_model model;
    struct fit fit;
    memset(&model, 0, sizeof model);
    struct err err = fit_init(&fit, count);
    for (uint32_t i = 0; i < count && !err_is(err); i++) {
        model.meaning = rows[0].meaning;
        if (rows[i].meaning != model.meaning) {
            err = err_make(ERR_ARGUMENT, "emptiness: images of different pixel meaning");
        } else if (left_out == NULL || strcmp(rows[i].scanner, left_out) != 0) {
            fit_add(&fit, &rows[i]);
        }
    }
    err = err_is(err) ? err : fit_run(&fit, &model);
    fit_fini(&fit);
    if (!err_is(err)) {
        *out = model;
    }
    return err;
}

/* Which third an image belongs to: boxes of one image stay together. */
static uint32_t fold_of(const struct emptiness_row *row)
{
    uint32_t sum = 2166136261u;
    for (const char *at = row->image; *at != '\0'; at++) {
        sum = (sum ^ (uint8_t)*at) * 16777619u;
    }
    return (sum >> 8) % FOLDS;
}

static struct err leave_thirds_out(struct emptiness_row *rows, uint32_t count, const char *scanner)
{
    struct err err = err_none;
    for (uint32_t fold = 0; fold < FOLDS && !err_is(err); fold++) {
        struct emptiness_model model = {.meaning = rows[0].meaning};
        struct fit fit;
        err = fit_init(&fit, count);
        for (uint32_t i = 0; i < count && !err_is(err); i++) {
            if (fold_of(&rows[i]) != fold) {
                fit_add(&fit, &rows[i]);
            }
        }
        err = err_is(err) ? err : fit_run(&fit, &model);
        fit_fini(&fit);
        for (uint32_t i = 0; i < count && !err_is(err); i++) {
            if (fold_of(&rows[i]) == fold && strcmp(rows[i].scanner, scanner) == 0) {
                rows[i].logit = emptiness_logit(&model, rows[i].measure.features);
                rows[i].by_thirds = true;
            }
        }
    }
    return err;
}

static bool is_first_of_scanner(const struct emptiness_row *rows, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (strcmp(rows[i].scanner, rows[at].scanner) == 0) {
            return false;
        }
    }
    return true;
}

MUST_USE struct err emptiness_leave_out(struct emptiness_row *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!is_first_of_scanner(rows, i)) {
            continue;
        }
        struct emptiness_model model;
        struct err err = emptiness_fit(rows, count, rows[i].scanner, &model);
        if (err_is(err)) {
            err = err.code == ERR_ARGUMENT ? leave_thirds_out(rows, count, rows[i].scanner) : err;
            if (err_is(err)) {
                return err;
            }
            continue;
        }
        for (uint32_t j = i; j < count; j++) {
            if (strcmp(rows[j].scanner, rows[i].scanner) == 0) {
                rows[j].logit = emptiness_logit(&model, rows[j].measure.features);
                rows[j].by_thirds = false;
            }
        }
    }
    return err_none;
}

struct ranked {
    double logit;
    uint32_t scanner;
    bool loaded;
};

static int by_logit(const void *a, const void *b)
{
    double first = ((const struct ranked *)a)->logit;
    double second = ((const struct ranked *)b)->logit;
    return first < second ? -1 : first > second;
}

/* Area under the curve with each scanner counted so many times. */
static double area(const struct ranked *sorted, uint32_t count, const uint32_t *times)
{
    double below = 0; /* empty ones that stand lower */
    double pairs = 0;
    double loaded_all = 0;
    for (uint32_t i = 0; i < count;) {
        double loaded = 0;
        double empty = 0;
        uint32_t from = i;
        for (; i < count && sorted[i].logit == sorted[from].logit; i++) {
            *(sorted[i].loaded ? &loaded : &empty) += (double)times[sorted[i].scanner];
        }
        pairs += loaded * (below + 0.5 * empty);
        below += empty;
        loaded_all += loaded;
    }
    return loaded_all > 0 && below > 0 ? pairs / (loaded_all * below) : (double)NAN;
}

static struct err rank_rows(const struct emptiness_row *rows, uint32_t count,
                            struct emptiness_figures *figures)
{
    struct ranked *sorted = calloc(count + 1, sizeof *sorted);
    uint32_t *times = calloc(count + 1, sizeof *times);
    double *areas = calloc(RESAMPLES, sizeof *areas);
    if (sorted == NULL || times == NULL || areas == NULL) {
        free(sorted);
        free(times);
        free(areas);
        return err_make(ERR_MEMORY, "emptiness_figures");
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = 0;
        while (strcmp(rows[first].scanner, rows[i].scanner) != 0) {
            first++;
        }
        uint32_t scanner = first == i ? figures->scanners++ : sorted[first].scanner;
        sorted[i] = (struct ranked){rows[i].logit, scanner, rows[i].loaded};
        times[scanner] = 1;
    }
    qsort(sorted, count, sizeof *sorted, by_logit);
    figures->auc = (struct evaluation_rate){area(sorted, count, times), (double)NAN, (double)NAN};
    struct rng rng;
    uint32_t kept = 0;
    rng_init(&rng, 20220804, 0);
    for (uint32_t round = 0; round < RESAMPLES && figures->scanners > 1; round++) {
        memset(times, 0, figures->scanners * sizeof *times);
        for (uint32_t i = 0; i < figures->scanners; i++) {
            times[rng_below(&rng, figures->scanners)]++;
        }
        double found = area(sorted, count, times);
        if (isfinite(found)) { /* a resample of one label has no area */
            areas[kept++] = found;
        }
    }
    if (kept > 0) {
        statistics_sort(areas, kept);
        figures->auc.lower = statistics_quantile(areas, kept, 0.025);
        figures->auc.upper = statistics_quantile(areas, kept, 0.975);
    }
    free(sorted);
    free(times);
    free(areas);
    return err_none;
}

static double calibration_error(const struct emptiness_row *rows, uint32_t count)
{
    double predicted[EVALUATION_BINS] = {0};
    double seen[EVALUATION_BINS] = {0};
    double error = 0;
    for (uint32_t i = 0; i < count; i++) {
        double probability = logistic_probability(rows[i].logit);
        uint32_t bin = (uint32_t)(probability * EVALUATION_BINS);
        bin = bin < EVALUATION_BINS ? bin : EVALUATION_BINS - 1;
        predicted[bin] += probability;
        seen[bin] += rows[i].loaded;
    }
    for (uint32_t bin = 0; bin < EVALUATION_BINS; bin++) {
        error += fabs(predicted[bin] - seen[bin]);
    }
    return error / (double)count;
}

MUST_USE struct err emptiness_figures(const struct emptiness_row *rows, uint32_t count,
                                      struct emptiness_figures *out)
{
    if (count == 0) {
        return err_make(ERR_ARGUMENT, "emptiness: no labelled box");
    }
    struct emptiness_figures made = {.rows = count, .least_overlap = 1};
    for (uint32_t i = 0; i < count; i++) {
        made.loaded += rows[i].loaded;
        made.rows_by_thirds += rows[i].by_thirds;
        made.scanners_by_thirds += rows[i].by_thirds && is_first_of_scanner(rows, i);
        made.errors += (rows[i].logit > 0) != rows[i].loaded;
        made.mean_overlap += rows[i].overlap / (double)count;
        made.least_overlap =
            rows[i].overlap < made.least_overlap ? rows[i].overlap : made.least_overlap;
    }
    made.calibration_error = calibration_error(rows, count);
    struct err err = rank_rows(rows, count, &made);
    if (!err_is(err)) {
        *out = made;
    }
    return err;
}

void emptiness_figures_text(const struct emptiness_figures *figures, char *out, size_t out_capacity)
{
    char auc[96] = "AUC not known (boxes of one label)";
    char thirds[200] = "";
    if (isfinite(figures->auc.value) && isfinite(figures->auc.lower)) {
        (void)snprintf(auc, sizeof auc, "AUC %.4f (%.4f-%.4f, bootstrap over scanners)",
                       figures->auc.value, figures->auc.lower, figures->auc.upper);
    } else if (isfinite(figures->auc.value)) {
        (void)snprintf(auc, sizeof auc, "AUC %.4f (no interval: one scanner)", figures->auc.value);
    }
    if (figures->rows_by_thirds > 0) {
        (void)snprintf(thirds, sizeof thirds,
                       "; %u boxes of %u scanners judged by thirds of the images, since the other "
                       "scanners have too few boxes of a label: too kind for a scanner that is new",
                       (unsigned)figures->rows_by_thirds, (unsigned)figures->scanners_by_thirds);
    }
    (void)snprintf(out, out_capacity,
                   "boxes %u (%u loaded), scanners %u; %s, on the wrong side of one half %u, "
                   "calibration error %.3f; overlap of found with labelled boxes %.2f, least "
                   "%.2f%s",
                   (unsigned)figures->rows, (unsigned)figures->loaded, (unsigned)figures->scanners,
                   auc, (unsigned)figures->errors, figures->calibration_error,
                   figures->mean_overlap, figures->least_overlap, thirds);
}

static const char *meaning_text(enum image_meaning meaning)
{
    return pixel_meaning_text(meaning == IMAGE_TRANSMISSION ? PIXEL_TRANSMISSION
                              : meaning == IMAGE_DISPLAY    ? PIXEL_DISPLAY
                                                            : PIXEL_DISPLAY_INVERTED);
}

MUST_USE struct err emptiness_write(const struct emptiness_row *rows, uint32_t count, uint64_t seed,
                                    const uint8_t training_set_sha256[HASH_BYTES],
                                    const char *directory, struct train_report *report)
{
    struct emptiness_model model;
    struct emptiness_figures figures;
    char text[EMPTINESS_TEXT_BYTES];
    char evaluation[EMPTINESS_TEXT_BYTES + 64];
    const uint64_t shape[1] = {EMPTINESS_FEATURES};
    const uint64_t longer[1] = {EMPTINESS_FEATURES + 1};
    struct err err = emptiness_fit(rows, count, NULL, &model);
    err = err_is(err) ? err : emptiness_figures(rows, count, &figures);
    if (err_is(err)) {
        return err;
    }
    emptiness_figures_text(&figures, text, sizeof text);
    (void)snprintf(evaluation, sizeof evaluation, "%s left out: %s",
                   figures.rows_by_thirds == count ? "thirds of the images, not scanners,"
                   : figures.rows_by_thirds > 0    ? "one scanner after another where it could be"
                                                   : "one scanner after another",
                   text);
    struct train_model about = {
        .name = EMPTINESS_NAME, .kind = EMPTINESS_NAME, .seed = seed, .evaluation = evaluation};
    memcpy(about.training_set_sha256, training_set_sha256, HASH_BYTES);
    struct model_file file;
    model_file_init(&file);
    err = model_file_add(&file, "means", MODEL_F64, shape, 1, model.means);
    err = err_is(err) ? err : model_file_add(&file, "spreads", MODEL_F64, shape, 1, model.spreads);
    err = err_is(err)
              ? err
              : model_file_add(&file, "coefficients", MODEL_F64, longer, 1, model.coefficients);
    err = err_is(err) ? err : model_file_add_text(&file, "meaning", meaning_text(model.meaning));
    err = err_is(err) ? err : train_model_write(&about, &file, directory, report);
    model_file_fini(&file);
    return err;
}
