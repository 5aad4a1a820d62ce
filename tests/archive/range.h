/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ARCHIVE_RANGE_H
#define TESTS_ARCHIVE_RANGE_H

/* Range: synthetic entries of a small port's day with their private records and blobs, as a source
 * for archive_build and as the content of a test log. Everything follows from the seed: the same
 * bytes every time. Aborts on any failure. */

#include "archive/archive.h"
#include "proto/entry.h"
#include "proto/record.h"

#define RANGE_ENTRIES_MAX 4096u
#define RANGE_PERSON "Maria Magdalena Mustermann"

struct range_entry {
    uint8_t *bytes;
    uint32_t bytes_count;
    uint8_t *private_bytes;
    uint32_t private_count;
};

struct range {
    struct range_entry entries[RANGE_ENTRIES_MAX];
    uint32_t count;
    uint64_t first_index;
    uint32_t next; /* of range_next */
    uint8_t item_seed;
    uint64_t decisions[256]; /* index of the decision on an item, by its first byte */
    uint8_t draw_key[HASH_BYTES];
    double random_rate;
};

void range_init(struct range *self, uint64_t first_index);
void range_fini(struct range *self);
/* The id that entry number `index` (whole log) has. */
void range_id(uint64_t index, uint8_t out[ENTRY_ID_BYTES]);
/* v, n, t_ns and id are filled in; returns the entry's index in the whole log. */
uint64_t range_add(struct range *self, struct entry *entry, const uint8_t *private_bytes,
                   uint32_t private_count);

/* A tree of a shard that begins at first_n, over made-up leaves up to the entry `until`: leaf i is
 * SHA-256(0x00 || "leaf i"). */
void range_tree_before(uint64_t first_n, uint64_t until, struct archive_tree *out);

void range_add_log_open(struct range *self, const char *origin);
void range_add_draw_commit(struct range *self);
void range_add_draw_reveal(struct range *self);
/* One item: a declaration, a scan with two images (8 and 16 bit), its score and decision; returns
 * whether it is referred. The pixels go to the blob store when there is one. Two items of equal
 * `pixels` share their images. */
bool range_add_item(struct range *self, uint8_t item[ITEM_ID_BYTES], uint8_t pixels,
                    struct blob_store *blobs);
void range_add_action(struct range *self, const uint8_t item[ITEM_ID_BYTES], const char *to_state,
                      uint64_t version);
void range_add_outcome(struct range *self, const uint8_t item[ITEM_ID_BYTES], uint64_t version);
void range_add_refusal(struct range *self);
void range_add_seal(struct range *self, const struct archive_result *result);

/* archive_next over the entries from `next` on. */
bool range_next(void *source, struct archive_entry *out, struct err *err);

#endif
