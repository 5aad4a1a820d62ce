/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CONSISTENCY_TELL_H
#define CTL_CONSISTENCY_TELL_H

/* Consistency tell: figures and verdicts of consistency models, printed. */

#include <stdio.h>

#include "ctl/consistency_figures.h"
#include "ctl/ctl.h"

/* On standard output, as a table or as JSON; an exit code. */
int consistency_tell_figures(const struct ctl *ctl, const struct consistency_figures *figures);

/* CSV: the names of the columns, and a scan. What could not be told is empty. */
void consistency_tell_head(FILE *to);
void consistency_tell_row(FILE *to, const char *image, const float inputs[CONSISTENCY_INPUTS],
                          const struct consistency_verdict *verdict);

#endif
