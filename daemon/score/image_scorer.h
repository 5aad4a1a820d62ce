/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_IMAGE_SCORER_H
#define SCORE_IMAGE_SCORER_H

/* Image scorer: what one appearance model says of images alone, without item, declaration or
 * daemon: for `triagectl model score`, evaluation and benches. The same functions as in a scorer of
 * the daemon (score.h). A model that was trained with marks speaks through its finder, and scores
 * are probabilities; one without speaks through its bank, and scores are spreads above normal. One
 * thread a handle; image_scorer_run() allocates nothing. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/record.h"

#define IMAGE_SCORER_MARKS_MAX 20u
/* Of one image. */
#define IMAGE_SCORER_BYTES_MAX (UINT64_C(1) << 30)

struct image_scorer;

/* The model file at `path`. MODEL_UNREADABLE, IO, MEMORY. */
MUST_USE struct err image_scorer_open(const char *path, struct image_scorer **out);
void image_scorer_close(struct image_scorer **self);
/* "parcel-dual" of appearance/parcel-dual; lives as long as the handle. */
const char *image_scorer_scanner_type(const struct image_scorer *self);
bool image_scorer_has_finder(const struct image_scorer *self);

struct image_mark {
    uint32_t image_index; /* of the scan */
    uint32_t x;           /* in pixels of that image */
    uint32_t y;
    uint32_t width;
    uint32_t height;
    double score;
};

struct image_marks {
    struct image_mark marks[IMAGE_SCORER_MARKS_MAX]; /* best first */
    uint32_t marks_count;
    double score;        /* of the scan: with a finder the best mark's, 0 without any; else the
                            image's place among normal ones. Undefined when nothing was judged. */
    uint32_t judged;     /* images that were looked at; low-energy companions do not count */
    uint32_t refused;    /* images that could not be */
    const char *refusal; /* of the first of those: static words */
};

/* Every view of a scan; pixels[i] of scan->images[i], NULL when they are missing. */
void image_scorer_run(struct image_scorer *self, const struct scan *scan, const void *const *pixels,
                      struct image_marks *out);

#endif
