/* SPDX-License-Identifier: Apache-2.0 */
#include "score/train_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/coreset.h"
#include "kernels/pca.h"
#include "kernels/statistics.h"

/* A bank that covers everything it was shown would take the one hidden object of a training image
 * for normal, and the coreset, which looks for the farthest rows, would pick just that. Real
 * traffic cannot be had clean, so rows that are unlike everything in the other half of the images
 * are left out first. */

enum { ROWS_MIN = 64, SEARCH_ROWS = 512 };

/* Share of the sample that is left out as unlike the rest. More: rare but normal cargo becomes
 * suspicious. Less: what was hidden in the training images becomes normal. */
static const double trim_share = 0.02;
/* Added to the eigenvalues when whitening, as a share of their mean: axes of pure noise are not
 * blown up to unit size. */
static const double ridge_share = 0.01;

MUST_USE struct err train_sample_init(struct train_sample *self, uint64_t seed)
{
    struct train_sample made = {
        .features = malloc((size_t)SAMPLE_ROWS_MAX * APPEARANCE_FEATURES * sizeof(float)),
        .image_indices = malloc(SAMPLE_ROWS_MAX * sizeof(uint32_t)),
        .image_features =
            malloc((size_t)SAMPLE_ROWS_PER_IMAGE * APPEARANCE_FEATURES * sizeof(float)),
    };
    if (made.features == NULL || made.image_indices == NULL || made.image_features == NULL) {
        train_sample_fini(&made);
        return err_make(ERR_MEMORY, "sample of patches");
    }
    rng_init(&made.rng, seed, 0);
    *self = made;
    return err_none;
}

void train_sample_fini(struct train_sample *self)
{
    free(self->features);
    free(self->image_indices);
    free(self->image_features);
    memset(self, 0, sizeof *self);
}

/* Algorithm R: where row number `seen` (from 0) goes in a reservoir, or capacity when nowhere. */
static uint64_t reservoir_place(struct rng *rng, uint64_t seen, uint64_t capacity)
{
    if (seen < capacity) {
        return seen;
    }
    uint64_t place = rng_below(rng, seen + 1);
    return place < capacity ? place : capacity;
}

static void keep_row(struct train_sample *self, const float *features, uint32_t image_index)
{
    uint64_t place = reservoir_place(&self->rng, self->rows_seen, SAMPLE_ROWS_MAX);
    self->rows_seen++;
    if (place < SAMPLE_ROWS_MAX) {
        memcpy(self->features + place * APPEARANCE_FEATURES, features,
               APPEARANCE_FEATURES * sizeof(float));
        self->image_indices[place] = image_index;
        self->rows_count = place >= self->rows_count ? place + 1 : self->rows_count;
    }
}

size_t train_sample_add(struct train_sample *self, struct appearance_space *space,
                        const struct working *working, uint32_t image_index)
{
    struct patch_level levels[APPEARANCE_LEVELS];
    size_t levels_count = appearance_levels(space, working, levels);
    struct patch_cursor cursor = {0};
    size_t seen = 0;
    for (;;) {
        size_t rows =
            appearance_extract(space, working->calibration.meaning, levels, levels_count, &cursor);
        if (rows == 0) {
            break;
        }
        for (size_t i = 0; i < rows; i++, seen++) {
            uint64_t place = reservoir_place(&self->rng, seen, SAMPLE_ROWS_PER_IMAGE);
            if (place < SAMPLE_ROWS_PER_IMAGE) {
                memcpy(self->image_features + place * APPEARANCE_FEATURES,
                       space->features + i * APPEARANCE_FEATURES,
                       APPEARANCE_FEATURES * sizeof(float));
            }
        }
    }
    size_t kept = seen < SAMPLE_ROWS_PER_IMAGE ? seen : SAMPLE_ROWS_PER_IMAGE;
    for (size_t i = 0; i < kept; i++) {
        keep_row(self, self->image_features + i * APPEARANCE_FEATURES, image_index);
    }
    return seen;
}

