/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_FINDER_TRAIN_H
#define SCORE_FINDER_TRAIN_H

/* Finder training: from a set of images with boxes to a network in whole numbers. Offline;
 * allocates; runs threads of its own. The same set, options, build and BLAS core give the same
 * model, whatever the number of threads. */

#include <stdint.h>

#include "base/err.h"
#include "score/finder_gate_train.h"
#include "score/finder_set.h"

struct finder_train_conf {
    const struct finder_set *set;
    const uint8_t *taken; /* [images]: 1 = train on it; or NULL: on all */
    double epochs;        /* crops an image; 0: what suits the number of images */
    uint64_t seed;
    uint32_t threads;                                                /* 1..4 are of use */
    void (*progress)(void *argument, uint64_t done, uint64_t total); /* steps; or NULL */
    void *argument;
};

struct finder_train_report {
    uint64_t steps;
    double loss;       /* of the last twentieth of the steps in floats */
    double whole_loss; /* of the last fifth of those in whole numbers */
    uint32_t images;
    struct finder_gate_report gate; /* all 0 where none was to be learnt */
};

/* The layers that are trained, for images of known material or others: returns how many. Counts
 * only, no arrays. */
uint32_t finder_layers(bool material, struct convnet_layer out[CONVNET_LAYERS_MAX]);
/* And how such a finder looks at an image: sets views, places and pooled. */
void finder_look(bool material, struct finder_model *model);
/* And of how many networks, taught one by one (finder_train(), finder_join()), it is the mean. */
uint32_t finder_networks(bool material);

/* One network. Slope 1 and offset 0 until scores are placed. ARGUMENT without an image or a box. */
MUST_USE struct err finder_train(const struct finder_train_conf *conf, struct finder_model *out,
                                 struct finder_train_report *report);
#endif
