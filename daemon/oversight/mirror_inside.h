/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MIRROR_INSIDE_H
#define MIRROR_INSIDE_H

/* Mirror inside: what the files of mirror_repair share. Included by mirror.c and mirror_slots.c
 * only. */

#include "oversight/mirror.h"
#include "oversight/wal_removed.h"
#include "oversight/wal_scan.h"

struct mirror {
    const char *directory[2];
    struct wal_scan scan[2];
    bool there[2];     /* this segment is in this copy, in its full length */
    uint8_t *index[2]; /* INDEX_BYTES; NULL: not there, or of another size */
    struct wal_slot slots[WAL_SLOTS];
    int slot_from[WAL_SLOTS]; /* the copy that has it; -1: none */
    struct wal_slot newest;   /* valid with any */
    bool any;
    bool repairs;     /* the second walk */
    bool quiet;       /* the second copy is new: nothing in it was lost */
    uint64_t missing; /* found in the first walk */
    struct wal_removed removed;
    bool removed_lost; /* in the first copy, where it is always written first */
};

#define MIRROR_COPY_NAME(copy) ((copy) == 0 ? "first" : "second")

MUST_USE struct err mirror_load_index(struct mirror *self, int copy);
/* The higher one of each pair: a slot in one copy says that its group is in both. */
MUST_USE struct err mirror_merge_slots(struct mirror *self);
MUST_USE struct err mirror_write_slots(struct mirror *self, int copy);
MUST_USE struct err mirror_load_removed(struct mirror *self);

#endif
