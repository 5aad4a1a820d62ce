/* SPDX-License-Identifier: Apache-2.0 */
#include "score/appearance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/statistics.h"

/* Patches go through in batches, so the memory does not grow with the image. Cells are summed level
 * by level: the cursor of patch_extract ends one level before it starts the next. */

enum { BATCH_ROWS = 512, CELLS_MIN = 4 };

/* The highest hundredth of the cells makes the image score. A larger share drowns a small object in
 * a large normal image, a smaller one makes it the score of a single noisy cell. */
static const double top_share = 0.01;
/* A patch that lies half in what is not picture is judged by its edge: leave it out. */
static const float invalid_share_max = 0.05f;

/* Below this mean attenuation a patch shows air: nothing can be hidden in it, and its noise is no
 * object. Display: 15 grey levels of 255; transmission: less than a millimetre of steel. Higher:
 * thin parcels are not looked at. */
static const double air_display = 0.06;
static const double air_transmission = 0.03;

double appearance_air(enum image_meaning meaning)
{
    return meaning == IMAGE_TRANSMISSION ? air_transmission : air_display;
}

struct patch_rule appearance_rule(enum image_meaning meaning)
{
    float level_weight = meaning == IMAGE_TRANSMISSION ? 2.0f : 8.0f;
    return (struct patch_rule){
        .side = APPEARANCE_SIDE,
        .step = APPEARANCE_STEP,
        .invalid_share_max = invalid_share_max,
        /* About the noise of a flat patch, so that noise is not blown up to full contrast: display
         * greys run over 0..1, attenuation over 0..8. */
        .contrast_floor = meaning == IMAGE_TRANSMISSION ? 0.1f : 0.03f,
        .level_weight = level_weight,
        .level_min = appearance_air(meaning) * (double)level_weight,
    };
}

MUST_USE struct err appearance_space_init(struct appearance_space *self, size_t width_max,
                                          size_t height_max)
{
    size_t pixels_max = width_max * height_max;
    size_t cells_max =
        pixels_max / ((size_t)APPEARANCE_STEP * APPEARANCE_STEP) + width_max + height_max + 1;
    struct patch_projection widest = {.feature_count = APPEARANCE_FEATURES,
                                      .embedding_count = APPEARANCE_DIMENSIONS_MAX};
    struct appearance_space made = {
        .cells_max = cells_max,
        .features = calloc((size_t)BATCH_ROWS * APPEARANCE_FEATURES, sizeof(float)),
        .positions = calloc(BATCH_ROWS, sizeof(struct patch_position)),
        .embedded = calloc((size_t)BATCH_ROWS * APPEARANCE_DIMENSIONS_MAX, sizeof(float)),
        .embed_workspace = calloc(patch_embed_workspace_doubles(&widest), sizeof(double)),
        .nearest_workspace = calloc(nearest_workspace_floats(), sizeof(float)),
        .index = calloc(BATCH_ROWS, sizeof(uint32_t)),
        .distance = calloc(BATCH_ROWS, sizeof(float)),
        .level_sums = calloc(cells_max, sizeof(float)),
        .level_counts = calloc(cells_max, sizeof(uint32_t)),
        .map = calloc(cells_max, sizeof(float)),
        .sorted = calloc(cells_max, sizeof(double)),
        .region_words = calloc(region_workspace_words(cells_max, 1), sizeof(uint32_t)),
    };
    bool whole = made.features != NULL && made.positions != NULL && made.embedded != NULL &&
                 made.embed_workspace != NULL && made.nearest_workspace != NULL &&
                 made.index != NULL && made.distance != NULL && made.level_sums != NULL &&
                 made.level_counts != NULL && made.map != NULL && made.sorted != NULL &&
                 made.region_words != NULL;
    for (uint32_t level = 1; level < APPEARANCE_LEVELS; level++) {
        size_t factor = (size_t)1 << level;
        size_t count = (width_max / factor + 1) * (height_max / factor + 1);
        made.reduced[level] = calloc(count, sizeof(float));
        made.reduced_valid[level] = calloc(count, 1);
        whole = whole && made.reduced[level] != NULL && made.reduced_valid[level] != NULL;
    }
    if (!whole) {
        appearance_space_fini(&made);
        return err_make(ERR_MEMORY, "appearance workspace");
    }
    *self = made;
    return err_none;
}

