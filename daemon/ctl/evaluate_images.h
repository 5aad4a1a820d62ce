/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_EVALUATE_IMAGES_H
#define CTL_EVALUATE_IMAGES_H

/* Evaluate images: how well marks on images hit what officers drew; the part of `triagectl model
 * evaluate` that begins with --images. Either a model's marks on images it should not know, or
 * finders, or models without marks, trained on the images themselves, each held against the part
 * that was kept from it. */

#include <argp.h>
#include <stdint.h>

#include "ctl/ctl.h"

struct evaluate_images_conf {
    const char *images; /* NULL: this is not asked for */
    const char *marks;
    const char *groups;
    const char *list;
    const char *picture;
    uint32_t folds; /* 0: a model is judged */
    double epochs;
    uint64_t seed;
    uint32_t threads;
    bool bank;       /* with folds: models without marks */
    uint32_t height; /* with bank; 0: judge.working_height */
};

/* Its input is a struct evaluate_images_conf. */
extern const struct argp evaluate_images_argp;

int evaluate_images(struct ctl *ctl, const struct evaluate_images_conf *conf, const char *model);
#endif
