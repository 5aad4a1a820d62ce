/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCHIVE_ITEMS_H
#define ARCHIVE_ITEMS_H

/* Archive items: the tables that gather what many entries of a range say: one row an item, one row
 * a model. Private to daemon/archive. One thread a handle. */

#include "archive/archive_rows.h"
#include "proto/entry.h"

/* An item that an entry speaks of, once each; its cells are filled by archive_items_finish. */
MUST_USE struct err archive_items_add(struct archive_rows *self, const uint8_t item[ITEM_ID_BYTES]);
/* After the last entry of the range: fills `items`, and the columns of other tables that need the
 * item's decision. */
void archive_items_finish(struct archive_rows *self);

/* States of daemon/referral, which is not known here: a test holds these against it. A state that
 * neither ends a referral nor leaves it open is not told in `items`. */
bool archive_state_ends(const char *state);
bool archive_state_is_open(const char *state);

void archive_models_add_change(struct archive_rows *self, const struct entry *entry);
void archive_models_add_score(struct archive_rows *self, const struct entry *entry);
void archive_models_add_shadow(struct archive_rows *self, const struct entry *entry);
/* The definitions of the published metrics, whatever the entries are. NULL: none. */
MUST_USE struct err archive_metrics_add(struct archive_rows *self,
                                        const struct metric_set *metrics);
/* What the scan record says of the scale of an image; `image` is NULL when it is no longer held. */
void archive_calibration_add(struct archive_rows *self, const struct entry *entry,
                             uint32_t image_index, const struct image *image);

#endif
