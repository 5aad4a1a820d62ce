/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_H
#define TRAIN_H

/* Train: makes model files. Offline, by triagectl; allocates as it needs within stated bounds.
 * Deterministic for the same inputs and seed. Each model file carries name, seed, digest of its
 * training set and figures of its evaluation. */

#include <stdint.h>

#include "base/err.h"
#include "proto/record.h"
#include "score/finder.h"

enum { TRAIN_EVALUATION_BYTES = 2048, TRAIN_MARKS_BYTES = 1024 };
/* What the commands take when nobody asks for more. */
enum { TRAIN_BANK_PATCHES = 4096, TRAIN_DIMENSIONS = 64 };

struct train_image {
    const struct image *image;
    const uint8_t *pixels;
    const char *name;
    double declared_mass_kg;       /* gross; 0 when unknown */
    const struct image *low_image; /* the low-energy image of the same view, of the same size; NULL
                                      when there is none */
    const uint8_t *low_pixels;
};

struct train_report {
    char path[512]; /* of the model file */
    char name[96];
    uint8_t sha256[HASH_BYTES];
    char evaluation[TRAIN_EVALUATION_BYTES]; /* figures, as text */
};

struct train_appearance_conf {
    const char *scanner_type;
    uint32_t bank_patches_max; /* size of the memory bank after coreset selection */
    uint32_t dimensions;       /* of an embedding */
    uint32_t working_height;
    uint64_t seed;
};

struct train_appearance;

/* Images of normal traffic, one after another; each is taken apart at once, and only a bounded
 * sample of its patches is kept. Every fifth, from the second on, is held out to place the scores
 * (median and spread of normal image scores); at most 64 reduced images are kept for that. add:
 * IMAGE_UNREADABLE for an image that is too small, of another pixel meaning than the first, or has
 * no valid pixel; it is then as if it had not been given. write: ARGUMENT when fewer than two were
 * usable. */
MUST_USE struct err train_appearance_open(const struct train_appearance_conf *conf,
                                          struct train_appearance **out);
MUST_USE struct err train_appearance_add(struct train_appearance *self,
                                         const struct train_image *image);
/* A dual-energy scan of a threat alone in the air, before the first image: with such, and with 20
 * dual-energy images, the model gets a part that looks for hidden lumps (lump.h). ARGUMENT: not
 * dual-energy transmission, no pixel pitch, or too many. */
MUST_USE struct err train_appearance_threat(struct train_appearance *self,
                                            const struct train_image *threat);
/* A finder trained on marked images of the same kind goes into the model: text is added to the
 * evaluation (cut at TRAIN_MARKS_BYTES), the digest of the marks to that of the training set. The
 * finder is copied. Once, before write. */
MUST_USE struct err train_appearance_marks(struct train_appearance *self,
                                           const struct finder_model *finder, const char *text,
                                           const uint8_t sha256[HASH_BYTES]);
MUST_USE struct err train_appearance_write(struct train_appearance *self, const char *directory,
                                           struct train_report *report);
void train_appearance_close(struct train_appearance **self);

struct train_history;

/* Labelled declarations in the order of time. Smoothed log-odds of entities and pairs with exposure
 * counts, and the weights of a small logistic model on top, fitted on out-of-time rows (each row's
 * features are what was known before its own time: rows of the same time do not know of each
 * other). Also writes the "fusion" model: how history, appearance and consistency add up, with the
 * history part calibrated on the last fifth of the rows. ARGUMENT when time runs backwards. */
MUST_USE struct err train_history_open(uint64_t seed, struct train_history **out);
MUST_USE struct err train_history_add(struct train_history *self,
                                      const struct declaration *declaration, bool found,
                                      int64_t t_ns);
MUST_USE struct err train_history_write(struct train_history *self, const char *directory,
                                        struct train_report *history_report,
                                        struct train_report *fusion_report);
void train_history_close(struct train_history **self);

#endif
