/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_FINDER_THREATS_H
#define CTL_FINDER_THREATS_H

/* Finder threats: a folder of scans of threats alone in the air (`triage-feed sim --threats`, or a
 * scanner's own), read for the training of a finder. All of them or none: who asks for threats
 * would not notice that one is missing; what is wrong is told. Main thread. */

#include "feeds/image_folder.h"
#include "score/finder_set.h"

/* Into a set that has its images. False when it was told why not. */
bool finder_threats_read(struct finder_set *set, const struct image_folder *threats);

/* The usual side of the threats, in pixels of the images as they are: the median root of the area
 * of what attenuates, at the pitch of the first image that tells one. False when it was told why
 * not. */
bool finder_threats_side(const struct image_folder *images, const struct image_folder *threats,
                         double *side);
#endif
