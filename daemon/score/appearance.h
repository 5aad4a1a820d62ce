/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_APPEARANCE_H
#define SCORE_APPEARANCE_H

/* Appearance: how far the patches of an image lie from all normal patches that a scanner type has
 * shown.
 *
 * patches of three scales -> features -> embedding (whitened principal axes) -> distance to the
 * nearest row of the memory bank -> placed per scale by median and spread of normal patches -> map
 * of cells (mean over the patches that cover a cell, then the highest scale) -> image score (mean
 * of the highest hundredth of the cells) -> placed by median and spread of normal image scores.
 * Same image and model: same bits, on one machine and build. One thread a space; models are
 * read-only and may be shared. appearance_run() allocates nothing. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "kernels/nearest.h"
#include "kernels/patch.h"
#include "kernels/region.h"
#include "score/dome_model.h"
#include "score/finder.h"
#include "score/lump.h"
#include "score/working.h"

#define APPEARANCE_LEVELS 3u /* the working image, half and a quarter of it */
#define APPEARANCE_SIDE 16u
#define APPEARANCE_STEP 8u
#define APPEARANCE_FEATURES (APPEARANCE_SIDE * APPEARANCE_SIDE + PATCH_LEVEL_FEATURES)
#define APPEARANCE_DIMENSIONS_MAX 128u
#define APPEARANCE_BANK_MAX 65536u
#define APPEARANCE_REGIONS_MAX 20u
#define APPEARANCE_NAME_BYTES 96u
#define APPEARANCE_PREFIX "appearance/"

/* log(mass in kg) ~ intercept + slope * log(mass index), from scans with declared masses; spread 0:
 * not learnt. */
struct appearance_mass {
    double slope;
    double intercept;
    double spread;
    bool pitch_known; /* the index is in cm2 times attenuation; otherwise in pixels times
                         attenuation */
};

struct appearance_model {
    char name[APPEARANCE_NAME_BYTES];
    uint8_t sha256[HASH_BYTES];
    enum image_meaning meaning;
    uint32_t working_height;
    uint32_t dimensions;
    uint32_t bank_count;
    float *weights; /* [APPEARANCE_FEATURES x dimensions] */
    float *bias;
    float *bank; /* [bank_count x dimensions] */
    float *bank_norms;
    void *bank_memory; /* of bank_packed; NULL where this processor has no use for it */
    const struct nearest_packed *bank_packed;
    double level_median[APPEARANCE_LEVELS];
    double level_spread[APPEARANCE_LEVELS];
    double image_median;
    double image_spread;
    struct appearance_mass mass;
    double ratio_median; /* of the dual-energy ratio of whole images; ratio_spread 0: not learnt */
    double ratio_spread;
    bool has_finder; /* trained with marks */
    struct finder_model finder;
    struct lump_model lump; /* the part that looks for hidden lumps; may be absent */
    struct dome_model dome; /* the part that places small dense things; absent with a finder, which
                               knows better */
    struct cache cache;     /* of this machine, for the sizes of tiles */
};

/* MODEL_UNREADABLE when a part is missing, of the wrong shape or not finite. On success the caller
 * finis. */
MUST_USE struct err appearance_read(const struct model_file *file, struct appearance_model *out);
void appearance_model_fini(struct appearance_model *self);
/* Norms, packing and tiles of the bank, after bank, bank_count and dimensions. MEMORY. */
MUST_USE struct err appearance_bank_prepare(struct appearance_model *self);
/* Mean attenuation below which nothing but air is shown, and nothing can be hidden. */
double appearance_air(enum image_meaning meaning);
/* The rule that all models share. */
struct patch_rule appearance_rule(enum image_meaning meaning);

struct appearance_space {
    size_t cells_max;
    float *reduced[APPEARANCE_LEVELS]; /* [0] is not used: the working image itself */
    uint8_t *reduced_valid[APPEARANCE_LEVELS];
    float *features;
    struct patch_position *positions;
    float *embedded;
    double *embed_workspace;
    float *nearest_workspace;
    uint32_t *index;
    float *distance;
    float *level_sums; /* [cells_max] of one level */
    uint32_t *level_counts;
    float *map; /* [cells_max]; NaN: no patch */
    double *sorted;
    uint32_t *region_words;
};

/* For working images of up to pixels_max pixels, width_max wide. */
MUST_USE struct err appearance_space_init(struct appearance_space *self, size_t width_max,
                                          size_t height_max);
void appearance_space_fini(struct appearance_space *self);

/* The levels of a working image, in the space. Returns how many. */
size_t appearance_levels(struct appearance_space *self, const struct working *working,
                         struct patch_level levels[APPEARANCE_LEVELS]);
/* Extracts the next batch of patches that show more than air: features and positions are in the
 * space. Returns how many; 0 at the end. */
size_t appearance_extract(struct appearance_space *self, enum image_meaning meaning,
                          const struct patch_level *levels, size_t levels_count,
                          struct patch_cursor *cursor);
/* Embeds the next batch of patches and finds their distances (not squared): features, positions and
 * distance are in the space. Returns how many; 0 at the end. */
size_t appearance_next(struct appearance_space *self, const struct appearance_model *model,
                       const struct patch_level *levels, size_t levels_count,
                       struct patch_cursor *cursor);

struct appearance_finding {
    double image_score; /* mean of the highest hundredth of the cells; NaN: the image is too small
                           or has no valid patch */
    double z;           /* placed among normal images */
    double least_cell;  /* cells above this stand out more than those of a normal image do */
    const float *map;   /* map_width x map_height cells of APPEARANCE_STEP working pixels, in the
                           space; NaN: not seen */
    size_t map_width;
    size_t map_height;
};

void appearance_run(struct appearance_space *self, const struct appearance_model *model,
                    const struct working *working, struct appearance_finding *out);

struct appearance_region {
    uint32_t x; /* in pixels of the original image */
    uint32_t y;
    uint32_t width;
    uint32_t height;
    double score;
};

/* The windows that lump_run() found beyond what normal loads show (one at least), best first. */
uint32_t lump_regions(const struct lump_space *space, const struct appearance_model *model,
                      const struct working *working, const struct image *image,
                      struct appearance_region out[LUMP_FINDINGS_MAX]);

/* Up to regions_max (at most APPEARANCE_REGIONS_MAX) regions that stand out more than the highest
 * cells of a normal image do; best first: fewer are the first of more. */
uint32_t appearance_regions(struct appearance_space *self, const struct working *working,
                            const struct appearance_finding *finding, const struct image *image,
                            uint32_t regions_max, struct appearance_region *out);

#endif
