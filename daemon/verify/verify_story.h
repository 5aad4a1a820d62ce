/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_STORY_H
#define VERIFY_STORY_H

/* Verify story: do the entries, one after the other, make sense? Here are their form, ids, order
 * and seals; each entry is then told to those who know its type: items, draws, times, settings,
 * keeping. Memory grows with the log: about 125 bytes an entry, of which the ids take 55, the items
 * 45 and the draws that wait for their key 25. One thread. */

#include "proto/entry.h"
#include "verify/verify_chain.h"
#include "verify/verify_report.h"

/* What an archive.seal entry says; checked when the whole log is known. */
struct verify_seal {
    uint64_t entry_index;
    char path[160];
    uint64_t file_bytes;
    uint8_t sha256[HASH_BYTES];
    uint64_t first_index;
    uint64_t last_index;
};

struct verify_conf;
struct verify_story;

/* shard->size is how many entries are likely to come. */
MUST_USE struct err verify_story_open(struct verify_report *report, struct verify_shard *shard,
                                      const struct verify_conf *conf, struct verify_story **out);
void verify_story_close(struct verify_story **self);
/* The entries of a shard come next: of the first one, or of the one whose numbers go on from there;
 * first_n is then known. *shard of verify_story_open describes it from now on. */
void verify_story_turn(struct verify_story *self, struct verify_link *link, uint64_t first_n);
/* The entries in order; entry_index counts from 0 in each shard. entry is what entry_decode made of
 * it, with its fault; borrowed for the call. */
MUST_USE struct err verify_story_add(struct verify_story *self, uint64_t entry_index,
                                     enum entry_fault fault, const struct entry *entry);
/* Entries are missing from here on: what refers to something unknown is no further problem. */
void verify_story_gap(struct verify_story *self);
/* The same, and they were taken out on purpose. */
void verify_story_pruned(struct verify_story *self);
void verify_story_finish(struct verify_story *self);
/* Borrowed until the story is closed. */
const struct verify_seal *verify_story_seals(const struct verify_story *self, uint64_t *count);

#endif
