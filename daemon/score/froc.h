/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FROC_H
#define SCORE_FROC_H

/* Froc: how many of the objects that officers drew are marked, at how many false marks an image.
 *
 * A mark hits an object by one of three definitions: its centre lies within the object's box
 * widened by 3 pixels; or their overlap (intersection over union) is above 0.3, or 0.5. Marks are
 * taken best first, an object is hit once, further marks on it are false. Intervals are percentile
 * bootstrap, 95%, of FROC_RESAMPLES resamples of groups by a fixed seed: versions of one scan are
 * drawn together. Offline; allocates. */

#include <stdint.h>

#include "base/err.h"

enum froc_hit { FROC_CENTRE, FROC_OVERLAP_3, FROC_OVERLAP_5, FROC_HITS };
enum { FROC_RATES = 5, FROC_RESAMPLES = 1000, FROC_CURVE = 201 };

/* 0.1, 0.5, 1, 2, 5 false marks an image. */
extern const double froc_rates[FROC_RATES];
/* "centre", "overlap 0.3", "overlap 0.5" */
extern const char *const froc_hit_words[FROC_HITS];

struct froc_box {
    double left;
    double top;
    double width;
    double height;
};

struct froc_mark {
    struct froc_box box;
    double score;
    uint32_t image;
};

struct froc_object {
    struct froc_box box;
    uint32_t image;
};

struct froc_sample {
    const struct froc_mark *marks;
    const struct froc_object *objects;
    const uint32_t *groups; /* of each image; below image_count */
    uint32_t mark_count;
    uint32_t object_count; /* at least 1 */
    uint32_t image_count;  /* at least 1 */
};

struct froc_recall {
    double value;
    double lower;
    double upper;
};

struct froc {
    struct froc_recall recalls[FROC_HITS][FROC_RATES];
    double curve[FROC_HITS][FROC_CURVE]; /* recall at 0, 0.025, .. 5 false marks an image */
};

double froc_overlap(const struct froc_box *a, const struct froc_box *b);

/* hits[mark_count]: 1 where the mark hits an object by this definition. */
MUST_USE struct err froc_match(const struct froc_sample *sample, enum froc_hit definition,
                               uint8_t *hits);
MUST_USE struct err froc_make(const struct froc_sample *sample, struct froc *out);
#endif
