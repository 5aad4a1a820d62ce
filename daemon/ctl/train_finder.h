/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_TRAIN_FINDER_H
#define CTL_TRAIN_FINDER_H

/* Train finder: the part of `model train appearance` that needs --marks, or --finder and threats
 * that are put into images as if they were marks. First a fifth of the scans
 * is held out: what a finder trained on the others marks there is the evaluation, and places the
 * scores, so that a score is the probability that an officer would have marked the same. Then one
 * is trained on everything; that one is written. Main thread. */

#include "feeds/image_folder.h"
#include "score/train.h"

struct train_finder_conf {
    const char *marks;  /* NULL: none */
    bool threats_alone; /* asked for without marks, too */
    const char *groups;
    const struct image_folder *threats; /* or NULL */
    double epochs;
    uint64_t seed;
    uint32_t threads; /* 0: up to 4 */
};

/* Hands a finder to the model that is being trained. False when it was told why not. */
bool train_finder(const struct train_finder_conf *conf, const struct image_folder *folder,
                  struct train_appearance *train);
#endif
