/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_SHADOW_H
#define VERIFY_SHADOW_H

/* Verify shadow: a score in shadow comes after its item's decision, is of the model that the log
 * says was in shadow when it was decided, and a shadow ends once, by removal or promotion, with a
 * reason. What was in shadow before this shard began is not known here. One thread. */

#include "verify/verify_items.h"

struct verify_shadow;

MUST_USE struct err verify_shadow_open(struct verify_report *report, const struct verify_ids *ids,
                                       struct verify_items *items, struct verify_shadow **out);
void verify_shadow_close(struct verify_shadow **self);
MUST_USE struct err verify_shadow_model(struct verify_shadow *self, const struct entry *entry);
MUST_USE struct err verify_shadow_score(struct verify_shadow *self, const struct entry *entry);

#endif
