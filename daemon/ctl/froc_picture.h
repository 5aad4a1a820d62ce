/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_FROC_PICTURE_H
#define CTL_FROC_PICTURE_H

/* Froc picture: false marks an image from 0 to 5 to the right, recall from 0 to 1 upwards, one
 * curve a definition of a hit (centre darkest, overlap 0.5 lightest), with the 95% intervals at
 * 0.1, 0.5, 1, 2 and 5. */

#include "base/err.h"
#include "score/froc.h"

MUST_USE struct err froc_picture_write(const struct froc *froc, const char *path);
#endif
