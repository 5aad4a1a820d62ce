/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_TRAIN_CONSISTENCY_H
#define SCORE_TRAIN_CONSISTENCY_H

/* Train consistency: learns what loads declared under each HS chapter look like, from normal scans
 * and the chapters they were declared under. Offline; allocates. Same images, chapters and order:
 * same file. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kernels/material.h"
#include "score/train.h"

enum { TRAIN_CONSISTENCY_SCANS_MAX = 262144, TRAIN_CONSISTENCY_STEPS_MAX = 4096 };

struct train_consistency_conf {
    const char *scanner_type; /* borrowed */
    uint32_t working_height;
    uint64_t seed;                     /* told in the file; nothing is drawn */
    const struct material_step *wedge; /* borrowed; NULL: no effective atomic number */
    size_t wedge_count;
};

struct train_consistency;

/* ARGUMENT: the steps of the wedge are out of order, or no table comes of them. */
MUST_USE struct err train_consistency_open(const struct train_consistency_conf *conf,
                                           struct train_consistency **out);
/* A scan that was declared under this chapter (1..99). IMAGE_UNREADABLE: refused, of another pixel
 * meaning than the first image, with one energy where the first had two, or without a load to be
 * seen; it is then as if it had not been given. */
MUST_USE struct err train_consistency_add(struct train_consistency *self,
                                          const struct train_image *image, uint32_t chapter);
/* ARGUMENT: too few scans, or fewer than two chapters with seven of them: five must remain when any
 * of five folds is left out. */
MUST_USE struct err train_consistency_write(struct train_consistency *self, const char *directory,
                                            struct train_report *report);
void train_consistency_close(struct train_consistency **self);

#endif
