/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_SCORE_IMAGES_H
#define CTL_SCORE_IMAGES_H

/* Score images: `triagectl model score --images`: a folder of images through one appearance model,
 * into tables. One thread; reads the folder, writes the two files whole or not at all. */

#include "ctl/ctl.h"
#include "feeds/image_folder.h"

struct score_images_options {
    struct image_folder_conf folder;
    const char *model;
    const char *out;    /* image,x,y,width,height,score; - is standard output; may be NULL when
                           image_scores is not */
    const char *scores; /* image,score; NULL: not wanted */
};

/* An exit code. Images that cannot be scored are named on standard error, and counted; it is a
 * refusal only when none could be. */
int score_images(const struct score_images_options *options);

/* Whole or not at all: half a table would be taken for one of fewer rows. - is standard output. */
int score_deliver(const char *out, const char *text, size_t text_bytes);

#endif
