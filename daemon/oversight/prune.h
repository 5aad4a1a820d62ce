/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRUNE_H
#define PRUNE_H

/* Prune: takes whole bundles of entries out of the public log, below a file `minimum` in each shard
 * (base/tile_minimum.h) that is durable before the first of them goes. Hash tiles and checkpoints
 * stay. So do the first bundle of a shard (log.open), the one of its last entry (log.close), and
 * every bundle with a key.rotate, without which nobody could follow the keys.
 *
 * One thread; blocks on disk; allocates. The caller has made sure that nobody reads what goes and
 * that an entry under a published checkpoint tells of it. */

#include <stdint.h>

#include "base/err.h"
#include "oversight/shards.h"

struct prune_plan {
    uint64_t bundles; /* that lie below the new minima and not below the old ones */
    uint64_t least;   /* the highest first n that is still served of the shard that N lies in */
};

/* What would lie below the minima when entries below `below` go; `size` is of the whole log. */
MUST_USE struct err prune_weigh(const char *log_directory, uint64_t below, uint64_t size,
                                struct prune_plan *out);
/* Writes the minima. */
MUST_USE struct err prune_mark(const char *log_directory, uint64_t below, uint64_t size);
/* Removes what lies below the minima; may stop at any line and be done again. *removed counts
 * bundles. */
MUST_USE struct err prune_sweep(const char *log_directory, uint64_t *removed);

#endif