static struct err fit_axes(const struct train_sample *self, uint32_t dimensions,
                           struct appearance_model *out)
{
    struct pca_sample sample = {.rows = self->features,
                                .row_count = self->rows_count,
                                .feature_count = APPEARANCE_FEATURES,
                                .stride = APPEARANCE_FEATURES};
    double *workspace = malloc(pca_fit_workspace_doubles(APPEARANCE_FEATURES) * sizeof *workspace);
    double *eigenvalues = malloc(APPEARANCE_FEATURES * sizeof *eigenvalues);
    float *mean = malloc(APPEARANCE_FEATURES * sizeof *mean);
    out->weights = malloc((size_t)APPEARANCE_FEATURES * dimensions * sizeof(float));
    out->bias = malloc(dimensions * sizeof(float));
    out->dimensions = dimensions;
    struct err err = err_make(ERR_MEMORY, "principal axes");
    if (workspace != NULL && eigenvalues != NULL && mean != NULL && out->weights != NULL &&
        out->bias != NULL) {
        struct pca_result result = {
            .mean = mean, .weights = out->weights, .bias = out->bias, .eigenvalues = eigenvalues};
        struct pca_rule rule = {.embedding_count = dimensions, .whiten = 0};
        int failed = pca_fit(&sample, &rule, workspace, &result);
        double total = 0;
        for (size_t i = 0; i < APPEARANCE_FEATURES; i++) {
            total += eigenvalues[i];
        }
        /* Twice, because the ridge is a share of what the first round tells. */
        rule.whiten = 1;
        rule.ridge = total > 0 ? ridge_share * total / APPEARANCE_FEATURES : 1.0;
        failed = failed != 0 ? failed : pca_fit(&sample, &rule, workspace, &result);
        err = failed == 0 ? err_none : err_make(ERR_ARGUMENT, "principal axes do not converge");
    }
    free(workspace);
    free(eigenvalues);
    free(mean);
    return err;
}

struct embedded_rows {
    float *rows; /* [count x dimensions] */
    uint8_t *halves;
    size_t count;
};

static struct err embed_sample(const struct train_sample *self,
                               const struct appearance_model *model, struct embedded_rows *out)
{
    struct patch_projection projection = {.feature_count = APPEARANCE_FEATURES,
                                          .embedding_count = model->dimensions,
                                          .weights = model->weights,
                                          .bias = model->bias};
    double *workspace = malloc(patch_embed_workspace_doubles(&projection) * sizeof *workspace);
    float *rows = malloc(self->rows_count * model->dimensions * sizeof *rows);
    uint8_t *halves = malloc(self->rows_count);
    if (workspace == NULL || rows == NULL || halves == NULL) {
        free(workspace);
        free(rows);
        free(halves);
        return err_make(ERR_MEMORY, "embedded sample");
    }
    patch_embed(&projection, self->features, self->rows_count, APPEARANCE_FEATURES, workspace,
                rows);
    for (size_t i = 0; i < self->rows_count; i++) {
        halves[i] = self->image_indices[i] & 1;
    }
    free(workspace);
    *out = (struct embedded_rows){rows, halves, self->rows_count};
    return err_none;
}

struct half_search {
    float *rows;
    float *norms;
    float *workspace;
    void *packed;
    uint32_t *index;
    float *distance;
    size_t rows_count;
};

/* Squared distance of every row of the other half to this half. */
static void search_half(const struct embedded_rows *all, uint32_t dimensions, uint8_t half,
                        struct half_search *space, double *nearest)
{
    space->rows_count = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (all->halves[i] == half) {
            memcpy(space->rows + space->rows_count * dimensions, all->rows + i * dimensions,
                   dimensions * sizeof(float));
            space->rows_count++;
        }
    }
    nearest_squared_norms(space->rows, space->rows_count, dimensions, dimensions, space->norms);
    struct nearest_bank bank = {.rows = space->rows,
                                .row_count = space->rows_count,
                                .dimension_count = dimensions,
                                .stride = dimensions,
                                .squared_norms = space->norms};
    bank.packed = nearest_pack(&bank, space->packed);
    for (size_t first = 0; first < all->count; first += SEARCH_ROWS) {
        size_t count = all->count - first < SEARCH_ROWS ? all->count - first : SEARCH_ROWS;
        struct nearest_queries queries = {all->rows + first * dimensions, count, dimensions};
        nearest_search(&bank, &queries, space->workspace, space->index, space->distance);
        for (size_t i = 0; i < count; i++) {
            if (all->halves[first + i] != half) {
                nearest[first + i] = (double)space->distance[i];
            }
        }
    }
}

