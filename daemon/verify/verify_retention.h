/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_RETENTION_H
#define VERIFY_RETENTION_H

/* Verify retention: a payload may be discarded when a file that was sealed before has it, a second
 * copy of that file was told of before, and no hold was in force. Memory: about 60 bytes an image.
 * One thread. */

#include "verify/verify_ids.h"
#include "verify/verify_items.h"

struct verify_retention;
struct verify_seal;

MUST_USE struct err verify_retention_open(struct verify_report *report, struct verify_shard *shard,
                                          const struct verify_ids *ids,
                                          const struct verify_items *items,
                                          struct verify_retention **out);
void verify_retention_close(struct verify_retention **self);

MUST_USE struct err verify_retention_received(struct verify_retention *self,
                                              const struct entry *entry);
/* seals: what was sealed before it. */
MUST_USE struct err verify_retention_copied(struct verify_retention *self,
                                            const struct entry *entry,
                                            const struct verify_seal *seals, uint64_t seals_count);
MUST_USE struct err verify_retention_hold(struct verify_retention *self, const struct entry *entry);
void verify_retention_discard(struct verify_retention *self, const struct entry *entry,
                              const struct verify_seal *seals, uint64_t seals_count);
void verify_retention_finish(struct verify_retention *self);

#endif
