/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/patch.h"

#include <cblas.h>
#include <math.h>

#include "kernels/patch_features.h"

/* A patch is normalised to unit contrast so that texture can be compared across loads, but its
 * level is kept in four appended features: a dark block and a light block of the same texture
 * differ. The product runs in tiles of rows; as all its sums are exact, neither the size of a tile
 * nor the kernel that the BLAS picks for it is seen in the result. */

enum { EMBED_ROWS_LEAST = 32, EMBED_ROWS_MOST = 256 };

#define FEATURE_LIMIT 64.0

size_t patch_feature_count(const struct patch_rule *rule)
{
    return rule->side * rule->side + PATCH_LEVEL_FEATURES;
}

static size_t offsets_count(size_t extent, const struct patch_rule *rule)
{
    if (extent < rule->side) {
        return 0;
    }
    return 1 + image_reduced_count(extent - rule->side, rule->step);
}

static size_t offset_at(size_t offset_index, size_t extent, const struct patch_rule *rule)
{
    size_t last = extent - rule->side;
    size_t offset = offset_index * rule->step;
    return offset < last ? offset : last;
}

size_t patch_count_max(const struct patch_level *levels, size_t level_count,
                       const struct patch_rule *rule)
{
    size_t count = 0;
    for (size_t i = 0; i < level_count; i++) {
        count += offsets_count(levels[i].image.width, rule) *
                 offsets_count(levels[i].image.height, rule);
    }
    return count;
}

static int extract_one(enum path path, const struct patch_level *level,
                       const struct patch_rule *rule, const struct patch_cursor *at,
                       const struct patch_batch *batch, size_t row)
{
    const struct image_view *image = &level->image;
    size_t x = offset_at(at->column_index, image->width, rule);
    size_t y = offset_at(at->row_index, image->height, rule);
    const struct patch_corner corner = {
        .pixels = image->pixels + y * image->stride + x,
        .valid = level->valid != NULL ? level->valid + y * image->width + x : NULL,
        .stride = image->stride,
        .valid_stride = image->width};
    if (!patch_features(path, &corner, rule, batch->features + row * batch->stride)) {
        return 0;
    }
    batch->positions[row] = (struct patch_position){.x = (uint32_t)x * level->factor,
                                                    .y = (uint32_t)y * level->factor,
                                                    .side = (uint32_t)rule->side * level->factor,
                                                    .level_index = (uint32_t)at->level_index};
    return 1;
}

static void advance(const struct patch_level *levels, const struct patch_rule *rule,
                    struct patch_cursor *cursor)
{
    const struct image_view *image = &levels[cursor->level_index].image;
    cursor->column_index++;
    if (cursor->column_index >= offsets_count(image->width, rule)) {
        cursor->column_index = 0;
        cursor->row_index++;
    }
    if (cursor->row_index >= offsets_count(image->height, rule)) {
        cursor->row_index = 0;
        cursor->level_index++;
    }
}

size_t patch_extract(const struct patch_level *levels, size_t level_count,
                     const struct patch_rule *rule, struct patch_cursor *cursor,
                     const struct patch_batch *batch)
{
    return patch_extract_by(path_best(), levels, level_count, rule, cursor, batch);
}

size_t patch_extract_by(enum path path, const struct patch_level *levels, size_t level_count,
                        const struct patch_rule *rule, struct patch_cursor *cursor,
                        const struct patch_batch *batch)
{
    size_t row = 0;
    while (cursor->level_index < level_count && row < batch->capacity) {
        const struct patch_level *level = &levels[cursor->level_index];
        if (level->image.width < rule->side || level->image.height < rule->side) {
            *cursor = (struct patch_cursor){.level_index = cursor->level_index + 1};
            continue;
        }
        row += (size_t)extract_one(path, level, rule, cursor, batch, row);
        advance(levels, rule, cursor);
    }
    return row;
}

/* Bits of magnitude of features and weights: together with those of the sum's length they must not
 * exceed the 53 of a double. Weights vary less between axes than features do between patches. */
struct grid {
    double feature_scale;
    double weight_scale;
};

