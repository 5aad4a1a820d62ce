/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_EMPTINESS_H
#define SCORE_TRAIN_EMPTINESS_H

/* Train emptiness: learns empty from loaded containers, and says how well that is learnt.
 *
 * Rows are boxes of images that somebody labelled. Figures are of rows whose scanner the fit has
 * not seen: one scanner after another is left out. A scanner without which there is too little of a
 * label is cut into thirds of its images instead, which is too kind: the fit knows the scanner. How
 * many rows that concerns is told wherever figures are. Offline; allocates. Same rows, same file.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "score/emptiness.h"
#include "score/evaluation.h"
#include "score/train.h"

#define EMPTINESS_ROWS_MAX 100000u

struct emptiness_row {
    char image[128];  /* name of the image, for people */
    char scanner[64]; /* rows of one scanner stay together */
    bool loaded;
    struct emptiness_measure measure;
    enum image_meaning meaning;
    double overlap; /* of the box that was found with the labelled one: intersection over union */
    double logit;   /* of a load; set by emptiness_leave_out() or by the caller */
    bool by_thirds; /* of that logit: its fit has seen other images of the scanner */
};

struct emptiness_figures {
    uint32_t rows;
    uint32_t loaded;
    uint32_t scanners;
    uint32_t rows_by_thirds; /* rows and scanners whose figures know the scanner */
    uint32_t scanners_by_thirds;
    struct evaluation_rate auc; /* interval: bootstrap over scanners, 95%; NaN with one scanner */
    double calibration_error;
    uint32_t errors;     /* rows on the wrong side of one half */
    double mean_overlap; /* of boxes */
    double least_overlap;
};

/* Fits all rows but those of `left_out` (NULL: none). ARGUMENT: fewer than 8 rows of either label,
 * or images of different meaning. */
MUST_USE struct err emptiness_fit(const struct emptiness_row *rows, uint32_t count,
                                  const char *left_out, struct emptiness_model *out);
/* Sets the logit of each row by a model that has not seen its scanner; of rows whose scanner cannot
 * be left out (too few others) by thirds of the images. */
MUST_USE struct err emptiness_leave_out(struct emptiness_row *rows, uint32_t count);
/* Figures of the logits that the rows carry. */
MUST_USE struct err emptiness_figures(const struct emptiness_row *rows, uint32_t count,
                                      struct emptiness_figures *out);
#define EMPTINESS_TEXT_BYTES 768u
/* One line; out holds EMPTINESS_TEXT_BYTES. */
void emptiness_figures_text(const struct emptiness_figures *figures, char *out,
                            size_t out_capacity);
/* Fits all rows and writes the model, with the figures of rows left out, which must be set. */
MUST_USE struct err emptiness_write(const struct emptiness_row *rows, uint32_t count, uint64_t seed,
                                    const uint8_t training_set_sha256[HASH_BYTES],
                                    const char *directory, struct train_report *report);

#endif
