/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERIFY_AGAINST_H
#define VERIFY_AGAINST_H

/* Verify against: checkpoints that somebody kept, on paper, in a mail, in another archive. The log
 * must be a continuation of each; that shows a log that was cut at its end or signed a second
 * time, which the log alone never can. One thread. */

#include "verify/verify_checkpoints.h"

#define VERIFY_KEPT_MAX 64u

struct verify_kept {
    const char *path; /* borrowed */
    char origin[NOTE_ORIGIN_BYTES_MAX + 1];
    char text[NOTE_BYTES_MAX + 2]; /* without what mail and printing do to a text */
    size_t text_bytes;
    uint64_t size;
    uint8_t root[HASH_BYTES];
    bool usable;  /* can be compared */
    bool claimed; /* by a shard of its origin */
    bool met;
    bool same;
};

/* Reads the files; what is no checkpoint is reported. */
MUST_USE struct err verify_kept_read(struct verify_report *report, const char *const *paths,
                                     uint32_t paths_count, struct verify_kept *out);
/* Those of this shard's origin go among its heads; those that are larger than the log are reported.
 */
MUST_USE struct err verify_kept_claim(struct verify_report *report, struct verify_shard *shard,
                                      struct verify_heads *heads, struct verify_kept *kept,
                                      uint32_t kept_count);
/* The tree's root at the size of this one is, or is not, its root. */
void verify_kept_met(struct verify_kept *self, bool same);
/* After the walk of a shard. */
void verify_kept_finish(struct verify_report *report, struct verify_shard *shard,
                        const struct verify_kept *kept, uint32_t kept_count);
/* After all shards: those of a log that is not here. */
void verify_kept_unclaimed(struct verify_report *report, const struct verify_kept *kept,
                           uint32_t kept_count);

#endif