static struct grid choose_grid(const struct patch_projection *projection)
{
    int length_bits = 0;
    while (((size_t)1 << length_bits) < projection->feature_count) {
        length_bits++;
    }
    int feature_bits = (53 - length_bits) / 2 + 2;
    int weight_bits = 53 - length_bits - feature_bits;
    double largest = 0;
    for (size_t i = 0; i < projection->feature_count * projection->embedding_count; i++) {
        double size = fabs((double)projection->weights[i]);
        largest = size > largest ? size : largest;
    }
    int exponent = 0;
    frexp(largest, &exponent); /* largest < 2^exponent */
    return (struct grid){.feature_scale = ldexp(1.0, feature_bits) / FEATURE_LIMIT,
                         .weight_scale = ldexp(1.0, weight_bits - exponent)};
}

/* Nearest integer for |value| < 2^51: adding 1.5 * 2^52 leaves no room for a fraction. */
__attribute__((always_inline)) static inline double round_to_integer(double value)
{
    const double rounding = 0x1.8p52;
    return (value + rounding) - rounding;
}

size_t patch_embed_workspace_doubles(const struct patch_projection *projection)
{
    return projection->feature_count * projection->embedding_count +
           EMBED_ROWS_MOST * (projection->feature_count + projection->embedding_count);
}

/* Weights, features and sums of a tile fill half of the second-level cache. */
static size_t rows_at_once(const struct patch_projection *projection)
{
    size_t numbers = cache_bounded(projection->cache).second_bytes / 2 / sizeof(double);
    size_t weights = projection->feature_count * projection->embedding_count;
    size_t a_row = projection->feature_count + projection->embedding_count;
    size_t rows = numbers > weights ? (numbers - weights) / a_row : 0;
    rows = rows / EMBED_ROWS_LEAST * EMBED_ROWS_LEAST;
    rows = rows < EMBED_ROWS_LEAST ? EMBED_ROWS_LEAST : rows;
    return rows < EMBED_ROWS_MOST ? rows : EMBED_ROWS_MOST;
}

__attribute__((always_inline)) static inline void round_row(const float *features, size_t count,
                                                            double scale, double *rounded)
{
    for (size_t j = 0; j < count; j++) {
        double value = (double)features[j];
        value = value > FEATURE_LIMIT ? FEATURE_LIMIT : value;
        value = value < -FEATURE_LIMIT ? -FEATURE_LIMIT : value;
        rounded[j] = round_to_integer(value * scale);
    }
}

/* Multiplying by a power of two and rounding to an integer are exact on either path. */
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void round_row_avx2(const float *features, size_t count,
                                                           double scale, double *rounded)
{
    round_row(features, count, scale, rounded);
}
#endif

static void round_features(const float *features, size_t count, double scale, double *rounded)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        round_row_avx2(features, count, scale, rounded);
        return;
    }
#endif
    round_row(features, count, scale, rounded);
}

void patch_embed(const struct patch_projection *projection, const float *restrict features,
                 size_t row_count, size_t feature_stride, double *restrict workspace,
                 float *restrict embedding)
{
    size_t inputs = projection->feature_count;
    size_t outputs = projection->embedding_count;
    struct grid grid = choose_grid(projection);
    double *weights = workspace;
    double *rounded = weights + inputs * outputs;
    size_t tile = rows_at_once(projection);
    double *sums = rounded + tile * inputs;
    for (size_t i = 0; i < inputs * outputs; i++) {
        weights[i] = round_to_integer((double)projection->weights[i] * grid.weight_scale);
    }
    double unscale = 1.0 / (grid.feature_scale * grid.weight_scale); /* a power of two: exact */
    for (size_t first = 0; first < row_count; first += tile) {
        size_t left = row_count - first;
        size_t rows = left < tile ? left : tile;
        for (size_t i = 0; i < rows; i++) {
            round_features(features + (first + i) * feature_stride, inputs, grid.feature_scale,
                           rounded + i * inputs);
        }
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)outputs, (int)inputs,
                    1.0, rounded, (int)inputs, weights, (int)outputs, 0.0, sums, (int)outputs);
        for (size_t i = 0; i < rows; i++) {
            float *row = embedding + (first + i) * outputs;
            for (size_t k = 0; k < outputs; k++) {
                row[k] = (float)(sums[i * outputs + k] * unscale - (double)projection->bias[k]);
            }
        }
    }
}
