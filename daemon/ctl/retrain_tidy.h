/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_RETRAIN_TIDY_H
#define CTL_RETRAIN_TIDY_H

/* Retrain tidy: a timer that makes a model a week must not fill the disk. Of the model files in the
 * folder of `model retrain` (64 hex digits and .h5; nothing else is touched) the newest
 * RETRAIN_KEEP stay. Of the older ones those go that are not in force and whose loss loses nothing:
 * no model.change names them, or the store's folder of models, where a replay looks, has the same
 * bytes. Folders of comparisons that were killed go after a day.
 *
 * Main thread; blocks on the disk. */

#include <stdint.h>

#include "ctl/ctl.h"

#define RETRAIN_KEEP 8u
#define RETRAIN_TIDY_MAX 4096u /* files looked at in one run; the others wait for the next */

/* False when told. *removed: how many files went. */
bool retrain_tidy(struct ctl *ctl, const char *directory, uint32_t *removed);

#endif
