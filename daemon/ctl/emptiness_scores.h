/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_EMPTINESS_SCORES_H
#define CTL_EMPTINESS_SCORES_H

/* Emptiness scores: what a model of emptiness says of the images of a folder, as two tables. */

#include "feeds/image_folder.h"
#include "score/emptiness.h"

struct emptiness_scores {
    const struct ctl *ctl;
    const char *directory; /* of the images, as it is told */
    const struct emptiness_model *model;
    uint32_t working_height;
    const char *boxes_path;  /* a row a container; "-": standard output */
    const char *images_path; /* a row an image; NULL: none */
};

/* An exit code, told when it is not CTL_GOOD. Images that cannot be scored are named on standard
 * error and left out. */
int emptiness_scores_write(const struct emptiness_scores *wanted,
                           const struct image_folder *folder);

#endif
