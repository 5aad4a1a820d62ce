/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_DRAWS_H
#define VERIFY_DRAWS_H

/* Verify draws: the random arm. A key is committed before its day's first draw and revealed after
 * its last one; every draw is kept until the key is known and then made again. The function is
 * written here a second time on purpose: a checker that used the daemon's would repeat its
 * mistakes. */

#include "verify/verify_day.h"
#include "verify/verify_items.h"

struct verify_draws;

/* asked: NULL, or the day that is told more of. After a gap a day may have been committed in it:
 * then its draws are not checked. */
MUST_USE struct err verify_draws_open(struct verify_report *report, struct verify_shard *shard,
                                      const struct verify_items *items, struct verify_day *asked,
                                      struct verify_draws **out);
void verify_draws_close(struct verify_draws **self);

MUST_USE struct err verify_draws_commit(struct verify_draws *self, const struct entry *entry);
MUST_USE struct err verify_draws_decision(struct verify_draws *self, const struct entry *entry);
void verify_draws_reveal(struct verify_draws *self, const struct entry *entry);
/* After the last entry. */
void verify_draws_finish(struct verify_draws *self);

#endif
