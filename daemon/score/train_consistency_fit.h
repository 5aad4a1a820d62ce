/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_CONSISTENCY_FIT_H
#define SCORE_TRAIN_CONSISTENCY_FIT_H

/* Train consistency fit: places of the chapters from measured loads, and the file of them. Inside
 * score/ only. */

#include "score/consistency_model.h"
#include "score/train.h"

enum { TRAIN_CONSISTENCY_FOLDS = 5, TRAIN_CONSISTENCY_ALL = TRAIN_CONSISTENCY_FOLDS };

struct consistency_row {
    uint32_t chapter;
    uint32_t fold;
    struct consistency_cargo cargo;
};

struct consistency_fit {
    struct consistency_model model; /* feature_count and material are set by the caller */
    double place_means[HS_CHAPTERS][CONSISTENCY_FEATURES]; /* whitened, of each chapter alone */
    double number_means[HS_CHAPTERS];                      /* medians of each chapter alone */
    double number_variances[HS_CHAPTERS];
    double number_ranges[HS_CHAPTERS][2]; /* 5% and 95% quantiles of each chapter alone */
    double number_counts[HS_CHAPTERS];
    double number_within;  /* variance within chapters */
    double number_between; /* and of their medians */
};

/* From all rows but those of a fold (TRAIN_CONSISTENCY_ALL: from all). The caller has allocated the
 * model's whitening and places. ARGUMENT: too few rows or chapters, or a feature that is not
 * finite. */
MUST_USE struct err consistency_fit_rows(struct consistency_fit *self,
                                         const struct consistency_row *rows, uint32_t count,
                                         uint32_t fold);
/* What a chapter's place and atomic number would be if it had never been seen. */
void consistency_fit_stranger(const struct consistency_fit *self, uint32_t chapter,
                              double place[CONSISTENCY_FEATURES], double numbers[2]);

struct consistency_written {
    const char *scanner_type;
    uint64_t seed;
    uint8_t training_set_sha256[HASH_BYTES];
    uint32_t scans;
    uint32_t nearest_right; /* of them, while held out */
};
/* The model file. With a material of CONSISTENCY_NUMBER the model has its table. */
MUST_USE struct err consistency_write(const struct consistency_model *model,
                                      const struct consistency_written *about,
                                      const char *directory, struct train_report *report);

#endif
