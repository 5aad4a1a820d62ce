/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CROSSFIT_BANK_H
#define CTL_CROSSFIT_BANK_H

/* Crossfit bank: what a model finds that was never shown a mark, on images it has not learnt. Such
 * a model goes through a file, as any other does. Main thread. */

#include "ctl/crossfit.h"
#include "score/image_scorer.h"

/* A model as `model train appearance` without --marks makes it of the images that are not chosen,
 * ready to judge those that are; the caller closes it. False when it was told why not. */
bool crossfit_bank_learn(const struct marked_images *images, const struct crossfit_bank *bank,
                         uint64_t seed, const struct marked_choice *choice,
                         struct image_scorer **out);

#endif
