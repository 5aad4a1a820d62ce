/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHADOW_TELL_H
#define SHADOW_TELL_H

/* Shadow tell: a shadow report as tables, as one JSON object, or as the figures that go into the
 * log when the model is promoted. Main thread. */

#include "ctl/shadow_report.h"

/* Each returns an exit code of ctl.h. */
int shadow_json(const struct shadow_report *report);
int shadow_print(const struct shadow_report *report);

#define SHADOW_FIGURES_BYTES 1024u
/* One line; the same numbers. */
void shadow_figures(const struct shadow_report *report, char out[SHADOW_FIGURES_BYTES]);

#endif
