/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_PATCH_H
#define KERNELS_PATCH_H

/* Patch: square pieces of an attenuation image at several scales, as rows of a feature matrix, and
 * their embedding by one matrix product.
 *
 * Order of use: fill one patch_level per scale (image_reduce_box makes them), then call
 * patch_extract with the same cursor until it returns 0, embedding each batch. The batch is the
 * caller's bound on memory. Pure; the same patch gives the same feature bits and the same embedding
 * bits in every batch and on every BLAS. */

#include <stddef.h>
#include <stdint.h>
#include "kernels/cache.h"
#include "kernels/image.h"

/* Appended to the side * side normalised pixels: mean, sd, horizontal and vertical gradient
 * energy (root mean square of neighbour differences), each times level_weight. */
enum { PATCH_LEVEL_FEATURES = 4, PATCH_SIDE_MAX = 64, PATCH_LEVEL_MAX = 8 };

struct patch_rule {
    size_t side;             /* pixels of the level, 2..PATCH_SIDE_MAX; 16 suits 2 mm pixels */
    size_t step;             /* >= 1; side / 2 overlaps by half */
    float invalid_share_max; /* patches with a larger share of invalid pixels are left out */
    float contrast_floor;    /* pixels become (p - mean) / (sd + contrast_floor); > 0 */
    float level_weight;      /* weight of the appended features against unit-contrast pixels */
    double level_min; /* patches whose appended mean is below are left out; -INFINITY: none */
};

struct patch_level {
    struct image_view image;
    const uint8_t *valid; /* dense mask or NULL */
    uint32_t factor;      /* how much the level was reduced; 1 is the full image */
};

/* Where a patch lies, in pixels of the full image (factor 1). */
struct patch_position {
    uint32_t x;
    uint32_t y;
    uint32_t side; /* rule.side * factor; may reach past a cut-off last cell */
    uint32_t level_index;
};

struct patch_cursor { /* all zero to start */
    size_t level_index;
    size_t row_index;
    size_t column_index;
};

/* Columns of the feature matrix: side * side + PATCH_LEVEL_FEATURES. */
size_t patch_feature_count(const struct patch_rule *rule);

/* Patches over all levels if none is left out. The last row and column of patches are moved inwards
 * so that the right and lower edges are covered. A level smaller than the patch yields none. */
size_t patch_count_max(const struct patch_level *levels, size_t level_count,
                       const struct patch_rule *rule);

struct patch_batch {
    size_t capacity;                  /* rows that fit */
    size_t stride;                    /* floats between rows, >= patch_feature_count */
    float *features;                  /* [capacity x stride] */
    struct patch_position *positions; /* [capacity] */
};

/* Fill up to batch->capacity rows from where the cursor stands and move it on. Returns the rows
 * filled; 0 means that there are no more. Invalid pixels inside a kept patch take the patch mean.
 */
size_t patch_extract(const struct patch_level *levels, size_t level_count,
                     const struct patch_rule *rule, struct patch_cursor *cursor,
                     const struct patch_batch *batch);
/* The same with chosen instructions, which this processor must have. */
size_t patch_extract_by(enum path path, const struct patch_level *levels, size_t level_count,
                        const struct patch_rule *rule, struct patch_cursor *cursor,
                        const struct patch_batch *batch);

/* E = X W - bias, with W [feature_count x embedding_count] row-major and dense, and
 * bias = mean W as pca_fit gives it. feature_count <= PATCH_SIDE_MAX^2 + PATCH_LEVEL_FEATURES. */
struct patch_projection {
    size_t feature_count;
    size_t embedding_count;
    const float *weights;      /* finite */
    const float *bias;         /* [embedding_count] */
    const struct cache *cache; /* that tiles are made for; NULL: the usual. Not in the result */
};

size_t patch_embed_workspace_doubles(const struct patch_projection *projection);

/* features [row_count x feature_stride] -> embedding [row_count x embedding_count], dense; must not
 * overlap. X and W are first rounded to a grid on which every product and sum is exact in double
 * (KERNELS.md gives the error), so the bits of a row do not depend on batch, position, thread count
 * or BLAS. Features are held within -64..64, wider than any patch_extract makes from images with
 * |pixel| * level_weight < 64. A NaN stays in its own row. */
void patch_embed(const struct patch_projection *projection, const float *restrict features,
                 size_t row_count, size_t feature_stride, double *restrict workspace,
                 float *restrict embedding);
#endif