void appearance_space_fini(struct appearance_space *self)
{
    for (uint32_t level = 0; level < APPEARANCE_LEVELS; level++) {
        free(self->reduced[level]);
        free(self->reduced_valid[level]);
    }
    free(self->features);
    free(self->positions);
    free(self->embedded);
    free(self->embed_workspace);
    free(self->nearest_workspace);
    free(self->index);
    free(self->distance);
    free(self->level_sums);
    free(self->level_counts);
    free(self->map);
    free(self->sorted);
    free(self->region_words);
    memset(self, 0, sizeof *self);
}

size_t appearance_levels(struct appearance_space *self, const struct working *working,
                         struct patch_level levels[APPEARANCE_LEVELS])
{
    struct image_view whole = working_view(working);
    levels[0] = (struct patch_level){.image = whole, .valid = working->valid, .factor = 1};
    for (uint32_t level = 1; level < APPEARANCE_LEVELS; level++) {
        uint32_t factor = 1u << level;
        image_reduce_box(&whole, working->valid, factor, self->reduced[level],
                         self->reduced_valid[level]);
        size_t width = image_reduced_count(working->width, factor);
        size_t height = image_reduced_count(working->height, factor);
        levels[level] = (struct patch_level){.image = {self->reduced[level], width, height, width},
                                             .valid = self->reduced_valid[level],
                                             .factor = factor};
    }
    return APPEARANCE_LEVELS;
}

size_t appearance_extract(struct appearance_space *self, enum image_meaning meaning,
                          const struct patch_level *levels, size_t levels_count,
                          struct patch_cursor *cursor)
{
    struct patch_rule rule = appearance_rule(meaning);
    struct patch_batch batch = {.capacity = BATCH_ROWS,
                                .stride = APPEARANCE_FEATURES,
                                .features = self->features,
                                .positions = self->positions};
    return patch_extract(levels, levels_count, &rule, cursor, &batch);
}

size_t appearance_next(struct appearance_space *self, const struct appearance_model *model,
                       const struct patch_level *levels, size_t levels_count,
                       struct patch_cursor *cursor)
{
    size_t rows = appearance_extract(self, model->meaning, levels, levels_count, cursor);
    if (rows == 0) {
        return 0;
    }
    struct patch_projection projection = {.feature_count = APPEARANCE_FEATURES,
                                          .embedding_count = model->dimensions,
                                          .weights = model->weights,
                                          .bias = model->bias,
                                          .cache = &model->cache};
    patch_embed(&projection, self->features, rows, APPEARANCE_FEATURES, self->embed_workspace,
                self->embedded);
    struct nearest_bank bank = {.rows = model->bank,
                                .row_count = model->bank_count,
                                .dimension_count = model->dimensions,
                                .stride = model->dimensions,
                                .squared_norms = model->bank_norms,
                                .packed = model->bank_packed,
                                .cache = &model->cache};
    struct nearest_queries queries = {
        .rows = self->embedded, .row_count = rows, .stride = model->dimensions};
    nearest_search(&bank, &queries, self->nearest_workspace, self->index, self->distance);
    for (size_t i = 0; i < rows; i++) {
        self->distance[i] = sqrtf(self->distance[i]);
    }
    return rows;
}

struct map_shape {
    size_t width;
    size_t height;
};

static struct map_shape shape_of(const struct working *working)
{
    return (struct map_shape){image_reduced_count(working->width, APPEARANCE_STEP),
                              image_reduced_count(working->height, APPEARANCE_STEP)};
}

/* Cells whose middle lies under the patch. */
static void add_patch(struct appearance_space *self, struct map_shape shape,
                      const struct patch_position *at, float z)
{
    size_t half = APPEARANCE_STEP / 2;
    size_t left = (at->x + half - 1) / APPEARANCE_STEP;
    size_t top = (at->y + half - 1) / APPEARANCE_STEP;
    size_t right = (at->x + at->side + half - 1) / APPEARANCE_STEP;
    size_t below = (at->y + at->side + half - 1) / APPEARANCE_STEP;
    right = right < shape.width ? right : shape.width;
    below = below < shape.height ? below : shape.height;
    for (size_t y = top; y < below; y++) {
        for (size_t x = left; x < right; x++) {
            self->level_sums[y * shape.width + x] += z;
            self->level_counts[y * shape.width + x]++;
        }
    }
}

/* The mean of the level, where it says more than the levels before it. */
static void end_level(struct appearance_space *self, struct map_shape shape)
{
    for (size_t i = 0; i < shape.width * shape.height; i++) {
        if (self->level_counts[i] > 0) {
            float mean = self->level_sums[i] / (float)self->level_counts[i];
            self->map[i] = isnan(self->map[i]) || mean > self->map[i] ? mean : self->map[i];
        }
        self->level_sums[i] = 0;
        self->level_counts[i] = 0;
    }
}

