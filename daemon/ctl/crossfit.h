/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CROSSFIT_H
#define CTL_CROSSFIT_H

/* Crossfit: a model's marks on images it was not trained on. The groups are dealt into parts; for a
 * part a finder of one network, or a model that never sees a mark, is trained on all the others, as
 * `model train appearance` does. Main thread. */

#include "ctl/marked_images.h"
#include "score/finder_train.h"
#include "score/froc.h"
#include "score/image_scorer.h"
#include "score/train.h"

/* A finder of one network, trained without a part. */
struct crossfit_kept {
    struct finder_model finder;
    struct finder_train_report report;
};

/* A model without marks; its seed is that of the crossfit. */
struct crossfit_bank {
    const struct image_folder *folder; /* that the images were read from */
    struct train_appearance_conf train;
};

struct crossfit_conf {
    const struct crossfit_bank *bank; /* NULL: finders are trained */
    uint32_t folds; /* 2..CROSSFIT_FOLDS_MAX, at most as many as there are groups */
    uint32_t end;   /* parts 0 <= part < end are done */
    double epochs;
    uint64_t seed;
    uint32_t threads;
    /* NULL, or [end], zero, for the finders: each then begins with other numbers (seed + part), as
     * what networks that began alike have in common no mean takes away. The caller finis them,
     * after a failure too. */
    struct crossfit_kept *kept;
};
enum { CROSSFIT_FOLDS_MAX = 100 };

struct crossfit {
    struct froc_mark *marks;
    uint32_t mark_count;
    /* What finders with a gate mark when they look at every cell, so that one can see what it
     * costs; as long as none has one, nothing. */
    struct froc_mark *everywhere;
    uint32_t everywhere_count;
    bool gated;
    uint8_t *covered;          /* [images]: 1 = in one of the parts */
    struct marked_cells cells; /* by looks at every cell */
};

/* Room for the marks on all images, of which none is covered yet. False when it was told why not.
 */
bool crossfit_open(const struct marked_images *images, struct crossfit *out);
/* Adds a finder's marks on the chosen images. All finders of a crossfit have a gate, or none has.
 */
bool crossfit_find(const struct marked_images *images, const struct finder_model *finder,
                   const struct marked_choice *choice, struct crossfit *out);

/* Adds the marks of any model on the chosen images, through what `model score --images` does. */
bool crossfit_score(const struct marked_images *images, const struct image_folder *folder,
                    struct image_scorer *scorer, const struct marked_choice *choice,
                    struct crossfit *out);

/* False when it was told why not. */
bool crossfit_make(const struct marked_images *images, const struct crossfit_conf *conf,
                   struct crossfit *out);
void crossfit_fini(struct crossfit *self);

struct crossfit_figures {
    struct froc froc;
    struct froc everywhere; /* when gated */
    bool gated;
    double
        auc_images; /* images with objects above those without; NaN when there is one kind only */
    double auc_cells;
    uint32_t images;
    uint32_t empty_images;
    uint32_t objects;
    uint32_t groups;
};
/* On the covered images. */
bool crossfit_judge(const struct marked_images *images, const struct crossfit *fit,
                    struct crossfit_figures *out);

/* Platt's scaling: probability that a mark hits an object = 1 / (1 + exp(-(slope * score +
 * offset))), from the covered images. Without hits and misses: slope 1, offset 0. */
bool crossfit_place(const struct marked_images *images, const struct crossfit *fit, double *slope,
                    double *offset);
#endif
