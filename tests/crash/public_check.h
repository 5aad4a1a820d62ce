/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLIC_CHECK_H
#define PUBLIC_CHECK_H

/* Public check: the public directory as an outsider reads it, straight from the simulated disk,
 * with nothing of daemon/oversight: signature, bundles, tiles, root. */

#include <stdbool.h>

#include "proto/note.h"

#include "ledger.h"
#include "sim_disk.h"

/* The public checkpoint and all that it covers, as the disk holds it now; false when there is no
 * checkpoint. Violated when anything that the checkpoint covers is missing or does not verify. */
bool public_check(const struct sim_disk *disk, const char *directory, const struct note_vkey *vkey,
                  const struct ledger *ledger, struct ledger_checkpoint *out);
/* A copy of this checkpoint lies below checkpoints/. */
void public_check_copy(const struct sim_disk *disk, const char *directory,
                       const struct note_vkey *vkey, const struct ledger_checkpoint *checkpoint);
/* A signed checkpoint as everybody sees it now; false when there is no such file. */
bool public_read(const struct sim_disk *disk, const char *path, const struct note_vkey *vkey,
                 struct ledger_checkpoint *out);

#endif
