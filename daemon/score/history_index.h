/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_HISTORY_INDEX_H
#define SCORE_HISTORY_INDEX_H

/* History index: the counts of a table that will not change, laid out for look-ups of many keys at
 * once (kernels/lookup.h): a dense table of its own for each kind, when keys tell their kind, so
 * that the few thousand codes that every declaration names stay near the processor, whoever else
 * is known. 32 bytes an entity (43 in kinds of few) on top of the table, which words still read.
 *
 * Counts are faded to the day of the newest outcome, by whole days as they lie in the calendar; a
 * later "now" fades all of them by one factor more. Reading allocates nothing; any thread may read.
 */

#include "kernels/lookup.h"
#include "score/history_kind.h"
#include "score/history_table.h"

#define HISTORY_INDEX_TABLES 64u

struct history_index {
    struct lookup_table tables[HISTORY_INDEX_TABLES]; /* by kind; all the same one when keys do not
                                                         tell it */
    uint32_t day;                                     /* to which counts are faded */
    struct lookup_bucket *buckets;
    size_t bytes;
};

/* What is left after 0, 1, ... days; the last is 0 and stands for all beyond. */
#define HISTORY_FADES 4097u
/* 1970-01-01 is 0; held within 0..65535. */
uint32_t history_day(int64_t t_ns);
/* Time that runs backwards takes nothing away. */
float history_left(const float fades[HISTORY_FADES], uint32_t from_day, uint32_t to_day);

/* by_kind: the low HISTORY_KEY_KIND_BITS of a key are its kind. ERR_MEMORY; MODEL_UNREADABLE for
 * keys that were chosen to lie on one another (LOOKUP_STEPS_MAX). On error *out is empty. */
MUST_USE struct err history_index_make(const struct history_table *table, bool by_kind,
                                       const float fades[HISTORY_FADES], struct history_index *out);
void history_index_fini(struct history_index *self);

#endif
