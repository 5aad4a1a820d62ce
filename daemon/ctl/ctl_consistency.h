/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CONSISTENCY_H
#define CTL_CONSISTENCY_H

/* Commands for models of consistency. `model score` and `model evaluate` ask first whether the
 * model that they are given is one, and hand over. */

#include "ctl/ctl.h"

int ctl_model_train_consistency(struct ctl *ctl, int argc, char **argv);
int ctl_consistency_score(struct ctl *ctl, int argc, char **argv);
int ctl_consistency_evaluate(struct ctl *ctl, int argc, char **argv);

#endif
