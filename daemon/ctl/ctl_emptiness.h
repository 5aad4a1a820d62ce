/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_EMPTINESS_H
#define CTL_EMPTINESS_H

/* Commands for models of emptiness. `model score` and `model evaluate` ask first whether the model
 * that they are given is one, and hand over. */

#include "ctl/ctl.h"

int ctl_model_train_emptiness(struct ctl *ctl, int argc, char **argv);
int ctl_emptiness_score(struct ctl *ctl, int argc, char **argv);
int ctl_emptiness_evaluate(struct ctl *ctl, int argc, char **argv);

#endif