/* Moves the rows that stay to the front. */
static size_t drop_far(struct embedded_rows *rows, uint32_t dimensions, const double *nearest,
                       double *sorted)
{
    memcpy(sorted, nearest, rows->count * sizeof *sorted);
    statistics_sort(sorted, rows->count);
    double limit = statistics_quantile(sorted, rows->count, 1.0 - trim_share);
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (nearest[i] <= limit) {
            memmove(rows->rows + kept * dimensions, rows->rows + i * dimensions,
                    dimensions * sizeof(float));
            kept++;
        }
    }
    size_t dropped = rows->count - kept;
    rows->count = kept;
    return dropped;
}

static struct err trim(struct embedded_rows *rows, uint32_t dimensions, size_t *trimmed_count)
{
    struct half_search space = {
        .rows = malloc(rows->count * dimensions * sizeof(float)),
        .norms = malloc(rows->count * sizeof(float)),
        .workspace = malloc(nearest_workspace_floats() * sizeof(float)),
        .packed = malloc(nearest_pack_bytes(rows->count, dimensions)),
        .index = malloc(SEARCH_ROWS * sizeof(uint32_t)),
        .distance = malloc(SEARCH_ROWS * sizeof(float)),
    };
    double *nearest = calloc(rows->count, sizeof *nearest);
    double *sorted = calloc(rows->count, sizeof *sorted);
    struct err err = err_make(ERR_MEMORY, "trimming of the sample");
    if (space.rows != NULL && space.norms != NULL && space.workspace != NULL &&
        space.packed != NULL && space.index != NULL && space.distance != NULL && nearest != NULL &&
        sorted != NULL) {
        search_half(rows, dimensions, 0, &space, nearest);
        bool both = space.rows_count > 0 && space.rows_count < rows->count;
        search_half(rows, dimensions, 1, &space, nearest);
        *trimmed_count = both ? drop_far(rows, dimensions, nearest, sorted) : 0;
        err = err_none;
    }
    free(space.rows);
    free(space.norms);
    free(space.workspace);
    free(space.packed);
    free(space.index);
    free(space.distance);
    free(nearest);
    free(sorted);
    return err;
}

static struct err choose_bank(const struct embedded_rows *rows, uint32_t bank_max, uint64_t seed,
                              struct appearance_model *out)
{
    size_t wanted = rows->count < bank_max ? rows->count : bank_max;
    uint32_t *chosen = malloc(wanted * sizeof *chosen);
    float *workspace = malloc(coreset_workspace_floats(rows->count) * sizeof *workspace);
    out->bank = malloc(wanted * out->dimensions * sizeof(float));
    struct err err = err_make(ERR_MEMORY, "memory bank");
    if (chosen != NULL && workspace != NULL && out->bank != NULL) {
        struct coreset_rows all = {rows->rows, rows->count, out->dimensions, out->dimensions};
        struct coreset_result result = {.chosen = chosen, .radii = NULL};
        size_t count = coreset_select(&all, wanted, seed, workspace, &result);
        for (size_t i = 0; i < count; i++) {
            memcpy(out->bank + i * out->dimensions,
                   rows->rows + (size_t)chosen[i] * out->dimensions,
                   out->dimensions * sizeof(float));
        }
        out->bank_count = (uint32_t)count;
        err = appearance_bank_prepare(out);
    }
    free(chosen);
    free(workspace);
    return err;
}

MUST_USE struct err train_sample_build(const struct train_sample *self, uint32_t dimensions,
                                       uint32_t bank_max, uint64_t seed,
                                       struct appearance_model *out, size_t *trimmed_count)
{
    must(dimensions >= 1 && dimensions <= APPEARANCE_DIMENSIONS_MAX && bank_max >= 1);
    if (self->rows_count < ROWS_MIN) {
        return err_make(ERR_ARGUMENT, "too few patches to train on");
    }
    struct embedded_rows rows = {NULL, NULL, 0};
    struct err err = fit_axes(self, dimensions, out);
    err = err_is(err) ? err : embed_sample(self, out, &rows);
    err = err_is(err) ? err : trim(&rows, dimensions, trimmed_count);
    err = err_is(err) ? err : choose_bank(&rows, bank_max, seed, out);
    free(rows.rows);
    free(rows.halves);
    return err;
}
