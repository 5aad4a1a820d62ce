/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_CHAIN_H
#define VERIFY_CHAIN_H

/* Verify chain: the shards of a log, one after the other. Each but the first embeds, in its
 * log.open, the final checkpoint of the one before, whose last entry is log.close and names it;
 * numbers go on; the first key of a shard is the last key of the one before. One thread. */

#include "proto/entry.h"
#include "verify/verify_keys.h"
#include "verify/verify_report.h"

/* What the entries of a shard say about the shard. */
struct verify_link {
    struct verify_keys *keys; /* while the shard is walked: takes its key.rotate entries */
    bool opened;
    uint64_t first_n;
    char origin[NOTE_ORIGIN_BYTES_MAX + 1];
    char previous[NOTE_BYTES_MAX + 1]; /* final checkpoint of the shard before; "" when none */
    bool closed;
    uint64_t closed_at; /* index of log.close in the shard */
    char next_origin[NOTE_ORIGIN_BYTES_MAX + 1];
    bool keys_known;
    uint8_t first_key[SIGN_PUBLIC_BYTES];
    uint8_t last_key[SIGN_PUBLIC_BYTES];
};

/* first_n as the first entry of a shard says it, 0 when that cannot be read. Nothing is verified:
 * it is for putting shards in order. */
uint64_t verify_chain_peek(const struct verify_shard *shard);
/* Every entry, with its index in the shard. */
void verify_chain_entry(struct verify_link *self, struct verify_report *report, uint64_t index,
                        const struct entry *entry);
/* All shards were walked; they lie in order, links beside them. whole: a log/ with all its shards
 * was given, so that one that is missing is a problem. */
void verify_chain_finish(struct verify_report *report, const struct verify_link *links, bool whole);
/* log/shards, where there is one, says the same. */
void verify_chain_list(struct verify_report *report, const char *directory);

#endif
