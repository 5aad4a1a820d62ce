/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_ITEMS_H
#define VERIFY_ITEMS_H

/* Verify items: record -> score -> decision -> referral -> one end. A score follows from records
 * received, each of one item; a decision from the item's newest score, once; officers act on what
 * was referred, by legal moves, in the order of versions, and nothing comes after the end. The
 * moves are written here a second time on purpose: a checker that used the daemon's would repeat
 * its mistakes. Memory: about 150 bytes an item. One thread. */

#include "verify/verify_ids.h"

struct verify_items;

MUST_USE struct err verify_items_open(struct verify_report *report, struct verify_shard *shard,
                                      struct verify_ids *ids, struct verify_items **out);
void verify_items_close(struct verify_items **self);

MUST_USE struct err verify_items_score(struct verify_items *self, const struct entry *entry);
MUST_USE struct err verify_items_decision(struct verify_items *self, const struct entry *entry);
/* What a model in shadow said: after the item's decision, once, of its records. *decided:
 * *decision_n is that of the decision. */
MUST_USE struct err verify_items_shadow(struct verify_items *self, const struct entry *entry,
                                        bool *decided, uint64_t *decision_n);
/* Officer's actions and outcomes. */
MUST_USE struct err verify_items_event(struct verify_items *self, const struct entry *entry);
/* The number that this item's records have in the owners of the ids; false when nothing was said of
 * it yet. */
bool verify_items_number(const struct verify_items *self, const uint8_t item[ITEM_ID_BYTES],
                         uint32_t *number);
/* n of the item's first record that a score or decision names; false when none is known. */
bool verify_items_first_record(const struct verify_items *self, const uint8_t item[ITEM_ID_BYTES],
                               uint64_t *n);
const struct verify_ids *verify_items_ids(const struct verify_items *self);
/* After the last entry, whose time this is: what is open and what was left out. */
void verify_items_finish(struct verify_items *self, int64_t last_t_ns);

#endif
