/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_CONSISTENCY_CARGO_H
#define SCORE_CONSISTENCY_CARGO_H

/* Consistency cargo: what the load of one image is like, in two dozen numbers: how it is stowed,
 * how fine its texture is, and, with two energies, what it is made of.
 *
 * Looks at the inside of the boxes that cargo_boxes_find() finds (the whole picture where there is
 * none), in tiles of 4 x 4 working pixels. Every sum is made in one order, so the same image gives
 * the same bits; numbers leave as floats. One thread a space; nothing is allocated after
 * consistency_space_init(). */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kernels/material.h"
#include "score/cargo_box.h"
#include "score/working.h"

enum consistency_feature {
    CONSISTENCY_MEAN,   /* log of the mean attenuation of what is load */
    CONSISTENCY_FILL,   /* share of the box that is load */
    CONSISTENCY_SPREAD, /* log of standard deviation over mean */
    CONSISTENCY_LIGHT,  /* log of the 10% quantile over the median */
    CONSISTENCY_HEAVY,  /* log of the 90% quantile over the median */
    CONSISTENCY_ACROSS, /* log of the differences along rows, 1, 2, 4, 8 pixels apart */
    CONSISTENCY_DOWN = CONSISTENCY_ACROSS + 4, /* the same along columns */
    CONSISTENCY_HEIGHT = CONSISTENCY_DOWN + 4, /* mean height of the load, share of the box */
    CONSISTENCY_RAGGED,                        /* its standard deviation from column to column */
    CONSISTENCY_GAPS,   /* share of the columns that hold less than a quarter of the mean */
    CONSISTENCY_REPEAT, /* correlation of columns 2 and 6 tiles apart */
    CONSISTENCY_UPPER = CONSISTENCY_REPEAT + 2, /* share of the attenuation in the upper half */
    CONSISTENCY_MATERIAL, /* of ratio or atomic number: mean, deviation, quantiles 10, 50, 90% */
    CONSISTENCY_FEATURES = CONSISTENCY_MATERIAL + 5
};

/* What the material is told by. */
enum consistency_material {
    CONSISTENCY_NONE,  /* one energy */
    CONSISTENCY_RATIO, /* A_low / A_high: no calibration with known slabs */
    CONSISTENCY_NUMBER /* effective atomic number, by a table */
};

#define CONSISTENCY_TABLE_ROWS 64u
#define CONSISTENCY_TABLE_COLUMNS 64u

struct consistency_cargo {
    bool seen;                            /* false: too little load to say anything */
    float features[CONSISTENCY_FEATURES]; /* those of the material NaN without two energies */
    float atomic_number;       /* median over the load by areal density; NaN without a table */
    float atomic_number_error; /* standard error, from slices across the load */
};

struct consistency_space {
    size_t tiles_max;
    size_t columns_max;
    float *high; /* of the tiles that are load */
    float *low;
    float *value;  /* ratio or atomic number */
    float *weight; /* attenuation or areal density */
    uint32_t *column;
    double *masses;  /* [columns_max] of the columns of tiles */
    double *heights; /* [columns_max] */
    double *bins;
};

/* For working images of a working_space with this height_max. */
MUST_USE struct err consistency_space_init(struct consistency_space *self, uint32_t height_max);
void consistency_space_fini(struct consistency_space *self);

/* low_pixels: of the low energy, reduced as `working` was; NULL: one energy. table: NULL, then the
 * ratio stands for the material. */
void consistency_cargo_measure(struct consistency_space *self, struct cargo_space *boxes,
                               const struct working *working, const float *low_pixels,
                               const struct material_table *table, struct consistency_cargo *out);

#endif
