/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_CONSISTENCY_MODEL_H
#define SCORE_CONSISTENCY_MODEL_H

/* Consistency model: what loads declared under each HS chapter have looked like on one scanner
 * type, and how an image is held against the chapter it is declared under.
 *
 * Two questions. Fit: in the space in which the spread within chapters is a unit ball, how much
 * further is the load from its own chapter than from the nearest other one. Atomic number: how far
 * the effective Z lies from where the chapter's scans have it. Each answer is placed among the
 * answers that normal scans of that chapter gave while they were held out, so its chance is the
 * share of normal scans that would be flagged too. Formulas, arrays: MODELS.md. Pure, no
 * allocation after reading; models are read-only and may be shared. */

#include <stdbool.h>
#include <stdint.h>

#include "archive/model_file.h"
#include "base/err.h"
#include "kernels/material.h"
#include "score/consistency_cargo.h"
#include "score/hs_chapter.h"

#define CONSISTENCY_PREFIX "consistency/"
#define CONSISTENCY_KIND "consistency"
#define CONSISTENCY_NAME_BYTES 96u
#define CONSISTENCY_HELD_MAX 1048576u /* answers of held-out scans in a file, of each list */
/* Other chapters with fewer scans than this are not named as the nearest. */
#define CONSISTENCY_NEAREST_MIN 5u

/* Answers of normal scans, ascending within each chapter. */
struct consistency_held {
    uint32_t first[HS_CHAPTERS + 1];
    float *answers;
    uint32_t strangers_count; /* of scans whose own chapter had been left out of the training */
    float *strangers;
};

struct consistency_model {
    char name[CONSISTENCY_NAME_BYTES];
    uint8_t sha256[HASH_BYTES];
    enum image_meaning meaning;
    uint32_t working_height;
    enum consistency_material material;
    uint32_t feature_count; /* CONSISTENCY_MATERIAL with one energy, else CONSISTENCY_FEATURES */
    double means[CONSISTENCY_FEATURES];
    double *whitening; /* [feature_count x feature_count], lower triangle */
    uint64_t counts[HS_CHAPTERS];
    double *places;              /* [HS_CHAPTERS x feature_count] whitened */
    double spreads[HS_CHAPTERS]; /* of a chapter's scans about its place, 1 on average */
    /* Atomic number: middle, spread (0: not learnt), and where nine of ten scans have it. */
    double numbers[HS_CHAPTERS][4];
    struct consistency_held fit;
    struct consistency_held number;
    struct material_table table; /* row_count 0: none */
};

/* What the model is given of an item: chapter, features, atomic number and its error; NaN where
 * there is none. */
#define CONSISTENCY_INPUTS (CONSISTENCY_FEATURES + 3u)
enum {
    CONSISTENCY_INPUT_CHAPTER,
    CONSISTENCY_INPUT_FEATURES,
    CONSISTENCY_INPUT_NUMBER = CONSISTENCY_INPUT_FEATURES + CONSISTENCY_FEATURES,
    CONSISTENCY_INPUT_NUMBER_ERROR
};
/* Their names, separated by spaces. */
extern const char consistency_inputs_names[];
void consistency_inputs(uint32_t chapter, const struct consistency_cargo *cargo,
                        float out[CONSISTENCY_INPUTS]);
/* A whole chapter of 1..99, and numbers that are finite or NaN. */
bool consistency_inputs_are_sound(const float inputs[CONSISTENCY_INPUTS]);

/* An answer among those of normal scans. */
struct consistency_placed {
    bool told;       /* false: the image or the model has not what it takes */
    double answer;   /* the greater the worse */
    double chance;   /* share of normal scans whose answer is as bad */
    uint32_t as_bad; /* of the chapter's held-out scans */
    uint32_t held;   /* how many there are; 0: the chapter was never seen */
};

struct consistency_verdict {
    uint32_t chapter;
    struct consistency_placed fit;
    uint32_t nearest; /* the chapter that the load looks most like, of the others */
    struct consistency_placed number;
    double number_from; /* where nine of ten scans of the chapter have it */
    double number_to;
};

/* MODEL_UNREADABLE when a part is missing, of the wrong shape, not finite, not ascending or out of
 * range. On success the caller finis. */
MUST_USE struct err consistency_read(const struct model_file *file, struct consistency_model *out);
void consistency_model_fini(struct consistency_model *self);

/* NULL: this model has no table. */
const struct material_table *consistency_table(const struct consistency_model *self);
/* True when images of this kind were trained on; the material is missing when two energies were
 * trained on and there is one. */
void consistency_verdict(const struct consistency_model *self,
                         const float inputs[CONSISTENCY_INPUTS], struct consistency_verdict *out);

/* The chance of both questions together: that of the stranger answer, twice where two were placed
 * among scans of the chapter. NaN when none was: a chapter that was never seen is only told. */
double consistency_chance(const struct consistency_verdict *verdict);
/* True when that chance is of the fit, false when it is of the atomic number. */
bool consistency_fit_speaks(const struct consistency_verdict *verdict);

/* ---- what training shares with scoring ---- */

/* out = whitening * (features - means). */
void consistency_whiten(const struct consistency_model *self, const float *features, double *out);
/* How much further from this chapter's place than from the nearest other one's; *nearest may be
 * NULL. NaN without another chapter. `place` and `spread` stand for the chapter's own. */
double consistency_fit_answer(const struct consistency_model *self, const double *whitened,
                              uint32_t chapter, const double *place, double spread,
                              uint32_t *nearest);
/* numbers: middle and spread. NaN when they were not learnt. */
double consistency_number_answer(const double *numbers, double number, double error);

#endif