static void make_map(struct appearance_space *self, const struct appearance_model *model,
                     const struct working *working, struct map_shape shape)
{
    struct patch_level levels[APPEARANCE_LEVELS];
    size_t levels_count = appearance_levels(self, working, levels);
    struct patch_cursor cursor = {0};
    uint32_t level = 0;
    for (size_t i = 0; i < shape.width * shape.height; i++) {
        self->map[i] = NAN;
        self->level_sums[i] = 0;
        self->level_counts[i] = 0;
    }
    for (;;) {
        size_t rows = appearance_next(self, model, levels, levels_count, &cursor);
        if (rows == 0) {
            break;
        }
        for (size_t i = 0; i < rows; i++) {
            const struct patch_position *at = &self->positions[i];
            must(at->level_index < APPEARANCE_LEVELS && at->level_index >= level);
            if (at->level_index > level) {
                end_level(self, shape);
                level = at->level_index;
            }
            double z = ((double)self->distance[i] - model->level_median[level]) /
                       model->level_spread[level];
            add_patch(self, shape, at, (float)z);
        }
    }
    end_level(self, shape);
}

static double score_of_map(struct appearance_space *self, struct map_shape shape)
{
    size_t count = 0;
    for (size_t i = 0; i < shape.width * shape.height; i++) {
        if (!isnan(self->map[i])) {
            self->sorted[count++] = (double)self->map[i];
        }
    }
    if (count < CELLS_MIN) {
        return NAN;
    }
    statistics_sort(self->sorted, count);
    size_t top = (size_t)ceil((double)count * top_share);
    top = top < CELLS_MIN ? CELLS_MIN : top;
    double sum = 0;
    for (size_t i = count - top; i < count; i++) {
        sum += self->sorted[i];
    }
    return sum / (double)top;
}

void appearance_run(struct appearance_space *self, const struct appearance_model *model,
                    const struct working *working, struct appearance_finding *out)
{
    struct map_shape shape = shape_of(working);
    must(shape.width * shape.height <= self->cells_max);
    make_map(self, model, working, shape);
    double image_score = score_of_map(self, shape);
    *out = (struct appearance_finding){
        .image_score = image_score,
        .z = (image_score - model->image_median) / model->image_spread,
        .least_cell = model->image_median > 0.5 ? model->image_median : 0.5,
        .map = self->map,
        .map_width = shape.width,
        .map_height = shape.height,
    };
}

static uint32_t smaller_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t lump_regions(const struct lump_space *space, const struct appearance_model *model,
                      const struct working *working, const struct image *image,
                      struct appearance_region out[LUMP_FINDINGS_MAX])
{
    uint32_t cell = (uint32_t)(space->image.factor * working->factor);
    uint32_t count = 0;
    for (uint32_t i = 0; i < space->best_count && i < LUMP_FINDINGS_MAX; i++) {
        double z = ((double)space->best_logits[i] - model->lump.median) / model->lump.spread;
        if (i > 0 && z <= 0) {
            break;
        }
        uint32_t x = space->best[i].x * cell, y = space->best[i].y * cell;
        out[count++] = (struct appearance_region){
            .x = x,
            .y = y,
            .width = smaller_of(space->best[i].width * cell, image->width - x),
            .height = smaller_of(space->best[i].height * cell, image->height - y),
            .score = z,
        };
    }
    return count;
}

uint32_t appearance_regions(struct appearance_space *self, const struct working *working,
                            const struct appearance_finding *finding, const struct image *image,
                            uint32_t regions_max, struct appearance_region *out)
{
    must(regions_max <= APPEARANCE_REGIONS_MAX);
    struct image_view map = {finding->map, finding->map_width, finding->map_height,
                             finding->map_width};
    struct region_rule rule = {.threshold = (float)finding->least_cell,
                               .base = 0,
                               .grow_share = 0.5f,
                               .overlap_max = 0.3,
                               .cell_count_min = 1};
    struct region_box boxes[APPEARANCE_REGIONS_MAX];
    size_t count = region_propose(&map, &rule, self->region_words, regions_max, boxes);
    uint32_t cell = (uint32_t)(APPEARANCE_STEP * working->factor);
    for (size_t i = 0; i < count; i++) {
        uint32_t x = boxes[i].x * cell;
        uint32_t y = boxes[i].y * cell;
        out[i] = (struct appearance_region){
            .x = x,
            .y = y,
            .width = smaller_of(boxes[i].width * cell, image->width - x),
            .height = smaller_of(boxes[i].height * cell, image->height - y),
            .score = (double)boxes[i].score,
        };
    }
    return (uint32_t)count;
}
