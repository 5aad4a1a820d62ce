/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_LOG_SHARD_H
#define CTL_LOG_SHARD_H

/* Log shard: where in the public log an entry lies. The index of its leaf is its number less that
 * of the first entry of its shard. One thread; blocks on the disk; nothing is verified. */

#include <stdint.h>

#include "ctl/ctl.h"

/* Number of the first entry of a shard, as its log.open says it. tree_size: of its checkpoint.
 * Errors: NOT_FOUND in an empty one, TABLE_UNREADABLE, IO, MEMORY. */
MUST_USE struct err log_shard_first_n(const char *shard_directory, uint64_t tree_size,
                                      uint64_t *first_n);
/* Directory of the shard that holds, or will hold, the entry n; out has DURABLE_PATH_BYTES. False
 * when told why not. */
bool log_shard_of(struct ctl *ctl, uint64_t n, char *out);
/* The same, and the shard itself as the list has it. */
struct shard;
bool log_shard_find(struct ctl *ctl, uint64_t n, struct shard *shard, char *out);
/* Directory of the newest shard with a checkpoint: the same. */
bool log_shard_newest(struct ctl *ctl, char *out);

#endif
