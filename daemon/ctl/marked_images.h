/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_MARKED_IMAGES_H
#define CTL_MARKED_IMAGES_H

/* Marked images: a folder of images with the boxes that somebody drew on them, as one set for
 * training and evaluating a finder. Of a scan the main image counts (score_companion.h). Images and
 * marks that cannot be read are named on standard error and left out; an image nobody looked at
 * counts as one without objects, and is counted. Main thread. */

#include <stdint.h>

#include "feeds/image_folder.h"
#include "score/finder_set.h"
#include "score/froc.h"

struct marked_images_conf {
    const struct image_folder *folder;
    const char *marks;                  /* folder of Pascal-VOC files, or a table; NULL: none, and
                                           threats are put into half of the images, as marks */
    const char *groups;                 /* NULL, or a table image,group */
    const struct image_folder *threats; /* NULL, or scans of threats alone in the air, to be put
                                           into crops that a finder is trained on */
    uint64_t seed;                      /* of where threats lie that are put into images */
    uint32_t reduction;                 /* 0: what suits the boxes */
    void (*progress)(void *argument, uint64_t done, uint64_t total);
    void *argument;
};

struct marked_size {
    uint32_t width; /* of the original */
    uint32_t height;
    uint32_t factor; /* original pixels of a working pixel */
};

struct marked_images {
    struct finder_set set; /* image i of it is image i of the arrays below; its number is the one
                              in the folder */
    uint32_t *groups;      /* 0..group_count - 1 */
    struct marked_size *sizes;
    char **names;
    uint32_t group_count;
    uint32_t object_count;
    uint32_t refused;  /* images or marks that could not be read, or of another meaning */
    uint32_t unmarked; /* no file or row of marks */
    enum image_meaning meaning;
};

/* False when it was told why not. */
bool marked_images_open(const struct marked_images_conf *conf, struct marked_images *out);
void marked_images_close(struct marked_images *self);

/* "6-cp_jpg.rf.1234.jpg" is a version of 6-cp: the name before "_jpg.rf." or ".rf.", else without
 * its ending. Returns its bytes. */
size_t marked_images_stem(const char *name);

/* Which of `folds` parts each group is in: [group_count], drawn by the seed. */
void marked_images_folds(uint32_t group_count, uint32_t folds, uint64_t seed, uint8_t *fold_of);

/* A finder's marks on the images of a set whose `chosen` is `value`: calibrated logits as scores,
 * boxes in original pixels, image numbers those of the set. The caller frees *marks. */
struct marked_choice {
    const uint8_t *chosen;
    uint8_t value;
};
/* How often a cell of 4 x 4 working pixels had which heat: [1] those whose centre lies in an
 * object's box, [0] the others. The area under the ROC curve of cells comes from it. */
enum { MARKED_HEATS = 2048 };
struct marked_cells {
    uint64_t counts[2][MARKED_HEATS];
};
double marked_cells_auc(const struct marked_cells *self);

/* cells: added to; or NULL. */
bool marked_images_find(const struct marked_images *self, const struct finder_model *finder,
                        const struct marked_choice *choice, struct marked_cells *cells,
                        struct froc_mark **marks, uint32_t *mark_count);

/* The same by any appearance model, through what `model score --images` does: a model without a
 * finder speaks by its bank and its domes. choice->chosen NULL: all images. Reads them again. */
struct image_scorer;
bool marked_images_score(const struct marked_images *self, const struct image_folder *folder,
                         struct image_scorer *scorer, const struct marked_choice *choice,
                         struct froc_mark **marks, uint32_t *mark_count);

/* All objects, boxes in original pixels; the caller frees. NULL without memory. */
struct froc_object *marked_images_objects(const struct marked_images *self);

#endif
