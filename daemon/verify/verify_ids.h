/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_IDS_H
#define VERIFY_IDS_H

/* Verify ids: every entry of a shard by its id: where it is, its type, and the item that a record
 * was scored for. n of an entry is its index in the shard plus first_n. Memory: about 55 bytes an
 * entry. One thread. */

#include "base/id_map.h"
#include "proto/entry.h"
#include "verify/verify_report.h"

struct verify_ids {
    struct id_map map;
    uint8_t *kinds;   /* by index: entry type, 0 for one that is not known */
    uint32_t *owners; /* by index, of records: number of the item plus one; 0: none yet */
    uint64_t count;
    uint64_t capacity;
    uint64_t first_n;
    bool pruned; /* some of them on purpose */
    bool gap;    /* entries are missing: what refers to something unknown may refer to them */
};

/* expected: entries that are likely to come. */
MUST_USE struct err verify_ids_init(struct verify_ids *self, uint64_t expected);
void verify_ids_fini(struct verify_ids *self);
/* Indices that were left out are of no kind. *added is false when the id was used before. */
MUST_USE struct err verify_ids_add(struct verify_ids *self, uint64_t index,
                                   const uint8_t id[ENTRY_ID_BYTES], enum entry_type kind,
                                   bool *added);
/* The cause is an entry before this one: its index. An unknown one is reported unless it may lie in
 * a gap. */
bool verify_ids_cause(const struct verify_ids *self, struct verify_report *report,
                      const struct entry *entry, uint32_t cause, uint64_t *index);
bool verify_kind_is_record(uint8_t kind);

#endif
