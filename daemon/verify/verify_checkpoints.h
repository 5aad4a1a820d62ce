/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_CHECKPOINTS_H
#define VERIFY_CHECKPOINTS_H

/* Verify checkpoints: the key, the signed tree heads of a shard, and which of them the tree must
 * still meet. One thread. */

#include "proto/note.h"
#include "verify/verify_keys.h"
#include "verify/verify_report.h"

struct verify_kept; /* verify_against.h */

struct verify_head {
    uint64_t size;
    uint8_t root[HASH_BYTES];
    struct verify_kept *kept; /* NULL: a checkpoint of the log itself */
};

struct verify_heads {
    struct verify_keys keys;
    struct verify_head newest;
    struct verify_head *heads; /* every one with a good signature, smallest first */
    uint64_t count;
    uint64_t capacity;
    uint64_t met;       /* looked at so far, in that order */
    uint64_t skipped;   /* of the log's own: no root was known at their size */
    uint64_t differing; /* of the log's own: with another root than the tree's */
    uint64_t first_differing;
};

/* vkey is a key or the name of a file that holds one, or NULL; *vkey_is_here tells whether it is
 * one of this shard's. *usable is false when there is no good key or no good checkpoint: then the
 * problem has been reported and nothing more can be checked. */
MUST_USE struct err verify_heads_read(struct verify_report *report, struct verify_shard *shard,
                                      const char *vkey, struct verify_heads *out,
                                      bool *vkey_is_here, bool *usable);
void verify_heads_fini(struct verify_heads *self);
/* One more head, before the first is met. */
MUST_USE struct err verify_heads_add(struct verify_heads *self, const struct verify_head *head);
void verify_heads_sort(struct verify_heads *self);

/* The tree has `size` entries and this root now: compare with every head of that size. Sizes must
 * not go down. */
void verify_heads_meet(struct verify_heads *self, uint64_t size, const uint8_t root[HASH_BYTES]);
/* No root is known at any size below this one. */
void verify_heads_skip(struct verify_heads *self, uint64_t size);
/* Size of the next head to meet; UINT64_MAX when none is left. */
uint64_t verify_heads_next(const struct verify_heads *self);
/* Report those that differed. */
void verify_heads_finish(struct verify_heads *self, struct verify_report *report,
                         struct verify_shard *shard);

#endif
