/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_HISTORY_INDEX_H
#define SCORE_HISTORY_INDEX_H

/* History index: the counts of a table that will not change, laid out for look-ups of many keys at
 * once (kernels/lookup.h): a dense table of its own for each kind, when keys tell their kind, so
 * that the few thousand codes that every declaration names stay near the processor, whoever else
 * is known. 27 bytes an entity on top of the table, which words still read. Reading allocates
 * nothing; any thread may read. */

#include "kernels/lookup.h"
#include "score/history_kind.h"
#include "score/history_table.h"

#define HISTORY_INDEX_TABLES 64u

struct history_index {
    struct lookup_table tables[HISTORY_INDEX_TABLES]; /* by kind; all the same one when keys do not
                                                         tell it */
    struct lookup_bucket *buckets;
    size_t bytes;
};

/* by_kind: the low HISTORY_KEY_KIND_BITS of a key are its kind. ERR_MEMORY. */
MUST_USE struct err history_index_make(const struct history_table *table, bool by_kind,
                                       struct history_index *out);
void history_index_fini(struct history_index *self);

#endif
