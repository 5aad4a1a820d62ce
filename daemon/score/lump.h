/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_LUMP_H
#define SCORE_LUMP_H

/* Lump: where a load holds a lump that its surroundings do not, by both energies of a scan.
 *
 * working images -> cells of about 2 cm, the dose of each column set right by the air above the
 * vehicle -> per cell the attenuation A at the high energy, and the residual M = A_low - curve(A)
 * (positive: more organic than the usual load of that attenuation) -> windows of six shapes from 16
 * to 48 cm, each with what it, the ring around it and its four sides show -> trees that were taught
 * with threats projected into normal loads -> the highest window is the image's score, placed by
 * median and spread of normal loads.
 *
 * Not judged: scans of one energy, without pixel pitch, of cells beyond LUMP_CELL_CM_MAX.
 * Same image and model: same bits. One thread a space; models are read-only and may be shared.
 * lump_run() allocates nothing. MODELS.md, section 5. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "kernels/oblivious.h"
#include "score/working.h"

#define LUMP_FEATURES 32u
#define LUMP_CELLS_MAX (1u << 18)
#define LUMP_CELL_CM 2.0
#define LUMP_CELL_CM_MAX 4.0
#define LUMP_CURVE 129u /* points of the curve, LUMP_CURVE_STEP apart, from attenuation 0 */
#define LUMP_CURVE_STEP 0.0625f
#define LUMP_TREES_MAX 1000u
#define LUMP_BATCH 1024u
#define LUMP_FINDINGS_MAX 4u

struct lump_model {
    bool present;
    float curve[LUMP_CURVE]; /* A_low at A_high = i * LUMP_CURVE_STEP, never falling */
    struct oblivious_model trees;
    double median; /* of the highest window of normal loads, logit */
    double spread;
};

/* A model file without the part is no error: then out->present is false. MODEL_UNREADABLE, MEMORY.
 */
MUST_USE struct err lump_read(const struct model_file *file, struct lump_model *out);
MUST_USE struct err lump_write(const struct lump_model *model, struct model_file *file);
void lump_model_fini(struct lump_model *self);

struct lump_image {
    size_t width; /* cells */
    size_t height;
    size_t factor; /* working pixels a cell */
    double cell_cm;
    float *high; /* attenuation */
    float *low;
};

/* Sums of a block of cells: A, A squared, M, M squared. */
typedef double lump_pair __attribute__((vector_size(16)));
struct lump_sums {
    lump_pair a; /* A, A squared */
    lump_pair m; /* M, M squared */
};

struct lump_window {
    uint32_t x; /* cells */
    uint32_t y;
    uint32_t width;
    uint32_t height;
};

struct lump_space {
    struct lump_image image;
    struct lump_sums *sums; /* integral image: (width + 1) x (height + 1) */
    float *rises;           /* of one shape: ring contrast of each place */
    float *features;        /* LUMP_BATCH rows */
    struct lump_window *windows;
    int32_t *scores;
    void *trees_workspace;
    struct lump_window best[LUMP_FINDINGS_MAX];
    float best_logits[LUMP_FINDINGS_MAX];
    uint32_t best_count;
};

MUST_USE struct err lump_space_init(struct lump_space *self);
void lump_space_fini(struct lump_space *self);

/* Cells of both energies into self->image; false when such images are not judged. */
bool lump_cells(struct lump_space *self, const struct working *working, const float *low_pixels,
                double pixel_pitch_mm);

/* The windows of self->image, batch by batch, in the order of shapes and places. */
struct lump_cursor {
    uint32_t shape;
    size_t place;
    float quantiles[2]; /* of the ring contrast of this shape */
};
void lump_windows_begin(struct lump_space *self, const float *curve, struct lump_cursor *cursor);
/* How many rows of self->features and self->windows were filled; 0 at the end. */
size_t lump_windows_next(struct lump_space *self, struct lump_cursor *cursor);

/* The highest logit of all windows of self->image; the best windows that do not overlap are kept in
 * self->best. NaN when there is no load. */
double lump_judge(struct lump_space *self, const struct lump_model *model);

struct lump_finding {
    double logit;
    double z;         /* placed among normal loads; NaN: not judged */
    double rise;      /* attenuation of the best window above its surroundings */
    double excess_kg; /* what that is of organic matter, about */
};

/* lump_cells() and lump_judge(). */
void lump_run(struct lump_space *self, const struct lump_model *model,
              const struct working *working, const float *low_pixels, double pixel_pitch_mm,
              struct lump_finding *out);

#endif
