/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_TIMES_H
#define VERIFY_TIMES_H

/* Verify times: the clock, the ticks that the daemon writes at a steady pace, and what they count.
 * The clock is no evidence, the order is: odd times are worth a warning only. A tick that counts
 * more records than the log holds before it tells of entries that never reached the log. One
 * thread. */

#include "verify/verify_ids.h"

struct verify_times;

MUST_USE struct err verify_times_open(struct verify_report *report, struct verify_shard *shard,
                                      const struct verify_ids *ids, int64_t now_ns,
                                      struct verify_times **out);
void verify_times_close(struct verify_times **self);
/* Every entry, of types that are not known here too. */
MUST_USE struct err verify_times_add(struct verify_times *self, const struct entry *entry);
/* Entries were taken out here on purpose: no pause, and nothing to count by. */
void verify_times_gap(struct verify_times *self);
void verify_times_finish(struct verify_times *self);

#endif
