/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_H
#define TRAIN_H

/* Train: makes model files. Offline, by triagectl; allocates as it needs within stated bounds. Deterministic for the same
 * inputs and seed. Each model file carries name, seed, digest of its training set and figures of its evaluation. */

#include <stdint.h>

#include "base/err.h"
#include "proto/record.h"

struct train_image {
    const struct image *image;
    const uint8_t *pixels;
    const char *name;
};

struct train_report {
    char path[512];      /* of the model file */
    char name[64];
    uint8_t sha256[HASH_BYTES];
    char evaluation[1024]; /* figures, as text */
};

struct train_appearance_conf {
    const char *scanner_type;
    uint32_t bank_patches_max; /* size of the memory bank after coreset selection */
    uint32_t dimensions;       /* of an embedding */
    uint32_t working_height;
    uint64_t seed;
};

struct train_appearance;

/* Images of normal traffic, one after another; each is taken apart at once and not kept. A share of them is held out to
 * place the scores (median and spread of normal image scores). */
MUST_USE struct err train_appearance_open(const struct train_appearance_conf *conf, struct train_appearance **out);
MUST_USE struct err train_appearance_add(struct train_appearance *self, const struct train_image *image);
MUST_USE struct err train_appearance_write(struct train_appearance *self, const char *directory,
                                           struct train_report *report);
void train_appearance_close(struct train_appearance **self);

struct train_history;

/* Labelled declarations in the order of time. Smoothed log-odds of entities and pairs with exposure counts, and the weights
 * of a small logistic model on top, fitted on out-of-time rows (each row's features are what was known before it).
 * Also writes the "fusion" model: how history, appearance and consistency add up. */
MUST_USE struct err train_history_open(uint64_t seed, struct train_history **out);
MUST_USE struct err train_history_add(struct train_history *self, const struct declaration *declaration, bool found,
                                      int64_t t_ns);
MUST_USE struct err train_history_write(struct train_history *self, const char *directory,
                                        struct train_report *report);
void train_history_close(struct train_history **self);

#endif
