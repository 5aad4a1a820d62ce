/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_TRAIN_FINDER_H
#define CTL_TRAIN_FINDER_H

/* Train finder: the part of `model train appearance` that needs --marks, or --finder and threats
 * that are put into images as if they were marks. One network is trained on everything, and that
 * one is written; a second one on four fifths of the scans: what it marks on the others is the
 * evaluation, and places the scores, so that a score is the probability that an officer would have
 * marked the same. Where a finder is the mean of several networks, each is trained without a fifth
 * of its own, both places them and is written: as many trainings, none for the evaluation alone.
 * Main thread. */

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
