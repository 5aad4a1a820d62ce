/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_TRAIN_SCANS_H
#define CTL_TRAIN_SCANS_H

/* Train scans: what a scan of a folder teaches an appearance model. Main thread. */

#include "feeds/image_folder.h"
#include "score/train.h"

/* All views of a scan; a low-energy companion is not learnt by itself. *skipped counts images that
 * the trainer cannot use; they are named on standard error. Anything else that goes wrong comes
 * back. */
MUST_USE struct err train_scans_add(struct train_appearance *train, const struct folder_scan *scan,
                                    const char *name, uint32_t *skipped);

#endif
