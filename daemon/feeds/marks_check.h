/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEEDS_MARKS_CHECK_H
#define FEEDS_MARKS_CHECK_H

/* Marks check: what both kinds of marks must be. Only marks*.c include this. */

#include <stdbool.h>

#include "feeds/marks.h"

/* A finite decimal number and nothing else. */
bool marks_number(const char *text, double *out);

/* NULL and the box cut to the picture, or what is wrong with it. width 0: not known. */
const char *marks_check(struct marks_box *box, uint32_t width, uint32_t height);
#endif
