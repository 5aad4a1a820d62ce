/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_QUALITY_H
#define SCORE_QUALITY_H

/* Quality: how much there is to judge by, 0..1, and what is wrong in words. Kept apart from risk: a
 * poor image or an empty field is shown, but adds nothing to a score. Pure; any thread. */

#include "proto/record.h"
#include "score/working.h"

#define QUALITY_WORDS_BYTES 96u

struct quality {
    double value;                    /* 0..1 */
    char words[QUALITY_WORDS_BYTES]; /* "" when nothing is wrong */
};

void quality_of_image(const struct working *working, struct quality *out);
/* The share of the fields that scoring uses and that are there. */
void quality_of_declaration(const struct declaration *declaration, struct quality *out);

#endif
