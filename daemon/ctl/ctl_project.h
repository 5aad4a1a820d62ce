/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_PROJECT_H
#define CTL_PROJECT_H

/* Ctl project: `triagectl model evaluate --project`, threat image projection. */

#include "ctl/ctl.h"

bool ctl_project_is_asked(int argc, char **argv);
int ctl_project(struct ctl *ctl, int argc, char **argv);

#endif
