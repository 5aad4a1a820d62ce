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
int score_images(const struct ctl *ctl, const struct score_images_options *options);

/* What was written, for people a line, with --json an object; nothing where a table went to
 * standard output. Returns an exit code. */
struct score_summary {
    const char *out;    /* as in the options */
    const char *scores; /* or NULL */
    uint64_t rows;
    uint32_t images;  /* that were scored */
    uint32_t refused; /* and that could not be */
};
int score_tell(const struct ctl *ctl, const struct score_summary *summary);

/* Whole or not at all: half a table would be taken for one of fewer rows. - is standard output. */
int score_deliver(const char *out, const char *text, size_t text_bytes);

#endif
